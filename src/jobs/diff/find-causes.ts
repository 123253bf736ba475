// Why objects changed class: the fewest families of features whose old values give each its old class back.
import type { FeatureFamily } from '../../model/profile/feature-families.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { answerRows, leadOf, winnerOf } from './answer-rows.ts'
import { changedFamilies } from './family-changes.ts'

/** An object whose class is another one, with both of its rows as the model reads them. */
export interface ChangedObject {
  readonly before: FeatureMatrix
  readonly after: FeatureMatrix
  readonly classBefore: string
}

/** Why an object changed class. */
export interface Cause {
  /**
   * `features`: the old values of `families` restore the old class; `several`: only those of more than eight families
   * do, which are all that differ; `model`: not even all old values restore it
   */
  readonly kind: 'features' | 'several' | 'model'
  /** places in the model's families, ascending */
  readonly families: readonly number[]
  /** how many other sets of as many families would do too */
  readonly alternatives: number
  /** more than eight families differ, and not all sets of so many were tried */
  readonly isApproximate: boolean
}

/** of so many families all sets are tried */
export const mostFamilies = 8
/** 250 objects with 70 sets each, the most of one size, are 18,000 rows */
const objectsAtOnce = 250

/** What is tried for one object. */
interface Search {
  readonly object: ChangedObject
  /** place of the old class among the model's */
  readonly place: number
  readonly differing: readonly number[]
  /** of which sets of two and more are made */
  pool: readonly number[]
  cause: Cause | undefined
}

/** A set of families. */
interface Trial {
  readonly search: Search
  readonly families: readonly number[]
}

/** What its old values in the new row do. */
interface Restored extends Trial {
  /** by how much the old class leads */
  readonly lead: number
  readonly isOld: boolean
}

/**
 * Finds the cause of each: of all sets of families the smallest whose old values restore the old class. Of several as small
 * the one that matters most: its old values in the new row help the old class, and its new values in the old row harm it;
 * what both make of the lead of the old class is added up. Of equals, the first in the order of the families.
 *
 * @param classifier the new model, where there are two
 */
export async function findCauses(
  objects: readonly ChangedObject[],
  classifier: Classifier,
  families: readonly FeatureFamily[],
): Promise<Cause[]> {
  const causes: Cause[] = []
  for (let from = 0; from < objects.length; from += objectsAtOnce) {
    const searches = objects.slice(from, from + objectsAtOnce).map((object) => searchOf(object, classifier, families))
    await askForAll(searches, classifier)
    for (let size = 1; searches.some(({ cause }) => !cause); size++) {
      await tryRound(
        searches.filter(({ cause }) => !cause),
        { size, classifier, families },
      )
    }
    causes.push(...searches.map(({ cause }) => cause!))
  }
  return causes
}

function searchOf(object: ChangedObject, { taxonomy }: Classifier, families: readonly FeatureFamily[]): Search {
  const place = taxonomy.levels[0]!.classes.indexOf(object.classBefore)
  const differing = changedFamilies(families, object.before, object.after)
  return { object, place, differing, pool: differing, cause: undefined }
}

/** Whether all old values restore the old class: if not, it is the model that changed. */
async function askForAll(searches: readonly Search[], classifier: Classifier): Promise<void> {
  const answers = await answerRows(
    classifier,
    searches.map(({ object }) => object.before),
  )
  searches.forEach((search, i) => {
    const answer = answers[i]
    if (search.differing.length > 0 && answer && winnerOf(answer) === search.place) return
    search.cause = { kind: 'model', families: [], alternatives: 0, isApproximate: false }
  })
}

interface Round {
  readonly size: number
  readonly classifier: Classifier
  readonly families: readonly FeatureFamily[]
}

/** Tries all sets of one size for each object that has no cause yet. */
async function tryRound(searches: readonly Search[], round: Round): Promise<void> {
  const trials = searches.flatMap((search) =>
    subsetsOf(search.pool, round.size).map((families): Trial => ({ search, families })),
  )
  const restored = await tryAll(trials, ({ before, after }) => ({ row: after, values: before }), round)
  const restoring = grouped(restored.filter(({ isOld }) => isOld))
  // a single one needs no comparison
  const rivals = [...restoring.values()].filter((own) => own.length > 1).flat()
  const broken = await tryAll(rivals, ({ before, after }) => ({ row: before, values: after }), round)
  const weight = new Map<Trial, number>(rivals.map((trial, i) => [trial, trial.lead - broken[i]!.lead]))
  for (const [search, own] of restoring) {
    const best = own.reduce((most, one) => (weight.get(one)! > weight.get(most)! ? one : most))
    const isApproximate = search.differing.length > mostFamilies && round.size > 1
    search.cause = { kind: 'features', families: best.families, alternatives: own.length - 1, isApproximate }
  }
  for (const [search, own] of grouped(restored)) if (!search.cause) goOn(search, own, round.size)
}

/** Puts values of some families into a row, for each trial, and asks the model. */
async function tryAll(
  trials: readonly Trial[],
  parts: (object: ChangedObject) => { readonly row: FeatureMatrix; readonly values: FeatureMatrix },
  { classifier, families }: Round,
): Promise<Restored[]> {
  const rows = trials.map(({ search: { object }, families: chosen }) => {
    const { row, values } = parts(object)
    const mixed = row.slice()
    for (const family of chosen) for (const feature of families[family]!.features) mixed[feature] = values[feature]!
    return mixed
  })
  const answers = await answerRows(classifier, rows)
  return trials.map((trial, i) => {
    const answer = answers[i]
    const { place } = trial.search
    return { ...trial, lead: answer ? leadOf(answer, place) : -1, isOld: !!answer && winnerOf(answer) === place }
  })
}

function grouped(trials: readonly Restored[]): Map<Search, Restored[]> {
  const groups = new Map<Search, Restored[]>()
  for (const trial of trials) {
    const own = groups.get(trial.search)
    if (own) own.push(trial)
    else groups.set(trial.search, [trial])
  }
  return groups
}

/** No set of this size restores the old class: larger ones are tried, of eight families at most, or there are none. */
function goOn(search: Search, tried: readonly Restored[], size: number): void {
  if (size === 1 && search.differing.length > mostFamilies) {
    // a stable sort: of equals the first stays first
    const byLead = [...tried].sort((a, b) => b.lead - a.lead)
    const chosen = byLead.slice(0, mostFamilies).map(({ families }) => families[0]!)
    search.pool = chosen.sort((a, b) => a - b)
  }
  if (size < search.pool.length) return
  search.cause = { kind: 'several', families: search.differing, alternatives: 0, isApproximate: true }
}

/** All sets of `size` of the items, in the items' order: the first differ in their last item. */
export function subsetsOf<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) => subsetsOf(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]))
}
