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

function listed(side: string, { columns }: PredictedLevel): string {
  return columns.map((name) => `${side}.${name}`).join(', ')
}

/** The SQL of the place of a level's class, from 0: the first of the largest, in taxonomy order. */
export function winnerSql(side: string, level: PredictedLevel): string {
  const names = listed(side, level)
  return `CAST(list_position([${names}], greatest(${names})) - 1 AS USMALLINT)`
}

/** The SQL of whether several classes have the largest probability. */
export function isTieSql(side: string, level: PredictedLevel): string {
  const largest = `greatest(${listed(side, level)})`
  return `${level.columns.map((name) => `CAST(${side}.${name} = ${largest} AS INTEGER)`).join(' + ')} > 1`
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
  const product = pairs[0]!
  const columns = pairs.flatMap((pair, n) => [
    `${winnerSql('a', pair.a)} AS a${n}`,
    `${winnerSql('b', pair.b)} AS b${n}`,
  ])
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${joinedTable} AS
     SELECT a.oid AS oid, ${columns.join(', ')}, greatest(${listed('a', product.a)}) AS pa,
       greatest(${listed('b', product.b)}) AS pb,
       ${distanceSql(product)} AS distance
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
