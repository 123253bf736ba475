// The columns of an input against the columns a model needs: by exact name, once, before the first row.
import { DataError } from '../../errors.ts'
import { likelyNames, nearestNames } from './nearest-names.ts'
import { mappedColumn } from './rename-maps.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** Where in the input the needed columns are, as indices into its names. */
export interface ColumnMatch {
  readonly oid: number
  /** undefined where the input has none */
  readonly candid: number | undefined
  /** one a feature, in the model's order */
  readonly features: readonly number[]
}

/** What decides which column is which. */
export type ColumnNaming = Pick<ReadOptions, 'features' | 'idColumn' | 'candidColumn' | 'rename'>

/** What `--candid-column` is when nobody says otherwise: then an input without it is fine. */
const usualCandidColumn = 'candid'

/**
 * Finds the needed columns. A renamed column counts under its new name only; a column that already had that name is
 * shadowed by it.
 *
 * @param names the input's own names, in its order
 * @param inputName how messages call the input
 * @throws DataError naming every missing column with its nearest, a renamed column that is not there, or a needed column
 *   that is there twice
 */
export function matchColumns(names: readonly string[], naming: ColumnNaming, inputName: string): ColumnMatch {
  refuseAbsentRenames(names, naming.rename, inputName)
  const places = placesByName(names, naming.rename)
  const { idColumn, candidColumn, features } = naming
  const required = [...new Set([idColumn, ...(candidColumn === usualCandidColumn ? [] : [candidColumn]), ...features])]
  const missing = required.filter((name) => !places.has(name))
  if (missing.length > 0) throw missingColumns(missing, unclaimed(places, required), naming, inputName)
  const place = (name: string): number => singlePlace(places, name, inputName)
  return {
    oid: place(idColumn),
    candid: places.has(candidColumn) ? place(candidColumn) : undefined,
    features: features.map(place),
  }
}

/** Says which needed columns an input lacks and what comes near. */
export function missingColumns(
  missing: readonly string[],
  candidates: readonly string[],
  naming: ColumnNaming,
  inputName: string,
): DataError {
  const count = missing.length === 1 ? 'a column' : `${missing.length} columns`
  const list = missing.map((name) => withNearest(name, likelyNames(name, candidates))).join(', ')
  return new DataError(`${inputName} lacks ${count} the model needs: ${list}`, {
    hint: hintFor(missing, candidates, naming),
  })
}

/** What pandas calls an index that has no name. */
const unnamedIndex = '__index_level_0__'

function hintFor(
  missing: readonly string[],
  candidates: readonly string[],
  { features, idColumn, candidColumn }: ColumnNaming,
): string {
  if (missing.includes(idColumn) && candidates.includes(unnamedIndex)) {
    return `If the ids were the index in pandas: --id-column ${unnamedIndex}.`
  }
  const flags: string[] = []
  if (missing.includes(idColumn)) flags.push('--id-column names the column of object ids')
  if (missing.includes(candidColumn)) flags.push("--candid-column names the column of the alerts' ids")
  const needed = missing.filter((name) => features.includes(name))
  const mapped = needed.flatMap((name) => mappedColumn(name, candidates) ?? [])
  if (mapped.length > 0)
    flags.push(`--rename-map ${mapped[0]!.map} reads ${mapped.length} of the ${needed.length} features`)
  flags.push('--rename OLD=NEW reads column OLD as NEW')
  const advice = `${flags.join('; ')}.`
  return needed.length > 1 ? `${advice} lcclf check writes out what would mend them.` : advice
}

function withNearest(name: string, near: readonly string[]): string {
  return near.length === 0 ? shownText(name) : `${shownText(name)} (nearest: ${near.map(shownText).join(', ')})`
}

/** The input's columns under the names they are read as. */
function placesByName(names: readonly string[], rename: ReadonlyMap<string, string>): Map<string, number[]> {
  const places = new Map<string, number[]>()
  const add = (name: string, index: number): void => {
    const known = places.get(name)
    if (known) known.push(index)
    else places.set(name, [index])
  }
  names.forEach((name, index) => {
    const readAs = rename.get(name)
    if (readAs !== undefined) add(readAs, index)
  })
  const shadowed = new Set(places.keys())
  names.forEach((name, index) => {
    if (!rename.has(name) && !shadowed.has(name)) add(name, index)
  })
  return places
}

function unclaimed(places: ReadonlyMap<string, readonly number[]>, required: readonly string[]): string[] {
  const needed = new Set(required)
  return [...places.keys()].filter((name) => !needed.has(name))
}

function singlePlace(places: ReadonlyMap<string, readonly number[]>, name: string, inputName: string): number {
  const found = places.get(name)!
  if (found.length > 1) throw new DataError(`${inputName} has the column ${shownText(name)} ${found.length} times`)
  return found[0]!
}

/** @throws DataError naming the renamed columns that an input does not have */
export function refuseAbsentRenames(
  names: readonly string[],
  rename: ReadonlyMap<string, string>,
  inputName: string,
): void {
  const present = new Set(names)
  const absent = [...rename.keys()].filter((old) => !present.has(old))
  if (absent.length === 0) return
  const list = absent.map((name) => withNearest(name, nearestNames(name, names))).join(', ')
  throw new DataError(`${inputName} has no column to rename: ${list}`)
}
