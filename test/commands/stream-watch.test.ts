// The night watch of a stream: WISE goes missing, the stream is restarted meanwhile, and everybody hears of it once.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { gunzipSync } from 'node:zlib'
import { produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const kafka = (await kafkaForTests())!
const home = temporaryFolder()
const model = join(samples, 'model')
const wise = ['W1-W2', 'W2-W3', 'g-W2', 'g-W3', 'r-W2', 'r-W3']
const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => line.split(','))

/** Alerts of the sample objects as JSON, in their order again and again; some of their features are null. */
function alerts(from: number, to: number, missing: readonly string[]): { value: string }[] {
  return Array.from({ length: to - from }, (_, i) => {
    const row = rows[(from + i) % rows.length]!
    const named = header!.map((name, column) => [
      name,
      row[column] === '' || missing.includes(name) ? null : Number(row[column]),
    ])
    const features = Object.fromEntries(named.slice(2)) as object
    return { value: JSON.stringify({ oid: `ZTF${from + i}`, candid: from + i + 1, features }) }
  })
}

const bodies: Record<string, unknown>[] = []
let refusals = 2
let webhook: Server
let running: StreamProcess | undefined

const secret = 'T000-secret-path'

function start(input: string, alertTopic: string): StreamProcess {
  const { port } = webhook.address() as AddressInfo
  return startStream(
    [
      ...['--model', model, '--threads', '1', '--from', `kafka://${kafka.server}/${input}?group=night`],
      ...['--to', `kafka://${kafka.server}/night-out`, '--batch-size', '100', '--batch-timeout', '0.2'],
      ...['--metrics-port', '0', '--alert', `kafka://${kafka.server}/${alertTopic}`],
      ...['--alert', `http://127.0.0.1:${port}/${secret}`, '--alert', 'http://127.0.0.1:9/nobody'],
    ],
    { LCCLF_HOME: home, FEATURE_VERSION: '27.5.7' },
  )
}

const metrics = async ({ log }: StreamProcess): Promise<string> => {
  const port = Number(log.find((line) => line['port'] !== undefined)!['port'])
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
}
const alarmsIn = ({ log }: StreamProcess, level: string) =>
  log.filter((line) => line['alarm'] !== undefined && line['level'] === level)

describe.skipIf(!kafka)('the night watch of a stream', () => {
  beforeAll(async () => {
    webhook = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        // it may be away for a moment
        response.writeHead(refusals-- > 0 ? 503 : 200).end()
        if (refusals < 0) bodies.push(JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>)
      })
    })
    await once(webhook.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(async () => {
    running?.child.kill('SIGKILL')
    await running?.ended
  })
  afterAll(async () => {
    webhook.close()
    await kafka.remove()
  })

  it('tells once that WISE is missing: in the log, to Prometheus, a topic and a webhook, across a restart', async () => {
    const input = await kafka.createTopic('night', 1)
    const alertTopic = await kafka.createTopic('alerts', 1)
    await produce(kafka, input, [...alerts(0, 650, []), ...alerts(650, 1_400, wise)])
    running = start(input, alertTopic)
    await running.said(
      /WISE colours \(W1-W2, W2-W3, g-W2, …\) are missing in 100 % since .*Z, feature version 27\.5\.7; usual \d+ %/,
    )
    await until(async () => /lcclf_messages_total\{outcome="classified"\} 1400/.test(await metrics(running!)), 20_000)
    const page = await metrics(running)
    expect(page).toContain('lcclf_watch_alarms{kind="missing",family="WISE colours"} 1\n')
    expect(page).toMatch(/lcclf_watch_alarms_begun_total\{kind="missing"\} 1\n/)
    expect(page).toMatch(/lcclf_family_null_rate\{family="WISE colours"\} 0\.[5-9]/)
    expect(page).toMatch(/lcclf_class_share\{level="lc_classifier_top",class="Periodic"\} 0\.\d+/)
    expect(page).toContain('lcclf_winner_margin_count 1400\n')
    const [line] = alarmsIn(running, 'warn')
    const { first } = line!['alarm'] as { first: { oid: string; message: { topic: string; offset: number } } }
    expect(first.message).toMatchObject({ topic: input, partition: 0 })
    expect(Math.abs(first.message.offset - 650)).toBeLessThan(100)
    expect(first.oid).toBe(`ZTF${first.message.offset}`)
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(143)
    expect(alarmsIn(running, 'warn')).toHaveLength(1)
    expect(JSON.stringify(running.log)).not.toContain(secret)
    expect(running.log.filter(({ message }) => String(message).includes('127.0.0.1:9/… takes no alerts'))).toHaveLength(
      1,
    )

    await produce(kafka, input, [...alerts(1_400, 1_700, wise), ...alerts(1_700, 2_200, [])])
    running = start(input, alertTopic)
    await running.said(/WISE colours are back to normal after 1,[01]\d\d objects/)
    expect(alarmsIn(running, 'warn')).toEqual([])
    expect(await metrics(running)).not.toContain('lcclf_watch_alarms{')
    running.child.kill('SIGTERM')
    await running.ended

    const told = (await readTopic(kafka, alertTopic)).map(
      ({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>,
    )
    expect(told.filter(({ event }) => event === 'begun')).toHaveLength(1)
    expect(told.filter(({ event }) => event === 'ended')).toHaveLength(1)
    expect(new Set(told.map(({ id }) => id)).size).toBe(1)
    expect(bodies.map(({ event }) => event)).toEqual(told.map(({ event }) => event))
    expect(told[0]).toMatchObject({
      schemaVersion: 1,
      kind: 'missing',
      families: ['WISE colours'],
      features: wise,
      inputVersion: '27.5.7',
    })
    expect(readdirSync(join(home, 'watch'))).toHaveLength(1)
    const { stdout } = await lcclf(['watch', 'show'], { env: { LCCLF_HOME: home } })
    expect(stdout).toMatch(
      /feature version 27\.5\.7: [12],\d00 objects in \d+ nights or portions\n {2}nothing is unusual/,
    )
  })
})
