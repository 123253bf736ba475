// DuckDB for questions about results: one connection, a bound on memory, and errors that name the file.
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { leaseDuckDb, sqlName } from '../../connectors/files/duckdb.ts'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { firstLine } from '../../formats/shown-text.ts'

/** A place for tables and questions; errors name `about`. */
export type Session = Awaited<ReturnType<typeof openSession>>

/** two sides of a million objects, sorted and joined, stay within it; the rest of the process takes 150 MB */
const memoryLimit = '1GB'

const longestReason = 200

/** what one data chunk of DuckDB holds */
export const rowsAChunk = 2048

/**
 * Opens a session. Close it when the last question is answered; what its memory cannot hold goes to the temporary folder.
 *
 * @param options.isShared a run may read its inputs meanwhile: the bounds of memory and threads stay as they are
 */
export async function openSession({ isShared = false }: { readonly isShared?: boolean } = {}) {
  const lease = await leaseDuckDb()
  const connection = await lease.connect()
  if (!isShared) {
    // both are the instance's: no other input is open in a process that compares results
    await connection.run(`SET memory_limit = '${memoryLimit}'`)
    await connection.run(`SET threads = ${Math.min(4, availableParallelism())}`)
  }

  async function guarded<T>(about: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof LcclfError) throw cause
      throw new DataError(`${about}: cannot be read: ${reasonOf(messageOf(cause))}`, { cause })
    }
  }

  const rows = (sql: string, about: string): Promise<unknown[][]> =>
    guarded(about, async () => (await connection.run(sql)).getRows())

  return {
    connection,
    rows,
    /** The first cell of the answer as a number. */
    count: async (sql: string, about: string): Promise<number> => Number((await rows(sql, about))[0]?.[0]),

    /** The columns that SQL would select. */
    columnsOf: (sql: string, about: string) =>
      guarded(about, async () => {
        const result = await connection.run(`SELECT * FROM (${sql}) LIMIT 0`)
        return result.columnNames().map((name, i) => ({ name, type: result.columnType(i) }))
      }),

    /**
     * The rows of a selection, chunk by chunk.
     *
     * @param expected how many rows there are: fewer are an error
     */
    async *chunks(sql: string, about: string, expected: number) {
      const result = await guarded(about, () => connection.stream(sql))
      let seen = 0
      for (;;) {
        const chunk = await guarded(about, () => result.fetchChunk())
        if (chunk === null || chunk.rowCount === 0) break
        seen += chunk.rowCount
        yield {
          rowCount: chunk.rowCount,
          texts: (column: number): (string | null)[] =>
            chunk.getColumnValues(column).map((value) => (value === null ? null : String(value))),
          doubles: (column: number): Float64Array => doublesOf(chunk.getColumnVector(column), chunk.rowCount),
        }
      }
      // a stream that fails on the way ends as if the rows had come to their end
      if (seen !== expected) throw new DataError(`${about}: reading stopped after row ${seen} of ${expected}`)
    },

    /** Makes a temporary table, or makes it anew, to be filled chunk by chunk. */
    async createTable(
      name: string,
      columns: readonly { readonly name: string; readonly type: DuckDBType }[],
      about: string,
    ) {
      const { DuckDBDataChunk } = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
      const declared = columns.map((column) => `${sqlName(column.name)} ${column.type.toString()}`)
      await rows(`CREATE OR REPLACE TEMP TABLE ${sqlName(name)} (${declared.join(', ')})`, about)
      const appender = await connection.createAppender(name, undefined, 'temp')
      const types = columns.map(({ type }) => type)
      return {
        /** @param cells a list for each column, of at most `rowsAChunk` values */
        append: (cells: readonly DuckDBValue[][]): Promise<void> =>
          guarded(about, () => {
            const chunk = DuckDBDataChunk.create(types, cells[0]!.length)
            chunk.setColumns([...cells])
            appender.appendDataChunk(chunk)
          }),
        /** In any case: what is still on its way must not get into a table of the same name that is made later. */
        close: (): Promise<void> => guarded(about, () => appender.closeSync()),
      }
    },

    close(): void {
      connection.closeSync()
      lease.release()
    },
  }
}

function doublesOf(vector: { getItem(row: number): unknown }, rowCount: number): Float64Array {
  // declared private, but reading item by item takes longer than everything else
  const items: unknown = Reflect.get(vector, 'items')
  if (items instanceof Float64Array) return items.subarray(0, rowCount)
  return Float64Array.from({ length: rowCount }, (_, row) => Number(vector.getItem(row) ?? NaN))
}

/** What DuckDB says of CSV stands below the number of the line and the line itself, which may be anything. */
function reasonOf(message: string): string {
  const first = firstLine(message).replace(/^[A-Z][\w ]* Error: /, '')
  const line = /^CSV Error on Line: (\d+)$/.exec(first)?.[1]
  if (line === undefined) return first
  const [above = ''] = message.split('\nPossible fixes:', 1)
  const what = firstLine(above.trimEnd().split('\n').at(-1)!)
  if (/^(Original Line|CSV Error on Line):/.test(what) || what.length > longestReason)
    return `CSV error on line ${line}`
  const columns = /^Expected Number of Columns: (\d+) Found: (\d+)$/.exec(what)
  return `line ${line}: ${columns ? `expected ${columns[1]} columns, found ${columns[2]}` : what.replace(/\.$/, '')}`
}
