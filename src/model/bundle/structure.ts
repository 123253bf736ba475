// What a model is, in words: what its trees do, what stands around them, and what becomes of values that are no numbers.
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import type { Manifest } from './manifest.ts'
import { marginsOf, type Part } from './parts.ts'
import type { Step } from './steps.ts'

/** A model in words, for people and for programs. */
export interface Structure {
  /** trees whose leaves add up are a booster */
  readonly kind: 'forest' | 'tree' | 'booster' | 'onnx'
  /** what is done to the features before the trees, in this order */
  readonly steps: readonly string[]
  /** what its trees add up to, where these can be written; null for other models */
  readonly margins: readonly string[] | null
  /** how margins become probabilities; null where leaves are averaged */
  readonly link: string | null
  /** how the probabilities are calibrated; null where they are not */
  readonly calibration: string | null
  /** what becomes of a feature that is null or NaN */
  readonly missing: string
  /** what becomes of ±∞ */
  readonly infinite: string
  /** what becomes of finite values that are too large */
  readonly large: string
}

/** @param parts none for a model that is not made of trees */
export function structureOf(
  { kind, preprocessing }: Pick<Manifest, 'kind' | 'preprocessing'>,
  parts: readonly Part[],
): Structure {
  const [first] = parts
  const sum = first?.sum ?? null
  const isTree = parts.length === 1 && first!.trees === 1
  const steps = first?.steps ?? []
  return {
    kind: kind === 'onnx' ? 'onnx' : sum ? 'booster' : isTree ? 'tree' : 'forest',
    steps: steps.filter((step) => step.kind !== 'float32').map(wordsOf),
    margins: marginsOf(parts) ?? null,
    link: sum === null || sum.link.kind === 'none' ? null : linkWords[sum.link.kind],
    calibration: calibrationOf(parts),
    missing: missingWords(preprocessing, steps),
    infinite: infiniteWords(preprocessing),
    large: largeWords(preprocessing),
  }
}

const linkWords = { softmax: 'softmax', logSoftmax: 'softmax', sigmoid: 'sigmoid' }

const powerWords = { 'yeo-johnson': 'Yeo-Johnson', 'yeo-johnson-expm1': 'Yeo-Johnson', 'box-cox': 'Box-Cox' }

function wordsOf(step: Step): string {
  switch (step.kind) {
    case 'affine':
      return 'scaling (x - a) / b'
    case 'scale':
      return `scaling x * a + b${step.limits === null ? '' : `, from ${step.limits[0]} to ${step.limits[1]}`}`
    case 'impute':
      return `imputation of ${Number.isNaN(step.missing) ? 'missing values' : `values that are ${step.missing}`}`
    case 'columns':
      return `choice of ${step.indices.length} features`
    case 'quantiles':
      return `quantiles, ${step.output}`
    case 'power':
      return `power, ${powerWords[step.method]}`
    case 'zeros':
      return 'zeros taken as missing'
    case 'float32':
      return 'float32'
  }
}

function calibrationOf(parts: readonly Part[]): string | null {
  const kind = parts.find(({ calibration }) => calibration !== null)?.calibration?.kind
  const folds = parts.filter(({ level }) => level === 0).length
  const mean = folds > 1 ? `the mean of ${folds} folds` : null
  if (kind === undefined) return mean
  return mean === null ? kind : `${kind}, ${mean}`
}

function missingWords({ missing, rejectsMissing }: Preprocessing, steps: readonly Step[]): string {
  if (!Number.isNaN(missing)) return `values become ${missing}`
  if (rejectsMissing !== undefined) return `values reject their row: ${rejectsMissing}`
  const isImputed = steps.some((step) => step.kind === 'impute' && Number.isNaN(step.missing))
  if (isImputed) return "values are filled in by the model's imputer"
  return 'values stay missing: the model has a rule of its own for them'
}

function infiniteWords({ infinite }: Preprocessing): string {
  if (infinite === undefined) return 'values are missing ones'
  return infinite === 'kept' ? 'values are taken as they are' : 'values reject their row'
}

function largeWords({ hugeAbove, huge, infinite, precision }: Preprocessing): string {
  if (hugeAbove !== Infinity) return `values above ${hugeAbove} become ${huge}`
  const isRounded = precision === undefined
  if (infinite === 'kept') return isRounded ? 'values beyond float32 are infinite' : 'values are taken as they are'
  return `values beyond float32${isRounded ? '' : ' after the steps'} reject their row`
}
