// From what `tree_.value` holds to the fractions that scikit-learn adds up.
import { numpySum } from './numpy-sum.ts'
import type { PickledForest } from './pickled-forest.ts'

/**
 * Writes the class fractions of one node into `target`: counts divided by their sum in float64, an all-zero row stays
 * zero (scikit-learn puts 1 for a sum of 0); fractions as they are stored, because dividing them again changes answers.
 */
export function leafFractions(
  values: Float64Array,
  node: number,
  { layout, target }: { layout: PickledForest['valueLayout']; target: Float64Array },
): void {
  const { length } = target
  const start = node * length
  const sum = layout === 'counts' ? numpySum(values, start, length) : 1
  const divisor = sum === 0 ? 1 : sum
  for (let i = 0; i < length; i++) target[i] = values[start + i]! / divisor
}

/** Whether fractions are a distribution: none below 0, and 1 together within 1e-12, or all zero. */
export function isDistribution(fractions: Float64Array, start = 0, length = fractions.length): boolean {
  let sum = 0
  for (let i = start; i < start + length; i++) {
    if (!(fractions[i]! >= 0)) return false
    sum += fractions[i]!
  }
  return sum === 0 || Math.abs(sum - 1) <= 1e-12
}
