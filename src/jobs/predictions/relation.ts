// A file of any format as something SQL can select from, its columns under their exact names.
import { resolve } from 'node:path'
import { createRequire } from 'node:module'
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import type { Vector } from 'apache-arrow'
import { DataError, LcclfError, messageOf, UsageError } from '../../errors.ts'
import { isJsonRecord, type JsonRecord, parseJsonLine } from '../../formats/text-values.ts'
import { linesOf } from '../../formats/chunks.ts'
import { inspectFile, openByteInput } from '../../connectors/files/byte-input.ts'
import { globFree, readParquet, sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { readParquetFooter } from '../../connectors/files/parquet-footer.ts'
import { parquetColumns } from '../../connectors/files/parquet-columns.ts'
import { firstLine, shownText } from '../../formats/shown-text.ts'
import type { SourceSpec } from '../../connectors/spec.ts'
import { compressionOf, delimitedRelation, type NeededColumns } from './delimited-relation.ts'
import { rowsAChunk, type Session } from './session.ts'
import { loadArrow } from '../../formats/arrow/library.ts'
import { type ArrowReader, openArrowReader } from '../../formats/arrow/reader.ts'
import { openArrowInput } from '../../connectors/files/arrow-source.ts'

export type FileSpec = Extract<SourceSpec, { kind: 'file' }>

export interface RelationColumn {
  /** the exact name; the names of the structs around it come first */
  readonly path: readonly string[]
  /** an expression that reads it */
  readonly sql: string
}

/** What can stand behind FROM. */
export interface Relation {
  readonly address: string
  readonly sql: string
  readonly columns: readonly RelationColumn[]
}

/** Results in one file or in several of one format, read as one. */
export interface FilesSpec {
  readonly kind: 'files'
  /** what messages call them all */
  readonly address: string
  readonly files: readonly [FileSpec, ...FileSpec[]]
}

/**
 * Opens files as one relation, their rows in the order of the files.
 *
 * @param table begins the names of tables that may be made
 * @throws DataError where a file has other columns than the first; otherwise as `openRelation`
 */
export async function openRelations(session: Session, spec: FilesSpec, table: string): Promise<Relation> {
  const { address, files } = spec
  const opened: Relation[] = []
  for (const [i, file] of files.entries()) {
    const name = files.length === 1 ? table : `${table}_${i}`
    const relation = await openRelation(session, file, name)
    refuseOtherColumns(opened[0] ?? relation, relation)
    opened.push(relation)
  }
  if (opened.length === 1) return { ...opened[0]!, address }
  // results have a candid only where their input has one
  const paths = new Map(opened.flatMap(({ columns }) => columns.map(({ path }) => [nameOf(path), path])))
  const names = [...paths.keys()]
  const selects = opened.map(({ sql, columns }) => {
    const own = new Map(columns.map((column) => [nameOf(column.path), column.sql]))
    return `SELECT ${names.map((name, i) => `${own.get(name) ?? 'NULL'} AS c${i}`).join(', ')} FROM ${sql}`
  })
  const columns = names.map((name, i) => ({ path: paths.get(name)!, sql: `c${i}` }))
  return { address, sql: `(${selects.join(' UNION ALL ')})`, columns }
}

function nameOf(path: readonly string[]): string {
  return path.join('\u0000')
}

function refuseOtherColumns(first: Relation, other: Relation): void {
  const [ours, theirs] = [first, other].map(({ columns }) => {
    return new Set(columns.map(({ path }) => nameOf(path)).filter((name) => name !== 'candid'))
  }) as [Set<string>, Set<string>]
  const odd = [...ours, ...theirs].find((name) => !ours.has(name) || !theirs.has(name))
  if (odd === undefined) return
  const [has, lacks] = ours.has(odd) ? [first, other] : [other, first]
  const column = shownText(odd.replaceAll('\u0000', '.'))
  throw new DataError(`${has.address} has the column ${column}, and ${lacks.address} has not`, {
    hint: 'Give results of one model in one layout; a pattern in quotes chooses some files of a folder.',
  })
}

const longestLine = 4 * 1024 * 1024

/** What results have in every layout that text can have. */
const neededOfResults: NeededColumns = { idColumn: 'oid', texts: ['classifier_version'], numbers: ['probability'] }

/**
 * Opens one file as a relation.
 *
 * @param table name of a table that may be made for a format that SQL cannot read itself
 * @param needed of text: what is looked for; the columns of results unless given
 * @throws DataError for a file that is not there or is not of its format; UsageError for Avro, which holds no results
 */
export async function openRelation(
  session: Session,
  spec: FileSpec,
  table: string,
  needed: NeededColumns = neededOfResults,
): Promise<Relation> {
  const file = await inspectFile(spec.path, spec.address)
  switch (spec.format) {
    case 'parquet':
      await readParquetFooter(file)
      return parquetRelation(session, spec)
    case 'csv':
    case 'tsv':
      return delimitedRelation(spec, needed)
    case 'ndjson':
      return ndjsonRelation(session, spec)
    case 'arrow':
      return arrowRelation(session, spec, table)
    case 'fits':
    case 'votable':
      return (await import('./typed-relation.ts')).typedRelation(session, spec, table)
    case 'avro':
      throw new UsageError(`${spec.address}: Avro messages hold no results`, {
        hint: 'Use Parquet, CSV, NDJSON, Arrow, FITS or VOTable.',
      })
    default:
      return spec.format satisfies never
  }
}

async function parquetRelation(session: Session, { address, path }: FileSpec): Promise<Relation> {
  const sql = readParquet(resolve(path))
  const described = await session.columnsOf(`SELECT * FROM ${sql}`, address)
  const named = await parquetColumns(session.connection, resolve(path), address)
  const columns = described.flatMap(({ name, type }, i) =>
    leavesOf(type, [named[i]?.name ?? name], sqlName(named[i]?.sqlName ?? name)),
  )
  return { address, sql, columns }
}

/** The fields inside structs, each with the expression that reads it. */
function leavesOf(type: DuckDBType, path: readonly string[], sql: string): RelationColumn[] {
  const { entryNames, entryTypes } = type as { entryNames?: readonly string[]; entryTypes?: readonly DuckDBType[] }
  if (!entryNames || !entryTypes) return [{ path, sql }]
  return entryNames.flatMap((name, i) => leavesOf(entryTypes[i]!, [...path, name], `${sql}.${sqlName(name)}`))
}

/** The first line says which fields there are: results have the same in every line. */
async function ndjsonRelation(session: Session, spec: FileSpec): Promise<Relation> {
  const record = await firstRecordOf(spec)
  const types = Object.entries(record).map(([name, value]) => `${sqlText(name)}: ${sqlText(jsonType(name, value))}`)
  const path = sqlText(globFree(resolve(spec.path)))
  const sql = `read_ndjson(${path}, compression = '${compressionOf(spec)}', columns = {${types.join(', ')}})`
  const described = await session.columnsOf(`SELECT * FROM ${sql}`, spec.address)
  return {
    address: spec.address,
    sql,
    columns: described.flatMap(({ name, type }) => leavesOf(type, [name], sqlName(name))),
  }
}

async function firstRecordOf(spec: FileSpec): Promise<JsonRecord> {
  const input = await openByteInput(spec)
  for await (const { lines } of linesOf(input.chunks(), longestLine)) {
    const line = lines.find((text) => text.trim() !== '')
    if (line === undefined) continue
    const record = parseJsonLine(line)
    if (record) return record
    throw new DataError(`${spec.address}: the first line is not a JSON object`)
  }
  throw new DataError(`${spec.address} is empty: it has no rows`)
}

/** `oid` is text whatever the first line holds: the next one may hold another kind of id. */
function jsonType(name: string, value: unknown): string {
  if (name === 'candid') return 'BIGINT'
  if (typeof value === 'number' && name !== 'oid') return 'DOUBLE'
  if (isJsonRecord(value)) {
    const fields = Object.entries(value).map(([key, inner]) => `${sqlName(key)} ${jsonType(key, inner)}`)
    return fields.length === 0 ? 'VARCHAR' : `STRUCT(${fields.join(', ')})`
  }
  return 'VARCHAR'
}

// Arrow IPC, which SQL cannot read itself, copied into a table.

type ArrowField = ArrowReader['fields'][number]

/** A column as it is found in a record batch, and what it becomes. */
interface Leaf {
  readonly field: ArrowField
  readonly path: readonly string[]
  readonly type: DuckDBType
  readonly valueOf: (value: unknown) => DuckDBValue
}

/** Copies every column of text, numbers, or structs of them; others are passed over. */
async function arrowRelation(session: Session, spec: FileSpec, name: string): Promise<Relation> {
  const input = await openArrowInput(spec)
  try {
    const reader = await openArrowReader(input.messages(), spec.address)
    try {
      const leaves = reader.fields.flatMap((field) => arrowLeaves(field, [field.name]))
      const columns = leaves.map(({ path, type }, i) => ({ path, type, sql: `c${i}`, name: `c${i}` }))
      const table = await session.createTable(name, columns, spec.address)
      for await (const batch of reader.batches(leaves.map(({ field }) => field))) {
        for (let start = 0; start < batch.rowCount; start += rowsAChunk) {
          const length = Math.min(rowsAChunk, batch.rowCount - start)
          await table.append(leaves.map(({ valueOf }, i) => valuesOf(batch.columns[i]!, { start, length, valueOf })))
        }
      }
      await table.close()
      return { address: spec.address, sql: sqlName(name), columns }
    } finally {
      await reader.close()
    }
  } catch (cause) {
    if (cause instanceof LcclfError) throw cause
    throw new DataError(`${spec.address}: cannot be read: ${firstLine(messageOf(cause))}`, { cause })
  }
}

function arrowLeaves(field: ArrowField, path: readonly string[]): Leaf[] {
  const { DataType: Is } = loadArrow()
  const { DOUBLE, HUGEINT, VARCHAR } = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
  const { type, typeName, children } = field
  if (typeName === 'Struct') return children.flatMap((child) => arrowLeaves(child, [...path, child.name]))
  if (Is.isFloat(type)) return [{ field, path, type: DOUBLE, valueOf: (value) => Number(value) }]
  if (Is.isInt(type)) return [{ field, path, type: HUGEINT, valueOf: (value) => BigInt(value as bigint) }]
  const isText = Is.isUtf8(type) || Is.isLargeUtf8(type) || Is.isDictionary(type)
  return isText ? [{ field, path, type: VARCHAR, valueOf: String }] : []
}

function valuesOf(
  vector: Vector,
  { start, length, valueOf }: Pick<Leaf, 'valueOf'> & { start: number; length: number },
): DuckDBValue[] {
  return Array.from({ length }, (_, row) => {
    const value: unknown = vector.get(start + row)
    return value === null ? null : valueOf(value)
  })
}
