// Both sides of a comparison joined by oid: a narrow table of classes and distances, made by one pass over both.
import type { PredictedLevel, Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { sqlName } from '../../connectors/files/duckdb.ts'

/** A level that both sides have. */
export interface LevelPair {
  readonly a: PredictedLevel
  readonly b: PredictedLevel
}

/** The name of the joined table: `oid`, for level n of the pairs `a<n>` and `b<n>` (places of classes), and below. */
export const joinedTable = 'moved'

/** The SQL of the place of a level's class, from 0: the first of the largest, in taxonomy order. */
export function winnerSql(side: string, { columns }: PredictedLevel): string {
  const names = columns.map((name) => `${side}.${name}`)
  return `CAST(list_position([${names.join(', ')}], greatest(${names.join(', ')})) - 1 AS USMALLINT)`
}

/** The SQL of whether several classes have the largest probability. */
export function isTieSql(side: string, { columns }: PredictedLevel): string {
  const names = columns.map((name) => `${side}.${name}`)
  const largest = `greatest(${names.join(', ')})`
  return `${names.map((name) => `CAST(${name} = ${largest} AS INTEGER)`).join(' + ')} > 1`
}

/**
 * Joins the sides. Beside the classes: `pa`, `pb` (the product's largest probabilities) and `distance`. What does not fit
 * the session's memory goes to the temporary folder.
 *
 * @returns how many objects both have
 */
export async function joinSides(
  session: Session,
  [a, b]: readonly [Predictions, Predictions],
  pairs: readonly LevelPair[],
): Promise<number> {
  const about = `${a.address} and ${b.address}`
  const [product] = pairs
  const largest = (side: string, { columns }: PredictedLevel): string =>
    `greatest(${columns.map((name) => `${side}.${name}`).join(', ')})`
  const columns = pairs.flatMap((pair, n) => [
    `${winnerSql('a', pair.a)} AS a${n}`,
    `${winnerSql('b', pair.b)} AS b${n}`,
  ])
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${joinedTable} AS
     SELECT a.oid AS oid, ${columns.join(', ')}, ${largest('a', product!.a)} AS pa, ${largest('b', product!.b)} AS pb,
       ${distanceSql(product!)} AS distance
     FROM ${sqlName(a.table)} a JOIN ${sqlName(b.table)} b USING (oid)`,
    about,
  )
  return session.count(`SELECT count(*) FROM ${joinedTable}`, about)
}

/** Half the sum of differences over the classes of either side. */
function distanceSql({ a, b }: LevelPair): string {
  const terms = [...new Set([...a.classes, ...b.classes])].map((name) => {
    const before = a.classes.indexOf(name)
    const after = b.classes.indexOf(name)
    return `abs(${before < 0 ? '0' : `a.${a.columns[before]!}`} - ${after < 0 ? '0' : `b.${b.columns[after]!}`})`
  })
  return `0.5 * (${terms.join(' + ')})`
}

/** The SQL of the oids of one side that the other lacks. */
export function onlyInSql(side: Predictions, other: Predictions): string {
  return `SELECT oid FROM ${sqlName(side.table)} ANTI JOIN ${sqlName(other.table)} USING (oid)`
}

/** Objects of one side that the other lacks; `first`, by oid, are no more than `limit`. */
export async function onlyIn(
  session: Session,
  side: Predictions,
  other: Predictions,
  { common, limit }: { common: number; limit: number },
): Promise<{ objects: number; first: string[] }> {
  const objects = side.objects - common
  if (objects === 0) return { objects, first: [] }
  const rows = await session.rows(`${onlyInSql(side, other)} ORDER BY oid LIMIT ${limit}`, side.address)
  return { objects, first: rows.map(([oid]) => String(oid)) }
}
