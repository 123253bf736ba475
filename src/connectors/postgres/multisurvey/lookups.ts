// What numbers in the survey's tables of today stand for: features, versions, surveys.
import { DataError } from '../../../errors.ts'
import { nearestNames } from '../../columns/match-columns.ts'
import type { Connection } from '../client/connection.ts'
import { serverName } from '../settings.ts'
import { inspectTables } from '../tables/inspect-tables.ts'

const shownNames = 10
const wholeNumber = /^(?:0|[1-9]\d{0,4})$/

/** By number the name. */
export type NameTable = ReadonlyMap<number, string>

/** The schema that a table is in, as a statement needs it: the tables with its names are there too. */
export async function schemaOf(connection: Connection, table: string): Promise<string> {
  const sql = 'SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = $1::regclass'
  const [row] = await connection.rows<readonly [string]>(sql, [table])
  return row![0]
}

/**
 * Reads a table of names. Since 2026 each survey has numbers of its own there (`sid`).
 *
 * @returns undefined if there is no such table
 */
export async function readNames(
  connection: Connection,
  { table, id, name, sid }: { table: string; id: string; name: string; sid: number },
): Promise<NameTable | undefined> {
  const [facts] = await inspectTables(connection, [table])
  if (!facts) return undefined
  const ofSurvey = facts.columns.some((column) => column.name === 'sid') ? `WHERE sid = ${sid}` : ''
  const rows = await connection.rows<readonly [number, string]>(
    `SELECT ${id}::int4, ${name}::text FROM ${facts.name} ${ofSurvey} ORDER BY 1`,
  )
  return new Map(rows)
}

/** @throws DataError for a survey that `sid_lut` does not know; where there is no such table, nobody knows better */
export async function refuseUnknownSurvey(connection: Connection, schema: string, sid: number): Promise<void> {
  const table = `${schema}.sid_lut`
  const known = await readNames(connection, { table, id: 'sid', name: 'survey_name', sid })
  if (!known || known.size > 0) return
  throw new DataError(`${serverName(connection.settings)}: sid_lut has no survey ${sid}`, {
    hint: 'Choose a survey with ?sid=; 0 is ZTF.',
  })
}

/**
 * Which versions of features count.
 *
 * @param wanted a version's name or number, or several with commas between them; undefined: the only one there is
 * @throws DataError for one that nobody knows, and where several are known and none is wanted
 */
export function chosenVersions(wanted: string | undefined, known: NameTable): ReadonlySet<number> {
  const listed = [...known.values()].slice(0, shownNames).join(', ') || 'none'
  if (wanted === undefined) {
    if (known.size === 1) return new Set(known.keys())
    throw new DataError(
      `feature_version_lut knows ${known.size === 0 ? 'no version' : `several versions: ${listed}`}`,
      {
        hint: 'Choose with ?version=: a name or a number, or several with commas between them.',
      },
    )
  }
  const numberOf = (text: string): number | undefined =>
    [...known].find(([, name]) => name === text)?.[0] ?? (wholeNumber.test(text) ? Number(text) : undefined)
  const whole = numberOf(wanted)
  if (whole !== undefined) return new Set([whole])
  const numbers = wanted.split(',').map((text) => {
    const number = numberOf(text.trim())
    if (number !== undefined) return number
    throw new DataError(`feature_version_lut knows no version ${text.trim()}`, { hint: `It knows ${listed}.` })
  })
  return new Set(numbers)
}

/** A feature as it is stored: the number of its name, and its band. */
export interface StoredFeature {
  readonly id: number
  readonly band: number
}

/**
 * What is stored → the model's features, by the survey's rule: `-` and `/` become `_`, and a band that is not 0 follows
 * behind another `_`. Else a name that is a feature as it stands is that feature.
 *
 * @param places names that stand for features, each with its place
 * @returns for each place what may be stored of it, nothing for two places; empty where no name is known
 */
export function storedFeatures(
  places: ReadonlyMap<string, number>,
  names: NameTable,
  count: number,
): readonly (readonly StoredFeature[])[] {
  const found: StoredFeature[][] = Array.from({ length: count }, () => [])
  const claimed = new Set<string>()
  for (const spell of [modelSpelling, (name: string) => name]) {
    const byName = new Map<string, number[]>()
    for (const [id, name] of names) byName.set(spell(name), [...(byName.get(spell(name)) ?? []), id])
    const claim = (name: string, band: number, place: number): void => {
      for (const id of byName.get(name) ?? []) {
        if (claimed.has(`${id} ${band}`)) continue
        claimed.add(`${id} ${band}`)
        found[place]!.push({ id, band })
      }
    }
    for (const [name, place] of places) {
      claim(name, 0, place)
      const [, base, band] = /^(.+)_([1-9]\d{0,3})$/s.exec(name) ?? []
      if (base !== undefined) claim(base, Number(band), place)
    }
  }
  return found
}

const modelSpelling = (name: string): string => name.replace(/[-/]/g, '_')

/** @throws DataError that names the model's features of which no name is known */
export function refuseUnnamed(
  features: readonly string[],
  stored: readonly (readonly StoredFeature[])[],
  names: NameTable,
): void {
  const missing = features.filter((_, place) => stored[place]!.length === 0)
  if (missing.length === 0) return
  const spelled = [...names.values()].map(modelSpelling)
  const shown = missing.slice(0, shownNames).map((name) => {
    const [near] = nearestNames(name.replace(/_\d{1,2}$/, ''), spelled)
    return near === undefined ? name : `${name} (nearest: ${near})`
  })
  const more = missing.length > shownNames ? ` and ${missing.length - shownNames} more` : ''
  const what = missing.length === 1 ? 'a feature' : `${missing.length} features`
  throw new DataError(`feature_name_lut lacks ${what} the model needs: ${shown.join(', ')}${more}`, {
    hint: 'Name a stored feature with --rename STORED=FEATURE; --absent-as-null reads what is absent as null.',
  })
}
