// Batches into the survey's Probability table since 2025.
import { DataError } from '../../../errors.ts'
import type { SinkContext } from '../../../pipeline/sink.ts'
import { type Session, transaction } from '../client/session.ts'
import { type PostgresSinkSpec, serverName } from '../settings.ts'
import { shareWork } from '../share-work.ts'
import type { TableWriter } from '../table-writer.ts'
import { resolveModel } from './model-ids.ts'
import { inspectSurveyTables } from './open-tables.ts'
import { adviceOn, pickSurveyRows, selectSurveyRows } from './survey-rows.ts'
import { type SurveyWriting, writeSurveyRows } from './write-objects.ts'

/**
 * Looks at the tables and finds the numbers of the model and the survey in them; writes nothing.
 *
 * @throws ServiceError without a table, partition or privilege; ModelError if the tables do not know the model; DataError for
 *   an input that does not say when objects were last seen
 */
export async function openSurveyWriter(
  sessions: readonly Session[],
  spec: PostgresSinkSpec,
  { schema, taxonomy, classifierVersion: name, modelVersion: version = name }: SinkContext,
  statementTimeout: number,
): Promise<TableWriter> {
  const { settings } = sessions[0]!
  if (schema.hasMjd !== true) throw withoutMjd(serverName(settings))
  const { sid = 0 } = spec
  const writing = await sessions[0]!.run((connection) =>
    transaction(connection, { access: 'read only', statementTimeout }, async (): Promise<SurveyWriting> => {
      const tables = await inspectSurveyTables(connection, sid)
      const ids = await resolveModel(connection, { taxonomy, version, tid: tables.tid })
      return { tables, sid, statementTimeout, ...ids }
    }),
  )
  const width = writing.places.length
  return {
    notes: [],
    async write(batch) {
      const { partitionOf } = writing.tables
      const { wanted, refused, superseded } = selectSurveyRows(batch, writing, partitionOf, spec.address)
      const written = await shareWork(sessions, wanted.oids.length, (session, share) =>
        writeSurveyRows(session, pickSurveyRows(wanted, share, width), writing),
      )
      const objects = written.reduce((sum, share) => sum + share.objects, 0)
      const newer = written.reduce((sum, share) => sum + share.superseded, 0)
      const advice = adviceOn(refused)
      const outcome = { objects, rows: objects * width, refused, superseded: superseded + newer }
      return advice === undefined ? outcome : { ...outcome, advice: `${serverName(settings)}: ${advice}` }
    },
  }
}

function withoutMjd(server: string): DataError {
  return new DataError(
    `${server}: its tables need lastmjd, and the input has no MJD of each object's newest detection`,
    {
      hint: '--mjd-column NAME names the column that has it.',
    },
  )
}
