// Arrow IPC, which SQL cannot read itself, copied into a table.
import { createRequire } from 'node:module'
import type { DuckDBAppender, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import type * as DuckDb from '@duckdb/node-api'
import type { DataType, RecordBatch, Vector } from 'apache-arrow'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { loadArrow, openArrowReader, type ArrowLibrary } from '../../formats/arrow/reader.ts'
import { openArrowInput } from '../../connectors/files/arrow-input.ts'
import { sqlName } from '../../connectors/files/duckdb.ts'
import { firstLine } from '../../formats/shown-text.ts'
import type { FileSpec, Relation } from './relation.ts'
import type { Session } from './session.ts'

/** A column as it is found in a record batch, and what it becomes. */
interface Leaf {
  readonly path: readonly string[]
  readonly type: DuckDBType
  readonly valueOf: (value: unknown) => DuckDBValue
}

/** what one data chunk of DuckDB holds */
const rowsAChunk = 2048

/** Copies every column of text, numbers, or structs of them; others are passed over. */
export async function arrowRelation(session: Session, spec: FileSpec, table: string): Promise<Relation> {
  const input = await openArrowInput(spec)
  try {
    const arrow = await loadArrow()
    const library = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
    const { reader, close } = await openArrowReader(input.messages())
    try {
      const leaves = reader.schema.fields.flatMap(({ name, type }) => leavesOf(arrow, library, type, [name]))
      const columns = leaves.map(({ path, type }, i) => ({ path, type, sql: `c${i}` }))
      const declared = columns.map(({ sql, type }) => `${sql} ${type.toString()}`)
      await session.rows(`CREATE OR REPLACE TEMP TABLE ${sqlName(table)} (${declared.join(', ')})`, spec.address)
      const appender = await session.connection.createAppender(table, undefined, 'temp')
      for await (const batch of reader) append(library, appender, batch, leaves)
      appender.closeSync()
      return { address: spec.address, sql: sqlName(table), columns }
    } finally {
      await close()
    }
  } catch (cause) {
    if (cause instanceof LcclfError) throw cause
    throw new DataError(`${spec.address}: cannot be read: ${firstLine(messageOf(cause))}`, { cause })
  }
}

function leavesOf(arrow: ArrowLibrary, library: typeof DuckDb, type: DataType, path: readonly string[]): Leaf[] {
  if (arrow.DataType.isStruct(type)) {
    return type.children.flatMap((child) => leavesOf(arrow, library, child.type as DataType, [...path, child.name]))
  }
  if (arrow.DataType.isFloat(type)) return [{ path, type: library.DOUBLE, valueOf: (value) => Number(value) }]
  if (arrow.DataType.isInt(type)) return [{ path, type: library.HUGEINT, valueOf: (value) => BigInt(value as bigint) }]
  const isText = arrow.DataType.isUtf8(type) || arrow.DataType.isLargeUtf8(type) || arrow.DataType.isDictionary(type)
  return isText ? [{ path, type: library.VARCHAR, valueOf: String }] : []
}

function append(library: typeof DuckDb, appender: DuckDBAppender, batch: RecordBatch, leaves: readonly Leaf[]): void {
  const vectors = leaves.map(({ path }) => vectorAt(batch, path))
  const types = leaves.map(({ type }) => type)
  for (let start = 0; start < batch.numRows; start += rowsAChunk) {
    const length = Math.min(rowsAChunk, batch.numRows - start)
    const chunk = library.DuckDBDataChunk.create(types, length)
    const columns = leaves.map(({ valueOf }, i) =>
      Array.from({ length }, (_, row): DuckDBValue => {
        const value: unknown = vectors[i]!.get(start + row)
        return value === null ? null : valueOf(value)
      }),
    )
    chunk.setColumns(columns)
    appender.appendDataChunk(chunk)
  }
}

function vectorAt(batch: RecordBatch, [first, ...rest]: readonly string[]): Vector {
  let vector: Vector | null = batch.getChild(first!)
  for (const name of rest) vector = vector?.getChild(name as never) ?? null
  if (!vector) throw new Error('a column is missing')
  return vector
}
