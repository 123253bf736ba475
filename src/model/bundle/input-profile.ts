// What a model's usual inputs look like: `profile.json` of a bundle, with which other inputs are compared.
import type { Classifier } from '../../pipeline/classifier.ts'
import type { Golden } from './golden.ts'
import { type Checker, checkerOf, type Manifest, parseJson } from './manifest.ts'

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
  readonly predictions: readonly {
    readonly classifierName: string
    /** how often each had the largest probability, in the classifier's order */
    readonly classes: readonly { readonly name: string; readonly rows: number }[]
  }[]
}

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
  // nine digits hold a float32; counts stay whole
  const shortest = (key: string, value: unknown) =>
    typeof value === 'number' && key !== 'missing' ? Number(value.toPrecision(9)) : value
  const lines = features.map((feature) => `    ${JSON.stringify(feature, shortest)}`)
  return Buffer.from(`{${head},\n  "features": [\n${lines.join(',\n')}\n  ]\n}\n`)
}

/**
 * Reads profile.json.
 *
 * @param where the file, for messages
 * @param features the model's own, in order: a profile of others is damaged
 * @throws ModelError
 */
export function parseProfile(text: string, where: string, features: readonly string[]): InputProfile {
  const check = checkerOf(where)
  const value = check.record(parseJson(text, where), 'profile')
  const { formatVersion, source } = value
  if (formatVersion !== 1 || (source !== 'file' && source !== 'golden')) throw check.error('profile')
  const profiled = check.list(value['features'], 'features').map((feature) => readFeature(check, feature))
  const isSame = profiled.length === features.length && profiled.every(({ name }, f) => name === features[f])
  if (!isSame) throw check.error("features: they are not the model's")
  return {
    formatVersion,
    source,
    name: check.text(value['name'], 'name'),
    rows: check.count(value['rows'], 'rows'),
    features: profiled,
    predictions: check.list(value['predictions'], 'predictions').map((entry) => {
      const prediction = check.record(entry, 'predictions')
      const classes = check.list(prediction['classes'], 'classes').map((one) => {
        const { name, rows } = check.record(one, 'class')
        return { name: check.text(name, 'name of a class'), rows: check.count(rows, 'rows of a class') }
      })
      return { classifierName: check.text(prediction['classifierName'], 'classifierName'), classes }
    }),
  }
}

function readFeature(check: Checker, value: unknown): FeatureProfile {
  const feature = check.record(value, 'feature')
  const name = check.text(feature['name'], 'name of a feature')
  const missing = check.count(feature['missing'], `missing values of ${name}`)
  if (feature['values'] === null) return { name, missing, values: null }
  const values = check.record(feature['values'], `values of ${name}`)
  // compared with float32 values, for which the decimal text may lie a little aside
  const number = (found: unknown) => Math.fround(check.number(found, `values of ${name}`))
  const quantiles = check.list(values['quantiles'], `quantiles of ${name}`).map(number)
  if (quantiles.length !== profileQuantiles.length) throw check.error(`quantiles of ${name}`)
  const [minimum, maximum, typicalSize] = [values['minimum'], values['maximum'], values['typicalSize']].map(number)
  return { name, missing, values: { minimum: minimum!, maximum: maximum!, quantiles, typicalSize: typicalSize! } }
}
