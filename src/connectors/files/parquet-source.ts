// Parquet files as a source, read through DuckDB in a stream.
import { resolve } from 'node:path'
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api'
import { type ColumnChunk, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import { DataError, LcclfError, messageOf, UsageError } from '../../errors.ts'
import { collectGarbageSoon, type DuckDb, leaseDuckDb, openLockedDuckDb, readParquet } from './duckdb.ts'
import { deliverColumns } from '../deliver.ts'
import { type InputFile, inspectFile, readEnds } from './input-file.ts'
import { type ChunkShape, columnChunk, rowsBeforeEnd } from './parquet-chunk.ts'
import { candidReading, featureReading, oidReading, type ParquetColumn, parquetColumns } from './parquet-columns.ts'
import { matchColumns } from '../columns/match-columns.ts'
import { settleNames } from '../columns/settle-names.ts'
import { firstLine } from '../../formats/shown-text.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { SourceSpec } from '../spec.ts'

/** A query and what it selects. */
interface Query {
  readonly sql: string
  readonly shape: ChunkShape
  /** the last column: 1 in one further row that marks the end */
  readonly endColumn: number
  /** whether the user's own condition is in it */
  readonly isUsers: boolean
}

/**
 * Opens one Parquet file.
 *
 * @throws DataError for what is no Parquet file or lacks columns; UsageError for a `where` that DuckDB refuses
 */
export async function openParquetSource(
  spec: Extract<SourceSpec, { kind: 'file' }>,
  options: ReadOptions,
): Promise<Source> {
  const file = await inspectFile(spec.path, spec.address)
  await refuseOtherFormats(file)
  const path = resolve(file.path)
  const duckDb = options.where === undefined ? await leaseDuckDb() : await openLockedDuckDb(path)
  try {
    return await openWith(duckDb, file, path, options)
  } catch (error) {
    duckDb.release()
    throw error instanceof LcclfError ? error : readingFailed(file.name, error)
  }
}

async function openWith(duckDb: DuckDb, file: InputFile, path: string, options: ReadOptions): Promise<Source> {
  const connection = await duckDb.connect()
  let query: Query
  let settled: ReadOptions
  let oidType: ReturnType<typeof oidReading>['oidType']
  let hasCandid: boolean
  let total: number
  try {
    const columns = await parquetColumns(connection, path, file.name)
    total = await rowTotal(connection, path)
    const names = columns.map(({ name }) => name)
    settled = settleNames(options, names)
    const match = matchColumns(names, settled, file.name)
    oidType = oidReading(columns[match.oid]!, file.name).oidType
    hasCandid = match.candid !== undefined
    query = buildQuery(columns, match, path, file.name, settled)
    await prepareUsers(connection, query.sql, options.where)
  } finally {
    connection.closeSync()
  }
  let rowsRead = 0
  return {
    identity: file.identity,
    schema: { oidType, hasCandid },
    replayable: true,
    fractionRead: () => (total === 0 ? 1 : Math.min(1, rowsRead / total)),
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...settled, oidType, hasCandid })
      rowsRead = 0
      const chunks = readChunks(duckDb, query, file.name, (rows) => (rowsRead = rows))
      yield* deliverColumns(chunks, assembler, signal)
      if (!assembler.isExhausted && !signal.aborted && options.where === undefined && rowsRead !== total) {
        throw new DataError(`${file.name}: ${rowsRead} rows could be read of ${total}`)
      }
      await file.checkUnchanged()
    },
    async close() {
      duckDb.release()
    },
  }
}

/** Chunks of the file. Each one is asked for before the one before it is worked on: DuckDB reads in a thread of its own. */
async function* readChunks(
  duckDb: DuckDb,
  query: Query,
  inputName: string,
  onRows: (rows: number) => void,
): AsyncGenerator<ColumnChunk, void, undefined> {
  const connection = await duckDb.connect()
  let next: Promise<DuckDBDataChunk | null> | undefined
  try {
    const result = await startStream(connection, query.sql)
    let rows = 0
    next = result.fetchChunk()
    for (;;) {
      const chunk: DuckDBDataChunk | null = await next
      if (chunk === null || chunk.rowCount === 0) throw await stoppedEarly(connection, query, rows, inputName)
      const { rowCount, hasEnded } = rowsBeforeEnd(chunk, query.endColumn)
      if (!hasEnded) {
        next = result.fetchChunk()
        // an error must wait until it is asked for
        next.catch(() => undefined)
      }
      yield columnChunk(chunk, query.shape, { rowCount, firstRow: rows + 1, inputName })
      rows += rowCount
      onRows(rows)
      collectGarbageSoon()
      if (hasEnded) return
    }
  } catch (error) {
    throw error instanceof LcclfError ? error : queryFailed(inputName, error, query)
  } finally {
    await next?.catch(() => undefined)
    connection.closeSync()
  }
}

async function startStream(connection: DuckDBConnection, sql: string): Promise<DuckDBResult> {
  return (await connection.prepare(sql)).stream()
}

/**
 * A stream that fails on the way ends as if the rows had come to their end (duckdb_fetch_chunk answers null for both and
 * the binding does not ask which), hence the row that marks the end. The reason is had by asking for the next rows again,
 * not as a stream.
 */
async function stoppedEarly(
  connection: DuckDBConnection,
  query: Query,
  rows: number,
  inputName: string,
): Promise<LcclfError> {
  try {
    await connection.run(`SELECT * FROM (${query.sql}) LIMIT 10000 OFFSET ${rows}`)
  } catch (error) {
    return queryFailed(`${inputName} after row ${rows}`, error, query)
  }
  return new DataError(`${inputName}: reading stopped after row ${rows}`)
}

function buildQuery(
  columns: readonly ParquetColumn[],
  match: ReturnType<typeof matchColumns>,
  path: string,
  inputName: string,
  { features, where, tellsAll }: ReadOptions,
): Query {
  const selected: string[] = []
  const select = (sql: string): number => selected.push(sql) - 1
  const oid = select(oidReading(columns[match.oid]!, inputName).sql)
  const candid = match.candid === undefined ? undefined : select(candidReading(columns[match.candid]!, inputName).sql)
  const readings = match.features.map((place) => featureReading(columns[place]!, inputName))
  const hasOwnRowNumber = columns.some((column) => column.sqlName.toLowerCase() === 'file_row_number')
  const rowNumber = where !== undefined && !hasOwnRowNumber ? select('file_row_number') : undefined
  const shape: ChunkShape = {
    oid,
    candid,
    rowNumber,
    tellsAll,
    features: readings.map((reading, i) => ({ column: select(reading.sql), name: features[i]!, reading })),
  }
  const endColumn = selected.length
  const condition = where === undefined ? '' : `WHERE (\n${where}\n)`
  const sql =
    `SELECT ${selected.join(', ')}, 0::TINYINT FROM ${readParquet(path)} ${condition}\n` +
    `UNION ALL SELECT ${selected.map(() => 'NULL').join(', ')}, 1::TINYINT`
  return { sql, shape, endColumn, isUsers: where !== undefined }
}

/** Lets DuckDB look at the user's condition before the first row. */
async function prepareUsers(connection: DuckDBConnection, sql: string, where: string | undefined): Promise<void> {
  try {
    await connection.prepare(sql)
  } catch (cause) {
    if (where === undefined) throw cause
    throw whereRefused(cause)
  }
}

function whereRefused(cause: unknown): UsageError {
  return new UsageError(`--where: ${firstLine(messageOf(cause))}`, {
    cause,
    hint: 'It is a condition in DuckDB’s SQL over the columns of the file; names with / or - need "double quotes".',
  })
}

/** Errors that values cause in an expression, and no file can. */
const expressionErrors = /^(?:Conversion|Out of Range|Binder) Error: /

function queryFailed(inputName: string, cause: unknown, { isUsers }: Query): LcclfError {
  return isUsers && expressionErrors.test(messageOf(cause)) ? whereRefused(cause) : readingFailed(inputName, cause)
}

async function rowTotal(connection: DuckDBConnection, path: string): Promise<number> {
  const result = await connection.run(`SELECT count(*) FROM ${readParquet(path)}`)
  const [row] = await result.getRows()
  return Number(row?.[0])
}

const magic = 'PAR1'

async function refuseOtherFormats(file: InputFile): Promise<void> {
  if (!file.isRegular) {
    throw new DataError(`${file.name} is not a regular file: Parquet cannot be read from a pipe`)
  }
  const { head, tail } = await readEnds(file, magic.length)
  if (file.size === 0) throw new DataError(`${file.name} is empty: not a Parquet file`)
  if (head.toString('latin1') !== magic) throw new DataError(`${file.name} is not a Parquet file`)
  if (file.size < 12 || tail.toString('latin1') !== magic) {
    throw new DataError(`${file.name} is cut off: it has the beginning of a Parquet file but not its end`)
  }
}

function readingFailed(inputName: string, cause: unknown): DataError {
  const reason = firstLine(messageOf(cause)).replace(/^[A-Z][\w ]* Error: /, '')
  return new DataError(`${inputName}: cannot be read: ${reason}`, { cause })
}
