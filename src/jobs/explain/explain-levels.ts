// One row through every level of a model: what its trees say, and how much of it each feature contributes.
import { DataError, ModelError } from '../../errors.ts'
import { evaluateBundle, evaluateParts } from '../../model/bundle/evaluate-bundle.ts'
import type { CoveredForest } from '../../model/bundle/forest.ts'
import { type Manifest, taxonomyOf } from '../../model/bundle/manifest.ts'
import type { Part } from '../../model/bundle/parts.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type Attribution, pathAttribution, treeShap } from './tree-shap.ts'

/**
 * What contributions add up to. A booster's are of its margins, because its probabilities are no sum over trees. What is
 * calibrated is explained before its calibration, which is none either: the mean over its classifiers, of which each has a
 * calibration of its own.
 */
export type ExplainedSpace = 'probability' | 'margin' | 'uncalibrated_probability' | 'uncalibrated_margin'

/** One class of a level: `base + Σ contributions` is the `explainedValue`. */
export interface ClassExplanation {
  readonly class: string
  readonly probability: number
  /** of a booster: of the class; the mean of several boosters that are calibrated */
  readonly margin?: number
  /** of calibrated forests: the mean of their probabilities before that */
  readonly uncalibrated_probability?: number
  /** what the trees say about an unknown object; for the product, the product of both levels' */
  readonly base: number
  /** one a feature, in the order of `features` */
  readonly contributions: readonly number[]
}

export interface LevelExplanation {
  readonly classifier_name: string
  readonly branch: string | null
  readonly classes: readonly ClassExplanation[]
}

/** A model with its covers, and one row. */
export interface ExplainedRow {
  readonly manifest: Manifest
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly CoveredForest[]
  /** features in the model's order, preprocessed */
  readonly row: FeatureMatrix
  readonly oid: string
  /** path attribution in place of Shapley values */
  readonly isApproximate: boolean
}

/** What contributions add up to, in words. */
export function explainedName(space: ExplainedSpace, name: string): string {
  const what = space.endsWith('margin') ? `margin of ${name}` : `P(${name})`
  return space.startsWith('uncalibrated') ? `${what} before calibration` : what
}

/** What `base + Σ contributions` comes to. */
export function explainedValue(explained: ClassExplanation): number {
  return explained.margin ?? explained.uncalibrated_probability ?? explained.probability
}

/** The gap between `base + Σ contributions` and the model's own number. */
export function additivityError(explained: ClassExplanation): number {
  const { base, contributions } = explained
  return Math.abs(contributions.reduce((sum, phi) => sum + phi, base) - explainedValue(explained))
}

/** @throws ModelError for a hierarchy whose product has no explanation */
export function spaceOf({ manifest, parts }: Pick<ExplainedRow, 'manifest' | 'parts'>): ExplainedSpace {
  const isCalibrated = parts.some(({ calibration }) => calibration !== null)
  const isSum = parts.some(({ sum }) => sum !== null)
  if (manifest.taxonomy !== null && (isCalibrated || isSum)) {
    const what = isSum ? 'boosters' : 'calibrated forests'
    throw new ModelError(`a hierarchy of ${what} cannot be explained: its product is no sum over trees`, {
      hint: 'Import the classifier of one level alone, and explain that.',
    })
  }
  return `${isCalibrated ? 'uncalibrated_' : ''}${isSum ? 'margin' : 'probability'}`
}

/** base + Σ contributions must come this near to the sum of the leaves, relative to what is added */
const additivityLimit = 1e-9

/**
 * The model's own levels, without the product.
 *
 * @throws DataError for a row that the model has no answer for; Error (a bug) where an attribution does not add up
 */
export function explainLevels(model: ExplainedRow): LevelExplanation[] {
  const { manifest, parts, row, oid } = model
  const space = spaceOf(model)
  const { probabilities, margins, unanswered } = evaluateBundle(model, row, 1)
  const refusal = unanswered?.get(0)
  if (refusal !== undefined) throw new DataError(`${oid} cannot be classified: ${refusal}`)
  // the leaves are added in float64 here: what a library's float32 loses on the way is no feature's contribution
  const { said } = evaluateParts({ ...model, parts: parts.map(addedInFloat64) }, row, 1)
  const own = manifest.taxonomy === null ? probabilities : probabilities.slice(1)
  const { classifierName, levels, taxonomy } = manifest
  return levels.map(({ name, branch, classes }, level) => {
    const found = [...parts.keys()]
      .filter((index) => parts[index]!.level === level)
      .map((index) => attributePart(model, index, said[index]!))
    const { base, contributions, values } = meanOf(found)
    const shown = margins ?? values
    return {
      classifier_name: taxonomy === null ? classifierName : `${classifierName}_${name}`,
      branch,
      classes: byClass({ base, contributions }, classes, { probabilities: own[level]!, values: shown, space }),
    }
  })
}

function addedInFloat64(part: Part): Part {
  return part.sum === null ? part : { ...part, sum: { ...part.sum, precision: 'float64' } }
}

interface AttributedPart extends Attribution {
  /** one a column: what the contributions add up to */
  readonly values: Float64Array
}

/** Contributions of the model's features, whatever columns the part's steps leave to its trees. */
function attributePart(
  { manifest, parts, forests, isApproximate }: ExplainedRow,
  index: number,
  { rows, features, values }: ReturnType<typeof evaluateParts>['said'][number],
): AttributedPart {
  const { base, contributions } = (isApproximate ? pathAttribution : treeShap)(forests[index]!, rows, parts[index]!.sum)
  const width = base.length
  checkSum({ base, contributions }, values)
  const all = new Float64Array(manifest.features.length * width)
  features.forEach((name, column) => {
    all.set(contributions.subarray(column * width, (column + 1) * width), manifest.features.indexOf(name) * width)
  })
  return { base, contributions: all, values }
}

function checkSum({ base, contributions }: Attribution, values: Float64Array): void {
  const width = base.length
  values.forEach((value, c) => {
    let [sum, size] = [base[c]!, Math.max(1, Math.abs(base[c]!))]
    for (let cell = c; cell < contributions.length; cell += width) {
      sum += contributions[cell]!
      size += Math.abs(contributions[cell]!)
    }
    // NaN must not pass for no gap
    if (!(Math.abs(sum - value) <= additivityLimit * size)) {
      throw new Error(`the contributions miss the trees' sum by ${Math.abs(sum - value)}`)
    }
  })
}

function meanOf(parts: readonly AttributedPart[]): AttributedPart {
  const mean = (pick: (part: AttributedPart) => Float64Array): Float64Array =>
    pick(parts[0]!).map((_, i) => parts.reduce((sum, part) => sum + pick(part)[i]!, 0) / parts.length)
  return {
    base: mean(({ base }) => base),
    contributions: mean(({ contributions }) => contributions),
    values: mean(({ values }) => values),
  }
}

/**
 * An attribution as that of classes.
 *
 * @param answers `probabilities` of the classes; `values` of the columns that are explained, which are the classes, or the one
 *   margin of two: it is the second's, and the first's is its negative
 */
export function byClass(
  { base, contributions }: Attribution,
  classes: readonly string[],
  {
    probabilities,
    values = probabilities,
    space = 'probability',
  }: { probabilities: Float64Array; values?: Float64Array; space?: ExplainedSpace },
): ClassExplanation[] {
  const width = base.length
  const isOneMargin = space.endsWith('margin') && width === 1
  return classes.map((name, c) => {
    const column = isOneMargin ? 0 : c
    const sign = isOneMargin && c === 0 ? -1 : 1
    const value = sign * values[column]!
    return {
      class: name,
      probability: probabilities[c]!,
      ...(space.endsWith('margin') ? { margin: value } : {}),
      ...(space === 'uncalibrated_probability' ? { uncalibrated_probability: value } : {}),
      base: sign * base[column]!,
      contributions: Array.from(
        { length: contributions.length / width },
        (_, i) => sign * contributions[i * width + column]!,
      ),
    }
  })
}

/** The leaf classes: each a branch of the top times a class of the branch. */
export function explainProduct(manifest: Manifest, [top, ...branches]: readonly LevelExplanation[]): LevelExplanation {
  const { classifierName, classes } = taxonomyOf(manifest).levels[0]!
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
