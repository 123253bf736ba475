// A table with one row an object, filled value by value as rows of a long table come along.
import { createRequire } from 'node:module'
import type { DuckDBValue } from '@duckdb/node-api'
import type * as DuckDb from '@duckdb/node-api'
import { DataError, messageOf } from '../../errors.ts'
import { sqlName } from '../../connectors/files/duckdb.ts'
import { firstLine } from '../../formats/shown-text.ts'
import type { Session } from './session.ts'

/** One object after the other; what is not set is null. */
export interface WideTable {
  /** the next object */
  begin(oid: string | null): void
  /** Gives the present object a value; answers whether it had one there. */
  set(column: number, value: number): boolean
  /** After the last object. */
  finish(): void
  /** In any case: what is still on its way must not get into a table of the same name that is made later. */
  close(): void
}

/** what one data chunk of DuckDB holds */
const rowsAChunk = 2048

/** Makes a temporary table with `oid` (VARCHAR) and columns of DOUBLE. */
export async function createWideTable(
  session: Session,
  { name, columns, address }: { name: string; columns: readonly string[]; address: string },
): Promise<WideTable> {
  const library = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
  const declared = columns.map((column) => `${column} DOUBLE`)
  await session.rows(`CREATE OR REPLACE TEMP TABLE ${sqlName(name)} (oid VARCHAR, ${declared.join(', ')})`, address)
  const appender = await session.connection.createAppender(name, undefined, 'temp')
  const types = [library.VARCHAR, ...columns.map(() => library.DOUBLE)]
  const oids: (string | null)[] = []
  const values = columns.map((): DuckDBValue[] => [])
  let isClosed = false

  /** What DuckDB cannot take (a full disk, mostly) is no failure of the server the rows come from. */
  function guarded(work: () => void): void {
    try {
      work()
    } catch (cause) {
      throw new DataError(`${address}: cannot be read: ${firstLine(messageOf(cause))}`, { cause })
    }
  }

  function flush(): void {
    if (oids.length === 0) return
    guarded(() => {
      const chunk = library.DuckDBDataChunk.create(types, oids.length)
      chunk.setColumns([oids, ...values])
      appender.appendDataChunk(chunk)
    })
    for (const cells of [oids, ...values]) cells.length = 0
  }

  function close(): void {
    if (isClosed) return
    isClosed = true
    guarded(() => appender.closeSync())
  }

  return {
    begin(oid) {
      if (oids.length === rowsAChunk) flush()
      oids.push(oid)
      for (const cells of values) cells.push(null)
    },
    set(column, value) {
      const cells = values[column]!
      const row = cells.length - 1
      const isRepeated = cells[row] !== null
      cells[row] = value
      return isRepeated
    },
    finish() {
      flush()
      close()
    },
    close,
  }
}
