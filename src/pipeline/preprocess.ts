// The numeric rules between a feature as it is read and the number that the model sees.
import { DataError, UsageError } from '../errors.ts'

/**
 * What is done to a feature before the model sees it, kept in the bundle's manifest. Rules, in this order, on float64: ±∞ is
 * treated as `infinite` says; missing (NaN, null) becomes `missing`; a value strictly above `hugeAbove` becomes `huge`; what
 * is left is rounded to float32, as scikit-learn does before it walks a tree, unless the model compares in float64.
 */
export interface Preprocessing {
  /** NaN: a missing value stays missing, because the model has a rule of its own for it */
  readonly missing: number
  /** Infinity where the model has no such rule */
  readonly hugeAbove: number
  readonly huge: number
  /** ±∞ is a missing value unless this says that it is kept, or that its row is rejected */
  readonly infinite?: 'kept' | 'rejected'
  /** why a row with a missing value is rejected; absent where the model takes missing values */
  readonly rejectsMissing?: string
  /** of the matrix; float32 unless this is given: for models that transform features, or compare them, in float64 */
  readonly precision?: 'float64'
}

/** Features of a batch, row-major, in the precision that the model asks for. */
export type FeatureMatrix = Float32Array | Float64Array

/**
 * The constants of the original's preprocessing (seed: `classifier/preprocessing.py`). +∞ becomes −999, not 0: that rule
 * comes first.
 */
export const alercePreprocessing: Preprocessing = { missing: -999, hugeAbove: 1e32, huge: 0 }

/**
 * One feature value, ready for the model. Where the answer is not finite, `whyRejected` says whether the row can be used.
 *
 * @param value the feature in float64; NaN stands for null
 */
export function preprocess(value: number, rules: Preprocessing): number {
  // neither NaN nor infinite
  if (value - value === 0) {
    if (value > rules.hugeAbove) return rules.huge
    return rules.precision === undefined ? Math.fround(value) : value
  }
  return value !== value || rules.infinite === undefined ? rules.missing : value
}

/**
 * Why a row must be rejected for one of its values; undefined where it need not be. scikit-learn refuses the whole batch
 * ("Input contains infinity or a value too large").
 *
 * @param value as it was read
 * @param prepared as `preprocess` made it; what is finite is never a reason
 */
export function whyRejected(value: number, prepared: number, rules: Preprocessing): string | undefined {
  if (prepared !== prepared)
    return rules.rejectsMissing === undefined ? undefined : `is missing: ${rules.rejectsMissing}`
  if (prepared - prepared === 0 || rules.infinite === 'kept') return undefined
  return value - value === 0 ? 'is beyond float32' : 'is infinite'
}

/** A matrix of zeros in the precision of the rules. */
export function createMatrix(length: number, { precision }: Preprocessing): FeatureMatrix {
  return precision === undefined ? new Float32Array(length) : new Float64Array(length)
}

/**
 * Makes a batch's matrix what the model expects, in place: a program may hand one in that was never preprocessed. What
 * `preprocess` has been through stays as it is, in every bit. The float32 nearest to `hugeAbove` stands for `hugeAbove`
 * itself and stays.
 *
 * @throws UsageError for a matrix of another precision, or that is not rowCount × features; DataError for a value that the
 *   model does not take
 */
export function prepareMatrix(
  { matrix, rowCount }: { readonly matrix: FeatureMatrix; readonly rowCount: number },
  { features, preprocessing }: { readonly features: readonly string[]; readonly preprocessing: Preprocessing },
): void {
  const kind = preprocessing.precision === undefined ? 'Float32Array' : 'Float64Array'
  // programs in JavaScript hand in what they have; `instanceof` would refuse arrays of another realm, as in some test runners
  if (Object.prototype.toString.call(matrix) !== `[object ${kind}]`) {
    throw new UsageError(`the matrix of a batch is not a ${kind}`, {
      hint: 'classifyObjects takes objects with numbers of any precision.',
    })
  }
  if (matrix.length !== rowCount * features.length) {
    throw new UsageError(`a batch of ${rowCount} rows has ${matrix.length} values, not ${features.length} a row`)
  }
  const largest = kind === 'Float32Array' ? Math.fround(preprocessing.hugeAbove) : preprocessing.hugeAbove
  for (let cell = 0; cell < matrix.length; cell++) {
    const value = matrix[cell]!
    // neither NaN nor infinite
    if (value <= largest && value - value === 0) continue
    const prepared = preprocess(value, preprocessing)
    const why = whyRejected(value, prepared, preprocessing)
    if (why !== undefined) {
      const place = `row ${Math.floor(cell / features.length)} of the matrix`
      throw new DataError(`${place}: ${features[cell % features.length]} ${why}`)
    }
    matrix[cell] = prepared
  }
}
