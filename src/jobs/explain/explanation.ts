// What an explanation is made of: contributions of features to the probabilities of classes.

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
    // NaN stays NaN: it must not pass for no gap
    largest = Math.max(largest, Math.abs(sum - prediction[c]!))
  }
  return largest
}

/** One class of a level: `base + Σ contributions = probability`. */
export interface ClassExplanation {
  readonly class: string
  readonly probability: number
  /** what the model says of an object of which nothing is known; for the product the product of both levels' */
  readonly base: number
  /** one a feature, in the order of `features` */
  readonly contributions: readonly number[]
}

/** One classifier of the hierarchy. */
export interface LevelExplanation {
  readonly classifier_name: string
  readonly branch: string | null
  readonly classes: readonly ClassExplanation[]
}

/**
 * A class at each level: as leaf class, then its branch, then within the branch; a model of one level has the first alone.
 *
 * @param levels the product first, then the top, then the branches
 */
export function explainedParts(
  levels: readonly LevelExplanation[],
  { class: name, branch }: { readonly class: string; readonly branch: string | null },
): { readonly name: string; readonly explained: ClassExplanation }[] {
  return levels.flatMap((level, index) => {
    const isTop = index > 0 && level.branch === null
    const explained = level.classes.find((one) => one.class === (isTop ? branch : name))
    if (!explained) return []
    return [{ name: level.branch === null ? explained.class : `${name}, if ${level.branch}`, explained }]
  })
}

/** Places of contributions, the largest first. */
export function largestFirst(contributions: readonly number[]): number[] {
  const size = (i: number): number => Math.abs(contributions[i]!)
  return [...contributions.keys()].sort((a, b) => size(b) - size(a) || a - b)
}
