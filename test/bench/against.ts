// `npm run bench -- --against COMMIT`: this build and another commit's take turns; every figure as a ratio of the two.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import type { Source } from '../../src/pipeline/source.ts'
import type { KernelRate } from './kernel-rate.ts'
import { earlierBuild } from './earlier-build.ts'
import { type Cost, timedCommand } from './timed-command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manyRows = 200_000

/** One of the two builds, and what it classifies with. */
interface Side {
  readonly root: string
  readonly bundle: string
}

type Pair = readonly [before: number, now: number]

/** What is measured, both ways in turn. */
interface Measure {
  readonly names: readonly string[]
  readonly unit: readonly string[]
  /** a rate: more is better */
  readonly isRate?: boolean
  readonly run: (side: Side) => readonly number[]
  /** one list for each of the names */
  readonly pairs: Pair[][]
}

export interface AgainstOptions {
  /** a bundle that both read; the sample model unless given */
  readonly model?: string | undefined
  /** the same model in a form that the older commit reads */
  readonly modelBefore?: string | undefined
  /** pickles of which each makes its own bundle */
  readonly pickles?: string | undefined
  /** a Parquet file */
  readonly rows?: string | undefined
  readonly repetitions: number
  readonly json?: string | undefined
}

/** Prints the table. */
export async function benchAgainst(commit: string, options: AgainstOptions): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'lcclf-bench-'))
  try {
    const sides = sidesOf(earlierBuild(commit), options, work)
    const rows = options.rows ?? join(root, 'samples/ztf-300.parquet')
    const many = join(work, 'many.parquet')
    await writeManyRows(rows, many)
    const matrix = join(work, 'matrix')
    const count = await writeMatrix(sides[1].bundle, rows, matrix)
    const sums = [new Set<string>(), new Set<string>()] as const
    const kernel = (threads: number): Measure['run'] => {
      return (side) => {
        const rate = kernelRate(side, matrix, threads, Math.max(1, Math.round(80_000 / count)))
        sums[sides.indexOf(side)]!.add(rate.sha256)
        return [rate.objectsPerSecond, rate.microsecondsAnObject]
      }
    }
    const measures = measuresOf({ rows, count, many, work, kernel, sides })
    takeTurns(measures, sides, options.repetitions)
    const different = new Set([...sums[0], ...sums[1]]).size === 1 ? 'equal in every bit' : 'DIFFERENT'
    const outputs = await differingRows(work)
    const facts = [
      `now against ${commit}: ${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}; Node ${process.version}`,
      `${rows.split('/').at(-1)}, ${count.toLocaleString('en')} rows; ${manyRows.toLocaleString('en')} of the same; ${options.repetitions} turns`,
      `probabilities of the kernels: ${different}; rows of the Parquet results that differ: ${outputs}`,
    ]
    print(measures, facts, options.json)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function sidesOf(before: string, options: AgainstOptions, work: string): readonly [Side, Side] {
  const { pickles, model = join(root, 'samples/model'), modelBefore = model } = options
  if (pickles === undefined)
    return [
      { root: before, bundle: modelBefore },
      { root, bundle: model },
    ]
  const imported = (place: string, name: string): Side => {
    const bundle = join(work, name)
    const golden = existsSync(join(pickles, 'golden.json')) ? ['--golden', pickles] : []
    const named = ['--name', 'full', '--version', '1', '--out', bundle, '-q']
    timedCommand(work, join(place, 'bin/run.js'), ['model', 'import', pickles, ...named, ...golden])
    return { root: place, bundle }
  }
  return [imported(before, 'bundle-before'), imported(root, 'bundle-now')]
}

/** The rows again and again, each with an id of its own, in row groups as other writers make them. */
async function writeManyRows(rows: string, path: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  // in the file's order: copies of the whole file, one after the other
  await connection.run(`COPY (
    SELECT copies.n || '-' || oid AS oid, rows.* EXCLUDE (oid) FROM range(${manyRows}) copies(n), '${rows}' rows
    LIMIT ${manyRows}) TO '${path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)`)
  connection.closeSync()
  instance.closeSync()
}

/** The rows as the kernel takes them, read once for both sides; answers how many they are. */
async function writeMatrix(bundle: string, rows: string, path: string): Promise<number> {
  const { openClassifier, openConnector, readOptions } = (await import(join(root, 'dist/index.js'))) as {
    openClassifier(directory: string, options: object): Promise<Classifier>
    openConnector(address: string): { source(how: object): Promise<Source> }
    readOptions(named: object): object
  }
  const classifier = await openClassifier(bundle, { threads: 1 })
  const source = await openConnector(rows).source(readOptions(classifier))
  const parts: Buffer[] = []
  let count = 0
  for await (const { batch } of source.deliveries(new AbortController().signal)) {
    parts.push(Buffer.from(batch.matrix.slice().buffer))
    count += batch.rowCount
  }
  await source.close()
  await classifier.close()
  writeFileSync(path, Buffer.concat(parts))
  return count
}

function kernelRate(side: Side, matrix: string, threads: number, times: number): KernelRate {
  const script = join(root, 'test/bench/kernel-rate.ts')
  const args = ['--import', 'tsx', script, side.root, side.bundle, matrix, String(threads), String(times)]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', cwd: root })) as KernelRate
}

interface Material {
  readonly rows: string
  readonly count: number
  readonly many: string
  readonly work: string
  readonly kernel: (threads: number) => Measure['run']
  readonly sides: readonly [Side, Side]
}

function measuresOf({ rows, count, many, work, kernel, sides }: Material): Measure[] {
  const command = (side: Side, ...args: string[]): Cost => timedCommand(work, join(side.root, 'bin/run.js'), args)
  const classified = (input: string, size: string): Measure['run'] => {
    return (side) => {
      const out = join(work, `out-${size}-${sides.indexOf(side)}.parquet`)
      const to = ['--model', side.bundle, '--to', out, '--overwrite', '-q']
      const { seconds, processor, peak } = command(side, 'classify', input, ...to)
      return [seconds, processor, peak]
    }
  }
  const whole = (size: number, name: string, input: string): Measure => {
    const what = `${size.toLocaleString('en')} rows Parquet → Parquet, whole process`
    const names = [what, '… its processor time', '… its peak memory']
    return { names, unit: ['s', 's', 'MB'], run: classified(input, name), pairs: [[], [], []] }
  }
  const kernelOn = (threads: number, name: string): Measure => {
    const names = [`kernel, ${name}`, '… processor an object']
    return { names, unit: ['objects/s', 'µs'], isRate: true, run: kernel(threads), pairs: [[], []] }
  }
  const help = (side: Side): number[] => {
    const { seconds, processor } = command(side, '--help')
    return [seconds, processor]
  }
  return [
    kernelOn(1, '1 thread'),
    kernelOn(2, '2 threads'),
    whole(count, 'few', rows),
    whole(manyRows, 'many', many),
    { names: ['lcclf --help', '… its processor time'], unit: ['s', 's'], run: help, pairs: [[], []] },
  ]
}

/** Before, now, now, before …: what else the machine does falls on both alike. The first round warms up. */
function takeTurns(measures: readonly Measure[], sides: readonly [Side, Side], repetitions: number): void {
  for (let round = 0; round <= repetitions; round++) {
    for (const { run, pairs } of measures) {
      const results: (readonly number[])[] = []
      for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) results[side] = run(sides[side]!)
      if (round > 0) pairs.forEach((list, i) => list.push([results[0]![i]!, results[1]![i]!]))
    }
    process.stderr.write(`${round === 0 ? 'warmed up' : `turn ${round} of ${repetitions}`}\n`)
  }
}

/** Rows of the two results, in their order, that are not the same in every column. */
async function differingRows(work: string): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const counts: string[] = []
  for (const size of ['few', 'many']) {
    const [before, now] = [0, 1].map((side) => `'${join(work, `out-${size}-${side}.parquet`)}'`)
    // as text, for 0 and −0 are one value in SQL
    const texts = (file: string) => `(SELECT COLUMNS(*)::VARCHAR FROM ${file})`
    const rows = await connection.runAndReadAll(
      `SELECT count(*) FROM ${texts(before!)} a POSITIONAL JOIN ${texts(now!)} b WHERE a IS DISTINCT FROM b`,
    )
    counts.push(String(rows.getRows()[0]![0]))
  }
  connection.closeSync()
  instance.closeSync()
  return counts.join(' and ')
}

function print(measures: readonly Measure[], facts: readonly string[], json: string | undefined): void {
  const table = measures.flatMap(({ names, unit, isRate = false, pairs }) =>
    names.map((name, i) => {
      const list = pairs[i]!
      // above 1: better than before
      const ratios = list.map(([before, now]) => (isRate && i === 0 ? now / before : before / now))
      const side = (which: 0 | 1) => spread(list.map((pair) => pair[which]))
      return { name, unit: unit[i]!, before: side(0), now: side(1), ratio: spread(ratios) }
    }),
  )
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ facts, table }, null, 2)}\n`)
  const lines = [
    ...facts,
    '',
    '| figure | unit | before | now | ratio, above 1 better |',
    '|---|---|---|---|---|',
    ...table.map(
      ({ name, unit, before, now, ratio }) =>
        `| ${[name, unit, ...[before, now, ratio].map(shownSpread)].join(' | ')} |`,
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

interface Spread {
  readonly least: number
  readonly median: number
  readonly most: number
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!]
  return { least: sorted[0]!, median: (low + high) / 2, most: sorted.at(-1)! }
}

function shownSpread({ least, median, most }: Spread): string {
  const shown = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))
  return `${shown(median)} (${shown(least)}–${shown(most)})`
}
