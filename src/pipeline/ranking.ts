// Dense ranks, as the original writes them into the Probability table's column `ranking`.
import type { ClassifiedBatch } from './batch.ts'

/**
 * The rows of the Probability table for some objects of a batch.
 *
 * @param places the classes of the rows that each object has: a level, and a place among its classes
 * @returns objects × places, row-major
 */
export function rankedValues(
  { taxonomy, probabilities: levels }: ClassifiedBatch,
  objects: readonly number[],
  places: readonly { readonly level: number; readonly index: number }[],
): { probabilities: Float64Array; rankings: Int32Array } {
  const widths = taxonomy.levels.map(({ classes }) => classes.length)
  const ranks = widths.map((width) => new Int32Array(width))
  const probabilities = new Float64Array(objects.length * places.length)
  const rankings = new Int32Array(objects.length * places.length)
  let at = 0
  for (const object of objects) {
    widths.forEach((width, level) => denseRanks(levels[level]!, object * width, width, ranks[level]!, 0))
    for (const { level, index } of places) {
      probabilities[at] = levels[level]![object * widths[level]! + index]!
      rankings[at++] = ranks[level]![index]!
    }
  }
  return { probabilities, rankings }
}

/**
 * Ranks one row of probabilities, the largest first: equals share a rank and the next value takes the next one, without
 * gaps (seed: `get_ranking`; 0.7, 0.2, 0.1, 0.1, 0, 0 → 1, 2, 3, 3, 4, 4).
 *
 * @param values probabilities, `length` of them from `start` on
 * @param into takes `length` ranks from `intoStart` on, in the order of the values
 */
export function denseRanks(values: Float64Array, start: number, length: number, into: Int32Array, intoStart: number) {
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
