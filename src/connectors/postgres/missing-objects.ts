// Objects that have no row in the table `object`: waited for, refused, or the end of the run.
import { setTimeout as sleep } from 'node:timers/promises'
import { DataError } from '../../errors.ts'
import { textArray } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import type { TablesForWriting } from './tables/open-tables.ts'
import type { MissingObject } from './settings.ts'

/** The missing objects of one batch. Nothing is ever inserted into `object`: that is the pipeline's. */
export interface MissingObjects {
  /** oids that will not be written */
  readonly refused: ReadonlySet<string>
  /** Looks for the rows of these oids, waits if that is asked for, and refuses what has none. */
  settle(connection: Connection, oids: readonly string[]): Promise<void>
  /**
   * Told by a violated foreign key, where the table cannot be looked into: finds what else is missing, waits, and refuses.
   *
   * @param find which of these oids have no row; all of the batch if undefined
   */
  blame(oid: string, find: (oids?: readonly string[]) => Promise<readonly string[]>): Promise<void>
}

const firstPause = 100
const longestPause = 1000

/** @param wait milliseconds for all waits of this batch together */
export function createMissingObjects(tables: TablesForWriting, policy: MissingObject, wait: number): MissingObjects {
  const refused = new Set<string>()
  let deadline: number | undefined
  let pause = firstPause

  /** false once the batch has waited long enough */
  async function waited(): Promise<boolean> {
    if (policy !== 'wait') return false
    deadline ??= Date.now() + wait
    const left = deadline - Date.now()
    if (left <= 0) return false
    await sleep(Math.min(pause, left))
    pause = Math.min(pause * 2, longestPause)
    return true
  }

  function refuse(oids: readonly string[]): void {
    if (policy === 'fail' && oids.length > 0) {
      const others = oids.length > 1 ? ` and ${oids.length - 1} more` : ''
      throw new DataError(`${oids[0]!}${others}: no row in table ${tables.objectTable ?? 'object'}`, {
        hint: '--missing-object wait or reject goes on without such objects',
      })
    }
    for (const oid of oids) refused.add(oid)
  }

  return {
    refused,
    async settle(connection, oids) {
      if (tables.objectTable === undefined || !tables.canSeeObjects) return
      let missing = await withoutRow(
        connection,
        tables.objectTable,
        oids.filter((oid) => !refused.has(oid)),
      )
      while (missing.length > 0 && (await waited())) missing = await withoutRow(connection, tables.objectTable, missing)
      refuse(missing)
    },
    async blame(oid, find) {
      let missing = await find()
      // it came meanwhile, or is not to be found in this way: the next violation of the key would blame it again
      if (missing.length === 0 && !(await waited())) missing = [oid]
      while (missing.length > 0 && (await waited())) missing = await find(missing)
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
