// The order in which numpy adds up a row, which decides the last bit of the sum.

const keep = (sum: number) => sum

/**
 * Adds up `length` values as numpy does along the last axis of a C-ordered array: in order below eight, then in eight
 * partial sums, and by halves above 128. The order of the additions decides the last bit, and with it whether a leaf's
 * fraction equals scikit-learn's. (numpy: `pairwise_sum` in loops_utils.h.src.)
 *
 * @param round `Math.fround` for float32 numbers, which numpy adds in float32
 */
export function numpySum(values: Float64Array, start: number, length: number, round = keep): number {
  if (length < 8) {
    let sum = 0
    for (let i = 0; i < length; i++) sum = round(sum + values[start + i]!)
    return sum
  }
  if (length > 128) {
    const half = Math.floor(length / 2)
    const first = half - (half % 8)
    return round(numpySum(values, start, first, round) + numpySum(values, start + first, length - first, round))
  }
  const partial = values.slice(start, start + 8)
  const whole = length - (length % 8)
  for (let i = 8; i < whole; i++) partial[i % 8] = round(partial[i % 8]! + values[start + i]!)
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = partial
  let sum = round(round(round(a + b) + round(c + d)) + round(round(e + f) + round(g + h)))
  for (let i = whole; i < length; i++) sum = round(sum + values[start + i]!)
  return sum
}
