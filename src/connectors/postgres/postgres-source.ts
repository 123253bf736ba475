// Postgres as a source: the pipeline's long feature table, or a query with one row per object.
import { createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import { DataError, UsageError } from '../../errors.ts'
import type { Connection } from './client/connection.ts'
import { postgresFailure } from './client/failure.ts'
import { begin, createSession, rollback } from './client/session.ts'
import { type PostgresSourceSpec, serverName, type TableGeneration, type TableReading } from './settings.ts'
import { inspectTables } from './tables/inspect-tables.ts'
import { deliverRows, deliverUntil } from '../deliver.ts'
import { openFeatureTable } from './feature-table.ts'
import { isMultisurveyFeatures, openMultisurveyFeatures } from './multisurvey/survey-features.ts'
import { type ObjectRow, openWideQuery } from './query.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'

/** Also says what was seen on the way that no reject tells. */
export type PostgresSource = Source & Required<Pick<Source, 'notes'>>

/**
 * Opens a transaction whose snapshot all rows come from. It is read-only, and rolled back in the end.
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
    const { connection, reader } = await session.run(async (connection) => {
      await begin(connection, { ...settings, access: 'read only', isolation: 'repeatable read' })
      try {
        const reader =
          reading.kind === 'table'
            ? await openTable(connection, { reading, tables: spec.tables }, options)
            : await openWideQuery(connection, reading.sql, options)
        return { connection, reader }
      } catch (error) {
        await rollback(connection)
        throw error
      }
    })
    async function* objects(): AsyncGenerator<ObjectRow[], void, undefined> {
      try {
        yield* reader.objects()
      } catch (error) {
        throw postgresFailure(error, settings)
      }
    }
    return {
      identity: { address: spec.address },
      schema: reader.schema,
      // a limit may stop in the middle, and the snapshot goes with the connection
      replayable: options.allowance.remaining === Infinity,
      notes: () => reader.notes(),
      deliveries: (signal) =>
        deliverUntil(
          signal,
          () => connection.destroy(),
          () => {
            const assembler = createBatchAssembler({ ...options, ...reader.schema })
            const add = ({ values, problem, ...ids }: ObjectRow): void => {
              if (!assembler.admit(ids.oid)) return
              if (problem) assembler.reject(ids.oid, { where: ids.where, ...problem })
              else assembler.accept(ids, values)
            }
            return deliverRows(objects(), assembler, add, signal)
          },
        ),
      async close() {
        if (!connection.isBroken) await rollback(connection)
        await connection.close()
      },
    }
  } catch (error) {
    await session.close()
    throw error
  }
}

/** With names or with numbers: as the address says, or as its columns do. */
async function openTable(
  connection: Connection,
  { reading, tables }: { reading: TableReading; tables: TableGeneration | undefined },
  options: ReadOptions,
) {
  const [facts] = await inspectTables(connection, [reading.table])
  if (!facts) {
    throw new DataError(`${serverName(connection.settings)} has no table ${reading.table}`, {
      hint: 'Name it with ?table=, or use ?query=SELECT ….',
    })
  }
  const hasNumbers = tables === undefined ? isMultisurveyFeatures(facts) : tables === 'multisurvey'
  const open = hasNumbers ? openMultisurveyFeatures : openFeatureTable
  return open(connection, facts, reading, options)
}
