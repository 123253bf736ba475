// Kafka → Kafka through `lcclf stream`, as a process: node --import tsx test/bench/kafka.ts BUNDLE [MESSAGES] [ARGS…]
// Prints messages a second from the first committed batch to the last, and the process's memory.
import { readFileSync } from 'node:fs'
import { openOutlet } from '../../src/kafka/outlet.ts'
import { connectionTo } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'
import { startStream } from '../support/stream-process.ts'

/** the original on the same broker and database, messages a second */
const original = 58
const [model, count = '20000', ...args] = process.argv.slice(2)
if (model === undefined) throw new Error('name a bundle')
const messages = Number(count)
const kafka = await kafkaForTests()
if (!kafka) throw new Error('no broker')
try {
  const topic = await kafka.createTopic('bench', 4)
  const recorded = seedRun('input').map((value) => ({ key: Buffer.from(plainAlert(value).oid), value }))
  const outlet = await openOutlet(connectionTo(kafka), topic)
  for (let sent = 0; sent < messages; sent += 1000) {
    await outlet.send(
      Array.from({ length: 1000 }, (_, i) => {
        const { value } = recorded[(sent + i) % recorded.length]!
        return { topic, key: Buffer.from(`key ${sent + i}`), value }
      }),
    )
  }
  await outlet.close()
  const at = (name: string): string => `kafka://${kafka.server}/${name}`
  const stream = startStream([
    ...['--model', model, '--from', `${at(topic)}?group=bench`, '--to', at('bench-out'), '--until-caught-up'],
    ...['--batch-timeout', '1', ...args],
  ])
  let peak = 0
  let status = ''
  const watch = setInterval(() => {
    try {
      status = readFileSync(`/proc/${stream.child.pid}/status`, 'utf8')
    } catch {
      return
    }
    peak = Math.max(peak, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  }, 200)
  const code = await stream.ended
  clearInterval(watch)
  const lines = stream.log.filter(({ batches }) => batches !== undefined)
  const [first] = lines
  const last = lines.at(-1)
  if (code !== 0 || !first || !last) throw new Error(JSON.stringify(stream.log.slice(-3)))
  const seconds = (Date.parse(String(last['time'])) - Date.parse(String(first['time']))) / 1000
  const read = lines.slice(1).reduce((sum, line) => sum + Number(line['read']), 0)
  const rate = read / seconds
  process.stdout.write(
    `${read} messages in ${seconds.toFixed(1)} s: ${Math.round(rate)}/s, ${(rate / original).toFixed(1)}× the original, ` +
      `${Math.round(peak)} MB at most\n`,
  )
} finally {
  await kafka.remove()
}
