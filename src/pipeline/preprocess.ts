// The numeric rules between a feature as it is read and the float32 the forest sees.
import { UsageError } from '../errors.ts'
import type { FeatureBatch } from './batch.ts'

/**
 * The constants of the original's preprocessing (seed: `classifier/preprocessing.py`), kept in the bundle's manifest.
 * Rules, in this order, on float64: ±∞ becomes missing; missing (NaN, null) becomes `missing`; a value strictly above
 * `hugeAbove` becomes `huge`; what is left is rounded to float32, as scikit-learn does before it walks a tree.
 */
export interface Preprocessing {
  readonly missing: number
  readonly hugeAbove: number
  readonly huge: number
}

/** What ALeRCE's classifier has always used. +∞ becomes −999, not 0: the first rule comes first. */
export const alercePreprocessing: Preprocessing = { missing: -999, hugeAbove: 1e32, huge: 0 }

/**
 * One feature value, ready for the forest. The answer is infinite only for a value below about −3.4e38, which
 * scikit-learn refuses ("Input contains infinity"); the caller rejects that row.
 *
 * @param value the feature in float64; NaN stands for null
 */
export function preprocess(value: number, rules: Preprocessing): number {
  if (value !== value || value === Infinity || value === -Infinity) return rules.missing
  if (value > rules.hugeAbove) return rules.huge
  return Math.fround(value)
}

/**
 * Makes a batch's matrix what the model expects, in place: a program may hand one in that was never preprocessed. What
 * `preprocess` has been through stays as it is, in every bit. The float32 nearest to `hugeAbove` stands for `hugeAbove`
 * itself and stays; −∞ is missing, so a source that read a value beyond float32 rejects that row.
 *
 * @throws UsageError for a matrix that is no Float32Array of rowCount × features
 */
export function prepareMatrix(
  { matrix, rowCount }: Pick<FeatureBatch, 'matrix' | 'rowCount'>,
  { features, preprocessing }: { readonly features: readonly string[]; readonly preprocessing: Preprocessing },
): void {
  // programs in JavaScript hand in what they have; `instanceof` would refuse arrays of another realm, as in some test runners
  if (Object.prototype.toString.call(matrix) !== '[object Float32Array]') {
    throw new UsageError('the matrix of a batch is not a Float32Array', {
      hint: 'classifyObjects takes objects with numbers of any precision.',
    })
  }
  if (matrix.length !== rowCount * features.length) {
    throw new UsageError(`a batch of ${rowCount} rows has ${matrix.length} values, not ${features.length} a row`)
  }
  const largest = Math.fround(preprocessing.hugeAbove)
  for (let cell = 0; cell < matrix.length; cell++) {
    const value = matrix[cell]!
    // NaN is not within any bounds
    if (!(value > -Infinity && value <= largest)) matrix[cell] = preprocess(value, preprocessing)
  }
}
