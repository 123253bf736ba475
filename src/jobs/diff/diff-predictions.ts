// Two results of the same or of other models, compared object by object and as populations.
import { DataError } from '../../errors.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import type { DiffReport, DiffSide, LevelDiff, MovedObject, Movement } from './diff-report.ts'
import { joinedTable, joinSides, onlyIn, type LevelPair } from './joined-sides.ts'
import { diffLevel } from './level-diff.ts'

/** How much to tell: objects of each ranking, and of those that one side only has. */
interface DiffOptions {
  readonly shownObjects: number
}

/** The report but for what was asked of it. */
type DiffFindings = Omit<DiffReport, 'limit'>

const histogramBins = 20

/**
 * Compares. The sides may come from anywhere: what is needed of each is a table in the session.
 *
 * @throws DataError where no object is on both sides, or the models have no classifier in common
 */
export async function diffPredictions(
  session: Session,
  sides: readonly [Predictions, Predictions],
  { shownObjects }: DiffOptions,
): Promise<DiffFindings> {
  const [a, b] = sides
  const pairs = pairsOf(a, b)
  const common = await joinSides(session, sides, pairs)
  if (common === 0) {
    throw new DataError(`${a.address} and ${b.address} have no object in common`, {
      hint: 'Objects are matched by oid.',
    })
  }
  const levels: LevelDiff[] = []
  for (let index = 0; index < pairs.length; index++) levels.push(await diffLevel({ session, sides, pairs }, index))
  const [product] = levels
  const names = pairs.map((pair) => pair.a.classifierName)
  const others = ({ levels: all }: Predictions): string[] =>
    all.map(({ classifierName }) => classifierName).filter((name) => !names.includes(name))
  return {
    schemaVersion: 1,
    command: 'diff',
    a: { ...(await sideOf(session, a, b, { common, limit: shownObjects })), ties: product!.ties_a },
    b: { ...(await sideOf(session, b, a, { common, limit: shownObjects })), ties: product!.ties_b },
    common,
    changed: product!.changed,
    changed_share: product!.changed / common,
    changed_without_moving: await session.count(
      `SELECT count(*) FROM ${joinedTable} WHERE distance = 0 AND ${changedSql(pairs[0]!)}`,
      'the comparison',
    ),
    movement: await movementOf(session, common),
    levels,
    levels_only_in_a: others(a),
    levels_only_in_b: others(b),
    changed_objects: await ranked(session, pairs[0]!, { only: changedSql(pairs[0]!), limit: shownObjects }),
    most_moved: await ranked(session, pairs[0]!, { only: 'true', limit: shownObjects }),
  }
}

function pairsOf(a: Predictions, b: Predictions): LevelPair[] {
  const pairs = a.levels.flatMap((level) => {
    const other = b.levels.find(({ classifierName }) => classifierName === level.classifierName)
    return other ? [{ a: level, b: other }] : []
  })
  if (pairs[0]?.a !== a.levels[0]) {
    throw new DataError(`${a.address} and ${b.address} have no classifier in common`, {
      hint: 'Both must be results of one survey’s classifier.',
    })
  }
  return pairs
}

async function sideOf(
  session: Session,
  side: Predictions,
  other: Predictions,
  counts: { common: number; limit: number },
): Promise<Omit<DiffSide, 'ties'>> {
  const { address, classifierVersion, objects, duplicates, assumedOrder } = side
  const only = await onlyIn(session, side, other, counts)
  return {
    address,
    classifier_version: classifierVersion,
    objects,
    duplicates,
    tie_order_known: assumedOrder === null,
    tie_order_assumed: assumedOrder,
    only_here: only,
  }
}

async function movementOf(session: Session, common: number): Promise<Movement> {
  // in an order of their own, distances have the same sum wherever they come from
  const [row] = await session.rows(
    `SELECT avg(distance ORDER BY distance), quantile_cont(distance, 0.5), quantile_cont(distance, 0.95), quantile_cont(distance, 0.99),
       max(distance) FROM ${joinedTable}`,
    'the comparison',
  )
  const [mean, median, p95, p99, max] = row!.map(Number)
  const counted = await session.rows(
    `SELECT least(${histogramBins - 1}, greatest(0, CAST(ceil(distance * ${histogramBins}) AS INTEGER) - 1)) AS bin, count(*)
     FROM ${joinedTable} GROUP BY 1`,
    `the comparison of ${common} objects`,
  )
  const counts = new Map(counted.map(([bin, count]) => [Number(bin), Number(count)]))
  const histogram = Array.from({ length: histogramBins }, (_, bin) => ({
    from: bin / histogramBins,
    to: (bin + 1) / histogramBins,
    objects: counts.get(bin) ?? 0,
  }))
  return { mean: mean!, median: median!, p95: p95!, p99: p99!, max: max!, histogram }
}

/** Whether an object's leaf class is another one: places are of different lists. */
function changedSql({ a, b }: LevelPair): string {
  const same = a.classes.flatMap((name, i) => {
    const place = b.classes.indexOf(name)
    return place < 0 ? [] : [`(a0 = ${i} AND b0 = ${place})`]
  })
  return same.length === 0 ? 'true' : `NOT (${same.join(' OR ')})`
}

async function ranked(
  session: Session,
  { a, b }: LevelPair,
  { only, limit }: { only: string; limit: number },
): Promise<MovedObject[]> {
  const rows = await session.rows(
    `SELECT oid, a0, pa, b0, pb, distance FROM ${joinedTable} WHERE ${only} ORDER BY distance DESC, oid LIMIT ${limit}`,
    'the comparison',
  )
  return rows.map(([oid, from, before, to, after, distance]) => ({
    oid: String(oid),
    class_a: a.classes[Number(from)]!,
    probability_a: Number(before),
    class_b: b.classes[Number(to)]!,
    probability_b: Number(after),
    distance: Number(distance),
  }))
}
