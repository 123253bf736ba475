// Some rows of a table of numbers.

/**
 * @param values rows × width, row-major
 * @param rows which to take, in the order in which they come out
 */
export function pickRows(values: Float64Array, rows: readonly number[], width: number): Float64Array {
  const picked = new Float64Array(rows.length * width)
  rows.forEach((row, place) => picked.set(values.subarray(row * width, (row + 1) * width), place * width))
  return picked
}
