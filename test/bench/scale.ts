// What the volumes of LSST cost, from what was measured: the inputs and the tables of docs/scale.md, as Markdown.
// `npm run bench -- --full --python PATH --json bench.json`, then `npm run bench -- --scale bench.json [--messages N]`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kafkaForTests } from '../support/kafka.ts'
import { produceAlerts } from './alert-load.ts'
import { measuredStream } from './measured-stream.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

// what is asked
const alertsOfANight = 10_000_000
const hoursOfANight = 10
const objects = 20_000_000
const rowsOfAnObject = 45
/** rows of the long layout by the survey's hierarchy, which the model of the bench has */
const rowsOfTheBench = 33
/** one part of an array */
const objectsOfATask = 200_000

interface Bench {
  /** rows of its input */
  readonly objects: number
  readonly header: Readonly<Record<string, string | number>>
  readonly table: readonly { readonly name: string; readonly median: number }[]
}

/** Processor seconds, unless it says otherwise: others on the machine change them little. */
interface Inputs {
  /** an object of the whole process, from Parquet to Parquet, without its start */
  readonly object: number
  /** of a process, until it can classify */
  readonly start: number
  /** an object in scikit-learn's forests, which are in memory already, as the features are */
  readonly sklearn: number
  /** one object in memory, by the clock */
  readonly single: number
  readonly sklearnSingle: number
  /** bytes of an object in a result of the long layout */
  readonly bytes: number
  /** undefined: not measured */
  readonly alert: number | undefined
}

/** Kafka to Kafka, features echoed, by the processor's clock: what others do on this machine changes it little. */
async function secondsOfAnAlert(model: string, messages: number): Promise<number> {
  const kafka = await kafkaForTests()
  if (!kafka) throw new Error('no broker')
  try {
    const [input, output] = [await kafka.createTopic('scale', 4), await kafka.createTopic('scale-out', 4)]
    await produceAlerts(kafka.server, input, messages)
    const at = (topic: string): string => `kafka://${kafka.server}/${topic}`
    const args = ['--model', model, '--threads', '1', '--batch-timeout', '1']
    const { samples } = await measuredStream([...args, '--from', `${at(input)}?group=scale`, '--to', at(output)])
    const [first, last] = [samples[0], samples.at(-1)]
    if (!first || !last || first === last) throw new Error('too few messages: give more with --messages')
    return (last.cpuSeconds - first.cpuSeconds) / (last.messages - first.messages)
  } finally {
    await kafka.remove()
  }
}

/** Bytes of an object in the long layout, as Parquet. */
function bytesOfAnObject(model: string): number {
  const work = mkdtempSync(join(tmpdir(), 'lcclf-scale-'))
  try {
    const [rows, out] = [join(root, 'samples/ztf-300.parquet'), join(work, 'out.parquet')]
    execFileSync(process.execPath, [
      join(root, 'bin/run.js'),
      'classify',
      rows,
      '--model',
      model,
      '--layout',
      'long',
      '--to',
      out,
      '-q',
    ])
    return ((statSync(out).size / 300) * rowsOfAnObject) / rowsOfTheBench
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function inputsOf(bench: Bench, model: string, messages: number): Promise<Inputs> {
  const valueOf = (name: string): number => {
    const found = bench.table.find((line) => line.name.startsWith(name))
    if (!found) throw new Error(`the bench has no "${name}": run it with --full and --python`)
    return found.median
  }
  const [start, whole] = [valueOf('classify one row to'), valueOf('classify to Parquet, processor')]
  const rows = Math.round(bench.objects)
  return {
    object: (whole - start) / rows,
    start,
    sklearn: valueOf('scikit-learn, n_jobs=1, processor') / rows,
    sklearnSingle: valueOf('scikit-learn, one object') / 1000,
    single: valueOf('forest, one object') / 1000,
    bytes: bytesOfAnObject(model),
    alert: messages === 0 ? undefined : await secondsOfAnAlert(model, messages),
  }
}

const shown = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2))
const milliseconds = (seconds: number): string => `${shown(seconds * 1000)} ms`
/** of a core */
const hours = (seconds: number): number => seconds / 3600

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function inputTable({ object, start, sklearn, sklearnSingle, single, bytes, alert }: Inputs): string {
  return table(
    ['input', 'measured'],
    [
      ['an object, the whole process from Parquet to Parquet', milliseconds(object)],
      ['start of a process, until it can classify', `${shown(start)} s`],
      ['an object in scikit-learn’s forests alone, batches of 1,000, n_jobs=1', milliseconds(sklearn)],
      [
        'one object by itself, by the clock: ours, scikit-learn',
        `${milliseconds(single)}, ${milliseconds(sklearnSingle)}`,
      ],
      [`${rowsOfAnObject} rows of an object, long, in Parquet`, `${shown(bytes)} bytes`],
      ...(alert === undefined ? [] : [['an alert from topic to topic', milliseconds(alert)]]),
    ],
  )
}

function streamTable(alert: number): string {
  const rate = alertsOfANight / (hoursOfANight * 3600)
  const lines = [1, 2, 4, 8, 16, 32].map((partitions) => {
    const perSecond = partitions / alert
    return [
      String(partitions),
      shown(perSecond),
      `${shown(perSecond / rate)}×`,
      `${shown(alertsOfANight / perSecond / 3600)} h`,
    ]
  })
  const arriving = `of the ${shown(rate)}/s of a night of ${hoursOfANight} h`
  return table(['partitions, each with a process and a core', 'alerts/s', arriving, '10 million alerts in'], lines)
}

function reprocessTable({ object, start, sklearn }: Inputs): string {
  const tasks = Math.ceil(objects / objectsOfATask)
  const ours = hours(objects * object + tasks * start)
  const theirs = hours(objects * sklearn)
  const lines = [1, 8, 32, 100].map((cores) => [
    String(cores),
    `${shown(ours / cores)} h`,
    `${shown(theirs / cores)} h`,
  ])
  return [
    table(
      ['what', 'lcclf', 'scikit-learn'],
      [['core-hours', shown(ours), `${shown(theirs)} (${shown(theirs / ours)}×)`]],
    ),
    '',
    table(['cores', 'lcclf', 'scikit-learn'], lines),
  ].join('\n')
}

/**
 * Prints it.
 *
 * @param path what `npm run bench -- --full --python PATH --json FILE` wrote
 * @param options `model`: the bundle of that run; `messages` for the stream, 0 for none
 */
export async function tablesOfScale(
  path: string,
  options: { model?: string | undefined; messages: number },
): Promise<void> {
  const bench = JSON.parse(readFileSync(path, 'utf8')) as Bench
  const inputs = await inputsOf(bench, options.model ?? join(root, '.cache/bench-bundle'), options.messages)
  const { machine, node, model } = bench.header
  const { alert, object, bytes } = inputs
  const stream = (seconds: number): string[] => [
    '### A night of 10 million alerts',
    streamTable(seconds),
    `In all ${shown(hours(alertsOfANight * seconds))} core-hours. An alert counts as measured, and once more as an object: see below.`,
  ]
  const sections = [
    `${machine}; Node ${node}; ${model}.`,
    inputTable(inputs),
    ...(alert === undefined ? [] : stream(alert + object)),
    '### 20 million objects again',
    reprocessTable(inputs),
    `The result: ${(objects * rowsOfAnObject).toLocaleString('en')} rows, ${shown((objects * bytes) / 1e9)} GB as Parquet in the long layout.`,
  ]
  process.stdout.write(`${sections.join('\n\n')}\n`)
}
