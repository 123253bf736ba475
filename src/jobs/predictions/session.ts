// DuckDB for questions about results: one connection, a bound on memory, and errors that name the file.
import { availableParallelism } from 'node:os'
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { leaseDuckDb } from '../../connectors/files/duckdb.ts'
import { firstLine } from '../../formats/shown-text.ts'

/** A place for tables and questions; what does not fit the bound goes to the temporary folder. */
export interface Session {
  readonly connection: DuckDBConnection
  /** Runs SQL and answers its rows; errors name `about`. */
  rows(sql: string, about: string): Promise<unknown[][]>
  /** The first cell of the answer as a number. */
  count(sql: string, about: string): Promise<number>
  /** The columns that SQL would select. */
  columnsOf(sql: string, about: string): Promise<readonly { readonly name: string; readonly type: DuckDBType }[]>
  /**
   * The rows of a selection, chunk by chunk.
   *
   * @param expected how many rows there are: fewer are an error
   */
  chunks(sql: string, about: string, expected: number): AsyncGenerator<Chunk, void, undefined>
  close(): void
}

/** Some rows of a selection. */
interface Chunk {
  readonly rowCount: number
  texts(column: number): readonly (string | null)[]
  doubles(column: number): Float64Array
}

/** two sides of a million objects, sorted and joined, stay within it; the rest of the process takes 150 MB */
const memoryLimit = '1GB'

const longestReason = 200

/** Opens a session. Close it when the last question is answered. */
export async function openSession(): Promise<Session> {
  const lease = await leaseDuckDb()
  const connection = await lease.connect()
  // both are the instance's: no other input is open in a process that compares results
  await connection.run(`SET memory_limit = '${memoryLimit}'`)
  await connection.run(`SET threads = ${Math.min(4, availableParallelism())}`)

  async function guarded<T>(about: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw cause instanceof LcclfError ? cause : readingFailed(about, cause)
    }
  }

  return {
    connection,
    rows: (sql, about) => guarded(about, async () => (await connection.run(sql)).getRows()),
    count: (sql, about) => guarded(about, async () => Number((await (await connection.run(sql)).getRows())[0]?.[0])),
    columnsOf: (sql, about) =>
      guarded(about, async () => {
        const result = await connection.run(`SELECT * FROM (${sql}) LIMIT 0`)
        return result.columnNames().map((name, i) => ({ name, type: result.columnType(i) }))
      }),
    async *chunks(sql, about, expected) {
      const result = await guarded(about, () => connection.stream(sql))
      let rows = 0
      for (;;) {
        const chunk = await guarded(about, () => result.fetchChunk())
        if (chunk === null || chunk.rowCount === 0) break
        rows += chunk.rowCount
        yield {
          rowCount: chunk.rowCount,
          texts: (column) => chunk.getColumnValues(column).map((value) => (value === null ? null : String(value))),
          doubles: (column) => doublesOf(chunk.getColumnVector(column), chunk.rowCount),
        }
      }
      // a stream that fails on the way ends as if the rows had come to their end
      if (rows !== expected) throw new DataError(`${about}: reading stopped after row ${rows} of ${expected}`)
    },
    close() {
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

function readingFailed(about: string, cause: unknown): DataError {
  return new DataError(`${about}: cannot be read: ${reasonOf(messageOf(cause))}`, { cause })
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
  return `line ${line}: ${columns ? `expected are ${columns[1]} columns, found ${columns[2]}` : what.replace(/\.$/, '')}`
}
