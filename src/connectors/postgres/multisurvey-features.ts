// The survey's feature table of today (oid, sid, feature_id, band, version, value, updated_date) turned wide.
import { DataError } from '../../errors.ts'
import type { ReadOptions } from '../../pipeline/source.ts'
import { surveyOid, ztfName } from '../survey-ids.ts'
import { type BinaryRows, identifier } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import { featurePlaces, unusedNotes } from './feature-names.ts'
import {
  chosenVersions,
  type NameTable,
  readNames,
  refuseUnknownSurvey,
  refuseUnnamed,
  schemaOf,
  type StoredFeature,
  storedFeatures,
} from './multisurvey-lookups.ts'
import { objectPartitions } from './object-partitions.ts'
import { type Gatherer, readObjects } from './object-rows.ts'
import { readOidList } from './oid-list.ts'
import type { ObjectRow } from './query.ts'
import type { TableReading } from './settings.ts'
import { inspectTables, type TableFacts } from './tables/inspect-tables.ts'

const recognisedBy = ['feature_id', 'band', 'updated_date']
const oidsAtOnce = 2000
/** rows that are looked at for features that no object has, before the whole table is */
const sampledRows = 200_000
/** no band and no number of a name is larger: they are smallint */
const idStep = 65_536

export function isMultisurveyFeatures({ columns }: TableFacts): boolean {
  return recognisedBy.every((name) => columns.some((column) => column.name === name))
}

/**
 * Of an object only the rows of its newest `updated_date` count: a pass leaves rows of earlier ones where they are. What
 * an object lacks is null; what no object has is an error.
 *
 * @param facts of the table
 * @throws DataError for a table with other columns, for a survey, version or feature that it does not have
 */
export async function openMultisurveyFeatures(
  connection: Connection,
  facts: TableFacts,
  reading: TableReading,
  options: ReadOptions,
) {
  const table = await examined(connection, facts, reading, options)
  const isNamed = reading.survey?.names === 'ztf'
  const given = reading.oids ?? (reading.oidsFile === undefined ? undefined : readOidList(reading.oidsFile))
  // one object may lack anything
  if (reading.oids === undefined && options.absentAsNull !== true) await refuseAbsent(connection, table, options)
  const seen = { unused: new Set<string>(), passedOver: 0 }
  const gatherer = gathererOf(table, options.features.length, { isNamed, isListed: given !== undefined, seen })
  const fieldCount = table.objectTable === undefined ? 6 : 7
  return {
    schema: {
      oidType: isNamed ? ('string' as const) : ('int64' as const),
      hasCandid: false,
      ...(table.objectTable === undefined ? {} : { hasMjd: true }),
    },
    notes: (): readonly string[] => [...unusedNotes(seen.unused), ...passedOverNotes(seen.passedOver)],
    async *objects(): AsyncGenerator<ObjectRow[], void, undefined> {
      seen.passedOver = 0
      if (given) {
        const { oids, unreadable } = numbersOf(given)
        if (unreadable.length > 0) yield unreadable.map((oid) => unreadableRow(oid, table.name))
        for (let start = 0; start < oids.length; start += oidsAtOnce) {
          const statement = listStatement(table, oids.slice(start, start + oidsAtOnce))
          yield* readObjects(connection, statement, fieldCount, gatherer)
        }
      } else {
        for (const part of await objectPartitions(connection, facts, options.idColumn))
          yield* readObjects(connection, wholeStatement(table, part), fieldCount, gatherer)
      }
    },
  }
}

function passedOverNotes(count: number): readonly string[] {
  if (count === 0) return []
  const [counted, are] = count === 1 ? ['1 object has', 'it is'] : [`${count} objects have`, 'they are']
  return [`${counted} features of other versions only: ${are} passed over`]
}

/** The table as it is there, ready to be written into statements. */
type FeatureTable = Awaited<ReturnType<typeof examined>>

async function examined(
  connection: Connection,
  facts: TableFacts,
  { version, survey }: TableReading,
  options: ReadOptions,
) {
  const { name } = facts
  const { idColumn, mjdColumn, features } = options
  refuseColumns(facts, idColumn)
  const sid = survey?.sid ?? 0
  const schema = await schemaOf(connection, name)
  await refuseUnknownSurvey(connection, schema, sid)
  const names = await readNames(connection, {
    ...{ table: `${schema}.feature_name_lut`, id: 'feature_id', name: 'feature_name', sid },
  })
  if (!names) throw new DataError(`table ${name} has no table feature_name_lut beside it: its features have no names`)
  const stored = storedFeatures(featurePlaces(options), names, features.length)
  if (options.absentAsNull !== true) refuseUnnamed(features, stored, names)
  const known = await readNames(connection, {
    ...{ table: `${schema}.feature_version_lut`, id: 'version_id', name: 'version_name', sid },
  })
  return {
    /** quoted, with its schema where it needs one */
    name,
    idColumn: identifier(idColumn),
    sid,
    names,
    stored,
    versions: chosenVersions(version, known ?? new Map()),
    versionNames: known ?? (new Map() as NameTable),
    objectTable: mjdColumn === undefined ? undefined : await findObjectTable(connection, schema),
  }
}

function refuseColumns({ name, columns }: TableFacts, idColumn: string): void {
  const integer = ['smallint', 'integer']
  const wanted = { [idColumn]: ['bigint'], sid: integer, feature_id: integer, band: integer, version: integer }
  const others = { value: ['double precision', 'real'], updated_date: ['date'] }
  for (const [column, types] of Object.entries({ ...wanted, ...others })) {
    const found = columns.find((one) => one.name === column)
    if (!found) throw new DataError(`table ${name} has no column ${column}: it is not the survey's feature table`)
    if (types.includes(found.type)) continue
    throw new DataError(`table ${name}: column ${column} is ${found.type} in place of ${types.join(' or ')}`)
  }
}

async function findObjectTable(connection: Connection, schema: string): Promise<string> {
  const [facts] = await inspectTables(connection, [`${schema}.object`])
  const lacks = ['oid', 'sid', 'lastmjd'].filter((name) => !facts?.columns.some((column) => column.name === name))
  if (facts && lacks.length === 0) return facts.name
  const what = facts ? `table ${facts.name} has no column ${lacks.join(', ')}` : `there is no table ${schema}.object`
  throw new DataError(`${what}: lastmjd is read from there`)
}

/** @throws DataError that names a feature of which the table has no row, whatever the object */
async function refuseAbsent(connection: Connection, { name, sid, stored }: FeatureTable, { features }: ReadOptions) {
  const pairs = await connection.rows<readonly [number, number, number]>(
    `SELECT feature_id::int4, band::int4, count(*)::int4
       FROM (SELECT feature_id, band FROM ${name} WHERE sid = ${sid} LIMIT ${sampledRows}) AS t GROUP BY 1, 2`,
  )
  const found = new Set(pairs.map(([id, band]) => id * idStep + band))
  const rows = pairs.reduce((sum, [, , count]) => sum + count, 0)
  if (rows === 0) return
  const unseen = features.filter((_, place) => !stored[place]!.some(({ id, band }) => found.has(id * idStep + band)))
  for (const feature of unseen) {
    if (rows === sampledRows && (await isStored(connection, { name, sid }, stored[features.indexOf(feature)]!)))
      continue
    const others = unseen.length - 1 - unseen.indexOf(feature)
    const more = others === 0 ? '' : `, and perhaps ${others} others`
    throw new DataError(`table ${name} has no row of the model’s feature ${feature}, of any object${more}`, {
      hint: 'Name a stored feature with --rename STORED=FEATURE; --absent-as-null reads what is absent as null.',
    })
  }
}

async function isStored(
  connection: Connection,
  { name, sid }: Pick<FeatureTable, 'name' | 'sid'>,
  stored: readonly StoredFeature[],
): Promise<boolean> {
  const isOne = stored.map(({ id, band }) => `(feature_id = ${id} AND band = ${band})`).join(' OR ')
  const sql = `SELECT 1 FROM ${name} WHERE sid = ${sid} AND (${isOne}) LIMIT 1`
  return (await connection.rows(sql)).length > 0
}

const columnsOf = (row: string): string =>
  ['feature_id', 'band', 'version', 'value::float8', 'updated_date'].map((column) => `${row}.${column}`).join(', ')

/** One look a row would take longer than everything else: neighbours have the same object, which Postgres remembers. */
const mjdOf = (objectTable: string, oid: string, sid: number): string =>
  `LEFT JOIN LATERAL (SELECT lastmjd FROM ${objectTable} WHERE oid = ${oid} AND sid = ${sid}) AS m ON true`

/** In the order of the partition's primary key, so that its index gives it and nothing must be sorted. */
function wholeStatement({ idColumn, sid, objectTable }: FeatureTable, part: string): string {
  const [mjd, join] = objectTable === undefined ? ['', ''] : [', m.lastmjd', mjdOf(objectTable, `f.${idColumn}`, sid)]
  return `COPY (
    SELECT f.${idColumn}, ${columnsOf('f')}${mjd} FROM ${part} AS f ${join}
     WHERE f.sid = ${sid} ORDER BY f.${idColumn}
  ) TO STDOUT (FORMAT binary)`
}

function listStatement({ name, idColumn, sid, objectTable }: FeatureTable, oids: readonly bigint[]): string {
  const [mjd, join] = objectTable === undefined ? ['', ''] : [', m.lastmjd', mjdOf(objectTable, 'o.oid', sid)]
  return `COPY (
    SELECT o.oid, ${columnsOf('f')}${mjd}
      FROM unnest('{${oids.join(',')}}'::int8[]) WITH ORDINALITY AS o(oid, n) ${join}
      LEFT JOIN LATERAL (SELECT * FROM ${name} WHERE ${idColumn} = o.oid AND sid = ${sid} OFFSET 0) AS f ON true
     ORDER BY o.n
  ) TO STDOUT (FORMAT binary)`
}

/** Each object once, whether it is named or numbered. */
function numbersOf(given: readonly string[]) {
  const oids = new Set<bigint>()
  const unreadable: string[] = []
  for (const text of given) {
    const oid = surveyOid(text)
    if (oid === undefined) unreadable.push(text)
    else oids.add(oid)
  }
  return { oids: [...oids], unreadable }
}

function unreadableRow(oid: string, table: string): ObjectRow {
  const problem = { reason: 'oid is neither an integer nor a ZTF name' }
  return { oid, candid: null, where: `table ${table}`, values: new Float64Array(0), problem }
}

/** An object whose rows are still coming: what its newest ones say so far. */
type Gathering = ReturnType<typeof begun>

function begun({ bytes, starts }: BinaryRows, width: number) {
  return {
    oid: bytes.readBigInt64BE(starts[0]),
    mjd: NaN,
    count: 0,
    /** days since 2000 */
    date: -Infinity,
    version: NaN,
    /** another version among the rows of that date */
    otherVersion: NaN,
    /** whether any row, newest or not, is of a version that counts */
    isChosen: false,
    values: new Float64Array(width).fill(NaN),
    seen: new Uint8Array(width),
    twice: -1,
  }
}

/** Earlier rows are superseded, whatever they say. */
function renew(object: Gathering, date: number): void {
  object.date = date
  object.version = NaN
  object.otherVersion = NaN
  object.values.fill(NaN)
  object.seen.fill(0)
  object.twice = -1
}

function gathererOf(
  table: FeatureTable,
  width: number,
  how: { isNamed: boolean; isListed: boolean; seen: { readonly unused: Set<string>; passedOver: number } },
): Gatherer<Gathering> {
  const { stored, names, versions } = table
  const places = new Map(
    stored.flatMap((all, place) => all.map(({ id, band }) => [id * idStep + band, place] as const)),
  )

  function placeOf(id: number, band: number): number {
    const place = places.get(id * idStep + band)
    if (place !== undefined) return place
    places.set(id * idStep + band, -1)
    how.seen.unused.add(`${names.get(id) ?? `feature_id ${id}`}${band === 0 ? '' : ` (band ${band})`}`)
    return -1
  }

  function add(object: Gathering, rows: BinaryRows): void {
    const { bytes, starts, lengths } = rows
    // an object of the list that has no row
    if (lengths[1]! < 0) return
    if (object.count++ === 0 && table.objectTable !== undefined && lengths[6]! >= 0)
      object.mjd = bytes.readDoubleBE(starts[6])
    const version = integerAt(rows, 3)
    if (version !== object.version && versions.has(version)) object.isChosen = true
    // a row without a date is older than any that has one
    const date = lengths[5]! < 0 ? -Infinity : bytes.readInt32BE(starts[5])
    if (date < object.date) return
    if (date > object.date) renew(object, date)
    if (Number.isNaN(object.version)) object.version = version
    else if (version !== object.version) object.otherVersion = version
    const place = placeOf(integerAt(rows, 1), integerAt(rows, 2))
    if (place < 0) return
    if (object.seen[place] === 1) object.twice = place
    object.seen[place] = 1
    object.values[place] = lengths[4]! < 0 ? NaN : bytes.readDoubleBE(starts[4])
  }

  return { begin: (rows) => begun(rows, width), add, finish }

  function finish(object: Gathering): ObjectRow | undefined {
    const { oid, values, mjd } = object
    if (object.count > 0 && !object.isChosen && !how.isListed) {
      how.seen.passedOver++
      return undefined
    }
    const shown = how.isNamed ? (ztfName(oid) ?? String(oid)) : String(oid)
    return { oid: shown, candid: null, mjd, where: `table ${table.name}`, values, problem: problemOf(object, table) }
  }
}

function problemOf(object: Gathering, { versions, versionNames, stored, names }: FeatureTable): ObjectRow['problem'] {
  const named = (version: number): string => versionNames.get(version) ?? String(version)
  const { count, version, otherVersion, twice } = object
  if (count === 0) return { reason: 'no features in the table' }
  if (!Number.isNaN(otherVersion)) {
    const value = [version, otherVersion].sort((a, b) => a - b).map(named)
    return { reason: 'its newest features are of several versions', value: value.join(', ') }
  }
  if (!versions.has(version)) return { reason: 'its newest features are of another version', value: named(version) }
  if (twice < 0) return undefined
  const spellings = new Set(stored[twice]!.map(({ id }) => names.get(id)!))
  return { reason: 'a feature is stored under two names', value: [...spellings].join(', ') }
}

/** smallint or integer */
function integerAt({ bytes, starts, lengths }: BinaryRows, field: number): number {
  return lengths[field] === 2 ? bytes.readInt16BE(starts[field]) : bytes.readInt32BE(starts[field])
}
