// Postgres as a source: the pipeline's long feature table, or a query with one row an object.
import { createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import { UsageError } from '../../errors.ts'
import type { Connection } from './client/connection.ts'
import { postgresFailure } from './client/failure.ts'
import { createSession } from './client/session.ts'
import type { PostgresSourceSpec } from './settings.ts'
import { begin, rollback } from './client/transaction.ts'
import { deliverRows } from '../deliver.ts'
import { openFeatureTable } from './feature-table.ts'
import { openWideQuery } from './query.ts'
import type { ObjectRow, PostgresReader } from './reader.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'

/** A source that always has its say on the whole input. */
export interface PostgresSource extends Source {
  notes(): readonly string[]
}

/**
 * Opens a transaction whose snapshot all rows are of. It is read-only, and rolled back in the end.
 *
 * @throws DataError for a table or query that lacks columns; UsageError for a query that is none; ServiceError
 */
export async function openPostgresSource(spec: PostgresSourceSpec, options: ReadOptions): Promise<PostgresSource> {
  const { reading } = spec
  if (options.where !== undefined && reading.kind === 'table') {
    throw new UsageError(`${spec.address}: --where works with ?query= only`)
  }
  const settings = { ...spec.connection, statementTimeout: spec.connection.statementTimeout ?? 0 }
  const session = createSession(settings)
  try {
    const opened = await session.run(async (connection) => {
      await begin(connection, {
        access: 'read only',
        isolation: 'repeatable read',
        statementTimeout: settings.statementTimeout,
      })
      try {
        const reader =
          reading.kind === 'table'
            ? await openFeatureTable(connection, reading, options)
            : await openWideQuery(connection, reading.sql, options)
        return { connection, reader }
      } catch (error) {
        await rollback(connection)
        throw error
      }
    })
    return createSource(spec, options, opened)
  } catch (error) {
    await session.close()
    throw error
  }
}

function createSource(
  spec: PostgresSourceSpec,
  options: ReadOptions,
  { connection, reader }: { connection: Connection; reader: PostgresReader },
): PostgresSource {
  return {
    identity: { address: spec.address },
    schema: reader.schema,
    // a limit may break off in the middle, and with the connection the snapshot is gone
    replayable: options.allowance.remaining === Infinity,
    notes: () => reader.notes(),
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...options, ...reader.schema })
      const stop = (): void => connection.destroy()
      signal.addEventListener('abort', stop)
      try {
        yield* deliverRows(
          untilAborted(reader.objects(), connection, signal),
          assembler,
          ({ oid, candid, where, values, problem }) => {
            if (!assembler.admit(oid)) return
            if (problem) assembler.reject(oid, { where, ...problem })
            else assembler.accept({ oid, candid, where }, values)
          },
          signal,
        )
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    async close() {
      if (!connection.isBroken) await rollback(connection)
      await connection.close()
    },
  }
}

async function* untilAborted(
  objects: AsyncIterable<ObjectRow[]>,
  { settings }: Connection,
  signal: AbortSignal,
): AsyncGenerator<ObjectRow[], void, undefined> {
  if (signal.aborted) return
  try {
    yield* objects
  } catch (error) {
    // the connection was ended on purpose
    if (!signal.aborted) throw postgresFailure(error, settings)
  }
}
