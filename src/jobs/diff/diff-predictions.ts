// Two results of the same or of other models, compared object by object and as populations.
import { DataError } from '../../errors.ts'
import { numberedIdsHint, type Predictions } from '../predictions/predictions.ts'
import type { CalibratedSides } from './calibrated-side.ts'
import type { Session } from '../predictions/session.ts'
import type { WhyReport } from './explain-changes.ts'
import { diffLevel, joinedTable, joinSides, type LevelDiff, type LevelPair, onlyInSql } from './level-diff.ts'

/** Every number of the tables and figures of `lcclf diff`, in one object that is also its JSON. */
export type DiffReport = Awaited<ReturnType<typeof diffPredictions>> & {
  /** `--why`; null where nobody asked */
  readonly why: WhyReport | null
  /** `--fail-if-changed`; null where it was not given */
  readonly limit: { readonly text: string; readonly exceeded: boolean } | null
  /** `--calibrated`; null where both sides are as the survey has them */
  readonly calibrated: CalibratedSides | null
}

export type DiffSide = DiffReport['a']

export type MovedObject = DiffReport['most_moved'][number]

export type Movement = DiffReport['movement']

const histogramBins = 20
const about = 'the comparison'

/**
 * Compares. The sides may come from anywhere: what is needed of each is a table in the session. Classes of one side only
 * have probability 0 on the other.
 *
 * @param limit objects of each ranking, and of those that one side only has
 * @throws DataError where no object is on both sides, or the models have no classifier in common
 */
export async function diffPredictions(session: Session, sides: readonly [Predictions, Predictions], limit: number) {
  const [a, b] = sides
  const pairs = pairsOf(a, b)
  const common = await joinSides(session, sides, pairs)
  if (common === 0) {
    throw new DataError(`${a.address} and ${b.address} have no object in common`, {
      hint: `Objects are matched by oid. ${numberedIdsHint(a.address, b.address)}`.trim(),
    })
  }
  const levels: LevelDiff[] = []
  for (let index = 0; index < pairs.length; index++) levels.push(await diffLevel({ session, sides, pairs }, index))
  const product = levels[0]!
  const changed = changedSql(pairs[0]!)
  const others = (side: 'a' | 'b'): string[] => {
    const paired = new Set(pairs.map((pair) => pair[side]))
    return sides[side === 'a' ? 0 : 1].levels.flatMap((level) => (paired.has(level) ? [] : [level.classifierName]))
  }
  const unmoved = `SELECT count(*) FROM ${joinedTable} WHERE distance = 0 AND ${changed}`
  return {
    schemaVersion: 1 as const,
    command: 'diff' as const,
    a: await sideOf(session, [a, b], { common, limit, ties: product.ties_a }),
    b: await sideOf(session, [b, a], { common, limit, ties: product.ties_b }),
    /** objects of both sides */
    common,
    /** of those, objects whose leaf class is another one */
    changed: product.changed,
    changed_share: product.changed / common,
    /** of the changed, objects whose probabilities are all the same: the order of classes alone differs */
    changed_without_moving: await session.count(unmoved, about),
    movement: await movementOf(session),
    levels,
    /** classifiers that only one side has */
    levels_only_in_a: others('a'),
    levels_only_in_b: others('b'),
    /** objects whose class changed, the farthest moved first */
    changed_objects: await ranked(session, pairs[0]!, { only: changed, limit }),
    /** the farthest moved, whether or not the class changed */
    most_moved: await ranked(session, pairs[0]!, { only: 'true', limit }),
  }
}

/**
 * The levels of both sides: the products, the tops, and branches of one name. The survey's models have names that begin
 * alike (lc_classifier, lc_classifier_BHRF_forced_phot), and columns do not tell which it was.
 */
export function pairsOf(a: Predictions, b: Predictions): LevelPair[] {
  const [nameA = '', nameB = ''] = [a, b].map(({ levels }) => levels[0]?.classifierName)
  const areAlike = nameA === nameB || nameA.startsWith(`${nameB}_`) || nameB.startsWith(`${nameA}_`)
  if (!areAlike) {
    throw new DataError(`${a.address} and ${b.address} have no classifier in common`, {
      hint: 'Both must be results of the same survey’s classifier.',
    })
  }
  return a.levels.flatMap((level) => {
    const other = b.levels.find(
      ({ classifierName }) => classifierName.slice(nameB.length) === level.classifierName.slice(nameA.length),
    )
    return other ? [{ a: level, b: other }] : []
  })
}

async function sideOf(
  session: Session,
  [side, other]: readonly [Predictions, Predictions],
  { common, limit, ties }: { common: number; limit: number; ties: number },
) {
  const { address, classifierVersion, objects, duplicates, assumedOrder } = side
  const only = objects - common
  const first = only === 0 ? [] : await session.rows(`${onlyInSql(side, other)} ORDER BY oid LIMIT ${limit}`, address)
  return {
    address,
    classifier_version: classifierVersion,
    objects,
    /** rows of an object that came again; the newest counts */
    duplicates,
    /** whether the order of classes, which decides ties, is known to be the model's */
    tie_order_known: assumedOrder === null,
    /** what decided where it is not: “the order of MODEL”, “the alphabet”, or both, for different levels */
    tie_order_assumed: assumedOrder,
    /** objects that the other side does not have, with the first of them by oid, as many as --top */
    only_here: { objects: only, first: first.map(([oid]) => String(oid)) },
    /** objects whose largest probability two leaf classes have; the first in the order of the classes is taken */
    ties,
  }
}

async function movementOf(session: Session) {
  // in an order of their own, distances have the same sum wherever they come from
  const [row] = await session.rows(
    `SELECT avg(distance ORDER BY distance), quantile_cont(distance, 0.5), quantile_cont(distance, 0.95), quantile_cont(distance, 0.99),
       max(distance) FROM ${joinedTable}`,
    about,
  )
  const [mean, median, p95, p99, max] = row!.map(Number) as [number, number, number, number, number]
  const counted = await session.rows(
    `SELECT least(${histogramBins - 1}, greatest(0, CAST(ceil(distance * ${histogramBins}) AS INTEGER) - 1)) AS bin, count(*)
     FROM ${joinedTable} GROUP BY 1`,
    about,
  )
  const counts = new Map(counted.map(([bin, count]) => [Number(bin), Number(count)]))
  /** objects by distance, in twenty intervals from 0 to 1 */
  const histogram = Array.from({ length: histogramBins }, (_, bin) => ({
    from: bin / histogramBins,
    to: (bin + 1) / histogramBins,
    objects: counts.get(bin) ?? 0,
  }))
  return { mean, median, p95, p99, max, histogram }
}

/** Whether an object's leaf class is another one: places are of different lists. */
export function changedSql({ a, b }: LevelPair): string {
  const same = a.classes.flatMap((name, i) => {
    const place = b.classes.indexOf(name)
    return place < 0 ? [] : [`(a0 = ${i} AND b0 = ${place})`]
  })
  return same.length === 0 ? 'true' : `NOT (${same.join(' OR ')})`
}

async function ranked(session: Session, { a, b }: LevelPair, { only, limit }: { only: string; limit: number }) {
  const rows = await session.rows(
    `SELECT oid, a0, pa, b0, pb, distance FROM ${joinedTable} WHERE ${only} ORDER BY distance DESC, oid LIMIT ${limit}`,
    about,
  )
  return rows.map(([oid, from, before, to, after, distance]) => ({
    oid: String(oid),
    class_a: a.classes[Number(from)]!,
    probability_a: Number(before),
    class_b: b.classes[Number(to)]!,
    probability_b: Number(after),
    /** ½ Σ |difference| over the leaf classes: 0 nothing moved, 1 everything did (total variation) */
    distance: Number(distance),
  }))
}
