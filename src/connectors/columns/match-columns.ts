// The columns of an input against the columns a model needs: by exact name, once, before the first row.
import { distance } from 'fastest-levenshtein'
import { DataError, type ErrorDetails } from '../../errors.ts'
import { knownIdColumn } from './id-columns.ts'
import { mappedColumn } from './settle-names.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { Reject } from '../../pipeline/batch.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** Where in the input the needed columns are. */
export type ColumnMatch = ReturnType<typeof matchColumns>

/** What decides which column is which. */
export type ColumnNaming = Pick<ReadOptions, 'features' | 'idColumn' | 'candidColumn' | 'mjdColumn' | 'rename'>

/**
 * Finds the needed columns. A renamed column counts under its new name only; a column that already had that name is
 * shadowed by it.
 *
 * @param names the input's own names, in its order
 * @param inputName how messages call the input
 * @returns indices into the names
 * @throws DataError naming every missing column with its nearest, a renamed column that is not there, or a needed column
 *   that is there twice
 */
export function matchColumns(names: readonly string[], naming: ColumnNaming, inputName: string) {
  refuseAbsentRenames(names, naming.rename, inputName)
  const places = placesByName(names, naming.rename)
  const { idColumn, candidColumn, features } = naming
  // an input without the usual column of candids is fine; one that was named must be there
  const required = new Set([idColumn, ...(candidColumn === 'candid' ? [] : [candidColumn]), ...features])
  const missing = [...required].filter((name) => !places.has(name))
  const others = [...places.keys()].filter((name) => !required.has(name))
  if (missing.length > 0) throw missingColumns(missing, others, naming, inputName)
  const place = (name: string): number => {
    const [found, ...more] = places.get(name)!
    if (more.length === 0) return found!
    throw new DataError(`${inputName} has the column ${shownText(name)} ${more.length + 1} times`)
  }
  return {
    oid: place(idColumn),
    candid: places.has(candidColumn) ? place(candidColumn) : undefined,
    /** one a feature, in the model's order */
    features: features.map(place),
  }
}

/** Says which needed columns an input lacks and what comes near. */
export function missingColumns(
  missing: readonly string[],
  others: readonly string[],
  naming: ColumnNaming,
  inputName: string,
): DataError {
  const candidates = others.slice(0, mostCompared)
  const count = missing.length === 1 ? 'a column' : `${missing.length} columns`
  const list = missing.map((name) => withNearest(name, likelyNames(name, candidates))).join(', ')
  const hint = hintFor(missing, candidates, naming)
  return new DataError(`${inputName} lacks ${count} the model needs: ${list}`, { hint })
}

const shownNames = 2
/** a header may have a million names, and each would be compared with every feature */
const mostCompared = 2000

function hintFor(missing: readonly string[], candidates: readonly string[], naming: ColumnNaming): string {
  const { features, idColumn, candidColumn, mjdColumn = '' } = naming
  const flags: string[] = []
  if (missing.includes(idColumn)) {
    const likely = likelyIdColumn('oid', idColumn, candidates)
    flags.push(
      likely === undefined
        ? '--id-column names the column of object ids'
        : `${idFlag('oid', likely)} reads the object ids from there`,
    )
  }
  if (missing.includes(candidColumn)) {
    const likely = likelyIdColumn('candid', candidColumn, candidates)
    flags.push(
      likely === undefined
        ? "--candid-column names the column of the alerts' ids"
        : `${idFlag('candid', likely)} reads the alerts' ids from there`,
    )
  }
  if (missing.includes(mjdColumn))
    flags.push("--mjd-column names the column with the MJD of an object's newest detection")
  const needed = missing.filter((name) => features.includes(name) && name !== mjdColumn)
  const mapped = needed.flatMap((name) => mappedColumn(name, candidates) ?? [])
  if (mapped.length > 0)
    flags.push(`--rename-map ${mapped[0]!.map} reads ${mapped.length} of the ${needed.length} features`)
  flags.push('--rename OLD=NEW reads column OLD as NEW')
  const advice = `${flags.join('; ')}.`
  return needed.length > 1 ? `${advice} lcclf check writes out what would mend them.` : advice
}

/** Which of some columns may hold the ids that a missing column should have. */
export function likelyIdColumn(kind: 'oid' | 'candid', name: string, columns: readonly string[]): string | undefined {
  return nearestNames(name, columns)[0] ?? knownIdColumn(kind, columns)
}

/** The flag that reads ids from a column, as a shell takes it. */
export function idFlag(kind: 'oid' | 'candid', column: string): string {
  const name = kind === 'oid' ? '--id-column' : '--candid-column'
  return `${name} ${/^[\w.-]+$/.test(column) ? column : `'${column.replaceAll("'", String.raw`'\''`)}'`}`
}

function withNearest(name: string, near: readonly string[]): string {
  return near.length === 0 ? shownText(name) : `${shownText(name)} (nearest: ${near.map(shownText).join(', ')})`
}

function placesByName(names: readonly string[], rename: ReadonlyMap<string, string>): Map<string, number[]> {
  const places = new Map<string, number[]>()
  const present = new Set(names)
  const shadowed = new Set([...rename].flatMap(([from, to]) => (present.has(from) ? [to] : [])))
  names.forEach((name, index) => {
    const readAs = rename.get(name) ?? (shadowed.has(name) ? undefined : name)
    if (readAs === undefined) return
    const known = places.get(readAs)
    if (known) known.push(index)
    else places.set(readAs, [index])
  })
  return places
}

/** @throws DataError naming the renamed columns that an input does not have */
export function refuseAbsentRenames(names: readonly string[], rename: ReadonlyMap<string, string>, inputName: string) {
  const present = new Set(names)
  const absent = [...rename.keys()].filter((old) => !present.has(old))
  if (absent.length === 0) return
  const list = absent.map((name) => withNearest(name, nearestNames(name, names))).join(', ')
  throw new DataError(`${inputName} has no column to rename: ${list}`)
}

/** Fix one column. A reader that wants to know everything at once can leave it out and try again. */
export class ColumnError extends DataError {
  /** the input's own name of the column, before any renaming */
  readonly column: string

  constructor(column: string, message: string, details: ErrorDetails = {}) {
    super(message, details)
    this.column = column
  }
}

/** The first of a row, and the others where they were asked for. */
export type NotNumbers = Required<Pick<Reject, 'reason' | 'value'>> & Pick<Reject, 'others'>

export function addNotNumber(
  known: NotNumbers | undefined,
  feature: string,
  value: string,
  tellsAll = false,
): NotNumbers {
  const one = { reason: `${feature} is not a number`, value }
  if (!known) return one
  return tellsAll ? { ...known, others: [...(known.others ?? []), one] } : known
}

/** Which of some columns may be a feature that is missing: the one that is known to be, else the nearest, at most two. */
export function likelyNames(feature: string, names: readonly string[]): string[] {
  const columns = names.slice(0, mostCompared)
  const mapped = mappedColumn(feature, columns)
  if (mapped) return [mapped.column]
  return nearestNames(feature, columns)
}

/**
 * The nearest of some names, best first, at most two; none if nothing is near. Case and the separators that tools swap
 * (`/`, `-`, `_`, blanks) hardly count: `Power_rate_1_2` is very near `Power_rate_1/2`.
 */
export function nearestNames(name: string, candidates: readonly string[]): string[] {
  const plain = normalised(name)
  const tolerated = Math.floor(plain.length / 4)
  const near: { candidate: string; far: number; raw: number }[] = []
  for (const candidate of candidates.slice(0, mostCompared)) {
    if (Math.abs(candidate.length - name.length) > tolerated + 2) continue
    const far = distance(plain, normalised(candidate))
    if (far <= tolerated) near.push({ candidate, far, raw: distance(name, candidate) })
  }
  return near
    .sort((a, b) => a.far - b.far || a.raw - b.raw || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, shownNames)
    .map(({ candidate }) => candidate)
}

function normalised(name: string): string {
  return name.toLowerCase().replace(/[/\-_\s.]/g, '_')
}
