// What an explanation of one forest says.

/** Contributions of features to the probabilities of one forest: `base + Σ contributions = prediction`, class by class. */
export interface Attribution {
  /** one a class: the mean probability over the training samples, by the trees' own counts */
  readonly base: Float64Array
  /** features × classes, row-major */
  readonly contributions: Float64Array
}

/** The largest gap between `base + Σ contributions` and the prediction, over the classes. */
export function additivityError({ base, contributions }: Attribution, prediction: Float64Array): number {
  const width = base.length
  let largest = 0
  for (let c = 0; c < width; c++) {
    let sum = base[c]!
    for (let at = c; at < contributions.length; at += width) sum += contributions[at]!
    const gap = Math.abs(sum - prediction[c]!)
    // a gap that is no number must not pass for none
    largest = gap <= largest ? largest : gap
  }
  return largest
}
