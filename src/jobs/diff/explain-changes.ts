// lcclf diff --why: what made each object change its class. Reads the features of both sides, and asks the model again.
import { DataError } from '../../errors.ts'
import { shownText } from '../../formats/shown-text.ts'
import { familiesOf } from '../../model/profile/feature-families.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { findObjects } from '../explain/find-objects.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { answerRows, leadOf, winnerOf } from './answer-rows.ts'
import { createCauseTable, type CauseTable, nearTie } from './cause-table.ts'
import { type Asked, drawChanged } from './drawn-objects.ts'
import type { Side, SideFeatures } from './features-of-side.ts'
import { changeOf, type FamilyChange } from './family-changes.ts'
import { findCauses } from './find-causes.ts'
import type { LevelPair } from './level-diff.ts'

/** Every number of `--why`, in one object that is also its JSON. */
export type WhyReport = Awaited<ReturnType<typeof explainChanges>>

/** One side: where its features are, and the model that made its results. */
export interface WhySide extends SideFeatures {
  readonly results: Predictions
  readonly classifier: Classifier
}

export interface WhyRequest {
  readonly sides: readonly [WhySide, WhySide]
  readonly pair: LevelPair
  /** the SQL of whether an object of the joined table changed class */
  readonly changed: string
  /** at most so many objects are explained */
  readonly limit: number
  /** so many causes and objects are listed */
  readonly top: number
}

/** features of so many objects are in memory at once: 200 of float32 for each of two sides are 32 MB */
const objectsAtOnce = 20_000

/** An object that was found on both sides, with what both models say. */
interface Explained {
  readonly asked: Asked
  readonly before: Reproduced
  readonly after: Reproduced
  /** the old features as the new model reads them */
  readonly old: Float32Array | Float64Array
}

/** A row that gives what the results say. */
interface Reproduced {
  readonly row: Float32Array | Float64Array
  readonly class: string
  readonly margin: number
}

/**
 * Explains the changed objects, or as many of them as the limit allows, drawn by their ids. A row for each stays in the session's table.
 *
 * @throws DataError where not one object's results are what the model says of its features
 */
export async function explainChanges(session: Session, request: WhyRequest) {
  const { sides, limit, top } = request
  const drawn = await drawChanged(session, request)
  const found = { a: createFindings(), b: createFindings() }
  const table = await createCauseTable(session)
  try {
    for (let from = 0; from < drawn.objects; from += objectsAtOnce) {
      await explainPiece(await drawn.piece(from, objectsAtOnce), { request, found, table })
    }
  } finally {
    await table.close()
  }
  refuseStrangers(sides, found, table.objects)
  const { causes, count } = await table.causes(top)
  const sideOf = ({ side, addresses, classifier }: WhySide) => {
    const { name, version, sha256 } = classifier.identity
    return { features: addresses, model: { name, version, sha256 }, ...found[side].report(top) }
  }
  return {
    /** objects that changed class */
    changed: drawn.changed,
    /** of those, as many as were looked at: `--why-limit` */
    drawn: Math.min(drawn.changed, limit),
    /** of those, objects that have a cause */
    explained: table.objects,
    /** a near tie: the class led by no more than this before */
    near_tie_below: nearTie,
    near_ties: await table.marked('near_tie'),
    /** objects of which not all sets of families were tried, because more than eight differ */
    approximate: await table.marked('approximate'),
    a: sideOf(sides[0]),
    b: sideOf(sides[1]),
    /** how many causes there are; `causes` has as many as `--top`, the most frequent first */
    distinct_causes: count,
    causes,
  }
}

/** What is said of objects that one side cannot explain. */
function createFindings() {
  const absent: string[] = []
  const strange: string[] = []
  let example: string | undefined
  return {
    absent: (oid: string) => void absent.push(oid),
    strange(oid: string, what: string): void {
      example ??= what
      strange.push(oid)
    },
    get example() {
      return example
    },
    get count() {
      return { absent: absent.length, strange: strange.length }
    },
    report: (top: number) => ({
      /** objects that the features do not have, or that were rejected there */
      without_features: { objects: absent.length, first: absent.slice(0, top) },
      /** objects of which the model says something else than the results */
      not_reproduced: { objects: strange.length, first: strange.slice(0, top) },
    }),
  }
}

type Findings = Readonly<Record<Side, ReturnType<typeof createFindings>>>

interface Piece {
  readonly request: WhyRequest
  readonly found: Findings
  readonly table: CauseTable
}

async function explainPiece(asked: readonly Asked[], { request, found, table }: Piece): Promise<void> {
  const [a, b] = request.sides
  const before = await reproduce(a, asked, request.pair.a.classes, found.a)
  const after = await reproduce(b, asked, request.pair.b.classes, found.b)
  const both = asked.filter(({ oid }) => before.has(oid) && after.has(oid))
  const old = readAlike(a.classifier, b.classifier) ? undefined : await featuresFor(a, both, b.classifier)
  const explained = both.flatMap((one): Explained[] => {
    const [from, to] = [before.get(one.oid)!, after.get(one.oid)!]
    const row = old ? old.get(one.oid) : from.row
    if (row) return [{ asked: one, before: from, after: to, old: row }]
    found.a.absent(one.oid)
    return []
  })
  // equal probabilities in another order of classes: the models say the same class
  const moved = explained.filter(({ before: from, after: to }) => from.class !== to.class)
  const families = familiesOf(b.classifier.features)
  const causes = await findCauses(
    moved.map(({ before: from, after: to, old: row }) => ({
      before: row,
      after: to.row,
      classBefore: from.class,
    })),
    b.classifier,
    families,
  )
  const causeOf = new Map(moved.map((one, i) => [one, causes[i]!]))
  for (const one of explained) {
    const { asked: object, before: from, after: to, old: row } = one
    const cause = causeOf.get(one)
    const changes = cause?.families.map((family): FamilyChange => {
      return changeOf(families[family]!, row, to.row, b.classifier.preprocessing)
    })
    await table.add({ ...rowOf(object, from, to), cause, changes: changes ?? [] })
  }
}

function rowOf({ oid, classA, classB }: Asked, { margin: before }: Reproduced, { margin: after }: Reproduced) {
  return { oid, classBefore: classA, classAfter: classB, marginBefore: before, marginAfter: after }
}

/** Whether two models read the same numbers from the same features, in the same order. */
function readAlike(a: Classifier, b: Classifier): boolean {
  const key = ({ features, preprocessing }: Classifier): string => {
    // JSON has no NaN and no infinity
    return JSON.stringify([features, Object.entries(preprocessing).map(([name, value]) => [name, String(value)])])
  }
  return a === b || key(a) === key(b)
}

/** Features of one side, by oid, as a model reads them. */
async function featuresFor(side: WhySide, asked: readonly Asked[], { features, preprocessing }: Classifier) {
  const oids = new Set(asked.map(({ oid }) => oid))
  const { found } = await findObjects(side.inputs, { ...side.reading, features, preprocessing, oids })
  return new Map([...found].map(([oid, { row }]) => [oid, row]))
}

/** Reads one side's features and asks its model: objects whose results are in every bit what it says, by oid. */
async function reproduce(
  side: WhySide,
  asked: readonly Asked[],
  classes: readonly string[],
  findings: Findings[Side],
): Promise<Map<string, Reproduced>> {
  const { classifier } = side
  const rows = await featuresFor(side, asked, classifier)
  const present = asked.filter(({ oid }) => rows.has(oid))
  for (const { oid } of asked) if (!rows.has(oid)) findings.absent(oid)
  const answers = await answerRows(
    classifier,
    present.map(({ oid }) => rows.get(oid)!),
  )
  const names = classifier.taxonomy.levels[0]!.classes
  const places = classes.map((name) => names.indexOf(name))
  const reproduced = new Map<string, Reproduced>()
  present.forEach((one, i) => {
    const answer = answers[i]
    const said = side.side === 'a' ? one.probabilitiesA : one.probabilitiesB
    const odd = answer ? places.findIndex((place, c) => !isSame(answer[place], said[c]!)) : 0
    if (answer && odd < 0 && classes.length === names.length) {
      const place = winnerOf(answer)
      reproduced.set(one.oid, { row: rows.get(one.oid)!, class: names[place]!, margin: leadOf(answer, place) })
      return
    }
    const name = odd < 0 ? undefined : classes[odd]
    findings.strange(one.oid, differenceText(one.oid, name, said[Math.max(0, odd)], name && answer?.[places[odd]!]))
  })
  return reproduced
}

/** Tables of today hold float32. */
function isSame(said: number | undefined, stored: number): boolean {
  return said === stored || (said !== undefined && Math.fround(said) === stored)
}

function differenceText(oid: string, name: string | undefined, stored?: number, said?: number | string): string {
  const object = shownText(oid)
  if (name === undefined) return `${object}: it has other classes`
  return `${object}: ${shownText(name)} is ${stored} in the results and ${said ?? 'nothing'} by the model`
}

/** Nothing can be said at all: then these are not the features, or this is not the model. */
function refuseStrangers(sides: WhyRequest['sides'], found: Findings, explained: number): void {
  if (explained > 0) return
  for (const { side, results, addresses, classifier } of sides) {
    const { absent, strange } = found[side].count
    const where = addresses.length === 1 ? addresses[0]! : `the ${addresses.length} inputs of ${results.address}`
    const { classifierVersion } = classifier.identity
    if (strange > 0) {
      throw new DataError(
        `${results.address}: these results do not belong to these features: ${classifierVersion} says something else of ${where} (${found[side].example})`,
        { hint: `Give the features that the run read with --features-${side}, and its model with --model-${side}.` },
      )
    }
    if (absent > 0) {
      throw new DataError(`${where} has none of the objects of ${results.address} that changed class`, {
        hint: `Ids are compared exactly; --id-column names their column, --features-${side} the features.`,
      })
    }
  }
}
