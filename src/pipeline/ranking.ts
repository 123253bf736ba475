// Dense ranks, as the original writes them into the Probability table's column `ranking`.

/**
 * Ranks one row of probabilities, the largest first: equals share a rank and the next value takes the next one, without
 * gaps (seed: `get_ranking`; 0.7, 0.2, 0.1, 0.1, 0, 0 → 1, 2, 3, 3, 4, 4).
 *
 * @param values probabilities, `length` of them from `start` on
 * @param into takes `length` ranks from `intoStart` on, in the order of the values
 */
export function denseRanks(
  values: Float64Array,
  start: number,
  length: number,
  into: Int32Array,
  intoStart: number,
): void {
  const descending = values
    .slice(start, start + length)
    .sort()
    .reverse()
  let distinct = 0
  for (let i = 0; i < length; i++) {
    // `<` and not `!==`: −0 and 0 are the same probability
    if (i === 0 || descending[i]! < descending[distinct - 1]!) descending[distinct++] = descending[i]!
  }
  for (let i = 0; i < length; i++) into[intoStart + i] = placeOf(values[start + i]!, descending, distinct) + 1
}

function placeOf(value: number, descending: Float64Array, distinct: number): number {
  for (let place = 0; place < distinct; place++) if (descending[place]! <= value) return place
  return distinct
}
