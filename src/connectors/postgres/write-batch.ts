// One batch into the Probability table, in one transaction, whatever is stored already and whoever else writes.
import type { Connection } from './client/connection.ts'
import { missingKeyOf } from './client/failure.ts'
import type { TablesForWriting } from './tables/open-tables.ts'
import type { Session } from './client/session.ts'
import { transaction } from './client/transaction.ts'
import type { MissingObjects } from './missing-objects.ts'
import { pickObjects, type WantedRows } from './wanted-rows.ts'
import {
  copyObjects,
  deleteStale,
  enterHistory,
  findByForeignKey,
  reenterHistory,
  upsertObjects,
} from './statements.ts'
import { compareStored, storedCandids, type Comparison } from './stored-rows.ts'

/** What holds for all batches of a sink. */
export interface WriteContext {
  readonly tables: TablesForWriting
  readonly classifierVersion: string
  /** names this run in the history table */
  readonly run: string
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
}

/** What became of the objects that were not refused. */
interface Written {
  readonly objects: number
  /** objects that are stored with a newer candid */
  readonly superseded: number
  /** of the written ones: those that were stored already without a row in the history table */
  readonly unguarded: number
  /** there is a history table */
  readonly hasHistory: boolean
}

/**
 * Asked in each transaction: `db upgrade` may add the table while a stream runs, and what is written without an entry after
 * that is unguarded.
 */
const askForHistory = `SELECT to_regclass('lcclf_history') IS NOT NULL`

/**
 * Writes all rows of each object or none. It first compares with what is stored, without a lock: where nothing differs
 * nothing is written, not even a lock. Then, in one transaction: the rows of the history table, if there is one; objects
 * that are new by COPY; the others by an upsert. Locks are taken by ascending oid, so that writers wait for one another but
 * never in a circle; where COPY would break that order, new objects are upserted with the others.
 */
export async function writeObjects(
  session: Session,
  wanted: WantedRows,
  missing: MissingObjects,
  context: WriteContext,
): Promise<Written> {
  for (;;) {
    const written = await session.run(async (connection, conflicts) => {
      try {
        return await writeOnce(connection, wanted, missing, context, conflicts > 0)
      } catch (error) {
        const oid = missingKeyOf(error)
        if (oid === undefined) throw error
        await missing.blame(oid, async (oids = wanted.oids.filter((known) => !missing.refused.has(known))) =>
          findByForeignKey(connection, oids, wanted.places[0]!, context),
        )
        return undefined
      }
    })
    if (written) return written
  }
}

interface Plan {
  readonly hasHistory: boolean
  readonly comparison: Comparison
  readonly superseded: ReadonlySet<number>
  /** objects whose row of the history table must change, ascending */
  readonly forHistory: readonly number[]
  /** those of them that are stored, and of which the history table knows nothing */
  readonly unguarded: ReadonlySet<number>
}

/** @returns undefined if the history table has come or gone meanwhile: then nothing was written, and all is to be done again */
async function writeOnce(
  connection: Connection,
  all: WantedRows,
  missing: MissingObjects,
  context: WriteContext,
  avoidsCopy: boolean,
): Promise<Written | undefined> {
  const { refused } = missing
  const wanted = withoutRefused(all, refused)
  const { statementTimeout } = context
  const plan = await transaction(
    connection,
    { access: 'read only', isolation: 'read committed', statementTimeout, ask: askForHistory },
    ([hasHistory]) => planOf(connection, wanted, context, hasHistory === true),
  )
  // the foreign key vouches for objects that are stored already
  const fresh = plan.comparison.absent.filter((object) => !plan.superseded.has(object))
  await missing.settle(
    connection,
    fresh.map((object) => wanted.oids[object]!),
  )
  const isLeftOut = (object: number): boolean => plan.superseded.has(object) || refused.has(wanted.oids[object]!)
  const comparison = without(plan.comparison, isLeftOut)
  const changes = { ...plan, comparison, forHistory: plan.forHistory.filter((object) => !isLeftOut(object)) }
  let changed: Changed | undefined = { late: 0, unguarded: 0 }
  if (comparison.absent.length + comparison.different.length + changes.forHistory.length > 0) {
    const mode = { access: 'read write', isolation: 'read committed', statementTimeout, ask: askForHistory } as const
    changed = await transaction(connection, mode, async ([hasHistory]) =>
      hasHistory === plan.hasHistory
        ? change(connection, wanted, changes, { ...context, avoidsCopy })
        : Promise.resolve(undefined),
    )
  }
  if (!changed) return undefined
  const superseded = plan.superseded.size + changed.late
  const left = wanted.oids.reduce((n, oid) => (refused.has(oid) ? n : n + 1), 0)
  return { objects: left - superseded, superseded, unguarded: changed.unguarded, hasHistory: plan.hasHistory }
}

function withoutRefused(rows: WantedRows, refused: ReadonlySet<string>): WantedRows {
  if (refused.size === 0) return rows
  return pickObjects(
    rows,
    [...rows.oids.keys()].filter((object) => !refused.has(rows.oids[object]!)),
  )
}

async function planOf(
  connection: Connection,
  wanted: WantedRows,
  { classifierVersion }: WriteContext,
  hasHistory: boolean,
): Promise<Plan> {
  const comparison = await compareStored(connection, wanted, classifierVersion)
  const superseded = new Set<number>()
  const forHistory: number[] = []
  const unguarded = new Set<number>()
  if (!hasHistory) return { hasHistory, comparison, superseded, forHistory, unguarded }
  const candids = await storedCandids(connection, wanted, classifierVersion)
  const absent = new Set(comparison.absent)
  const different = new Set(comparison.different)
  wanted.candids.forEach((candid, object) => {
    const stored = candids.get(object)
    const isOlder = candid !== null && stored !== undefined && stored !== null && candid < stored
    // a candid without rows guards nothing
    if (isOlder && !absent.has(object)) superseded.add(object)
    else if (absent.has(object) || different.has(object) || (candid !== null && candid !== stored)) {
      forHistory.push(object)
      if (stored === undefined && !absent.has(object)) unguarded.add(object)
    }
  })
  return { hasHistory, comparison, superseded, forHistory, unguarded }
}

function without(comparison: Comparison, isLeftOut: (object: number) => boolean): Comparison {
  return {
    absent: comparison.absent.filter((object) => !isLeftOut(object)),
    different: comparison.different.filter((object) => !isLeftOut(object)),
    stale: comparison.stale.filter(({ object }) => !isLeftOut(object)),
  }
}

type Changes = Omit<Plan, 'superseded'>

interface Changed {
  /** objects that turned out to be superseded only now */
  readonly late: number
  readonly unguarded: number
}

async function change(
  connection: Connection,
  wanted: WantedRows,
  { hasHistory, forHistory, unguarded, ...changes }: Changes,
  { tables, classifierVersion, run, avoidsCopy }: WriteContext & { avoidsCopy: boolean },
): Promise<Changed> {
  let { comparison } = changes
  const entered = new Set<number>()
  if (hasHistory) {
    const entry = { wanted, classifierVersion, run }
    for (const object of await enterHistory(connection, { ...entry, objects: forHistory })) entered.add(object)
    const kept = comparison.absent.filter((object) => !entered.has(object))
    if (kept.length > 0) {
      for (const object of await reenterHistory(connection, { ...entry, objects: kept })) entered.add(object)
    }
    if (entered.size < forHistory.length) comparison = without(comparison, (object) => !entered.has(object))
  }
  // without the locks of the history table, objects that differ must not be locked after those that are new
  const isOrdered = hasHistory || comparison.different.length === 0
  const canCopy = tables.canCopy && !avoidsCopy && isOrdered
  if (canCopy && comparison.absent.length > 0) {
    await copyObjects(connection, pickObjects(wanted, comparison.absent), classifierVersion)
  }
  const rest = objectsToUpsert(comparison, entered, canCopy)
  await upsertObjects(connection, pickObjects(wanted, rest), classifierVersion)
  // after the objects' other rows, which are locked now
  await deleteStale(connection, wanted, comparison.stale, classifierVersion)
  return {
    late: forHistory.length - entered.size,
    unguarded: forHistory.filter((object) => entered.has(object) && unguarded.has(object)).length,
  }
}

/**
 * Objects that differ; objects that have a newer candid only, because an older alert may have changed them since they were
 * compared; and those that seemed to be absent and may not be so any more, where COPY (which then fails) is not used: in
 * one statement each takes its turn by its oid.
 */
function objectsToUpsert({ absent, different }: Comparison, entered: ReadonlySet<number>, canCopy: boolean): number[] {
  const objects = new Set([...different, ...entered, ...absent])
  if (canCopy) for (const object of absent) objects.delete(object)
  return [...objects].sort((a, b) => a - b)
}
