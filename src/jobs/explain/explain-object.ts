// One object through the hierarchy: every forest's attribution, and what follows for the product.
import { type InputProfile, profileQuantiles } from '../../model/bundle/input-profile.ts'
import { firstMaximum } from '../../pipeline/batch.ts'
import {
  additivityError,
  type ClassExplanation,
  type ExplainedRow,
  explainLevels,
  explainProduct,
  type LevelExplanation,
  spaceOf,
} from './explain-levels.ts'

/** Every number of the tables and figures of `lcclf explain`, in one object that is also its JSON. */
export type Explanation = ReturnType<typeof explainObject>

export type TrainingQuantiles = NonNullable<Explanation['features'][number]['training']>

interface ExplanationRequest extends ExplainedRow {
  readonly sha256: string
  readonly input: string
  readonly candid: bigint | null
  /** the class to rank features for, a leaf class or a branch; the predicted one where it is not given */
  readonly className?: string | undefined
  /** features to rank */
  readonly top: number
  /** the model's usual inputs, where the bundle has them */
  readonly profile: InputProfile | undefined
}

/**
 * Explains an object: for each class of each level `base + Σ contributions = probability`, held to 1e-9; or the class's
 * margin, or what the model says before it is calibrated (see ExplainedSpace).
 *
 * The product of a branch's probability f and a class's g (with bases f₀, g₀) is shared out as
 * φᵢ(fg) = ½ (g + g₀) φᵢ(f) + ½ (f + f₀) φᵢ(g), with the base f₀g₀. That is a choice: it adds up exactly and treats both
 * levels alike, and is not the Shapley value of the product as one game.
 *
 * @throws ModelError for a hierarchy whose product has no explanation; DataError for a row that the model has no answer for;
 *   Error (a bug) where an attribution does not add up
 */
export function explainObject(request: ExplanationRequest) {
  const { manifest, isApproximate } = request
  const space = spaceOf(request)
  const own = explainLevels(request)
  const explained = manifest.taxonomy === null ? own : [explainProduct(manifest, own), ...own]
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
    /** what base and contributions add up to */
    space,
    predicted_class: predicted,
    ...aboutClass(explained, features, { className: request.className ?? predicted, top: request.top }),
    /** the largest gap between `base + Σ contributions` and what is explained, over all classes of all levels */
    additivity_error: Math.max(...explained.flatMap(({ classes }) => classes.map(additivityError))),
    features,
    /** the product first, then the top, then the branches */
    levels: explained,
  }
}

function featuresOf({ manifest, row, profile }: ExplanationRequest) {
  return manifest.features.map((name, i) => ({
    name,
    /** after preprocessing, and before the steps of a pipeline; NaN (in JSON null) where a missing value stays one */
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
  const { contributions, ...numbers } = parts[0]!
  const order = largestFirst(contributions)
  const rest = order.slice(top)
  return {
    /** the numbers of the class that `ranking` is about */
    ...numbers,
    branch,
    ranking: order.slice(0, top).map((i) => ({
      ...features[i]!,
      contribution: contributions[i]!,
      /** to P(branch); null for a model of one level, and for a branch itself */
      top_contribution: parts[1]?.contributions[i] ?? null,
      /** to P(class, given the branch); null for a model of one level, and for a branch itself */
      branch_contribution: parts[2]?.contributions[i] ?? null,
    })),
    /** features that are not ranked */
    others: { features: rest.length, contribution: rest.reduce((sum, i) => sum + contributions[i]!, 0) },
  }
}

/**
 * A class at each level: as leaf class, then its branch, then within the branch; a model of one level has the first alone,
 * and so has a branch.
 *
 * @param levels the product first, then the top, then the branches
 */
export function explainedParts(
  levels: readonly LevelExplanation[],
  { class: name, branch }: { readonly class: string; readonly branch: string | null },
): { readonly name: string; readonly explained: ClassExplanation }[] {
  return levels.flatMap((level, index) => {
    const isTop = index > 0 && level.branch === null
    // a branch is a class of the top alone
    const explained = level.classes.find((one) => one.class === (isTop ? (branch ?? name) : name))
    if (!explained) return []
    return [{ name: level.branch === null ? explained.class : `${name}, if ${level.branch}`, explained }]
  })
}

export function largestFirst(contributions: readonly number[]): number[] {
  const size = (i: number): number => Math.abs(contributions[i]!)
  return [...contributions.keys()].sort((a, b) => size(b) - size(a) || a - b)
}
