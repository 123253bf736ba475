// Boosters and ExtraTrees against their own libraries' predict with one thread, interleaved in one run, as ratios.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FeatureBatch } from '../../src/pipeline/batch.ts'
import type { Classifier } from '../../src/pipeline/classifier.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = join(root, 'test/bench/models_of_today.py')
const models = [
  ['xgboost', 'xgboost.json', 'rows.parquet'],
  ['lightgbm', 'lightgbm.txt', 'rows.parquet'],
  ['extra-trees', 'extra-trees.pkl', 'rows-filled.parquet'],
] as const
const featureCounts = [30, 178]

export async function benchModelsOfToday(python: string, repetitions: number): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'lcclf-bench-'))
  try {
    const lines = ['| model | features | lcclf, rows/s | its library, rows/s | ratio |', '|---|---|---|---|---|']
    for (const count of featureCounts) {
      const folder = join(root, '.cache', `bench-models-of-today-${count}`)
      if (!existsSync(join(folder, 'rows-filled.parquet'))) run(python, [script, 'train', folder, String(count)])
      for (const [name, file, rows] of models) {
        const bundle = join(work, `${name}-${count}`)
        const names = ['--name', name, '--version', '1', '--out', bundle, '-q']
        run(process.execPath, [join(root, 'bin/run.js'), 'model', 'import', join(folder, file), ...names])
        const own = await createMeasurement(bundle, join(folder, rows))
        const pairs: (readonly [number, number])[] = []
        for (let i = 0; i <= repetitions; i++) {
          const pair = [await own.rate(), libraryRate(python, folder, name)] as const
          // the first round warms up
          if (i > 0) pairs.push(pair)
        }
        await own.close()
        const [ours, theirs, ratio] = [
          pairs.map(([a]) => a),
          pairs.map(([, b]) => b),
          pairs.map(([a, b]) => a / b),
        ].map(median)
        const figures = [Math.round(ours!), Math.round(theirs!), ratio!.toPrecision(3)]
        lines.push(`| ${[name, count, ...figures].join(' | ')} |`)
        process.stderr.write(`${lines.at(-1)}\n`)
      }
    }
    process.stdout.write(`${lines.join('\n')}\n`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${stderr}`)
  return stdout
}

function libraryRate(python: string, folder: string, name: string): number {
  const last = run(python, [script, 'time', folder, name]).trim().split('\n').at(-1)!
  const { rows, seconds } = JSON.parse(last) as { rows: number; seconds: number }
  return rows / seconds
}

/** All rows in batches of a thousand, on one thread. */
async function createMeasurement(bundle: string, path: string) {
  const { openClassifier, openSource } = await import(join(root, 'dist/index.js'))
  const classifier: Classifier = await openClassifier(bundle, { engine: 'forest', threads: 1 })
  const { features, preprocessing } = classifier
  const base = { features, preprocessing, idColumn: 'oid', candidColumn: 'candid', rename: new Map() }
  const spec = { kind: 'file', address: path, path, format: 'parquet' }
  const source = await openSource(spec, { ...base, batchSize: 1000, allowance: { remaining: Infinity } })
  const batches: FeatureBatch[] = []
  for await (const { batch } of source.deliveries(new AbortController().signal)) batches.push(batch)
  await source.close()
  return {
    async rate(): Promise<number> {
      const copies = batches.map((batch) => ({ ...batch, matrix: batch.matrix.slice() }))
      const started = performance.now()
      await Promise.all(copies.map((batch) => classifier.classify(batch)))
      const count = copies.reduce((sum, { rowCount }) => sum + rowCount, 0)
      return count / ((performance.now() - started) / 1000)
    },
    close: () => classifier.close(),
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
