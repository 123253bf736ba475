// What became of a family of features between two rows of one object.
import type { FeatureFamily } from '../../model/profile/feature-families.ts'
import type { FeatureMatrix, Preprocessing } from '../../pipeline/preprocess.ts'

/** In a few words: values went missing, came, were all multiplied, changed their sign, changed; or several of these. */
type Effect = 'missing' | 'new' | 'scaled' | 'negated' | 'changed' | 'mixed'

export interface FamilyChange {
  readonly family: string
  readonly effect: Effect
  /** what all changed values were multiplied by; of `scaled` alone */
  readonly factor: number | null
}

/** float32 holds 24 bits: a quotient of two roundings is off by less */
const roundings = 4e-7

/** Whether the model may tell two values apart. */
function differs(a: number, b: number): boolean {
  return a !== b && (a === a || b === b)
}

/** The families of which a value is another one, as places in `families`. */
export function changedFamilies(
  families: readonly FeatureFamily[],
  before: FeatureMatrix,
  after: FeatureMatrix,
): number[] {
  return families.flatMap(({ features }, place) =>
    features.some((feature) => differs(before[feature]!, after[feature]!)) ? [place] : [],
  )
}

/**
 * What became of one family.
 *
 * @param before, after preprocessed rows of one object
 */
export function changeOf(
  { name: family, features }: FeatureFamily,
  before: FeatureMatrix,
  after: FeatureMatrix,
  { missing, precision }: Preprocessing,
): FamilyChange {
  const filling = precision === undefined ? Math.fround(missing) : missing
  const isMissing = (value: number): boolean => value !== value || value === filling
  const changed = features.filter((feature) => differs(before[feature]!, after[feature]!))
  const gone = changed.filter((feature) => isMissing(after[feature]!)).length
  const came = changed.filter((feature) => isMissing(before[feature]!)).length
  if (gone === changed.length) return { family, effect: 'missing', factor: null }
  if (came === changed.length) return { family, effect: 'new', factor: null }
  if (gone + came > 0) return { family, effect: 'mixed', factor: null }
  const factor = commonFactor(changed.map((feature) => after[feature]! / before[feature]!))
  if (factor === null) return { family, effect: 'changed', factor: null }
  return factor === -1 ? { family, effect: 'negated', factor: null } : { family, effect: 'scaled', factor }
}

/** A single value has a factor too, which says nothing unless it is a sign or a unit. */
function commonFactor(quotients: readonly number[]): number | null {
  const [first] = quotients
  if (first === undefined || !Number.isFinite(first) || first === 0) return null
  const isSame = (quotient: number): boolean => Math.abs(quotient / first - 1) < roundings
  if (!quotients.every(isSame)) return null
  const factor = Number(first.toPrecision(6))
  const isUnit = Number.isInteger(Number(Math.log10(Math.abs(factor)).toFixed(9)))
  return quotients.length > 1 || isUnit ? factor : null
}

/** As a person would say it: `WISE colours: now missing`. */
export function changeText({ family, effect, factor }: FamilyChange): string {
  return `${family}: ${effectText({ effect, factor })}`
}

export function effectText({ effect, factor }: Pick<FamilyChange, 'effect' | 'factor'>): string {
  switch (effect) {
    case 'missing':
      return 'now missing'
    case 'scaled':
      return `× ${factor}`
    case 'mixed':
      return 'in part missing or new'
    case 'new':
    case 'negated':
    case 'changed':
      return effect
  }
}
