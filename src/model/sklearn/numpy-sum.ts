// numpy's sum of a row, addition by addition.

/**
 * Adds up `length` values as numpy does along the last axis of a C-ordered array: in order below eight, then in eight
 * partial sums, and by halves above 128. The order of the additions decides the last bit, and with it whether a leaf's
 * fraction equals scikit-learn's. (numpy: `pairwise_sum` in loops_utils.h.src.)
 */
export function numpySum(values: Float64Array, start: number, length: number): number {
  if (length < 8) {
    let sum = 0
    for (let i = 0; i < length; i++) sum += values[start + i]!
    return sum
  }
  if (length > 128) {
    const half = Math.floor(length / 2)
    const first = half - (half % 8)
    return numpySum(values, start, first) + numpySum(values, start + first, length - first)
  }
  const partial = values.slice(start, start + 8)
  const whole = length - (length % 8)
  for (let i = 8; i < whole; i++) partial[i % 8]! += values[start + i]!
  const [a, b, c, d, e, f, g, h] = partial as unknown as EightNumbers
  let sum = a + b + (c + d) + (e + f + (g + h))
  for (let i = whole; i < length; i++) sum += values[start + i]!
  return sum
}

type EightNumbers = [number, number, number, number, number, number, number, number]
