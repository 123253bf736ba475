// Sets of classes that keep a promise: at least such a share of the objects of each class have it in their set.

/**
 * What is kept of the objects of one class that a model was calibrated with: the survey's own probability of that class. The
 * forest did not learn from them, which is all that the promise needs; a calibrated probability would have.
 */
export interface ClassLabels {
  readonly class: string
  /** how many objects have the label */
  readonly labels: number
  /** their probabilities of the class, the largest first; of very many objects some that are evenly spread, and the last */
  readonly probabilities: Float64Array
  /** counted from 1, which of the objects these are; null for all of them */
  readonly ranks: readonly number[] | null
}

/** probabilities kept of a class: between two of them lies less than a thousandth of its objects */
const keptOfAClass = 2000

/** @param probabilities of its own class, for each object with the label */
export function classLabels(name: string, probabilities: Float64Array): ClassLabels {
  const sorted = probabilities.slice().sort().reverse()
  const labels = sorted.length
  if (labels <= keptOfAClass) return { class: name, labels, probabilities: sorted, ranks: null }
  const ranks = Array.from({ length: keptOfAClass }, (_, i) => Math.ceil(((i + 1) * labels) / keptOfAClass))
  return { class: name, labels, probabilities: Float64Array.from(ranks, (rank) => sorted[rank - 1]!), ranks }
}

/**
 * The probability from which on a class is in the set. Class by class (Vovk, Lindsay, Nouretdinov & Gammerman 2003, “Mondrian
 * confidence machine”; Sadinle, Lei & Wasserman 2019), with the score 1 − p: of n objects the one at place ⌈(n + 1) × level⌉
 * decides, and where there is none (too few labels for the level) every object has the class in its set.
 */
export function setThreshold({ labels, probabilities, ranks }: ClassLabels, level: number): number {
  // 20 × 0.95 is a little more than 19
  const place = Math.ceil((labels + 1) * level - 1e-9)
  if (place > labels) return 0
  if (ranks === null) return probabilities[Math.max(place, 1) - 1]!
  return probabilities[ranks.findIndex((rank) => rank >= place)]!
}

/**
 * @param product rowCount × thresholds, row-major: the survey's own probabilities
 * @returns in the same form, 1 for a class that is in the set
 */
export function setsOf(product: Float64Array, thresholds: readonly number[]): Uint8Array {
  const width = thresholds.length
  const sets = new Uint8Array(product.length)
  for (let place = 0; place < width; place++) {
    const threshold = thresholds[place]!
    for (let cell = place; cell < sets.length; cell += width) sets[cell] = product[cell]! >= threshold ? 1 : 0
  }
  return sets
}
