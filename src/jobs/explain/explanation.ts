// What `lcclf explain` finds: every number of its tables and figures, in one object that is also its JSON.

/** Where a feature's values lay in training, where the bundle knows. */
export interface TrainingQuantiles {
  readonly q05: number
  readonly q25: number
  readonly q50: number
  readonly q75: number
  readonly q95: number
  /** share of the training objects that lack it */
  readonly missing: number
}

/** One feature of the object. */
export interface ExplainedFeature {
  readonly name: string
  /** as the forest sees it: float32, after preprocessing */
  readonly value: number
  /** the object lacks it, and `value` stands for that */
  readonly is_missing: boolean
  readonly training: TrainingQuantiles | null
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

/** A feature's part in the explained class, and in the two levels that it is the product of. */
export interface RankedFeature {
  readonly name: string
  readonly value: number
  readonly is_missing: boolean
  readonly training: TrainingQuantiles | null
  readonly contribution: number
  /** to P(branch); null for a model of one level */
  readonly top_contribution: number | null
  /** to P(class, given the branch); null for a model of one level */
  readonly branch_contribution: number | null
}

/** The explanation of one object. */
export interface Explanation {
  readonly schemaVersion: 1
  readonly command: 'explain'
  readonly model: { readonly name: string; readonly version: string; readonly sha256: string }
  readonly input: string
  readonly oid: string
  /** decimal text: it is an int64 */
  readonly candid: string | null
  /** `tree_shap`: exact Shapley values; `path_attribution`: an approximation */
  readonly method: 'tree_shap' | 'path_attribution'
  readonly is_exact: boolean
  readonly predicted_class: string
  /** the class that `ranking` is about */
  readonly class: string
  readonly branch: string | null
  readonly probability: number
  readonly base: number
  /** the largest contributions to `class`, by absolute value */
  readonly ranking: readonly RankedFeature[]
  /** sum of the contributions that are not in `ranking`, and how many features they are of */
  readonly others: { readonly features: number; readonly contribution: number }
  /** the largest gap between `base + Σ contributions` and the probability, over all classes of all levels */
  readonly additivity_error: number
  readonly features: readonly ExplainedFeature[]
  /** the product first, then the top, then the branches */
  readonly levels: readonly LevelExplanation[]
}

/** The explained class at each level: as leaf class, then its branch, then within the branch. */
export function explainedParts({ levels, class: name, branch }: Pick<Explanation, 'levels' | 'class' | 'branch'>): {
  readonly name: string
  readonly explained: ClassExplanation
}[] {
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
    // NaN stays NaN: it must not pass for no gap
    largest = Math.max(largest, Math.abs(sum - prediction[c]!))
  }
  return largest
}
