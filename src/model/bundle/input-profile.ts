// What a model's usual inputs look like: `profile.json` of a bundle, with which other inputs are compared.
import { messageOf, ModelError } from '../../errors.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { Golden } from './golden.ts'
import type { Manifest } from './manifest.ts'

/** Name of the file in a bundle. */
export const profileFile = 'profile.json'

/** The quantiles that a profile keeps of each feature. */
export const profileQuantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const

/**
 * Some inputs of a model in numbers. Values are those that the forest sees: float32, after preprocessing; what stands for
 * a missing value counts as missing and is in no quantile.
 */
export interface InputProfile {
  readonly formatVersion: 1
  /**
   * `file`: of inputs that were given for this. `golden`: of the model's golden inputs, which are few, and perhaps chosen
   * on purpose: less can be concluded from them.
   */
  readonly source: 'file' | 'golden'
  /** the file's name without folders, or where the golden answers come from */
  readonly name: string
  readonly rows: number
  /** in the model's order */
  readonly features: readonly FeatureProfile[]
  /** what the model predicts of these inputs, by classifier: the product first; empty where that was not asked */
  readonly predictions: readonly PredictionProfile[]
}

/** One feature over the rows of a profile. */
export interface FeatureProfile {
  readonly name: string
  /** rows without a value */
  readonly missing: number
  /** of the other rows; null where there are none */
  readonly values: ValueProfile | null
}

/** Where the values of a feature lie. */
export interface ValueProfile {
  readonly minimum: number
  readonly maximum: number
  /** by profileQuantiles: the smallest value that at least this share of the values does not exceed */
  readonly quantiles: readonly number[]
  /** median of the absolute values, which tells one unit from another */
  readonly typicalSize: number
}

/** How often each class had the largest probability. */
export interface PredictionProfile {
  readonly classifierName: string
  /** in the classifier's order */
  readonly classes: readonly { readonly name: string; readonly rows: number }[]
}

/** A model that is being imported, for whoever makes its profile. */
export interface ProfiledImport {
  readonly manifest: Omit<Manifest, 'files'>
  readonly golden: Golden
  /** the golden inputs are the trainer's: those that an import draws itself say nothing of real ones */
  readonly isGoldenGiven: boolean
  /** opens the model, which is not written yet; absent where it cannot answer before it is */
  readonly open?: () => Promise<Classifier>
}

/** The bytes of profile.json: a line a feature, the same for the same profile. */
export function encodeProfile({ features, ...others }: InputProfile): Uint8Array {
  const head = JSON.stringify(others).slice(1, -1)
  const lines = features.map((feature) => `    ${JSON.stringify(withValues(feature, shortest))}`)
  return Buffer.from(`{${head},\n  "features": [\n${lines.join(',\n')}\n  ]\n}\n`)
}

/** A profile whose values are written or read in another way. */
function withValues({ name, missing, values }: FeatureProfile, of: (value: number) => number): FeatureProfile {
  if (values === null) return { name, missing, values }
  const [minimum, maximum, typicalSize] = [of(values.minimum), of(values.maximum), of(values.typicalSize)]
  return { name, missing, values: { minimum, maximum, quantiles: values.quantiles.map(of), typicalSize } }
}

/** nine digits hold a float32 */
function shortest(value: number): number {
  return Number(value.toPrecision(9))
}

/**
 * Reads profile.json.
 *
 * @param features the model's own, in order: a profile of others is damaged
 * @throws ModelError
 */
export function parseProfile(text: string, where: string, features: readonly string[]): InputProfile {
  const damaged = (what: string): ModelError =>
    new ModelError(`${where}: ${what}`, { hint: 'The bundle is damaged: copy it again, or import the model again.' })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged(`not JSON (${messageOf(cause)})`)
  }
  if (!isProfile(value)) throw damaged('not a profile of inputs')
  const isSame = value.features.length === features.length && value.features.every((f, i) => f.name === features[i])
  if (!isSame) throw damaged("its features are not the model's")
  // compared with float32 values, for which the decimal text may lie a little aside
  return { ...value, features: value.features.map((feature) => withValues(feature, Math.fround)) }
}

function isProfile(value: unknown): value is InputProfile {
  return (
    isRecord(value) &&
    value['formatVersion'] === 1 &&
    (value['source'] === 'file' || value['source'] === 'golden') &&
    typeof value['name'] === 'string' &&
    isCount(value['rows']) &&
    isListOf(value['features'], isFeature) &&
    isListOf(value['predictions'], isPrediction)
  )
}

function isFeature(value: unknown): boolean {
  if (!isRecord(value) || typeof value['name'] !== 'string' || !isCount(value['missing'])) return false
  const { values } = value
  if (values === null) return true
  return (
    isRecord(values) &&
    [values['minimum'], values['maximum'], values['typicalSize']].every(Number.isFinite) &&
    isListOf(values['quantiles'], Number.isFinite) &&
    (values['quantiles'] as unknown[]).length === profileQuantiles.length
  )
}

function isPrediction(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value['classifierName'] === 'string' &&
    isListOf(value['classes'], (one) => isRecord(one) && typeof one['name'] === 'string' && isCount(one['rows']))
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem)
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
