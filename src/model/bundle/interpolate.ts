// numpy.interp, bit for bit.

/**
 * The value at x of the line through points, as `numpy.interp` works it out (compiled_base.c, `arr_interp`); the first and the
 * last value hold outside.
 *
 * @param xs ascending, at least one; equal neighbours are allowed
 */
export function interpolate(x: number, xs: ArrayLike<number>, ys: ArrayLike<number>): number {
  const end = xs.length - 1
  if (x !== x) return x
  if (x < xs[0]!) return ys[0]!
  if (x >= xs[end]!) return ys[end]!
  // the last point that is not beyond x
  let low = 0
  let high = end
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (xs[middle]! <= x) low = middle
    else high = middle
  }
  const [left, right] = [xs[low]!, xs[low + 1]!]
  const [leftValue, rightValue] = [ys[low]!, ys[low + 1]!]
  if (left === x) return leftValue
  const slope = (rightValue - leftValue) / (right - left)
  const value = slope * (x - left) + leftValue
  if (value === value) return value
  const fromRight = slope * (x - right) + rightValue
  return fromRight !== fromRight && leftValue === rightValue ? leftValue : fromRight
}
