// Both sides joined, and one level of them: who changed class, and how each class's probabilities shifted.
import { sqlName } from '../../connectors/files/duckdb.ts'
import type { PredictedLevel, Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'

/** A level that both sides have. */
export interface LevelPair {
  readonly a: PredictedLevel
  readonly b: PredictedLevel
}

/** The joined table, narrow and made by one pass over both sides: `oid`, for level n of the pairs `a<n>` and `b<n>` (places of classes), and below. */
export const joinedTable = 'moved'

function listed(side: string, { columns }: PredictedLevel): string {
  return columns.map((name) => `${side}.${name}`).join(', ')
}

/** The SQL of the place of a level's class, from 0: the first of the largest, in taxonomy order. */
function winnerSql(side: string, level: PredictedLevel): string {
  const names = listed(side, level)
  return `CAST(list_position([${names}], greatest(${names})) - 1 AS USMALLINT)`
}

/** The SQL of whether several classes have the largest probability. */
function isTieSql(side: string, level: PredictedLevel): string {
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

// One level of both sides.

interface DiffContext {
  readonly session: Session
  readonly sides: readonly [Predictions, Predictions]
  readonly pairs: readonly LevelPair[]
}

export type LevelDiff = Awaited<ReturnType<typeof diffLevel>>

/** How one class differs between all objects of A and all objects of B. */
export type ClassShift = Awaited<ReturnType<typeof shiftOf>>

/** @param index place of the level in `pairs` */
export async function diffLevel(context: DiffContext, index: number) {
  const { a, b } = context.pairs[index]!
  const counts = await transitionsOf(context, index)
  const objects = counts.flat().reduce((sum, count) => sum + count, 0)
  const kept = counts.reduce((sum, row, i) => sum + (row[b.classes.indexOf(a.classes[i]!)] ?? 0), 0)
  const shares = [await sharesOf(context, a, 0), await sharesOf(context, b, 1)] as const
  const classes: ClassShift[] = []
  // one class at a time: its values of both sides are what memory holds
  for (const name of new Set([...a.classes, ...b.classes])) classes.push(await shiftOf(context, { a, b }, name, shares))
  return {
    classifier_name: a.classifierName,
    /** a branch counts the objects whose top class it is: on both sides for transitions, on each side for shifts */
    branch: a.branch,
    /** objects that both sides have */
    objects,
    changed: objects - kept,
    /** null where there are no objects */
    changed_share: objects === 0 ? null : (objects - kept) / objects,
    /** objects of each side whose largest probability two classes have */
    ties_a: shares[0].ties,
    ties_b: shares[1].ties,
    /** `counts[i][j]`: objects of class i in A and class j in B */
    transitions: { classes_a: a.classes, classes_b: b.classes, counts },
    classes,
    /** population stability index of the class shares */
    share_psi: populationStability(
      classes.flatMap(({ share_a, share_b }) => (share_a === null || share_b === null ? [] : [{ share_a, share_b }])),
    ),
  }
}

async function transitionsOf({ session, pairs }: DiffContext, index: number): Promise<number[][]> {
  const { a, b } = pairs[index]!
  const top = pairs.findIndex((pair, i) => i > 0 && pair.a.branch === null)
  const isOfBranch =
    a.branch === null || top < 0
      ? 'true'
      : `a${top} = ${pairs[top]!.a.classes.indexOf(a.branch)} AND b${top} = ${pairs[top]!.b.classes.indexOf(a.branch)}`
  const rows = await session.rows(
    `SELECT a${index}, b${index}, count(*) FROM ${joinedTable} WHERE ${isOfBranch} GROUP BY 1, 2`,
    a.classifierName,
  )
  const counts = a.classes.map(() => new Array<number>(b.classes.length).fill(0))
  for (const [from, to, count] of rows) counts[Number(from)]![Number(to)] = Number(count)
  return counts
}

/** Which objects of a side a level is about: all, or those whose top class is its branch. */
function objectsOf({ sides }: DiffContext, level: PredictedLevel, side: 0 | 1): string {
  const { table, levels } = sides[side]
  const top = levels.find((one, i) => i > 0 && one.branch === null)
  const from = `${sqlName(table)} s`
  if (level.branch === null || !top) return from
  return `${from} WHERE ${winnerSql('s', top)} = ${top.classes.indexOf(level.branch)}`
}

type Shares = Awaited<ReturnType<typeof sharesOf>>

async function sharesOf(context: DiffContext, level: PredictedLevel, side: 0 | 1) {
  const rows = await context.session.rows(
    `SELECT ${winnerSql('s', level)} AS winner, count(*), count(*) FILTER (${isTieSql('s', level)}) FROM ${objectsOf(context, level, side)} GROUP BY 1`,
    context.sides[side].address,
  )
  const sumOf = (column: number): number => rows.reduce((sum, row) => sum + Number(row[column]), 0)
  return {
    objects: sumOf(1),
    ties: sumOf(2),
    /** class → objects that have it */
    counts: new Map(rows.map(([place, count]) => [level.classes[Number(place)]!, Number(count)])),
  }
}

async function shiftOf(context: DiffContext, pair: LevelPair, name: string, shares: readonly [Shares, Shares]) {
  const a = await sortedValues(context, pair.a, { name, side: 0, objects: shares[0].objects })
  const b = await sortedValues(context, pair.b, { name, side: 1, objects: shares[1].objects })
  const bins = decileBins(a, b)
  const share = ({ objects, counts }: Shares): number | null =>
    objects === 0 ? null : (counts.get(name) ?? 0) / objects
  return {
    class: name,
    /** share of the objects whose largest probability is this class's; null where a side has no objects */
    share_a: share(shares[0]),
    share_b: share(shares[1]),
    mean_probability_a: meanOf(a),
    mean_probability_b: meanOf(b),
    /** Kolmogorov–Smirnov statistic of the class's probability: 0 the same distribution, 1 nothing in common */
    ks: kolmogorovSmirnov(a, b),
    /** population stability index of the class's probability, over the deciles of A */
    psi: populationStability(bins),
    bins,
  }
}

/** A class's probabilities on one side, in rising order; zeros where the side does not know the class. */
async function sortedValues(
  context: DiffContext,
  level: PredictedLevel,
  { name, side, objects }: { name: string; side: 0 | 1; objects: number },
): Promise<Float64Array> {
  const values = new Float64Array(objects)
  const place = level.classes.indexOf(name)
  if (place < 0) return values
  const sql = `SELECT s.${level.columns[place]!} FROM ${objectsOf(context, level, side)}`
  let at = 0
  for await (const chunk of context.session.chunks(sql, context.sides[side].address, objects)) {
    values.set(chunk.doubles(0), at)
    at += chunk.rowCount
  }
  return values.sort()
}

function meanOf(values: Float64Array): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

// How far two samples of one number lie apart.

/** shares below it count as this: an empty bin would make the index infinite */
const leastShare = 1e-4

/**
 * The two-sample Kolmogorov–Smirnov statistic (scipy: `ks_2samp`): the largest difference of the distribution functions.
 *
 * @param a, b in rising order
 * @returns null where a sample is empty
 */
export function kolmogorovSmirnov(a: Float64Array, b: Float64Array): number | null {
  if (a.length === 0 || b.length === 0) return null
  let [i, j, largest] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i]!, b[j]!)
    while (i < a.length && a[i] === value) i++
    while (j < b.length && b[j] === value) j++
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length))
  }
  return largest
}

/**
 * Shares of both samples between the deciles of the first; an interval is open to the left. Probabilities have many equal
 * values (zeros above all), so deciles that coincide make one bin.
 *
 * @param a, b in rising order, between 0 and 1
 */
export function decileBins(
  a: Float64Array,
  b: Float64Array,
): { from: number; to: number; share_a: number; share_b: number }[] {
  if (a.length === 0 || b.length === 0) return []
  const inner = Array.from({ length: 9 }, (_, i) => a[Math.ceil(((i + 1) * a.length) / 10) - 1]!)
  const edges = [...new Set(inner)].filter((edge) => edge < 1)
  const bounds = [...edges, 1]
  return bounds.map((to, i) => {
    const from = bounds[i - 1] ?? 0
    const share = (sample: Float64Array): number => {
      const start = i === 0 ? 0 : countUpTo(sample, from)
      const end = i === bounds.length - 1 ? sample.length : countUpTo(sample, to)
      return (end - start) / sample.length
    }
    return { from, to, share_a: share(a), share_b: share(b) }
  })
}

/**
 * The population stability index Σ (b − a) ln(b / a), shares below 0.0001 taken as that. The usual reading: below 0.1
 * nothing to see, above 0.25 another population.
 *
 * @returns null where there are no shares
 */
export function populationStability(
  shares: readonly { readonly share_a: number; readonly share_b: number }[],
): number | null {
  if (shares.length === 0) return null
  return shares.reduce((sum, { share_a: before, share_b: after }) => {
    const [from, to] = [Math.max(before, leastShare), Math.max(after, leastShare)]
    return sum + (to - from) * Math.log(to / from)
  }, 0)
}

/** How many values are at most `bound`. */
function countUpTo(sorted: Float64Array, bound: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= bound) low = middle + 1
    else high = middle
  }
  return low
}
