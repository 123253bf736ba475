// Postgres: the tables of the survey's pipeline, of 2021 or of 2025.
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import { withCalibratedLevel, withCalibratedRows } from '../../pipeline/calibrated-level.ts'
import { openAlerceWriter } from './alerce-writer.ts'
import type { Connection } from './client/connection.ts'
import { createSession, type Session, transaction } from './client/session.ts'
import { inspectSurveyTables } from './multisurvey/open-tables.ts'
import { openSurveyWriter } from './multisurvey/survey-writer.ts'
import type { PostgresSinkSpec } from './settings.ts'
import type { TableWriter } from './table-writer.ts'
import { recogniseTables } from './tables/generation.ts'
import { inspectForWriting } from './tables/open-tables.ts'

/** milliseconds for one statement: a table that somebody has locked must not stop us indefinitely */
const usualStatementTimeout = 300_000

/** Always has its say on the whole run: its notes are what is known of it so far. */
export type PostgresSink = Sink & Required<Pick<Sink, 'notes'>>

/**
 * Opens a database: looks at its tables, and makes them ready for this model.
 *
 * @throws ServiceError without a connection, table or privilege; ModelError if the tables know another model by this name,
 *   or, those of 2025, none; DataError if they need what the input does not have
 */
export async function openPostgresSink(spec: PostgresSinkSpec, context: SinkContext): Promise<PostgresSink> {
  const statementTimeout = spec.connection.statementTimeout ?? usualStatementTimeout
  const settings = { ...spec.connection, statementTimeout }
  const sessions = Array.from({ length: spec.connections ?? 1 }, () => createSession(settings))
  const closeAll = async (): Promise<void> => void (await Promise.all(sessions.map((session) => session.close())))
  try {
    const taxonomy = spec.calibrated ? withCalibratedLevel(context.taxonomy) : context.taxonomy
    const writer = await openWriter(sessions, spec, { ...context, taxonomy }, statementTimeout)
    return {
      address: spec.address,
      durable: 'on-write',
      get notes() {
        return writer.notes
      },
      get unreachableMs() {
        return Math.max(...sessions.map((session) => session.unreachableMs))
      },
      write: (batch) => writer.write(spec.calibrated ? withCalibratedRows(batch, taxonomy) : batch),
      finish: () => Promise.resolve(),
      publish: () => Promise.resolve(),
      close: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function openWriter(
  sessions: readonly Session[],
  spec: PostgresSinkSpec,
  context: SinkContext,
  statementTimeout: number,
): Promise<TableWriter> {
  const mode = { access: 'read only', statementTimeout } as const
  const generation = await sessions[0]!.run((connection) =>
    transaction(connection, mode, () => recogniseTables(connection, spec.tables)),
  )
  const open = generation === 'multisurvey' ? openSurveyWriter : openAlerceWriter
  return open(sessions, spec, context, statementTimeout)
}

/** Whether results can go there; looks only. @throws ServiceError, as openPostgresSink */
export async function inspectOutput(connection: Connection, { tables, sid = 0 }: PostgresSinkSpec): Promise<void> {
  const generation = await recogniseTables(connection, tables)
  await (generation === 'multisurvey' ? inspectSurveyTables(connection, sid) : inspectForWriting(connection, true))
}
