// One object through the hierarchy: every forest's attribution, and what follows for the product.
import { firstMaximum } from '../../pipeline/batch.ts'
import type { Forest } from '../../model/bundle/forest.ts'
import { type Manifest, taxonomyOf } from '../../model/bundle/manifest.ts'
import { evaluatePlainly } from '../../model/bundle/plain-evaluation.ts'
import {
  additivityError,
  type Attribution,
  type ClassExplanation,
  explainedParts,
  type ExplainedFeature,
  type Explanation,
  largestFirst,
  type LevelExplanation,
  type RankedFeature,
  type TrainingQuantiles,
} from './explanation.ts'
import { pathAttribution } from './path-attribution.ts'
import { treeShap } from './tree-shap.ts'

/** What is explained. */
interface ExplanationRequest {
  readonly manifest: Manifest
  readonly sha256: string
  /** by `manifest.levels` */
  readonly forests: readonly Required<Forest>[]
  /** float32 features, preprocessed */
  readonly row: Float32Array
  readonly input: string
  readonly oid: string
  readonly candid: bigint | null
  /** path attribution in place of Shapley values */
  readonly isApproximate: boolean
  /** the class to rank features for; the predicted one where it is not given */
  readonly className?: string | undefined
  /** features to rank */
  readonly top: number
  /** by feature, where the bundle has them */
  readonly training?: ReadonlyMap<string, TrainingQuantiles> | undefined
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
export function explainObject(request: ExplanationRequest): Explanation {
  const { manifest, forests, row } = request
  const attribute = request.isApproximate ? pathAttribution : treeShap
  const { levels } = taxonomyOf(manifest)
  const own = forests.map((forest, index) => {
    const prediction = evaluatePlainly(forest, row, 1)
    return levelOf(manifest.levels[index]!, { attribution: attribute(forest, row), prediction, manifest })
  })
  const explained = manifest.taxonomy === null ? own : [productLevel(levels[0]!, own), ...own]
  const error = largestError(explained)
  if (!(error <= additivityLimit)) throw new Error(`the contributions miss the probability by ${error}`)
  const [product] = explained
  const winner = firstMaximum(
    Float64Array.from(product!.classes, ({ probability }) => probability),
    0,
    product!.classes.length,
  )
  const predicted = product!.classes[winner]!.class
  const features = featuresOf(request)
  return {
    schemaVersion: 1,
    command: 'explain',
    model: { name: manifest.name, version: manifest.version, sha256: request.sha256 },
    input: request.input,
    oid: request.oid,
    candid: request.candid?.toString() ?? null,
    method: request.isApproximate ? 'path_attribution' : 'tree_shap',
    is_exact: !request.isApproximate,
    predicted_class: predicted,
    ...aboutClass(explained, features, { className: request.className ?? predicted, top: request.top }),
    additivity_error: error,
    features,
    levels: explained,
  }
}

function levelOf(
  { name, branch, classes }: Manifest['levels'][number],
  { attribution, prediction, manifest }: { attribution: Attribution; prediction: Float64Array; manifest: Manifest },
): LevelExplanation {
  const { base, contributions } = attribution
  const width = classes.length
  const classifier = manifest.taxonomy === null ? manifest.classifierName : `${manifest.classifierName}_${name}`
  return {
    classifier_name: classifier,
    branch,
    classes: classes.map((className, c) => ({
      class: className,
      probability: prediction[c]!,
      base: base[c]!,
      contributions: Array.from({ length: contributions.length / width }, (_, i) => contributions[i * width + c]!),
    })),
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
    return productOf(name, f, g)
  })
  return { classifier_name: classifierName, branch: null, classes: found }
}

function productOf(name: string, f: ClassExplanation, g: ClassExplanation): ClassExplanation {
  const ofTop = 0.5 * (g.probability + g.base)
  const ofBranch = 0.5 * (f.probability + f.base)
  return {
    class: name,
    probability: f.probability * g.probability,
    base: f.base * g.base,
    contributions: f.contributions.map((phi, i) => ofTop * phi + ofBranch * g.contributions[i]!),
  }
}

function largestError(levels: readonly LevelExplanation[]): number {
  const gaps = levels.flatMap(({ classes }) =>
    classes.map(({ base, contributions, probability }) =>
      additivityError(
        { base: Float64Array.of(base), contributions: Float64Array.from(contributions) },
        Float64Array.of(probability),
      ),
    ),
  )
  return Math.max(...gaps)
}

function featuresOf({ manifest, row, training }: ExplanationRequest): ExplainedFeature[] {
  return manifest.features.map((name, i) => ({
    name,
    value: row[i]!,
    is_missing: row[i] === manifest.preprocessing.missing,
    training: training?.get(name) ?? null,
  }))
}

/** The part of an explanation that is about one class. */
function aboutClass(
  levels: readonly LevelExplanation[],
  features: readonly ExplainedFeature[],
  { className, top: count }: { className: string; top: number },
): Pick<Explanation, 'class' | 'branch' | 'probability' | 'base' | 'ranking' | 'others'> {
  const level = levels.find((one) => one.branch !== null && one.classes.some((inner) => inner.class === className))
  const branch = level?.branch ?? null
  const parts = explainedParts({ levels, class: className, branch })
  const [{ probability, base, contributions }, ofTop, ofBranch] = parts.map(({ explained }) => explained) as [
    ClassExplanation,
    ...ClassExplanation[],
  ]
  const order = largestFirst(contributions)
  const ranking = order.slice(0, count).map((i): RankedFeature => ({
    ...features[i]!,
    contribution: contributions[i]!,
    top_contribution: ofTop?.contributions[i] ?? null,
    branch_contribution: ofBranch?.contributions[i] ?? null,
  }))
  const rest = order.slice(count)
  return {
    class: className,
    branch,
    probability,
    base,
    ranking,
    others: { features: rest.length, contribution: rest.reduce((sum, i) => sum + contributions[i]!, 0) },
  }
}
