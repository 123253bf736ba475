// Parquet files as a source: read here where they are plain, otherwise through DuckDB, in a stream.
import { resolve } from 'node:path'
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { DataError, LcclfError, messageOf, UsageError } from '../../errors.ts'
import { firstLine } from '../../formats/shown-text.ts'
import { type ColumnChunk, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { matchColumns } from '../columns/match-columns.ts'
import { numberColumns, settleNames } from '../columns/settle-names.ts'
import { deliverColumns } from '../deliver.ts'
import { type InputFile, inspectFile, readEnds } from './byte-input.ts'
import { stdinFile } from './stdin.ts'
import { collectGarbageSoon, type DuckDb, leaseDuckDb, openLockedDuckDb, readParquet } from './duckdb.ts'
import { readParquetFooter } from './parquet-footer.ts'
import type { ThriftStruct } from './compact-thrift.ts'
import { plainChunks, type PlainPlan, planPlain } from './plain-parquet.ts'
import {
  candidSql,
  type ChunkShape,
  columnChunk,
  featureSql,
  oidSql,
  type ParquetColumn,
  parquetColumns,
} from './parquet-columns.ts'

/**
 * Opens one Parquet file, or stdin by way of a temporary file.
 *
 * @throws DataError for what is no Parquet file or lacks columns; UsageError for a `where` that DuckDB refuses
 */
export async function openParquetSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  // a Parquet file is read from its end
  const isFile = spec.kind === 'file'
  const seen = await inspectFile(isFile ? spec.path : await stdinFile(options.signal), isFile ? spec.address : 'stdin')
  const file = isFile ? seen : { ...seen, identity: { address: spec.address } }
  const footer = await footerOf(file)
  const plan = planPlain(footer, file.name, options)
  return plan ? plainSource(file, plan, options) : duckDbSource(file, options)
}

/** What is plain is read here. What turns out not to be, on the way, DuckDB reads from there on, or says what is wrong. */
function plainSource(file: InputFile, plan: PlainPlan, options: ReadOptions): Source {
  const path = resolve(file.path)
  let rowsRead = 0
  async function* chunks(): AsyncGenerator<ColumnChunk, void, undefined> {
    rowsRead = 0
    try {
      for await (const chunk of plainChunks(path, plan)) {
        yield chunk
        rowsRead += chunk.rowCount
      }
    } catch {
      // rows of two files are never joined
      await file.checkUnchanged()
      const duckDb = await leaseDuckDb()
      try {
        const query = await askFor(duckDb, file, options, rowsRead).catch((error: unknown) => {
          throw error instanceof LcclfError ? error : readingFailed(file.name, error)
        })
        yield* readChunks(duckDb, query.query, file.name, (rows) => (rowsRead = rows))
      } finally {
        duckDb.release()
      }
    }
  }
  return {
    ...{ identity: file.identity, schema: plan.schema, replayable: true },
    fractionRead: () => (plan.total === 0 ? 1 : Math.min(1, rowsRead / plan.total)),
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...plan.options, ...plan.schema })
      yield* deliverColumns(chunks(), assembler, signal)
      if (!assembler.isExhausted && !signal.aborted && rowsRead !== plan.total) {
        throw new DataError(`${file.name}: ${rowsRead} rows could be read of ${plan.total}`)
      }
      await file.checkUnchanged()
    },
    close: () => Promise.resolve(),
  }
}

async function duckDbSource(file: InputFile, options: ReadOptions): Promise<Source> {
  const duckDb = options.where === undefined ? await leaseDuckDb() : await openLockedDuckDb(resolve(file.path))
  try {
    return await openWith(duckDb, file, options)
  } catch (error) {
    duckDb.release()
    throw error instanceof LcclfError ? error : readingFailed(file.name, error)
  }
}

/** @param skipped rows that have been read already */
function askFor(duckDb: DuckDb, file: InputFile, options: ReadOptions, skipped = 0) {
  const path = resolve(file.path)
  return withConnection(duckDb, async (connection) => {
    const columns = await parquetColumns(connection, path, file.name)
    const [row] = await (await connection.run(`SELECT count(*) FROM ${readParquet(path)}`)).getRows()
    const names = columns.map(({ name }) => name)
    const settled = settleNames(options, names)
    const query = buildQuery(columns, path, file.name, settled, skipped)
    // DuckDB looks at the user's condition before the first row
    await connection.prepare(query.sql).catch((cause: unknown) => {
      throw options.where === undefined ? cause : whereRefused(cause)
    })
    return { query, total: Number(row?.[0]) }
  })
}

async function openWith(duckDb: DuckDb, file: InputFile, options: ReadOptions): Promise<Source> {
  const { query, total } = await askFor(duckDb, file, options)
  let rowsRead = 0
  return {
    identity: file.identity,
    schema: query.schema,
    replayable: true,
    fractionRead: () => (total === 0 ? 1 : Math.min(1, rowsRead / total)),
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...query.options, ...query.schema })
      rowsRead = 0
      const chunks = readChunks(duckDb, query, file.name, (rows) => (rowsRead = rows))
      yield* deliverColumns(chunks, assembler, signal)
      if (!assembler.isExhausted && !signal.aborted && options.where === undefined && rowsRead !== total) {
        throw new DataError(`${file.name}: ${rowsRead} rows could be read of ${total}`)
      }
      await file.checkUnchanged()
    },
    close: () => Promise.resolve(duckDb.release()),
  }
}

async function withConnection<T>(duckDb: DuckDb, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const connection = await duckDb.connect()
  try {
    return await work(connection)
  } finally {
    connection.closeSync()
  }
}

type Query = ReturnType<typeof buildQuery>

/** A query and what it selects; in the last column is 1 in one further row that marks the end. */
function buildQuery(
  columns: readonly ParquetColumn[],
  path: string,
  inputName: string,
  options: ReadOptions,
  skipped: number,
) {
  const { where, tellsAll } = options
  const names = columns.map(({ name }) => name)
  const { features, hasMjd } = numberColumns(options, names)
  const match = matchColumns(names, { ...options, features }, inputName)
  const selected: string[] = []
  const select = (sql: string): number => selected.push(sql) - 1
  const { sql: oid, oidType } = oidSql(columns[match.oid]!, inputName)
  const hasCandid = match.candid !== undefined
  const hasOwnRowNumber = columns.some((column) => column.sqlName.toLowerCase() === 'file_row_number')
  const shape: ChunkShape = {
    oid: select(oid),
    candid: hasCandid ? select(candidSql(columns[match.candid!]!, inputName)) : undefined,
    rowNumber: where !== undefined && !hasOwnRowNumber ? select('file_row_number') : undefined,
    hasMjd,
    tellsAll,
    numbers: match.features.map((place, i) => {
      const { sql, isText } = featureSql(columns[place]!, inputName)
      return { column: select(sql), name: features[i]!, isText }
    }),
  }
  const condition = where === undefined ? '' : `WHERE (\n${where}\n)`
  const file = skipped > 0 ? `(SELECT * FROM ${readParquet(path)} OFFSET ${skipped})` : readParquet(path)
  const sql =
    `SELECT ${selected.join(', ')}, 0::TINYINT FROM ${file} ${condition}\n` +
    `UNION ALL SELECT ${selected.map(() => 'NULL').join(', ')}, 1::TINYINT`
  return { sql, shape, endColumn: selected.length, schema: { oidType, hasCandid, hasMjd }, options, skipped }
}

/** Chunks of the file. Each one is asked for before the one before it is worked on: DuckDB reads in a thread of its own. */
async function* readChunks(duckDb: DuckDb, query: Query, inputName: string, onRows: (rows: number) => void) {
  const connection = await duckDb.connect()
  let next: Promise<DuckDBDataChunk | null> | undefined
  try {
    const result = await (await connection.prepare(query.sql)).stream()
    let rows = query.skipped
    next = result.fetchChunk()
    for (;;) {
      const chunk: DuckDBDataChunk | null = await next
      if (chunk === null || chunk.rowCount === 0) throw await stoppedEarly(connection, query, rows, inputName)
      const hasEnded = chunk.getColumnVector(query.endColumn).getItem(chunk.rowCount - 1) === 1
      const rowCount = hasEnded ? chunk.rowCount - 1 : chunk.rowCount
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

/**
 * A stream that fails on the way ends as if the rows had come to their end (duckdb_fetch_chunk answers null for both and
 * the binding does not ask which), hence the row that marks the end. Asking for the next rows again, not as a stream,
 * tells the reason.
 */
async function stoppedEarly(connection: DuckDBConnection, query: Query, rows: number, inputName: string) {
  try {
    await connection.run(`SELECT * FROM (${query.sql}) LIMIT 10000 OFFSET ${rows - query.skipped}`)
  } catch (error) {
    return queryFailed(`${inputName} after row ${rows}`, error, query)
  }
  return new DataError(`${inputName}: reading stopped after row ${rows}`)
}

function whereRefused(cause: unknown): UsageError {
  return new UsageError(`--where: ${firstLine(messageOf(cause))}`, {
    cause,
    hint: 'It is a condition in DuckDB’s SQL over the columns of the file; names with / or - need "double quotes".',
  })
}

/** Errors that values cause in an expression, and no file can. */
const expressionErrors = /^(?:Conversion|Out of Range|Binder) Error: /

function queryFailed(inputName: string, cause: unknown, { options }: Query): LcclfError {
  const isUsers = options.where !== undefined && expressionErrors.test(messageOf(cause))
  return isUsers ? whereRefused(cause) : readingFailed(inputName, cause)
}

function readingFailed(inputName: string, cause: unknown): DataError {
  const reason = firstLine(messageOf(cause)).replace(/^[A-Z][\w ]* Error: /, '')
  return new DataError(`${inputName}: cannot be read: ${reason}`, { cause })
}

const magic = 'PAR1'

/** @throws DataError for what is no Parquet file, or one whose footer cannot be */
async function footerOf(file: InputFile): Promise<ThriftStruct> {
  if (!file.isRegular) throw new DataError(`${file.name} is not a regular file: Parquet cannot be read from a pipe`)
  const { head, tail } = await readEnds(file, magic.length)
  if (file.size === 0) throw new DataError(`${file.name} is empty: not a Parquet file`)
  if (head.toString('latin1') !== magic) throw new DataError(`${file.name} is not a Parquet file`)
  if (file.size < 12 || tail.toString('latin1') !== magic) {
    throw new DataError(`${file.name} is cut off: it has the beginning of a Parquet file but not its end`)
  }
  return readParquetFooter(file)
}
