// A process of its own that classifies rows with one build's kernel: ROOT BUNDLE MATRIX THREADS TIMES → one line of JSON.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import type { FeatureBatch } from '../../src/pipeline/batch.ts'

/** What the process prints. */
export interface KernelRate {
  readonly objectsPerSecond: number
  /** of processor, over all threads */
  readonly microsecondsAnObject: number
  /** of all probabilities: equal where they are equal in every bit */
  readonly sha256: string
}

const batchSize = 1000

const [root, bundle, rows, threads, times] = process.argv.slice(2)
// an older build's library has these names too
const { openClassifier } = (await import(join(root!, 'dist/index.js'))) as {
  openClassifier(directory: string, options: object): Promise<Classifier>
}
const classifier = await openClassifier(bundle!, { engine: 'forest', threads: Number(threads) })
const batches = batchesOf(classifier, readFileSync(rows!))
const hash = createHash('sha256')
// the first pass warms up
for (const batch of batches) {
  const { probabilities } = await classifier.classify(copied(batch))
  for (const level of probabilities) hash.update(level)
}
const copies = Array.from({ length: Number(times) }, () => batches.map(copied)).flat()
const [started, before] = [performance.now(), process.cpuUsage()]
await Promise.all(copies.map((batch) => classifier.classify(batch)))
const seconds = (performance.now() - started) / 1000
const { user, system } = process.cpuUsage(before)
const count = copies.reduce((sum, { rowCount }) => sum + rowCount, 0)
await classifier.close()
const rate: KernelRate = {
  objectsPerSecond: count / seconds,
  microsecondsAnObject: (user + system) / count,
  sha256: hash.digest('hex'),
}
process.stdout.write(`${JSON.stringify(rate)}\n`)

function batchesOf({ features, preprocessing }: Classifier, bytes: Buffer): FeatureBatch[] {
  const { buffer } = Uint8Array.from(bytes)
  const all = preprocessing.precision === undefined ? new Float32Array(buffer) : new Float64Array(buffer)
  const width = features.length
  return Array.from({ length: Math.ceil(all.length / width / batchSize) }, (_, i) => {
    const matrix = all.slice(i * batchSize * width, (i + 1) * batchSize * width)
    const oids = Array.from({ length: matrix.length / width }, (_id, row) => String(row))
    return { rowCount: oids.length, oids, candids: oids.map(() => null), matrix }
  })
}

/** the classifier takes the matrix over, so each pass gets a copy of it */
function copied(batch: FeatureBatch): FeatureBatch {
  return { ...batch, matrix: batch.matrix.slice() }
}
