// The survey's feature table of today (oid, sid, feature_id, band, version, value, updated_date) turned wide.
import { DataError } from '../../../errors.ts'
import { isIntegerText } from '../../../pipeline/row-ids.ts'
import type { ReadOptions } from '../../../pipeline/source.ts'
import { surveyOid, ztfName } from '../../survey-ids.ts'
import { type BinaryRows, createBinaryRows, identifier } from '../client/binary.ts'
import type { Connection } from '../client/connection.ts'
import { featurePlaces, unusedNotes } from '../feature-names.ts'
import {
  chosenVersions,
  type NameTable,
  readNames,
  refuseUnknownSurvey,
  refuseUnnamed,
  schemaOf,
  type StoredFeature,
  storedFeatures,
} from './lookups.ts'
import { createNewest, keyOf, type Newest } from './newest-features.ts'
import { objectPartitions } from '../object-partitions.ts'
import { readOidList } from '../oid-list.ts'
import type { ObjectRow } from '../query.ts'
import type { TableReading } from '../settings.ts'
import { inspectTables, type TableFacts } from '../tables/inspect-tables.ts'

const recognisedBy = ['feature_id', 'band', 'updated_date']
const oidsAtOnce = 2000
/** rows that are looked at for features that no object has, before the whole table is */
const sampledRows = 20_000

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
  // who asks for objects by their names is answered by them
  const isAskedByName = reading.oids?.some((oid) => !isIntegerText(oid)) === true
  const isNamed = (reading.survey?.names ?? (isAskedByName ? 'ztf' : 'integers')) === 'ztf'
  const given = reading.oids ?? (reading.oidsFile === undefined ? undefined : readOidList(reading.oidsFile))
  // one object may lack anything
  if (reading.oids === undefined && options.absentAsNull !== true) await refuseAbsent(connection, table, options)
  // grouping in the order of an index needs no memory; compiling takes longer than it saves
  await connection.run('SET LOCAL enable_hashagg = off; SET LOCAL jit = off')
  const seen = { unused: new Set<string>(), passedOver: 0 }
  const how = { isNamed, isListed: given !== undefined, seen }
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
          yield* readObjects(connection, statement, table, how)
        }
      } else {
        for (const part of await objectPartitions(connection, facts, options.idColumn))
          yield* readObjects(connection, wholeStatement(table, part), table, how)
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
  const small = ['smallint']
  const wanted = {
    [idColumn]: ['bigint'],
    sid: ['smallint', 'integer'],
    feature_id: small,
    band: small,
    version: small,
  }
  const others = { value: ['double precision', 'real'], updated_date: ['date'] }
  for (const [column, types] of Object.entries({ ...wanted, ...others })) {
    const found = columns.find((one) => one.name === column)
    if (!found) throw new DataError(`table ${name} has no column ${column}: it is not the survey's feature table`)
    if (types.includes(found.type)) continue
    throw new DataError(`table ${name}: column ${column} is ${found.type} in place of ${types.join(' or ')}`)
  }
}

/** Undefined where no table says when objects were last seen: an output that must know it says so. */
async function findObjectTable(connection: Connection, schema: string): Promise<string | undefined> {
  const [facts] = await inspectTables(connection, [`${schema}.object`])
  const isThere = (name: string): boolean => facts?.columns.some((column) => column.name === name) === true
  return ['oid', 'sid', 'lastmjd'].every(isThere) ? facts?.name : undefined
}

/** @throws DataError that names a feature of which the table has no row, whatever the object */
async function refuseAbsent(connection: Connection, { name, sid, stored }: FeatureTable, { features }: ReadOptions) {
  const pairs = await connection.rows<readonly [number, number, number]>(
    `SELECT feature_id::int4, band::int4, count(*)::int4
       FROM (SELECT feature_id, band FROM ${name} WHERE sid = ${sid} LIMIT ${sampledRows}) AS t GROUP BY 1, 2`,
  )
  const found = new Set(pairs.map(([id, band]) => keyOf(id, band)))
  const rows = pairs.reduce((sum, [, , count]) => sum + count, 0)
  if (rows === 0) return
  const unseen = features.filter((_, place) => !stored[place]!.some(({ id, band }) => found.has(keyOf(id, band))))
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

/** What a row is (its name's number and its band in one), its version, its value and its date. */
const rowsOfObject = `array_agg((feature_id::int4 << 16) | (band::int4 & 65535)), array_agg(version),
      array_agg(value::float8), array_agg(updated_date)`

const mjdOf = (objectTable: string | undefined, oid: string, sid: number): readonly [column: string, join: string] =>
  objectTable === undefined
    ? ['', '']
    : [
        ', m.lastmjd',
        `LEFT JOIN LATERAL (SELECT lastmjd FROM ${objectTable} WHERE oid = ${oid} AND sid = ${sid} OFFSET 0) AS m ON true`,
      ]

/**
 * An object a row: that costs the server and us less than its 199 rows one by one. In the order of the partition's
 * primary key, so that its index gives it and nothing must be sorted.
 */
function wholeStatement({ idColumn, sid, objectTable }: FeatureTable, part: string): string {
  const [mjd, join] = mjdOf(objectTable, 'g.oid', sid)
  return `COPY (
    SELECT g.*${mjd} FROM (
      SELECT ${idColumn} AS oid, ${rowsOfObject} FROM ${part} WHERE sid = ${sid} GROUP BY 1 ORDER BY 1 OFFSET 0
    ) AS g ${join}
  ) TO STDOUT (FORMAT binary)`
}

function listStatement({ name, idColumn, sid, objectTable }: FeatureTable, oids: readonly bigint[]): string {
  const [mjd, join] = mjdOf(objectTable, 'o.oid', sid)
  return `COPY (
    SELECT o.oid, g.*${mjd} FROM unnest('{${oids.join(',')}}'::int8[]) WITH ORDINALITY AS o(oid, n)
      LEFT JOIN LATERAL (SELECT ${rowsOfObject} FROM ${name} WHERE ${idColumn} = o.oid AND sid = ${sid}) AS g ON true
      ${join} ORDER BY o.n
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

interface Reading {
  readonly isNamed: boolean
  readonly isListed: boolean
  readonly seen: { readonly unused: Set<string>; passedOver: number }
}

async function* readObjects(connection: Connection, statement: string, table: FeatureTable, reading: Reading) {
  const rows = createBinaryRows(table.objectTable === undefined ? 5 : 6)
  const newestOf = createNewest(table, reading.seen.unused)
  for await (const chunk of connection.copyOut(statement)) {
    const ready: ObjectRow[] = []
    rows.push(chunk)
    while (rows.next()) {
      const object = objectOf(rows, newestOf(rows), table, reading)
      if (object) ready.push(object)
    }
    if (ready.length > 0) yield ready
  }
  rows.finish()
}

/** Undefined for an object that is passed over: it has nothing of the versions that count. */
function objectOf(
  { bytes, starts, lengths }: BinaryRows,
  newest: Newest,
  table: FeatureTable,
  { isNamed, isListed, seen }: Reading,
): ObjectRow | undefined {
  if (newest.count > 0 && !newest.hasChosen && !isListed) {
    seen.passedOver++
    return undefined
  }
  const id = bytes.readBigInt64BE(starts[0])
  const oid = isNamed ? (ztfName(id) ?? String(id)) : String(id)
  const mjd = table.objectTable === undefined || lengths[5]! < 0 ? NaN : bytes.readDoubleBE(starts[5])
  const { values } = newest
  return { oid, candid: null, mjd, where: `table ${table.name}`, values, problem: problemOf(newest, table) }
}

function problemOf(newest: Newest, { versions, versionNames, stored, names }: FeatureTable): ObjectRow['problem'] {
  const named = (version: number): string => versionNames.get(version) ?? String(version)
  const { count, version, otherVersion, twice } = newest
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
