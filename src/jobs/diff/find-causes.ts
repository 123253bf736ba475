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

/** A set of families, and by how much the old class leads with their old values. */
interface Trial {
  readonly search: Search
  readonly families: readonly number[]
}

/**
 * Finds the cause of each: of all sets of families the smallest whose old values restore the old class; of several as
 * small the one after which the old class leads by most, of equals the first in the order of the families.
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
async function tryRound(searches: readonly Search[], { size, classifier, families }: Round): Promise<void> {
  const trials = searches.flatMap((search) =>
    subsetsOf(search.pool, size).map((chosen): Trial => ({ search, families: chosen })),
  )
  const answers = await answerRows(
    classifier,
    trials.map(({ search: { object }, families: chosen }) => restored(object, chosen, families)),
  )
  const tried = new Map<Search, { families: readonly number[]; lead: number; isOld: boolean }[]>()
  trials.forEach(({ search, families: chosen }, i) => {
    const answer = answers[i]
    const lead = answer ? leadOf(answer, search.place) : -Infinity
    const isOld = answer !== undefined && winnerOf(answer) === search.place
    const own = tried.get(search) ?? []
    own.push({ families: chosen, lead, isOld })
    tried.set(search, own)
  })
  for (const [search, own] of tried) decide(search, own, size)
}

function decide(
  search: Search,
  tried: readonly { readonly families: readonly number[]; readonly lead: number; readonly isOld: boolean }[],
  size: number,
): void {
  // a stable sort: of equals the first stays first
  const byLead = [...tried].sort((a, b) => b.lead - a.lead)
  const restoring = byLead.filter(({ isOld }) => isOld)
  const isMany = search.differing.length > mostFamilies
  if (restoring.length > 0) {
    const { families } = restoring[0]!
    const isApproximate = isMany && size > 1
    search.cause = { kind: 'features', families, alternatives: restoring.length - 1, isApproximate }
    return
  }
  if (size === 1 && isMany) {
    const chosen = byLead.slice(0, mostFamilies).map(({ families }) => families[0]!)
    search.pool = chosen.sort((a, b) => a - b)
  }
  if (size < search.pool.length) return
  search.cause = { kind: 'several', families: search.differing, alternatives: 0, isApproximate: true }
}

/** The new row with the old values of some families. */
function restored(
  { before, after }: ChangedObject,
  chosen: readonly number[],
  families: readonly FeatureFamily[],
): FeatureMatrix {
  const row = after.slice()
  for (const family of chosen) for (const feature of families[family]!.features) row[feature] = before[feature]!
  return row
}

/** All sets of `size` of the items, in the items' order: the first differ in their last item. */
export function subsetsOf<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) => subsetsOf(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]))
}
