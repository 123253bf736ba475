// The numeric rules between a feature as it is read and the float32 the forest sees.

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
