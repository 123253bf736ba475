// `npm run bench`: every figure of one table from one run, interleaved, as ratios. Measures what the build made (dist/).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import type { FeatureBatch } from '../../src/pipeline/batch.ts'
import { type Cost, timedCommand } from './timed-command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = join(root, 'bin/run.js')
const batchSize = 1000

const { values: flags } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    pickles: { type: 'string' },
    rows: { type: 'string' },
    python: { type: 'string' },
    repetitions: { type: 'string', default: '5' },
    json: { type: 'string' },
    postgres: { type: 'boolean', default: false },
    multisurvey: { type: 'boolean', default: false },
    explain: { type: 'boolean', default: false },
    reprocessing: { type: 'boolean', default: false },
    'diff-why': { type: 'boolean', default: false },
    kafka: { type: 'boolean', default: false },
    'models-of-today': { type: 'boolean', default: false },
    model: { type: 'string' },
    answers: { type: 'string', multiple: true },
    scale: { type: 'string' },
    messages: { type: 'string', default: '20000' },
    against: { type: 'string' },
    'model-before': { type: 'string' },
  },
})

if (flags.against !== undefined) {
  const { benchAgainst } = await import('./against.ts')
  const { model, 'model-before': modelBefore, pickles, rows, json } = flags
  const repetitions = Number(flags.repetitions)
  await benchAgainst(flags.against, { model, modelBefore, pickles, rows, repetitions, json })
  process.exit()
}
if (flags.multisurvey) {
  const { benchMultisurvey } = await import('./multisurvey.ts')
  await benchMultisurvey()
  process.exit()
}
if (flags.postgres) {
  const { benchPostgres } = await import('./postgres.ts')
  await benchPostgres(flags.explain)
  process.exit()
}
if (flags.reprocessing) {
  if (flags.model === undefined) throw new Error('--reprocessing needs --model BUNDLE')
  const { benchReprocessing } = await import('./reprocessing.ts')
  await benchReprocessing(flags.model, Number(flags.rows ?? 10_000))
  process.exit()
}
if (flags['diff-why']) {
  const { model, rows } = flags
  if (model === undefined || rows === undefined)
    throw new Error('--diff-why needs --model BUNDLE and --rows FILE.parquet')
  const { benchDiffWhy } = await import('./diff-why.ts')
  await benchDiffWhy(model, rows)
  process.exit()
}
if (flags['models-of-today']) {
  if (flags.python === undefined) throw new Error('--models-of-today needs --python PATH')
  const { benchModelsOfToday } = await import('./models-of-today.ts')
  await benchModelsOfToday(flags.python, Number(flags.repetitions))
  process.exit()
}
if (flags.answers) {
  const { tableOfAnswers } = await import('./models-table.ts')
  await tableOfAnswers(flags.answers)
  process.exit()
}
if (flags.scale !== undefined) {
  const { tablesOfScale } = await import('./scale.ts')
  await tablesOfScale(flags.scale, { model: flags.model, messages: Number(flags.messages) })
  process.exit()
}
if (flags.kafka) {
  if (flags.model === undefined) throw new Error('--kafka needs --model BUNDLE')
  const { benchKafka } = await import('./kafka.ts')
  await benchKafka({ model: flags.model, python: flags.python })
  process.exit()
}

/** One line of the table: what is measured, in which unit, and how. */
interface Measurement {
  readonly name: string
  readonly unit: 'objects/s' | 's' | 'ms' | 'MB'
  readonly run: () => Promise<number> | number
  readonly values: number[]
}

interface Material {
  readonly bundle: string
  readonly rows: string
  readonly pickles: string | undefined
  readonly name: string
}

const measurements: Measurement[] = []

function measure(name: string, unit: Measurement['unit'], run: Measurement['run']): void {
  measurements.push({ name, unit, run, values: [] })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function python(...args: string[]): Record<string, number> {
  const { status, stdout, stderr } = spawnSync(flags.python!, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${flags.python} ${args.join(' ')} failed:\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>
}

/** Runs the built command. */
function lcclf(...args: string[]): Cost {
  return timedCommand(work, bin, args)
}

const work = mkdtempSync(join(tmpdir(), 'lcclf-bench-'))

/** The model and the rows: the sample model, or one of the real size that is taken or made. */
function material(): Material {
  if (!flags.full && flags.pickles === undefined) {
    const rows = flags.rows ?? join(root, 'samples/ztf-300.parquet')
    return {
      bundle: join(root, 'samples/model'),
      rows,
      pickles: undefined,
      name: 'the sample model (12 trees a level)',
    }
  }
  const pickles = flags.pickles ?? madePickles()
  const bundle = join(root, '.cache/bench-bundle')
  mkdirSync(join(root, '.cache'), { recursive: true })
  const golden = existsSync(join(pickles, 'golden.json')) ? ['--golden', pickles] : []
  lcclf('model', 'import', pickles, '--name', 'full', '--version', '1', '--out', bundle, '--overwrite', '-q', ...golden)
  return { bundle, rows: flags.rows ?? join(pickles, 'rows.parquet'), pickles, name: 'a model of the real size' }
}

function madePickles(): string {
  const folder = join(root, '.cache/bench-model')
  if (existsSync(join(folder, 'golden.json'))) return folder
  if (flags.python === undefined) {
    throw new Error(
      '--full makes a model with scikit-learn: name a Python that has it with --python, or pickles with --pickles',
    )
  }
  process.stderr.write('training a model of the real size (some minutes)\n')
  const script = join(root, 'test/bench/train_full_model.py')
  spawnSync(flags.python, [script, join(root, 'samples'), folder], { stdio: ['ignore', 'ignore', 'inherit'] })
  return folder
}

async function readBatches(classifier: Classifier, rows: string, size: number): Promise<FeatureBatch[]> {
  const { openSource } = await import(join(root, 'dist/index.js'))
  const { features, preprocessing } = classifier
  const base = { features, preprocessing, idColumn: 'oid', candidColumn: 'candid', rename: new Map() }
  const allowance = { remaining: Infinity }
  const spec = { kind: 'file', address: rows, path: rows, format: 'parquet' }
  const source = await openSource(spec, { ...base, batchSize: size, allowance })
  const batches: FeatureBatch[] = []
  for await (const { batch } of source.deliveries(new AbortController().signal)) batches.push(batch)
  await source.close()
  return batches
}

/** the classifier takes the matrix over, so each run gets a copy of it */
const copied = (batch: FeatureBatch): FeatureBatch => ({ ...batch, matrix: batch.matrix.slice() })

/** The rows are given several times over, so that the last batch, which leaves a thread alone, weighs little. */
async function rate(classifier: Classifier, batches: readonly FeatureBatch[], times = 4): Promise<number> {
  const copies = Array.from({ length: times }, () => batches.map(copied)).flat()
  const started = performance.now()
  await Promise.all(copies.map((batch) => classifier.classify(batch)))
  const count = copies.reduce((sum, { rowCount }) => sum + rowCount, 0)
  return count / ((performance.now() - started) / 1000)
}

async function prepare({ bundle, rows, pickles }: Material): Promise<() => Promise<void>> {
  const { openClassifier } = await import(join(root, 'dist/index.js'))
  const one: Classifier = await openClassifier(bundle, { engine: 'forest', threads: 1 })
  const all: Classifier = await openClassifier(bundle, { engine: 'forest', threads: 0 })
  const onnx: Classifier = await openClassifier(bundle, { engine: 'onnx', threads: 1 })
  const batches = await readBatches(one, rows, batchSize)
  const singles = (await readBatches(one, rows, 1)).slice(0, 200)
  const out = join(work, 'out.parquet')
  const end = (...more: string[]) =>
    lcclf('classify', rows, '--model', bundle, '--to', out, '--overwrite', '-q', ...more)

  measure('forest, 1 thread', 'objects/s', () => rate(one, batches))
  measure(`forest, all threads (${availableParallelism()})`, 'objects/s', () => rate(all, batches))
  measure('onnxruntime-node, 1 thread', 'objects/s', () => rate(onnx, batches, 1))
  measure('forest, one object at a time', 'ms', async () => {
    const copies = singles.map(copied)
    const started = performance.now()
    for (const batch of copies) await one.classify(batch)
    return (performance.now() - started) / copies.length
  })
  measure('loading the model, ready to classify', 's', async () => {
    const started = performance.now()
    await (await openClassifier(bundle, { engine: 'forest', threads: 0 })).close()
    return (performance.now() - started) / 1000
  })
  measure('reading the Parquet file alone', 'objects/s', async () => {
    const started = performance.now()
    const read = await readBatches(one, rows, batchSize)
    return read.reduce((sum, { rowCount }) => sum + rowCount, 0) / ((performance.now() - started) / 1000)
  })
  measure('classify to Parquet, whole process', 's', () => end().seconds)
  measure('classify to Parquet, peak memory', 'MB', () => end().peak)
  // what costs are counted in: others on this machine change it little
  measure('classify to Parquet, processor time', 's', () => end().processor)
  measure('classify one row to Parquet, processor time', 's', () => end('--limit', '1').processor)
  if (flags.python !== undefined && pickles !== undefined) {
    const script = join(root, 'test/bench/reference.py')
    const batch = () => python(script, 'batch', pickles, rows)
    measure('scikit-learn, n_jobs=1', 'objects/s', () => {
      const { rows: count, seconds } = batch()
      return count! / seconds!
    })
    measure('scikit-learn, n_jobs=1, processor time', 's', () => batch()['processor']!)
    measure(
      'scikit-learn, one object at a time',
      'ms',
      () => python(script, 'single', pickles, rows)['seconds']! * 1000,
    )
    measure('scikit-learn to Parquet, whole process, n_jobs=2', 's', () => {
      const started = performance.now()
      python(script, 'process', pickles, rows, out)
      return (performance.now() - started) / 1000
    })
  }
  return async () => {
    for (const classifier of [one, all, onnx]) await classifier.close()
  }
}

function valueOf(name: string): number | undefined {
  const found = measurements.find((measurement) => measurement.name.startsWith(name))
  return found === undefined ? undefined : median(found.values)
}

/** The goals, as ratios of two figures of this run. */
function ratios(): [string, number][] {
  const pairs: [string, string, string][] = [
    ['forest, 1 thread / onnxruntime-node, 1 thread', 'forest, 1 thread', 'onnxruntime-node'],
    ['forest, 1 thread / scikit-learn, n_jobs=1', 'forest, 1 thread', 'scikit-learn, n_jobs=1'],
    ['forest, all threads / 1 thread', 'forest, all threads', 'forest, 1 thread'],
    ['one object: scikit-learn / forest', 'scikit-learn, one object', 'forest, one object'],
    ['whole process: Python / lcclf', 'scikit-learn to Parquet', 'classify to Parquet, whole'],
  ]
  return pairs.flatMap(([name, over, under]): [string, number][] => {
    const [a, b] = [valueOf(over), valueOf(under)]
    return a === undefined || b === undefined ? [] : [[name, a / b]]
  })
}

/** Seconds of the whole run that are not the kernel's, as a share of the Python process. */
function outsideTheKernel(objects: number): [string, number][] {
  const whole = valueOf('classify to Parquet, whole')
  const kernel = valueOf('forest, all threads')
  const reference = valueOf('scikit-learn to Parquet')
  if (whole === undefined || kernel === undefined || reference === undefined) return []
  return [['outside the kernel / whole Python process', (whole - objects / kernel) / reference]]
}

const chosen = material()
const close = await prepare(chosen)
const repetitions = Number(flags.repetitions)
for (let i = 0; i <= repetitions; i++) {
  for (const measurement of measurements) {
    const value = await measurement.run()
    // the first round warms up
    if (i > 0) measurement.values.push(value)
  }
  process.stderr.write(`${i === 0 ? 'warmed up' : `round ${i} of ${repetitions}`}\n`)
}
await close()

const manifest = JSON.parse(readFileSync(join(chosen.bundle, 'manifest.json'), 'utf8')) as {
  levels: { trees: number; nodes: number }[]
}
const nodes = manifest.levels.reduce((sum, level) => sum + level.nodes, 0)
const header = {
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  onnxruntime: (
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  ).dependencies['onnxruntime-node'],
  model: `${chosen.name}: ${manifest.levels.map(({ trees }) => trees).join(' + ')} trees, ${nodes.toLocaleString('en')} nodes`,
  rows: `${chosen.rows.split('/').at(-1)}, ${statSync(chosen.rows).size.toLocaleString('en')} bytes`,
  repetitions,
}
const objects = Math.round((valueOf('reading the Parquet') ?? 0) > 0 ? await countRows() : 0)
async function countRows(): Promise<number> {
  const { openClassifier } = await import(join(root, 'dist/index.js'))
  const classifier: Classifier = await openClassifier(chosen.bundle, { engine: 'forest', threads: 1 })
  const read = await readBatches(classifier, chosen.rows, batchSize)
  await classifier.close()
  return read.reduce((sum, { rowCount }) => sum + rowCount, 0)
}
const table = measurements.map(({ name, unit, values }) => {
  return { name, unit, median: median(values), least: Math.min(...values), most: Math.max(...values) }
})
const goals = [...ratios(), ...outsideTheKernel(objects)].map(([name, value]) => ({ name, value }))
if (flags.json !== undefined)
  writeFileSync(flags.json, `${JSON.stringify({ header, objects, table, goals }, null, 2)}\n`)
const shown = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))
const lines = [
  ...Object.entries(header).map(([key, value]) => `${key.padEnd(12)} ${String(value)}`),
  '',
  '| figure | median | least | most | unit |',
  '|---|---|---|---|---|',
  ...table.map(
    ({ name, unit, median: middle, least, most }) =>
      `| ${name} | ${shown(middle)} | ${shown(least)} | ${shown(most)} | ${unit} |`,
  ),
  '',
  '| ratio | |',
  '|---|---|',
  ...goals.map(({ name, value }) => `| ${name} | ${shown(value)} |`),
]
process.stdout.write(`${lines.join('\n')}\n`)
rmSync(work, { recursive: true, force: true })
