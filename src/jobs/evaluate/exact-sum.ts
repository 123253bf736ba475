// Sums that do not depend on how many numbers there are.

/** Adds numbers with Neumaier's compensation: the error stays one rounding, where a plain sum's grows with their number. */
export function exactSum(count: number, term: (index: number) => number): number {
  let sum = 0
  let lost = 0
  for (let i = 0; i < count; i++) {
    const value = term(i)
    const next = sum + value
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    sum = next
  }
  return sum + lost
}

/** The mean; null of nothing. */
export function exactMean(count: number, term: (index: number) => number): number | null {
  return count === 0 ? null : exactSum(count, term) / count
}
