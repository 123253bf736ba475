// The long feature table (oid, name, value, fid, version) turned wide: one row per object.
import type { OidType } from '../../pipeline/batch.ts'
import { DataError, UsageError } from '../../errors.ts'
import { readNumberText } from '../../formats/text-values.ts'
import { type BinaryRows, createBinaryRows, identifier, literal, textArrayLiteral } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import { featurePlaces, unusedNotes } from './feature-names.ts'
import { readOidList } from './oid-list.ts'
import type { TableReading } from './settings.ts'
import type { ObjectRow } from './query.ts'
import type { TableFacts } from './tables/inspect-tables.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** The table as it is there, ready to be written into statements. */
type FeatureTable = Awaited<ReturnType<typeof examinedTable>>

const integerTypes: Readonly<Record<string, OidType>> = { smallint: 'int32', integer: 'int32', bigint: 'int64' }
const numberTypes = ['double precision', 'real', 'smallint', 'integer', 'bigint']
const textTypes = ['character varying', 'text', 'character', 'numeric']
/** a table without the pipeline's key may hold nulls: a feature without a name is reported as unknown */
const nameAndFid = "coalesce(name::text, '') AS name, coalesce(fid::int4, -99) AS fid"
/** NULL for what is not an integer: such an oid has no rows there */
const integerOid = "CASE WHEN o.oid ~ '^-?[0-9]{1,18}$' THEN o.oid::int8 END"
const oidsAtOnce = 2000

/**
 * @param facts of the table
 * @throws DataError if it is no long feature table, or holds several versions and none is chosen
 */
export async function openFeatureTable(
  connection: Connection,
  facts: TableFacts,
  reading: TableReading,
  options: ReadOptions,
) {
  if (reading.survey) throw new UsageError(`?sid= and ?names= are for tables with numbers; ${facts.name} has names`)
  const table = await examinedTable(connection, facts, reading.version, options.idColumn)
  const oids = reading.oids ?? (reading.oidsFile === undefined ? undefined : readOidList(reading.oidsFile))
  const names = createFeatureNames(options)
  return {
    schema: { oidType: table.oidType, hasCandid: false },
    notes: () => names.notes(),
    async *objects(): AsyncGenerator<ObjectRow[], void, undefined> {
      const statements = oids ? oidStatements(table, oids) : [allStatement(table)]
      for (const statement of statements) yield* readObjects(connection, statement, table, names)
    },
  }
}

async function examinedTable(
  connection: Connection,
  { name, columns }: TableFacts,
  version: string | undefined,
  idColumn: string,
) {
  const types = new Map(columns.map((column) => [column.name, column.type]))
  const missing = [idColumn, 'name', 'value', 'fid', 'version'].filter((column) => !types.has(column))
  if (missing.length > 0) {
    throw new DataError(`table ${name} has no column ${missing.join(', ')}: it is not a long feature table`, {
      hint: `Read a table with one row per object with '?query=SELECT * FROM ${name}'.`,
    })
  }
  const [idType, valueType, fidType] = [types.get(idColumn)!, types.get('value')!, types.get('fid')!]
  if (!(idType in integerTypes) && !textTypes.includes(idType)) throw wrongType(name, idColumn, idType)
  if (!numberTypes.includes(valueType) && !textTypes.includes(valueType)) throw wrongType(name, 'value', valueType)
  if (!(fidType in integerTypes)) throw wrongType(name, 'fid', fidType)
  return {
    /** quoted, with its schema where it needs one */
    name,
    idColumn: identifier(idColumn),
    version: await versionOf(connection, name, version),
    oidType: integerTypes[idType] ?? 'string',
    /** values are text: they are read one by one */
    isText: textTypes.includes(valueType),
  }
}

function wrongType(table: string, column: string, type: string): DataError {
  return new DataError(`table ${table}: column ${column} is of type ${type}, which cannot be read`)
}

async function versionOf(connection: Connection, table: string, wanted: string | undefined): Promise<string> {
  const one = async (condition: string, values: string[]): Promise<string | undefined> => {
    const rows = await connection.rows(`SELECT version::text AS v FROM ${table} ${condition} LIMIT 1`, values)
    return rows[0] === undefined ? undefined : String(rows[0][0])
  }
  if (wanted !== undefined) {
    if ((await one('WHERE version::text = $1', [wanted])) !== undefined) return wanted
    const other = await one('', [])
    throw new DataError(`table ${table} has no features of version ${wanted}`, {
      hint: other === undefined ? 'It is empty.' : `It has features of version ${other}.`,
    })
  }
  const first = (await one('', [])) ?? ''
  const second = await one('WHERE version::text <> $1', [first])
  if (second === undefined) return first
  throw new DataError(`table ${table} has features of several versions, such as ${first} and ${second}`, {
    hint: 'Choose one with ?version=.',
  })
}

/** In the order of the table's primary key, so that its index gives it and nothing must be sorted. */
function allStatement({ name, idColumn, version, isText }: FeatureTable): string {
  return `COPY (
    SELECT ${idColumn}::text, ${nameAndFid}, value::${isText ? 'text' : 'float8'} FROM ${name}
     WHERE version::text = ${literal(version)} ORDER BY ${idColumn}
  ) TO STDOUT (FORMAT binary)`
}

function* oidStatements(table: FeatureTable, oids: readonly string[]): Generator<string, void, undefined> {
  const { name, idColumn, version, isText, oidType } = table
  const sameOid = oidType === 'string' ? `${idColumn}::text = o.oid` : `${idColumn} = ${integerOid}`
  for (let start = 0; start < oids.length; start += oidsAtOnce) {
    yield `COPY (
      SELECT o.oid, f.name, f.fid, f.value::${isText ? 'text' : 'float8'}
        FROM unnest(${textArrayLiteral(oids.slice(start, start + oidsAtOnce))}) WITH ORDINALITY AS o(oid, n)
        LEFT JOIN LATERAL (
          SELECT ${nameAndFid}, value FROM ${name}
           WHERE ${sameOid} AND version::text = ${literal(version)} OFFSET 0
        ) AS f ON true ORDER BY o.n
    ) TO STDOUT (FORMAT binary)`
  }
}

/** An object whose rows are still coming. */
type Gathering = ReturnType<typeof begun>

async function* readObjects(connection: Connection, statement: string, table: FeatureTable, names: FeatureNames) {
  const rows = createBinaryRows(4)
  let current: Gathering | undefined
  for await (const chunk of connection.copyOut(statement)) {
    const ready: ObjectRow[] = []
    rows.push(chunk)
    while (rows.next()) {
      if (!current || !isSameId(rows, current)) {
        if (current) ready.push(finished(current, table, names))
        current = begun(rows, names.features.length)
      }
      gather(current, rows, table, names)
    }
    if (ready.length > 0) yield ready
  }
  rows.finish()
  if (current) yield [finished(current, table, names)]
}

function isSameId({ bytes, starts, lengths }: BinaryRows, { id }: Gathering): boolean {
  const length = lengths[0]!
  const start = starts[0]!
  if (!id || length !== id.length) return !id && length < 0
  for (let i = 0; i < length; i++) if (bytes[start + i] !== id[i]) return false
  return true
}

function begun({ bytes, starts, lengths }: BinaryRows, width: number) {
  /** the bytes of its oid, undefined for null */
  const id = lengths[0]! < 0 ? undefined : Buffer.from(bytes.subarray(starts[0], starts[0]! + lengths[0]!))
  const problem = undefined as ObjectRow['problem']
  return { id, values: new Float64Array(width).fill(NaN), seen: new Uint8Array(width), count: 0, problem }
}

function gather(object: Gathering, rows: BinaryRows, { isText }: FeatureTable, names: FeatureNames): void {
  const { bytes, starts, lengths } = rows
  // an oid of the list that has no row: names are never null
  if (lengths[1]! < 0) return
  object.count++
  const feature = names.find(
    bytes.toString('latin1', starts[1], starts[1]! + lengths[1]!),
    bytes.readInt32BE(starts[2]!),
  )
  if (feature < 0) return
  if (object.seen[feature] === 1) object.problem ??= { reason: `${names.features[feature]!} is stored twice` }
  object.seen[feature] = 1
  if (lengths[3]! < 0) return
  if (!isText) {
    object.values[feature] = bytes.readDoubleBE(starts[3]!)
    return
  }
  const text = rows.text(3)!
  const value = readNumberText(text)
  if (value === undefined) object.problem ??= { reason: `${names.features[feature]!} is not a number`, value: text }
  else object.values[feature] = value
}

function finished({ id, values, seen, count, problem }: Gathering, table: FeatureTable, { features }: FeatureNames) {
  const row = { oid: id?.toString('utf8'), candid: null, where: `table ${table.name}`, values }
  // whatever these rows are, they are not one object: rejected for its id
  if (!id) return row
  if (count === 0) return { ...row, problem: { reason: 'no features in the table' } }
  if (problem) return { ...row, problem }
  const first = seen.indexOf(0)
  if (first < 0) return row
  const others = seen.reduce((n, isSeen) => n + (isSeen === 0 ? 1 : 0), -1)
  const reason = `${features[first]!} is absent`
  return { ...row, problem: others === 0 ? { reason } : { reason, value: `and ${others} more` } }
}

// Names of the feature table → features of the model. The pipeline once stored `Amplitude_1`, later `Amplitude` with fid 1.

/** bands whose number the pipeline takes off the names it stores: g and r */
const bands = [1, 2]

type FeatureNames = ReturnType<typeof createFeatureNames>

/** The stored name if it is a feature of the model, else `name_fid` for fid 1 or 2; a renamed one under its old name only. */
function createFeatureNames(naming: Pick<ReadOptions, 'features' | 'rename' | 'renameMap'>) {
  const places = featurePlaces(naming)
  const known = new Map<string, Map<number, number>>()
  const unused = new Set<string>()

  function lookUp(stored: string, fid: number): number {
    const name = Buffer.from(stored, 'latin1').toString('utf8')
    const place = places.get(name) ?? (bands.includes(fid) ? places.get(`${name}_${fid}`) : undefined) ?? -1
    const byFid = known.get(stored) ?? new Map<number, number>()
    known.set(stored, byFid.set(fid, place))
    if (place < 0) unused.add(bands.includes(fid) ? `${name} (fid ${fid})` : name || '(no name)')
    return place
  }

  return {
    features: naming.features,
    /**
     * The place of a feature among the model's, −1 for one that the model does not use.
     *
     * @param stored the stored name, its UTF-8 bytes as latin1: it is looked up for each row
     */
    find: (stored: string, fid: number): number => known.get(stored)?.get(fid) ?? lookUp(stored, fid),
    /** names that were found and that the model does not use */
    notes: (): readonly string[] => unusedNotes(unused),
  }
}
