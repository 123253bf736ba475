// The goals for Kafka, measured in one run: `npm run bench -- --kafka --model BUNDLE [--python PATH]`.
// By itself: node --import tsx test/bench/kafka.ts --model BUNDLE [--python PATH] [--messages N] [--part NAME]…
// In turns with another build: … --model BUNDLE --against FOLDER|COMMIT [--messages N] [--rounds N] [--flag=--FLAG]…
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { openOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import { readManifest } from '../../src/model/bundle/read-bundle.ts'
import { messageFeatures } from '../../src/connectors/kafka/output-message.ts'
import { createRowGatherer } from '../../src/connectors/kafka/rows.ts'
import { connectionTo } from '../support/kafka-client.ts'
import { kafkaForTests, type TestKafka } from '../support/kafka.ts'
import { pause } from '../support/until.ts'
import { oidsOf } from '../support/postgres-batches.ts'
import { createDatabase } from '../support/postgres-database.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { seedRun } from '../support/seed-run.ts'
import { startStream } from '../support/stream-process.ts'
import { alertsOf, followTopic, produceAlerts } from './alert-load.ts'
import { measuredStream, type StreamRun, type StreamSample } from './measured-stream.ts'

/** what is measured, each by itself */
const allParts = ['decode', 'kafka', 'postgres', 'delay'] as const
type Part = (typeof allParts)[number]

/** See benchKafka. */
export interface KafkaBenchOptions {
  /** folder of a bundle; the goals are for one of the real size */
  readonly model: string
  /** a Python that has fastavro, to be compared with; without it the rate it had where the goals were set */
  readonly python?: string | undefined
  /** through one stream from Kafka to Kafka; memory is looked at after a tenth of them and after all */
  readonly messages?: number | undefined
  readonly parts?: readonly Part[] | undefined
}

/** One line of the table. */
interface Figure {
  readonly what: string
  readonly least: string
  readonly reach: string
  readonly measured: string
  readonly isMet: boolean
}

/** the original with its database, messages a second: measured once on the machine where the goals were set */
const original = 58
/** the same for fastavro */
const usualPython = 1990
const usualMessages = 200_000
const databaseMessages = 12_000
const singleAlerts = 20

/**
 * Prints one table: what is asked for, and what was measured. Broker, database and streams share this machine.
 *
 * @throws Error if there is no broker, or a stream does not do its work
 */
export async function benchKafka({ model, python, messages, parts = allParts }: KafkaBenchOptions): Promise<void> {
  const figures: Figure[] = []
  const say = (more: readonly Figure[]): void => {
    figures.push(...more)
    for (const { what, measured } of more) process.stderr.write(`${what}: ${measured}\n`)
  }
  if (parts.includes('decode')) say(await benchDecoding(model, python))
  const kafka = await kafkaForTests()
  if (!kafka) throw new Error('no broker')
  try {
    if (parts.includes('delay')) say(await benchDelay(kafka, model))
    if (parts.includes('postgres')) say(await benchDatabase(kafka, model))
    if (parts.includes('kafka')) say(await benchTopics(kafka, model, messages ?? usualMessages))
  } finally {
    await kafka.remove()
  }
  const [load] = loadavg() as [number]
  const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`
  process.stdout.write(
    `\n${machine}; load average of the last minute ${load.toFixed(1)}, which is ours and all others'\n`,
  )
  print(figures)
}

function print(figures: readonly Figure[]): void {
  const rows = figures.map(({ what, least, reach, measured, isMet }) => [
    ...[what, least, reach, measured, isMet ? 'met' : 'missed'],
  ])
  const table = [['what', 'at least', 'reach for', 'measured', ''], ['---', '---', '---', '---', '---'], ...rows]
  process.stdout.write(`\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`)
}

/** One thread that reads messages as a stream does, against Python. */
async function benchDecoding(model: string, python: string | undefined): Promise<Figure[]> {
  const { manifest } = await readManifest(model)
  const { features, preprocessing } = manifest
  const gatherer = createRowGatherer({
    ...{
      features,
      preprocessing,
      echo: messageFeatures('original', []),
      batchSize: 1000,
      idColumn: 'oid',
      candidColumn: 'candid',
    },
    ...{ rename: new Map<string, string>(), allowance: { remaining: Infinity } },
  })
  const values = seedRun('input')
  const decodeFor = (milliseconds: number): number => {
    const started = performance.now()
    let count = 0
    for (; performance.now() - started < milliseconds; count++) {
      const record = { offset: BigInt(count), timestamp: 0n, key: null, value: values[count % values.length]! }
      void gatherer.add({ topic: 'bench', partition: 0 }, record)
      if (gatherer.isFull) gatherer.take()
    }
    return (count / (performance.now() - started)) * 1000
  }
  decodeFor(1000)
  const rate = decodeFor(3000)
  const theirs = python === undefined ? usualPython : pythonRate(python)
  const source = python === undefined ? 'then' : 'now'
  return [
    figure('decode alone / Python with fastavro', rate / theirs, [6, 10], `${per(rate)} / ${per(theirs)} ${source}`),
  ]
}

function pythonRate(python: string): number {
  const script = fileURLToPath(new URL('decode.py', import.meta.url))
  const messages = fileURLToPath(new URL('../fixtures/kafka/seed-run-input.bin.gz', import.meta.url))
  return (JSON.parse(execFileSync(python, [script, messages], { encoding: 'utf8' })) as { rate: number }).rate
}

/** Topic to topic: the rate, and what the memory does. */
async function benchTopics(kafka: TestKafka, model: string, messages: number): Promise<Figure[]> {
  const run = await filled(kafka, 'topics', messages, (from, to) =>
    measuredStream(['--model', model, '--from', from, '--to', to, '--batch-timeout', '1']),
  )
  const [early, late] = [0.1, 1].map((share) => memoryAround(run.samples, share * messages))
  const steps = Array.from({ length: 10 }, (_, i) => memoryAround(run.samples, ((i + 1) / 10) * messages))
  process.stderr.write(`memory on the way: ${steps.map(shownMemory).join('; ')}\n`)
  const growth = late!.rss / early!.rss - 1
  const shown = `${shownMemory(early!)} → ${shownMemory(late!)}`
  const what = `memory after ${messages} messages / after ${messages / 10}`
  return [
    figure('Kafka → Kafka / the original', run.rate / original, [50, 80], per(run.rate)),
    { what, least: '+5 %', reach: '+0 %', measured: `${percent(growth)} (${shown})`, isMet: growth <= 0.05 },
  ]
}

/** The same with the tables between, for objects that are new in them. */
async function benchDatabase(kafka: TestKafka, model: string): Promise<Figure[]> {
  const server = await startOwnPostgres({ settings: ['fsync = on', 'max_wal_size = 4GB'] })
  const database = await createDatabase(server.url)
  try {
    await database.addObjects(oidsOf(databaseMessages))
    await database.query('VACUUM ANALYZE object')
    const figures: Figure[] = []
    for (const connections of [1, 2]) {
      const address = `${database.url}?connections=${connections}`
      await database.query('TRUNCATE probability')
      const run = await filled(kafka, `tables-${connections}`, databaseMessages, (from, to) =>
        measuredStream(['--model', model, '--from', from, '--to', to, '--to', address, '--batch-timeout', '1']),
      )
      const [[rows]] = (await database.query('SELECT count(*)::int FROM probability')) as [[number]]
      if (rows !== databaseMessages * 33) throw new Error(`${rows} rows are stored`)
      const how = connections > 1 ? `, ${connections} connections` : ''
      const what = `Kafka → Kafka + Postgres, new objects${how} / the original`
      figures.push(figure(what, run.rate / original, [11, 16], `${per(run.rate)}; ${run.stages}`))
    }
    return figures
  } finally {
    await database.drop()
    await server.stop()
  }
}

async function filled(
  kafka: TestKafka,
  name: string,
  messages: number,
  work: (from: string, to: string) => Promise<StreamRun>,
): Promise<StreamRun> {
  const [input, output] = [await kafka.createTopic(name, 4), await kafka.createTopic(`${name}-out`, 4)]
  await produceAlerts(kafka.server, input, messages)
  return work(`kafka://${kafka.server}/${input}?group=${name}`, `kafka://${kafka.server}/${output}`)
}

/** One alert at a time, at moments that have nothing to do with those at which the stream looks at its clock. */
async function benchDelay(kafka: TestKafka, model: string): Promise<Figure[]> {
  const waiting = await delays(kafka, 'quiet', ['--model', model, '--batch-timeout', '1'])
  const atOnce = await delays(kafka, 'at-once', ['--model', model, '--batch-timeout', '1', '--batch-size', '1'])
  const worst = Math.max(...waiting) - 1000
  const sorted = [...atOnce].sort((a, b) => a - b)
  const median = sorted[sorted.length >> 1]!
  // an alert waits for a part of the timeout: what is beyond it is what one takes that does not wait at all
  const measured = Math.max(worst, median)
  return [
    {
      what: 'delay of a single alert beyond CONSUME_TIMEOUT 1',
      least: '< 150 ms',
      reach: '< 60 ms',
      measured: `${milliseconds(measured)} (the slowest of ${waiting.length}: 1 s and ${milliseconds(worst)}; without a timeout ${milliseconds(median)}, at most ${milliseconds(sorted.at(-1)!)})`,
      isMet: measured < 150,
    },
  ]
}

/** Milliseconds from the acknowledgement of an alert by the broker to its output in the hands of a reader. */
async function delays(kafka: TestKafka, name: string, args: readonly string[]): Promise<number[]> {
  const [input, output] = [await kafka.createTopic(name, 4), await kafka.createTopic(`${name}-out`, 4)]
  const at = (topic: string): string => `kafka://${kafka.server}/${topic}`
  const stream = startStream([...args, '--from', `${at(input)}?group=${name}`, '--to', at(output)])
  const outlet = await openOutlet(connectionTo(kafka), input)
  const reader = await followTopic(kafka, output)
  const found: number[] = []
  try {
    await stream.said(/assigned 4 partitions/, 60_000)
    // the first ones make connections and compile code
    for (let i = -5; i < singleAlerts; i++) {
      await pause(500 + Math.random() * 1000)
      await outlet.send(alertsOf(input, 1, i + 5))
      const sent = performance.now()
      const arrived = await reader.next()
      if (i >= 0) found.push(arrived - sent)
    }
  } finally {
    stream.child.kill('SIGTERM')
    await stream.ended
    await outlet.close()
    await reader.close()
  }
  return found
}

function figure(what: string, ratio: number, [least, reach]: readonly [number, number], detail: string): Figure {
  const measured = `${ratio.toFixed(1)}× (${detail})`
  return { what, least: `${least}×`, reach: `${reach}×`, measured, isMet: ratio >= least }
}

/** The middle one of the samples that are nearest, because memory goes up and down with each collection of garbage. */
function memoryAround(samples: readonly StreamSample[], messages: number): StreamSample {
  const distance = (sample: StreamSample): number => Math.abs(sample.messages - messages)
  const nearest = [...samples].sort((a, b) => distance(a) - distance(b)).slice(0, 9)
  return nearest.sort((a, b) => a.rss - b.rss)[nearest.length >> 1]!
}

function shownMemory({ messages, rss, heap, external }: StreamSample): string {
  const mega = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
  return `${mega(rss)} MB at ${messages}, heap ${mega(heap)}, outside of it ${mega(external)}`
}

const per = (rate: number): string => `${Math.round(rate)}/s`
const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`
const milliseconds = (time: number): string => `${Math.round(time)} ms`

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      python: { type: 'string' },
      messages: { type: 'string' },
      part: { type: 'string', multiple: true },
      against: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      flag: { type: 'string', multiple: true },
    },
  })
  const { model, python, messages, part, against, rounds, flag: flags } = values
  if (model === undefined) throw new Error('name a bundle with --model')
  if (against === undefined) {
    const parts = part && allParts.filter((known) => part.includes(known))
    await benchKafka({ model, python, parts, messages: messages === undefined ? undefined : Number(messages) })
  } else {
    const { benchAgainst } = await import('./kafka-against.ts')
    await benchAgainst({ model, against, messages: Number(messages ?? 60_000), rounds: Number(rounds), flags })
  }
}
