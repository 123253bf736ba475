// How far two samples of one number lie apart.
import type { ShiftBin } from './diff-report.ts'

/** shares below it count as this: an empty bin would make the index infinite */
const leastShare = 1e-4

/**
 * The two-sample Kolmogorov–Smirnov statistic (scipy: `ks_2samp`): the largest difference of the distribution functions.
 *
 * @param a, b in rising order
 * @returns null where a sample is empty
 */
export function kolmogorovSmirnov(a: Float64Array, b: Float64Array): number | null {
  if (a.length === 0 || b.length === 0) return null
  let [i, j, largest] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i]!, b[j]!)
    while (i < a.length && a[i] === value) i++
    while (j < b.length && b[j] === value) j++
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length))
  }
  return largest
}

/**
 * Shares of both samples between the deciles of the first. Probabilities have many equal values (zeros above all), so
 * deciles that coincide make one bin.
 *
 * @param a, b in rising order, between 0 and 1
 */
export function decileBins(a: Float64Array, b: Float64Array): ShiftBin[] {
  if (a.length === 0 || b.length === 0) return []
  const inner = Array.from({ length: 9 }, (_, i) => a[Math.ceil(((i + 1) * a.length) / 10) - 1]!)
  const edges = [...new Set(inner)].filter((edge) => edge < 1)
  const bounds = [...edges, 1]
  return bounds.map((to, i) => {
    const from = bounds[i - 1] ?? 0
    const share = (sample: Float64Array): number => {
      const start = i === 0 ? 0 : countUpTo(sample, from)
      const end = i === bounds.length - 1 ? sample.length : countUpTo(sample, to)
      return (end - start) / sample.length
    }
    return { from, to, share_a: share(a), share_b: share(b) }
  })
}

/**
 * The population stability index Σ (b − a) ln(b / a), shares below 0.0001 taken as that. The usual reading: below 0.1
 * nothing to see, above 0.25 another population.
 *
 * @returns null where there are no shares
 */
export function populationStability(
  shares: readonly { readonly share_a: number; readonly share_b: number }[],
): number | null {
  if (shares.length === 0) return null
  return shares.reduce((sum, { share_a: before, share_b: after }) => {
    const [from, to] = [Math.max(before, leastShare), Math.max(after, leastShare)]
    return sum + (to - from) * Math.log(to / from)
  }, 0)
}

/** How many values are at most `bound`. */
function countUpTo(sorted: Float64Array, bound: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= bound) low = middle + 1
    else high = middle
  }
  return low
}
