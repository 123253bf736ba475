// A row for each explained object, in a table of the session: counted there, and written to a file from there.
import { createRequire } from 'node:module'
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBValue } from '@duckdb/node-api'
import { rowsAChunk, type Session } from '../predictions/session.ts'
import type { Cause } from './find-causes.ts'
import { changeText, effectText, type FamilyChange } from './family-changes.ts'

/** an object whose class led by no more before was near a tie: any change might have changed it */
export const nearTie = 0.05

export const causesTable = 'explained'
const about = 'the explanation'

/** One object, and why it changed class. */
export interface ExplainedObject {
  readonly oid: string
  readonly classBefore: string
  readonly classAfter: string
  /** the largest probability less the second */
  readonly marginBefore: number
  readonly marginAfter: number
  /** undefined: the probabilities are the same, and equal ones stand in another order */
  readonly cause: Cause | undefined
  /** what became of the cause's families */
  readonly changes: readonly FamilyChange[]
}

export type CauseTable = Awaited<ReturnType<typeof createCauseTable>>

export type CauseCount = Awaited<ReturnType<CauseTable['causes']>>['causes'][number]

/** Makes the table, empty. */
export async function createCauseTable(session: Session) {
  const { VARCHAR, DOUBLE, BOOLEAN, INTEGER } = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
  const columns = [
    ...['oid', 'class_before', 'class_after'].map((name) => ({ name, type: VARCHAR })),
    ...['margin_before', 'margin_after'].map((name) => ({ name, type: DOUBLE })),
    { name: 'near_tie', type: BOOLEAN },
    ...['kind', 'cause', 'families', 'effect'].map((name) => ({ name, type: VARCHAR })),
    { name: 'alternatives', type: INTEGER },
    { name: 'approximate', type: BOOLEAN },
  ]
  const table = await session.createTable(causesTable, columns, about)
  const pending = columns.map((): DuckDBValue[] => [])
  const changesOf = new Map<string, readonly FamilyChange[]>()
  let objects = 0

  async function flush(): Promise<void> {
    if (pending[0]!.length > 0) await table.append(pending)
    for (const cells of pending) cells.length = 0
  }

  return {
    get objects() {
      return objects
    },
    async add(object: ExplainedObject): Promise<void> {
      cellsOf(object).forEach((cell, i) => pending[i]!.push(cell))
      if (object.cause?.kind === 'features') changesOf.set(causeText(object), object.changes)
      objects++
      if (pending[0]!.length === rowsAChunk) await flush()
    },
    /** The last object is in: from here on the table answers. In any case it must be closed. */
    async close(): Promise<void> {
      await flush()
      await table.close()
    },
    /** Objects of all causes that have a mark. */
    marked: (mark: 'near_tie' | 'approximate') =>
      session.count(`SELECT count(*) FROM ${causesTable} WHERE ${mark}`, about),
    /** The causes, the most frequent first, and how many there are. */
    async causes(limit: number) {
      const rows = await session.rows(`${causesSql} LIMIT ${limit}`, about)
      const count = await session.count(`SELECT count(DISTINCT cause) FROM ${causesTable}`, about)
      return { count, causes: rows.map((row) => countOf(row, { objects, changesOf })) }
    },
  }
}

function cellsOf(object: ExplainedObject): DuckDBValue[] {
  const { oid, classBefore, classAfter, marginBefore, marginAfter, cause, changes } = object
  const families = changes.map(({ family }) => family).join(' + ')
  const effects = changes.map(effectText).join(' + ')
  return [
    ...[oid, classBefore, classAfter],
    ...[marginBefore, marginAfter, marginBefore <= nearTie],
    ...[kindOf(cause), causeText(object), families, effects],
    ...[cause?.alternatives ?? 0, cause?.isApproximate ?? false],
  ]
}

function kindOf(cause: Cause | undefined): 'features' | 'several' | 'model' | 'order' {
  return cause?.kind ?? 'order'
}

/** In words, the same for every object of one cause. */
function causeText({ cause, changes }: Pick<ExplainedObject, 'cause' | 'changes'>): string {
  switch (kindOf(cause)) {
    case 'features':
      return changes.map(changeText).join(' + ')
    case 'several':
      return 'more than eight families together'
    case 'model':
      return 'the model'
    case 'order':
      return 'the order of equal classes'
  }
}

/** The most frequent pair of classes stands for a cause; its clearest objects come first. */
const causesSql = `
  WITH counted AS (
    SELECT cause, any_value(kind) AS kind, count(*) AS objects, count(*) FILTER (near_tie) AS near_ties,
      median(margin_before) AS before, median(margin_after) AS after, count(*) FILTER (approximate) AS approximate,
      list(oid ORDER BY margin_before DESC, oid)[1:3] AS examples
    FROM ${causesTable} GROUP BY cause),
  typical AS (
    SELECT cause, class_before, class_after, count(*) AS moved FROM ${causesTable} GROUP BY cause, class_before, class_after
    QUALIFY row_number() OVER (PARTITION BY cause ORDER BY count(*) DESC, class_before, class_after) = 1)
  SELECT cause, kind, objects, class_before, class_after, moved, near_ties, before, after, approximate, examples
  FROM counted JOIN typical USING (cause) ORDER BY objects DESC, cause`

function countOf(
  row: readonly unknown[],
  { objects, changesOf }: { objects: number; changesOf: ReadonlyMap<string, readonly FamilyChange[]> },
) {
  const [cause, kind, count, from, to, moved, nearTies, before, after, approximate, examples] = row
  return {
    /** in words */
    cause: String(cause),
    kind: String(kind) as 'features' | 'several' | 'model' | 'order',
    /** the families whose old values give the old class back, and what became of them; empty for other kinds */
    families: changesOf.get(String(cause)) ?? [],
    objects: Number(count),
    /** of the explained objects */
    share: Number(count) / objects,
    /** the most frequent change of class that it made, and of how many objects */
    class_before: String(from),
    class_after: String(to),
    typical_objects: Number(moved),
    /** objects whose class led by no more than near_tie_below before */
    near_ties: Number(nearTies),
    /** medians */
    margin_before: Number(before),
    margin_after: Number(after),
    /** objects of which not all sets of families were tried, because more than eight differ */
    approximate: Number(approximate),
    /** oids, the clearest first */
    examples: (examples as { readonly items: readonly unknown[] }).items.map(String),
  }
}
