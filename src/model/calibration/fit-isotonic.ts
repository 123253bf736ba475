// Isotonic regression, as scikit-learn's IsotonicRegression fits it.

/** scikit-learn takes closer scores for one (`_make_unique` of sklearn/_isotonic.pyx) */
const sameScore = 1e-15

/**
 * The rising line that is nearest to what happened (`IsotonicRegression(out_of_bounds='clip')`).
 *
 * @param scores one an object
 * @param isOfClass what happened to it
 * @returns the points of the line, those left out that lie on it
 */
export function fitIsotonic(scores: Float64Array, isOfClass: (row: number) => boolean) {
  const { x, sums, weights } = merged(scores, isOfClass)
  const levels = pooled(sums, weights)
  const isKept = (i: number): boolean =>
    i === 0 || i === x.length - 1 || levels[i] !== levels[i - 1] || levels[i] !== levels[i + 1]
  const kept = [...x.keys()].filter(isKept)
  return { x: Float64Array.from(kept, (i) => x[i]!), y: Float64Array.from(kept, (i) => levels[i]!) }
}

/** Equal scores as one, ascending, with how many there are and to how many of them it happened. */
function merged(scores: Float64Array, isOfClass: (row: number) => boolean) {
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!)
  const x: number[] = []
  const sums: number[] = []
  const weights: number[] = []
  for (const row of order) {
    if (x.length === 0 || scores[row]! - x.at(-1)! >= sameScore) {
      x.push(scores[row]!)
      sums.push(0)
      weights.push(0)
    }
    sums[sums.length - 1]! += isOfClass(row) ? 1 : 0
    weights[weights.length - 1]! += 1
  }
  return { x, sums, weights }
}

/** Pools neighbours until their means rise (pool adjacent violators); the counts are whole, so that means are exact. */
function pooled(sums: readonly number[], weights: readonly number[]): Float64Array {
  const blocks: { sum: number; weight: number; length: number }[] = []
  sums.forEach((sum, i) => {
    let block = { sum, weight: weights[i]!, length: 1 }
    for (let last = blocks.at(-1); last && last.sum * block.weight >= block.sum * last.weight; last = blocks.at(-1)) {
      blocks.pop()
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, length: last.length + block.length }
    }
    blocks.push(block)
  })
  return Float64Array.from(blocks.flatMap(({ sum, weight, length }) => new Array<number>(length).fill(sum / weight)))
}
