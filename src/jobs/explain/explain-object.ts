// One object through the hierarchy: every forest's attribution, and what follows for the product.
import { evaluateBundle } from '../../model/bundle/evaluate-bundle.ts'
import type { CoveredForest } from '../../model/bundle/forest.ts'
import { type InputProfile, profileQuantiles } from '../../model/bundle/input-profile.ts'
import { type Manifest, taxonomyOf } from '../../model/bundle/manifest.ts'
import type { Part } from '../../model/bundle/parts.ts'
import { firstMaximum } from '../../pipeline/batch.ts'
import type { Features } from '../../pipeline/preprocess.ts'
import { type Attribution, pathAttribution, treeShap } from './tree-shap.ts'

/** Every number of the tables and figures of `lcclf explain`, in one object that is also its JSON. */
export type Explanation = ReturnType<typeof explainObject>

export type TrainingQuantiles = NonNullable<Explanation['features'][number]['training']>

interface ExplanationRequest {
  readonly manifest: Manifest
  readonly sha256: string
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly CoveredForest[]
  /** float32 features, preprocessed */
  readonly row: Features
  readonly input: string
  readonly oid: string
  readonly candid: bigint | null
  /** path attribution in place of Shapley values */
  readonly isApproximate: boolean
  /** the class to rank features for, one of the model's; the predicted one where it is not given */
  readonly className?: string | undefined
  /** features to rank */
  readonly top: number
  /** the model's usual inputs, where the bundle has them */
  readonly profile: InputProfile | undefined
}

/** base + Σ contributions must come this near to the probability */
const additivityLimit = 1e-9

/**
 * Explains an object: for each class of each level `base + Σ contributions = probability`, held to 1e-9.
 *
 * The product of a branch's probability f and a class's g (with bases f₀, g₀) is shared out as
 * φᵢ(fg) = ½ (g + g₀) φᵢ(f) + ½ (f + f₀) φᵢ(g), with the base f₀g₀. That is a choice: it adds up exactly and treats both
 * levels alike, and is not the Shapley value of the product as one game.
 *
 * @throws Error (a bug) where an attribution does not add up
 */
export function explainObject(request: ExplanationRequest) {
  const { manifest, forests, row, isApproximate } = request
  const { levels } = taxonomyOf(manifest)
  const { probabilities: answers } = evaluateBundle(request, row, 1)
  const firstOwn = manifest.taxonomy === null ? 0 : 1
  const own = forests.map((forest, index) =>
    levelOf(manifest, index, { forest, row, isApproximate, probabilities: answers[firstOwn + index]! }),
  )
  const explained = manifest.taxonomy === null ? own : [productLevel(levels[0]!, own), ...own]
  const error = Math.max(...explained.flatMap(({ classes }) => classes.map(additivityError)))
  // NaN must not pass for no gap
  if (!(error <= additivityLimit)) throw new Error(`the contributions miss the probability by ${error}`)
  const { classes } = explained[0]!
  const probabilities = Float64Array.from(classes, ({ probability }) => probability)
  const predicted = classes[firstMaximum(probabilities, 0, classes.length)]!.class
  const features = featuresOf(request)
  return {
    schemaVersion: 1 as const,
    command: 'explain' as const,
    model: { name: manifest.name, version: manifest.version, sha256: request.sha256 },
    input: request.input,
    oid: request.oid,
    /** decimal text: it is an int64 */
    candid: request.candid?.toString() ?? null,
    /** `tree_shap`: exact Shapley values; `path_attribution`: an approximation */
    method: isApproximate ? ('path_attribution' as const) : ('tree_shap' as const),
    is_exact: !isApproximate,
    predicted_class: predicted,
    ...aboutClass(explained, features, { className: request.className ?? predicted, top: request.top }),
    /** the largest gap between `base + Σ contributions` and the probability, over all classes of all levels */
    additivity_error: error,
    features,
    /** the product first, then the top, then the branches */
    levels: explained,
  }
}

function levelOf(
  { levels, taxonomy, classifierName }: Manifest,
  index: number,
  {
    forest,
    row,
    isApproximate,
    probabilities,
  }: { forest: CoveredForest; row: Features; isApproximate: boolean; probabilities: Float64Array },
): LevelExplanation {
  const { name, branch, classes } = levels[index]!
  const attribution = (isApproximate ? pathAttribution : treeShap)(forest, row)
  return {
    classifier_name: taxonomy === null ? classifierName : `${classifierName}_${name}`,
    branch,
    classes: byClass(attribution, classes, probabilities),
  }
}

/** The leaf classes: each a branch of the top times a class of the branch. */
function productLevel(
  { classifierName, classes }: { classifierName: string; classes: readonly string[] },
  [top, ...branches]: readonly LevelExplanation[],
): LevelExplanation {
  const found = classes.map((name) => {
    const level = branches.find((one) => one.classes.some((inner) => inner.class === name))!
    const f = top!.classes.find((branch) => branch.class === level.branch)!
    const g = level.classes.find((inner) => inner.class === name)!
    const ofTop = 0.5 * (g.probability + g.base)
    const ofBranch = 0.5 * (f.probability + f.base)
    return {
      class: name,
      probability: f.probability * g.probability,
      base: f.base * g.base,
      contributions: f.contributions.map((phi, i) => ofTop * phi + ofBranch * g.contributions[i]!),
    }
  })
  return { classifier_name: classifierName, branch: null, classes: found }
}

function featuresOf({ manifest, row, profile }: ExplanationRequest) {
  return manifest.features.map((name, i) => ({
    name,
    /** as the forest sees it: float32, after preprocessing */
    value: row[i]!,
    /** the object lacks it, and `value` stands for that */
    is_missing: row[i] === manifest.preprocessing.missing || Number.isNaN(row[i]),
    /** null where the bundle does not know, or the feature had no values */
    training: profile ? quantilesOf(profile, name) : null,
  }))
}

/** `missing`: the share of the training objects that lack the feature. */
function quantilesOf({ features, rows }: InputProfile, feature: string) {
  const { values, missing } = features.find(({ name }) => name === feature) ?? {}
  if (!values) return null
  const at = (share: (typeof profileQuantiles)[number]): number => values.quantiles[profileQuantiles.indexOf(share)]!
  return { q05: at(0.05), q25: at(0.25), q50: at(0.5), q75: at(0.75), q95: at(0.95), missing: missing! / rows }
}

/** The part of an explanation that is about one class: which features speak most for or against it. */
function aboutClass(
  levels: readonly LevelExplanation[],
  features: ReturnType<typeof featuresOf>,
  { className, top }: { className: string; top: number },
) {
  const level = levels.find((one) => one.branch !== null && one.classes.some((inner) => inner.class === className))
  const branch = level?.branch ?? null
  const parts = explainedParts(levels, { class: className, branch }).map(({ explained }) => explained)
  const { probability, base, contributions } = parts[0]!
  const order = largestFirst(contributions)
  const rest = order.slice(top)
  return {
    /** the class that `ranking` is about */
    class: className,
    branch,
    probability,
    base,
    ranking: order.slice(0, top).map((i) => ({
      ...features[i]!,
      contribution: contributions[i]!,
      /** to P(branch); null for a model of one level */
      top_contribution: parts[1]?.contributions[i] ?? null,
      /** to P(class, given the branch); null for a model of one level */
      branch_contribution: parts[2]?.contributions[i] ?? null,
    })),
    /** features that are not ranked */
    others: { features: rest.length, contribution: rest.reduce((sum, i) => sum + contributions[i]!, 0) },
  }
}

// What an explanation is made of: contributions of features to the probabilities of classes.

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
