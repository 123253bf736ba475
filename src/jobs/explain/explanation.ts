// What an explanation is made of: contributions of features to the probabilities of classes.

/** Contributions of features to the probabilities of one forest: `base + Σ contributions = prediction`, class by class. */
export interface Attribution {
  /** one a class: the mean probability over the training samples, by the trees' own counts */
  readonly base: Float64Array
  /** features × classes, row-major */
  readonly contributions: Float64Array
}

/** One class of a level: `base + Σ contributions = probability`. */
export interface ClassExplanation {
  readonly class: string
  readonly probability: number
  /** what the model says about an unknown object; for the product, the product of both levels' */
  readonly base: number
  /** one a feature, in the order of `features` */
  readonly contributions: readonly number[]
}

/** The gap between `base + Σ contributions` and the probability. */
export function additivityError({ base, contributions, probability }: ClassExplanation): number {
  return Math.abs(contributions.reduce((sum, phi) => sum + phi, base) - probability)
}

export function byClass(
  { base, contributions }: Attribution,
  classes: readonly string[],
  prediction: Float64Array,
): ClassExplanation[] {
  const width = classes.length
  return classes.map((name, c) => ({
    class: name,
    probability: prediction[c]!,
    base: base[c]!,
    contributions: Array.from({ length: contributions.length / width }, (_, i) => contributions[i * width + c]!),
  }))
}

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

export function largestFirst(contributions: readonly number[]): number[] {
  const size = (i: number): number => Math.abs(contributions[i]!)
  return [...contributions.keys()].sort((a, b) => size(b) - size(a) || a - b)
}
