// Golden answers: some inputs and what the model must say to them, bit for bit.
import { preprocess, type Preprocessing } from '../../pipeline/preprocess.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import type { Forest } from './forest.ts'

/** What `golden.arrow` of a bundle holds. */
export interface Golden {
  readonly rowCount: number
  readonly oids: readonly string[]
  /** rowCount × features, row-major, as they were before preprocessing; NaN stands for null */
  readonly inputs: Float64Array
  /** in the order of the model's taxonomy: the product first */
  readonly expected: readonly GoldenLevel[]
}

/** The expected answers of one classifier_name. */
export interface GoldenLevel {
  readonly classifierName: string
  readonly classes: readonly string[]
  /** rowCount × classes, row-major */
  readonly probabilities: Float64Array
}

/** How far an engine is from the golden answers. */
export interface GoldenComparison {
  readonly rows: number
  /** how many probabilities differ, in any bit (0 and −0 are equal) */
  readonly differing: number
  /** null where all are equal */
  readonly worst: {
    readonly row: number
    readonly oid: string
    readonly classifierName: string
    readonly className: string
    readonly expected: number
    readonly got: number
    readonly difference: number
  } | null
}

/** The golden inputs, ready for a classifier: rowCount × features, row-major, preprocessed. */
export function goldenMatrix({ inputs }: Pick<Golden, 'inputs'>, rules: Preprocessing): Float32Array<ArrayBuffer> {
  return Float32Array.from(inputs, (value) => preprocess(value, rules))
}

/**
 * Compares an engine's answers with the golden ones.
 *
 * @param probabilities one array a level of the taxonomy, the product first (as in ClassifiedBatch)
 */
export function compareGolden(golden: Golden, probabilities: readonly Float64Array[]): GoldenComparison {
  let differing = 0
  let worst: GoldenComparison['worst'] = null
  golden.expected.forEach(({ classifierName, classes, probabilities: expected }, level) => {
    const got = probabilities[level]
    for (let i = 0; i < expected.length; i++) {
      const answer = got?.[i] ?? NaN
      if (answer === expected[i]) continue
      differing++
      const difference = Math.abs(answer - expected[i]!)
      // an answer that is missing or no number is worse than any
      if (worst && !(difference > worst.difference) && !(Number.isNaN(difference) && !Number.isNaN(worst.difference)))
        continue
      const row = Math.floor(i / classes.length)
      const className = classes[i % classes.length]!
      const oid = golden.oids[row] ?? ''
      worst = { row, oid, classifierName, className, expected: expected[i]!, got: answer, difference }
    }
  })
  return { rows: golden.rowCount, differing, worst }
}

/** The comparison as a sentence. */
export function describeComparison({ rows, differing, worst }: GoldenComparison): string {
  if (!worst) return `${rows} rows, every probability equal in every bit`
  const { row, oid, classifierName, className, expected, got, difference } = worst
  return (
    `${differing} probabilities differ in ${rows} rows, the worst in row ${row} (${oid}), ` +
    `${classifierName}/${className}: expected ${expected}, got ${got} (${difference.toExponential(2)} apart)`
  )
}

/** Expected answers in a taxonomy's order. */
export function goldenLevels({ levels }: Taxonomy, probabilities: readonly Float64Array[]): GoldenLevel[] {
  return levels.map(({ classifierName, classes }, index) => ({
    classifierName,
    classes,
    probabilities: probabilities[index]!,
  }))
}

/**
 * How far onnxruntime's answers may be from the golden ones. Then the predicted class is the same wherever the best two
 * are further apart than twice this.
 */
export const onnxTolerance = 1e-6

/** Whether the worst difference is small enough for an engine that computes in float32. */
export function isWithinTolerance({ worst }: GoldenComparison): boolean {
  return worst === null || worst.difference < onnxTolerance
}

// Golden inputs for a model that comes without: drawn from the forest's own thresholds, always the same.

/** What inputs are drawn from; −1 for a node without a threshold. */
export type Splits = Pick<Forest, 'feature' | 'threshold'>

/** How many objects are drawn. */
const drawnRows = 64
/** thresholds kept for each feature: enough to be different in every row */
const mostThresholds = 256

/**
 * Values where an engine goes wrong if it can: exactly on a threshold, one float32 beside it, missing, infinite, huge,
 * zero of both signs. Never one that preprocessing leaves infinite.
 *
 * @param prefix of the drawn oids
 * @returns inputs before preprocessing, and no expected answers
 */
export function drawGoldenInputs(forests: readonly Splits[], featureCount: number, prefix = 'golden'): Golden {
  const pools = thresholdsByFeature(forests, featureCount)
  const random = randomNumbers(20_200_914)
  const inputs = new Float64Array(drawnRows * featureCount)
  for (let i = 0; i < inputs.length; i++) inputs[i] = drawValue(pools[i % featureCount]!, random)
  const oids = Array.from({ length: drawnRows }, (_, row) => `${prefix}${row}`)
  return { rowCount: drawnRows, oids, inputs, expected: [] }
}

const oddValues = [NaN, Infinity, -Infinity, 1e33, 1e32, -999, 0, -0, -1e30, 1e-45, 1e300]

function drawValue(thresholds: readonly number[], random: () => number): number {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const kind = random()
  if (thresholds.length === 0 || kind < 0.1) return pick(oddValues)
  const threshold = pick(thresholds)
  const nearest = Math.fround(threshold)
  if (kind < 0.3) return threshold
  if (kind < 0.5) return nearest
  if (kind < 0.7) return nextFloat32(nearest, 1)
  if (kind < 0.9) return nextFloat32(nearest, -1)
  return threshold + (random() - 0.5) * Math.max(1, Math.abs(threshold))
}

/** The float32 beside a float32, upwards or downwards. */
export function nextFloat32(value: number, direction: 1 | -1): number {
  const floats = Float32Array.of(value)
  const bits = new Int32Array(floats.buffer)
  if (value === 0) return direction * 2 ** -149
  bits[0]! += value > 0 === direction > 0 ? 1 : -1
  return floats[0]!
}

function thresholdsByFeature(forests: readonly Splits[], featureCount: number): number[][] {
  const pools = Array.from({ length: featureCount }, (): number[] => [])
  for (const { feature, threshold } of forests) {
    // spread over the forest: the first trees alone would be enough for a broken reader of the last
    const step = Math.max(1, Math.floor(feature.length / (featureCount * mostThresholds)))
    for (let row = 0; row < feature.length; row += step) {
      const pool = feature[row]! >= 0 ? pools[feature[row]!]! : undefined
      // 1.3 and later can hold infinite thresholds; huge ones would be turned into something else first
      if (pool && pool.length < mostThresholds * forests.length && Math.abs(threshold[row]!) < 1e30)
        pool.push(threshold[row]!)
    }
  }
  return pools
}

/** Mulberry32: small, known, and the same everywhere. Numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
