// FITS and VOTable, which SQL cannot read itself, copied into a table.
import { createRequire } from 'node:module'
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import type { FileSourceSpec } from '../../connectors/address.ts'
import { openByteInput } from '../../connectors/files/byte-input.ts'
import { sqlName } from '../../connectors/files/duckdb.ts'
import { openTypedTable } from '../../connectors/files/typed-source.ts'
import type { TypedColumn, TypedRows, WantedColumn } from '../../formats/typed-table.ts'
import { rowsAChunk, type Session } from './session.ts'

/** Copies every column of text, integers or numbers; others are passed over. */
export async function typedRelation(session: Session, spec: FileSourceSpec, name: string) {
  const input = await openByteInput(spec)
  const chunks = input.chunks()
  try {
    const opened = await openTypedTable(spec, chunks, spec.address)
    const read = opened.columns.flatMap((column, place) => readingOf(column, place))
    const columns = read.map(({ path, type }, i) => ({ path, type, sql: `c${i}`, name: `c${i}` }))
    const table = await session.createTable(name, columns, spec.address)
    try {
      for await (const rows of opened.rows(read.map(({ wanted }) => wanted))) {
        for (let start = 0; start < rows.rowCount; start += rowsAChunk) await table.append(cellsFrom(rows, start))
      }
    } finally {
      await table.close()
    }
    return { address: spec.address, sql: sqlName(name), columns }
  } finally {
    await chunks.return()
  }
}

interface Reading {
  readonly path: readonly string[]
  readonly type: DuckDBType
  readonly wanted: WantedColumn
}

function readingOf({ name, holds }: TypedColumn, place: number): Reading[] {
  const { DOUBLE, HUGEINT, VARCHAR } = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
  if (holds === 'real') return [{ path: [name], type: DOUBLE, wanted: { place, as: 'number' } }]
  if (holds === 'integer') return [{ path: [name], type: HUGEINT, wanted: { place, as: 'id' } }]
  return holds === 'text' ? [{ path: [name], type: VARCHAR, wanted: { place, as: 'id' } }] : []
}

function cellsFrom({ cells, rowCount }: TypedRows, start: number): DuckDBValue[][] {
  const end = Math.min(start + rowsAChunk, rowCount)
  return cells.map((column): DuckDBValue[] => [...column.slice(start, end)])
}
