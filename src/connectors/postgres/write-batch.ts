// One batch into the Probability table, in one transaction, whatever is stored already and whoever else writes.
import pRetry from 'p-retry'
import { DataError } from '../../errors.ts'
import { literal, textArray } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import { type Session, transaction } from './client/session.ts'
import type { MissingObject } from './settings.ts'
import { copyObjects, deleteStale, enterHistory, storedCandids, upsertObjects } from './statements.ts'
import type { TablesForWriting } from './tables/open-tables.ts'
import { compareStored, type Comparison, pickObjects, type Place, type WantedRows } from './wanted-rows.ts'

/** What holds for all batches of a sink. */
export interface WriteContext {
  readonly tables: TablesForWriting
  readonly classifierVersion: string
  /** the rows that every object has */
  readonly places: readonly Place[]
  /** names this run in the history table */
  readonly run: string
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
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
) {
  for (;;) {
    const written = await session.run((connection, conflicts) =>
      writeOnce(connection, wanted, missing, { ...context, mayCopy: context.tables.canCopy && conflicts === 0 }),
    )
    if (written) return written
  }
}

/**
 * Asked in each transaction: `db upgrade` may add the table while a stream runs, and whatever is written without an entry
 * after that is unguarded.
 */
const askForHistory = `SELECT to_regclass('lcclf_history') IS NOT NULL`

/** @returns undefined if the history table has come or gone meanwhile: then nothing was written, and all is done again */
async function writeOnce(
  connection: Connection,
  all: WantedRows,
  missing: MissingObjects,
  context: WriteContext & { readonly mayCopy: boolean },
) {
  const { refused } = missing
  const wanted = pickObjects(
    all,
    [...all.oids.keys()].filter((object) => !refused.has(all.oids[object]!)),
  )
  const mode = { statementTimeout: context.statementTimeout, ask: askForHistory }
  const plan = await transaction(connection, { ...mode, access: 'read only' }, ([hasHistory]) =>
    planOf(connection, wanted, context, hasHistory === true),
  )
  // the foreign key vouches for objects that are stored already
  const fresh = plan.comparison.absent.filter((object) => !plan.superseded.has(object))
  await missing.settle(
    connection,
    fresh.map((object) => wanted.oids[object]!),
  )
  const isKept = (object: number): boolean => !plan.superseded.has(object) && !refused.has(wanted.oids[object]!)
  const comparison = only(plan.comparison, isKept)
  const changes = { ...plan, comparison, forHistory: plan.forHistory.filter(isKept) }
  const isSame = comparison.absent.length + comparison.different.length + changes.forHistory.length === 0
  const changed = isSame
    ? { late: 0, unguarded: 0 }
    : await transaction(connection, { ...mode, access: 'read write' }, async ([hasHistory]) =>
        hasHistory === plan.hasHistory ? change(connection, wanted, changes, context) : undefined,
      )
  if (!changed) return undefined
  const superseded = plan.superseded.size + changed.late
  const left = wanted.oids.reduce((n, oid) => (refused.has(oid) ? n : n + 1), 0)
  return {
    objects: left - superseded,
    /** objects that are stored with a newer candid */
    superseded,
    /** of the written ones: those that were stored already without a row in the history table */
    unguarded: changed.unguarded,
    hasHistory: plan.hasHistory,
  }
}

type Plan = Awaited<ReturnType<typeof planOf>>

async function planOf(connection: Connection, wanted: WantedRows, context: WriteContext, hasHistory: boolean) {
  const { classifierVersion } = context
  const comparison = await compareStored(connection, wanted, classifierVersion)
  const superseded = new Set<number>()
  /** objects whose row of the history table must change, ascending */
  const forHistory: number[] = []
  /** those of them that are stored, but unknown to the history table */
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

function only(comparison: Comparison, isKept: (object: number) => boolean): Comparison {
  return {
    absent: comparison.absent.filter(isKept),
    different: comparison.different.filter(isKept),
    stale: comparison.stale.filter(({ object }) => isKept(object)),
  }
}

async function change(
  connection: Connection,
  wanted: WantedRows,
  { hasHistory, forHistory, unguarded, ...plan }: Plan,
  { classifierVersion, run, mayCopy }: WriteContext & { readonly mayCopy: boolean },
) {
  let { comparison } = plan
  let entered: ReadonlySet<number> = new Set()
  if (hasHistory) {
    const entry = { wanted, classifierVersion, run }
    entered = await enterHistory(connection, entry, forHistory, comparison.absent)
    comparison = only(comparison, (object) => entered.has(object))
  }
  // without the locks of the history table, objects that differ must not be locked after those that are new
  const canCopy = mayCopy && (hasHistory || comparison.different.length === 0)
  if (canCopy && comparison.absent.length > 0) {
    await copyObjects(connection, pickObjects(wanted, comparison.absent), classifierVersion)
  }
  const rest = objectsToUpsert(comparison, entered, canCopy)
  await upsertObjects(connection, pickObjects(wanted, rest), classifierVersion)
  // after the objects' other rows, which are locked now
  await deleteStale(connection, wanted, comparison.stale, classifierVersion)
  return {
    /** objects that turned out to be superseded only now */
    late: forHistory.length - entered.size,
    unguarded: forHistory.filter((object) => entered.has(object) && unguarded.has(object)).length,
  }
}

/**
 * Objects that differ; objects that only have a newer candid, because an older alert may have changed them since they were
 * compared; and those that seemed absent and may not be so any more, where COPY (which then fails) is not used: in one
 * statement each takes its turn by its oid.
 */
function objectsToUpsert({ absent, different }: Comparison, entered: ReadonlySet<number>, canCopy: boolean): number[] {
  const objects = new Set([...different, ...entered, ...absent])
  if (canCopy) for (const object of absent) objects.delete(object)
  return [...objects].sort((a, b) => a - b)
}

/** Who fills the table `object`, and how to do it oneself: its other columns may be null. */
export function additionOf({ objectTable = 'object' }: Pick<TablesForWriting, 'objectTable'>, oid: string): string {
  const statement = `INSERT INTO ${objectTable} (oid) VALUES (${literal(oid).trim()}) ON CONFLICT DO NOTHING`
  return `lcclf never fills table ${objectTable}, the survey's pipeline does; to add an object yourself: ${statement}`
}

/** The objects of one batch that have no row in the table `object`. */
type MissingObjects = ReturnType<typeof createMissingObjects>

const stillMissing = new Error('some objects have no row')

/**
 * Waits for missing objects, refuses them or ends the run. Nothing is ever inserted into `object`: it belongs to the pipeline.
 *
 * @param wait milliseconds for all waits of this batch together
 */
export function createMissingObjects({ objectTable }: TablesForWriting, policy: MissingObject, wait: number) {
  const refused = new Set<string>()
  let deadline: number | undefined

  function refuse(oids: readonly string[]): void {
    if (policy === 'fail' && oids.length > 0) {
      const others = oids.length > 1 ? ` and ${oids.length - 1} more` : ''
      throw new DataError(`${oids[0]!}${others}: no row in table ${objectTable ?? 'object'}`, {
        hint: `Use --missing-object wait or reject to continue without such objects. ${additionOf({ objectTable }, oids[0]!)}.`,
      })
    }
    for (const oid of oids) refused.add(oid)
  }

  return {
    /** oids that will not be written */
    refused: refused as ReadonlySet<string>,
    /** Looks for the rows of these oids, waits if that is asked for, and refuses what has none. */
    async settle(connection: Connection, oids: readonly string[]): Promise<void> {
      if (objectTable === undefined) return
      let missing = oids.filter((oid) => !refused.has(oid))
      const look = async (): Promise<void> => {
        missing = await withoutRow(connection, objectTable, missing)
        if (missing.length > 0) throw stillMissing
      }
      deadline ??= performance.now() + wait
      const limits = { minTimeout: 100, maxTimeout: 1000, maxRetryTime: Math.max(0, deadline - performance.now()) }
      const shouldRetry = ({ error }: { readonly error: Error }): boolean => policy === 'wait' && error === stillMissing
      await pRetry(look, { ...limits, retries: Infinity, shouldRetry }).catch((error: unknown) => {
        if (error !== stillMissing) throw error
      })
      refuse(missing)
    },
  }
}

async function withoutRow(connection: Connection, objectTable: string, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  const rows = await connection.rows(
    `SELECT o.oid FROM unnest($1::text[]) AS o(oid) WHERE NOT EXISTS (SELECT FROM ${objectTable} x WHERE x.oid = o.oid)`,
    [textArray(oids)],
  )
  return rows.map(([oid]) => String(oid))
}
