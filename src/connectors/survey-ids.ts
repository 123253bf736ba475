// The numbers that the survey writes for names since 2025: an object's oid, a model's version.
import { ModelError } from '../errors.ts'
import { isInt64 } from '../pipeline/row-ids.ts'

/** two digits of the year, then seven letters that count in 26s */
const ztfShape = /^ZTF(\d\d)([a-z]{7})$/
/** as a bigint is written: no sign of plus and no zeros ahead, so that no two texts are one object */
const integerShape = /^(?:0|-?[1-9]\d{0,18})$/
/** leading zeros could be kept or lost when the digits are joined, so they are refused */
const versionShape = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:_.*)?$/s

/** ZTF's own prefix: 1, in the eight bits above 55 */
const ztfPrefix = 1n << 55n
const letters = 26n
const namesAYear = letters ** 7n
const firstLetter = 'a'.charCodeAt(0)
const largestSmallint = 32_767

/**
 * The oid that the survey's tables of today have for an object.
 *
 * @param text a ZTF name (`ZTF18acuemsf`), or an integer in decimal digits, which is the oid itself
 * @returns an int64; undefined where the text is neither
 */
export function surveyOid(text: string): bigint | undefined {
  const [, year, name] = ztfShape.exec(text) ?? []
  if (year !== undefined && name !== undefined) return ztfPrefix + BigInt(year) * namesAYear + numberOf(name)
  if (!integerShape.test(text)) return undefined
  const oid = BigInt(text)
  return isInt64(oid) ? oid : undefined
}

/** The ZTF name that an oid stands for; undefined where it stands for none: another survey's, or any other number. */
export function ztfName(oid: bigint): string | undefined {
  const rest = oid - ztfPrefix
  if (rest < 0n || rest >= 100n * namesAYear) return undefined
  const year = String(rest / namesAYear).padStart(2, '0')
  return `ZTF${year}${nameOf(rest % namesAYear)}`
}

/**
 * A model's version as the survey's smallint: its digits joined, a suffix behind `_` cut. `2.1.0` → 210.
 *
 * @throws ModelError where it is not three integers, or they do not fit: the survey's own program would write 0
 */
export function surveyVersion(version: string): number {
  const [, major, minor, patch] = versionShape.exec(version) ?? []
  const joined = major === undefined ? undefined : Number(`${major}${minor}${patch}`)
  if (joined !== undefined && joined <= largestSmallint) return joined
  const why = joined === undefined ? 'is not three integers, as 2.1.0 is' : `joined is larger than ${largestSmallint}`
  throw new ModelError(`model version ${JSON.stringify(version)} has no number in the survey's tables: it ${why}`, {
    hint: 'import the model with a version of three integers',
  })
}

function numberOf(name: string): bigint {
  let number = 0n
  for (const letter of name) number = number * letters + BigInt(letter.charCodeAt(0) - firstLetter)
  return number
}

function nameOf(number: bigint): string {
  let name = ''
  for (let rest = number; name.length < 7; rest /= letters) {
    name = String.fromCharCode(firstLetter + Number(rest % letters)) + name
  }
  return name
}
