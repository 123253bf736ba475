// One batch into the survey's Probability table, whole objects, whatever is stored already and whoever else writes.
import type { Connection } from '../client/connection.ts'
import { type Session, transaction } from '../client/session.ts'
import type { SurveyTables } from './open-tables.ts'
import { copySurveyRows, deleteStaleRows, newerObjects, upsertSurveyRows } from './statements.ts'
import { compareSurveyRows, pickSurveyRows, type RowContext, type StaleRow, type SurveyRows } from './survey-rows.ts'

/** What holds for all batches of a sink. */
export interface SurveyWriting extends RowContext {
  readonly tables: SurveyTables
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
}

/**
 * Writes all rows of each object or none. It first compares with what is stored, without a lock: where nothing differs nothing
 * is written, not even a lock. Objects that are new go by COPY, in the transaction that compared them; those that differ are
 * upserted in a second one. Locks are taken in the one order that all writers have (see `SurveyRows.oids`), so that writers
 * wait for one another but never in a circle. After a conflict new objects are upserted with the others.
 *
 * @returns how many are stored as they should be, and how many were newer there
 */
export function writeSurveyRows(session: Session, wanted: SurveyRows, writing: SurveyWriting) {
  const { statementTimeout, tables, places } = writing
  const mode = { access: 'read write', statementTimeout } as const
  return session.run(async (connection, conflicts) => {
    const mayCopy = tables.canCopy && conflicts === 0
    const found = await transaction(connection, mode, async () => {
      const comparison = await compareSurveyRows(connection, wanted, writing)
      const fresh = pickSurveyRows(wanted, comparison.absent, places.length)
      if (mayCopy && fresh.oids.length > 0) await copySurveyRows(connection, fresh, writing)
      return comparison
    })
    const rest = mayCopy ? found.different : [...found.different, ...found.absent].sort((a, b) => a - b)
    const late =
      rest.length === 0
        ? 0
        : await transaction(connection, mode, () => change(connection, wanted, { rest, stale: found.stale }, writing))
    const superseded = found.superseded + late
    return { objects: wanted.oids.length - superseded, superseded }
  })
}

/** Upserts some objects; answers how many turn out to be newer there only now, all of whose rows stay as they are. */
async function change(
  connection: Connection,
  wanted: SurveyRows,
  { rest, stale }: { readonly rest: readonly number[]; readonly stale: readonly StaleRow[] },
  writing: SurveyWriting,
): Promise<number> {
  const changed = pickSurveyRows(wanted, rest, writing.places.length)
  await upsertSurveyRows(connection, changed, writing)
  // their rows are locked now: what is newer stays so until we commit
  const newer = await newerObjects(connection, changed, writing)
  if (newer.some(({ isWhole }) => !isWhole)) throw halfNewer()
  const late = new Set(newer.map(({ object }) => rest[object]!))
  const removable = stale.filter(({ object }) => !late.has(object))
  await deleteStaleRows(connection, wanted, removable, writing.sid)
  return late.size
}

/** Somebody wrote some rows of an object meanwhile, and ours would stand beside them: all is compared again. */
function halfNewer(): Error {
  return Object.assign(new Error('an object got some newer rows meanwhile'), { code: '40001' })
}
