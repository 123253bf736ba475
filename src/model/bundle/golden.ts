// Golden answers: some inputs and what the model must say to them, bit for bit.
import { preprocess, type Preprocessing } from '../../pipeline/preprocess.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { type Hierarchy, productOf } from './plain-evaluation.ts'

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

/** How far an engine is from the golden answers. `worst` is null where all are equal. */
export interface GoldenComparison {
  readonly rows: number
  /** how many probabilities differ, in any bit (0 and −0 are equal) */
  readonly differing: number
  readonly worst: GoldenDifference | null
}

/** One probability that is not what it must be. */
interface GoldenDifference {
  readonly row: number
  readonly oid: string
  readonly classifierName: string
  readonly className: string
  readonly expected: number
  readonly got: number
  readonly difference: number
}

/** The golden inputs, ready for a classifier: rowCount × features, row-major, preprocessed. */
export function goldenMatrix({ inputs }: Golden, rules: Preprocessing): Float32Array<ArrayBuffer> {
  return Float32Array.from(inputs, (value) => preprocess(value, rules))
}

/**
 * Holds an engine's answers against the golden ones.
 *
 * @param probabilities one array a level of the taxonomy, the product first (as in ClassifiedBatch)
 */
export function compareGolden(golden: Golden, probabilities: readonly Float64Array[]): GoldenComparison {
  let differing = 0
  let worst: GoldenDifference | null = null
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
      worst = {
        row,
        oid: golden.oids[row] ?? '',
        classifierName,
        className: classes[i % classes.length]!,
        expected: expected[i]!,
        got: answer,
        difference,
      }
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

/** The forests' answers as a taxonomy's: the product first, then each forest; a model of one level has one. */
export function withProduct(
  hierarchy: Hierarchy,
  probabilities: readonly Float64Array[],
  rowCount: number,
): Float64Array[] {
  const product = productOf(hierarchy, probabilities, rowCount)
  return hierarchy.taxonomy === null ? [product] : [product, ...probabilities]
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
