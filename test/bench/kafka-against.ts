// Kafka → Kafka by this build and by an earlier one, in turns, through one broker; their messages are compared.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import { createFetcher } from '../../src/connectors/kafka/client/fetcher.ts'
import { listOffsets } from '../../src/connectors/kafka/client/offsets.ts'
import { keyOf, type TopicPartition } from '../../src/connectors/kafka/client/partition.ts'
import { connectionTo } from '../support/kafka-client.ts'
import { kafkaForTests, type TestKafka } from '../support/kafka.ts'
import { takeApart } from '../support/seed-run.ts'
import { produceAlerts } from './alert-load.ts'
import { earlierBuild } from './earlier-build.ts'
import { measuredStream, type StreamRun } from './measured-stream.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What is measured. */
export interface AgainstOptions {
  /** folder of a bundle */
  readonly model: string
  /** a folder with another build, or a commit, which is built in the temporary folder */
  readonly against: string
  readonly messages: number
  /** pairs of runs; the first warms up the broker and is not counted */
  readonly rounds: number
  /** further flags of both streams */
  readonly flags?: readonly string[] | undefined
}

/** Prints medians of both, and their ratios. @throws Error where their messages differ */
export async function benchAgainst(options: AgainstOptions): Promise<void> {
  const bins = { earlier: join(earlierBuild(options.against), 'bin/run.js'), now: join(root, 'bin/run.js') }
  const kafka = await kafkaForTests()
  if (!kafka) throw new Error('no broker')
  const runs: Record<keyof typeof bins, StreamRun[]> = { earlier: [], now: [] }
  try {
    const input = await kafka.createTopic('against', 4)
    await produceAlerts(kafka.server, input, options.messages)
    for (let round = 0; round <= options.rounds; round++) {
      const order = round % 2 === 0 ? (['earlier', 'now'] as const) : (['now', 'earlier'] as const)
      const sums: string[] = []
      for (const which of order) {
        const { run, sum } = await once(kafka, input, `${which}-${round}`, bins[which], options)
        if (round > 0) runs[which].push(run)
        sums.push(sum)
        process.stderr.write(`${which}: ${shown(run)}\n`)
      }
      if (new Set(sums).size > 1) throw new Error('the two builds do not write the same messages')
    }
  } finally {
    await kafka.remove()
  }
  print(runs.earlier, runs.now)
}

/** One stream over the whole topic, into a topic that is read once and deleted. */
async function once(kafka: TestKafka, input: string, name: string, bin: string, options: AgainstOptions) {
  const output = await kafka.createTopic(name, 4)
  const at = (topic: string): string => `kafka://${kafka.server}/${topic}`
  const places = ['--from', `${at(input)}?group=${name}`, '--to', at(output)]
  const args = ['--model', options.model, ...places, '--batch-timeout', '1', ...(options.flags ?? [])]
  const run = await measuredStream(args, { bin, brokerPid: kafka.pid })
  const sum = await sumOf(kafka, output, options.messages)
  await kafka.deleteTopic(output)
  return { run, sum }
}

/** Of all values, by key: whatever their order, without the sync marker, which is a container's own. */
async function sumOf(kafka: TestKafka, topic: string, count: number): Promise<string> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-bench')
  const fetcher = createFetcher<TopicPartition>(cluster)
  try {
    const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }))
    const ends = await listOffsets(cluster, partitions, 'latest')
    const all = [...ends.values()].reduce((sum, end) => sum + Number(end), 0)
    if (all !== count) throw new Error(`${topic} has ${all} messages, not ${count}`)
    for (const partition of partitions) if (ends.get(keyOf(partition))! > 0n) fetcher.assign(partition, 0n, partition)
    const sums = new Map<string, string>()
    while (sums.size < count) {
      const chunk = await fetcher.next(30_000)
      if (!chunk) throw new Error(`${topic} has fewer keys than ${count}`)
      for (const { key, value } of chunk.records) {
        const { metadata, record } = takeApart(value!)
        sums.set(key!.toString(), createHash('sha1').update(JSON.stringify(metadata)).update(record).digest('hex'))
      }
    }
    return createHash('sha1')
      .update(JSON.stringify([...sums].sort()))
      .digest('hex')
  } finally {
    fetcher.close()
    await cluster.close()
  }
}

const shown = ({ rate, costs, stages }: StreamRun): string =>
  `${rate.toFixed(0)}/s; a message: ${costs.stream.toFixed(1)} µs of a core, the broker ${costs.broker.toFixed(1)}; ${stages}`

function print(earlier: readonly StreamRun[], now: readonly StreamRun[]): void {
  const lines: [string, (run: StreamRun) => number, isRate: boolean][] = [
    ['messages a second', ({ rate }) => rate, true],
    ['µs of a core a message, the stream', ({ costs }) => costs.stream, false],
    ['µs of a core a message, the broker', ({ costs }) => costs.broker, false],
  ]
  const rows = lines.map(([what, valueOf, isRate]) => {
    const [then, today] = [median(earlier.map(valueOf)), median(now.map(valueOf))]
    const ratio = isRate ? today / then : then / today
    return [what, then.toFixed(isRate ? 0 : 1), today.toFixed(isRate ? 0 : 1), `${ratio.toFixed(2)}×`]
  })
  const table = [[`medians of ${now.length}`, 'then', 'now', 'better by'], ['---', '---', '---', '---'], ...rows]
  process.stdout.write(
    `\nthe same messages, byte by byte\n\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`,
  )
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
