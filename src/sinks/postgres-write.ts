// One batch into the Probability table, in one transaction, whatever is stored already and whoever else writes.
import type { Connection } from '../postgres/connection.ts'
import { missingKeyOf } from '../postgres/failure.ts'
import type { TablesForWriting } from '../postgres/open-tables.ts'
import type { Session } from '../postgres/session.ts'
import { transaction } from '../postgres/transaction.ts'
import type { MissingObjects } from './postgres-objects.ts'
import { pickObjects, type WantedRows } from './postgres-rows.ts'
import { copyObjects, deleteStale, enterHistory, findByForeignKey, upsertObjects } from './postgres-statements.ts'
import { compareStored, storedCandids, type Comparison } from './postgres-stored.ts'

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
export interface Written {
  readonly objects: number
  /** objects that are stored with a newer candid */
  readonly superseded: number
}

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
  readonly comparison: Comparison
  readonly superseded: ReadonlySet<number>
  /** objects whose row of the history table must change, ascending */
  readonly forHistory: readonly number[]
}

async function writeOnce(
  connection: Connection,
  all: WantedRows,
  missing: MissingObjects,
  context: WriteContext,
  avoidsCopy: boolean,
): Promise<Written> {
  const { refused } = missing
  const wanted = withoutRefused(all, refused)
  const { statementTimeout } = context
  const plan = await transaction(
    connection,
    { access: 'read only', isolation: 'read committed', statementTimeout },
    () => planOf(connection, wanted, context),
  )
  // the foreign key vouches for objects that are stored already
  const fresh = plan.comparison.absent.filter((object) => !plan.superseded.has(object))
  await missing.settle(
    connection,
    fresh.map((object) => wanted.oids[object]!),
  )
  const isLeftOut = (object: number): boolean => plan.superseded.has(object) || refused.has(wanted.oids[object]!)
  const comparison = without(plan.comparison, isLeftOut)
  const forHistory = plan.forHistory.filter((object) => !isLeftOut(object))
  let late = 0
  if (comparison.absent.length + comparison.different.length + forHistory.length > 0) {
    const mode = { access: 'read write', isolation: 'read committed', statementTimeout } as const
    late = await transaction(connection, mode, () =>
      change(connection, wanted, { comparison, forHistory }, { ...context, avoidsCopy }),
    )
  }
  const superseded = plan.superseded.size + late
  const left = wanted.oids.reduce((n, oid) => (refused.has(oid) ? n : n + 1), 0)
  return { objects: left - superseded, superseded }
}

function withoutRefused(rows: WantedRows, refused: ReadonlySet<string>): WantedRows {
  if (refused.size === 0) return rows
  return pickObjects(
    rows,
    [...rows.oids.keys()].filter((object) => !refused.has(rows.oids[object]!)),
  )
}

async function planOf(connection: Connection, wanted: WantedRows, context: WriteContext): Promise<Plan> {
  const comparison = await compareStored(connection, wanted, context.classifierVersion)
  if (!context.tables.hasHistory) return { comparison, superseded: new Set(), forHistory: [] }
  const candids = await storedCandids(connection, wanted, context.classifierVersion)
  const changing = new Set([...comparison.absent, ...comparison.different])
  const superseded = new Set<number>()
  const forHistory: number[] = []
  wanted.candids.forEach((candid, object) => {
    const stored = candids.get(object)
    if (candid !== null && stored !== undefined && stored !== null && candid < stored) superseded.add(object)
    else if (changing.has(object) || (candid !== null && candid !== stored)) forHistory.push(object)
  })
  return { comparison, superseded, forHistory }
}

function without(comparison: Comparison, isLeftOut: (object: number) => boolean): Comparison {
  return {
    absent: comparison.absent.filter((object) => !isLeftOut(object)),
    different: comparison.different.filter((object) => !isLeftOut(object)),
    stale: comparison.stale.filter(({ object }) => !isLeftOut(object)),
  }
}

interface Changes {
  readonly comparison: Comparison
  readonly forHistory: readonly number[]
}

/** @returns how many objects turned out to be superseded only now */
async function change(
  connection: Connection,
  wanted: WantedRows,
  changes: Changes,
  { tables, classifierVersion, run, avoidsCopy }: WriteContext & { avoidsCopy: boolean },
): Promise<number> {
  let { comparison } = changes
  let late = 0
  let entered: ReadonlySet<number> = new Set()
  if (tables.hasHistory) {
    entered = await enterHistory(connection, wanted, changes.forHistory, classifierVersion, run)
    late = changes.forHistory.length - entered.size
    if (late > 0) comparison = without(comparison, (object) => !entered.has(object))
  }
  // without the locks of the history table, objects that differ must not be locked after those that are new
  const isOrdered = tables.hasHistory || comparison.different.length === 0
  const canCopy = tables.canCopy && !avoidsCopy && isOrdered
  if (canCopy && comparison.absent.length > 0) {
    await copyObjects(connection, pickObjects(wanted, comparison.absent), classifierVersion)
  }
  const rest = objectsToUpsert(comparison, entered, canCopy)
  await upsertObjects(connection, pickObjects(wanted, rest), classifierVersion)
  // after the objects' other rows, which are locked now
  await deleteStale(connection, wanted, comparison.stale, classifierVersion)
  return late
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
