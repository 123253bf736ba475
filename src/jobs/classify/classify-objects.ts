// Objects of a program's own → their classes, without files.
import { DataError } from '../../errors.ts'
import { type ClassifiedBatch, type FeatureBatch, firstMaximum } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { createMatrix, preprocess, whyRejected } from '../../pipeline/preprocess.ts'
import { readCandid, readOid, whyNoCandid } from '../../pipeline/row-ids.ts'

/** An object and its features: under `features`, or beside its ids as in a flat row. */
export interface ObjectToClassify {
  readonly oid: string | number | bigint
  /** int64 */
  readonly candid?: string | number | bigint | null | undefined
  /** null, undefined and NaN are missing, as in files */
  readonly features?: Readonly<Record<string, number | null | undefined>> | undefined
  /** of a flat row, whose other columns are ignored */
  readonly [column: string]: unknown
}

/** The answer for one object. */
export interface ClassifiedObject {
  readonly oid: string
  /** decimal digits; only if the object has one */
  readonly candid?: string
  /** the most probable leaf class; the first of equals, in the model's order */
  readonly class: string
  /** of that class, 0 to 1 */
  readonly probability: number
  /** of every leaf class, in the model's order; float64, equal to scikit-learn's in every bit */
  readonly probabilities: Readonly<Record<string, number>>
  /** the probabilities of the levels by themselves: `top`, and one for each branch; empty for a model of one level */
  readonly levels: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** objects in one batch: as `lcclf classify` has by default */
const batchSize = 1000

/**
 * Classifies objects and answers in their order, one answer each.
 *
 * @example
 * const model = await openModel()
 * const unmeasured = Object.fromEntries(model.features.map((feature) => [feature, null]))
 * const [first] = await classifyObjects(model, [{ oid: 'ZTF18aaaaaaa', features: { ...unmeasured, 'W1-W2': 0.4 } }])
 * console.log(first.class, first.probability, first.levels.top)
 *
 * @param model from `openModel`
 * @param objects `{ oid, candid?, features: { name: number | null } }`, or flat records. Each must name all of the
 *   model's features; others are ignored
 * @throws DataError for an object that lacks an oid or the name of a feature, a value that is no number, or one that the
 *   model's float32 cannot hold: it names the object and the feature
 */
export async function classifyObjects(
  model: Classifier,
  objects: readonly ObjectToClassify[],
): Promise<ClassifiedObject[]> {
  const answers: ClassifiedObject[] = []
  for (let from = 0; from < objects.length; from += batchSize) {
    const classified = await model.classify(batchOf(model, objects.slice(from, from + batchSize), from))
    const lost = classified.unanswered?.[0]
    if (lost) throw new DataError(`object ${lost.oid}: ${lost.reason}`)
    for (let row = 0; row < classified.rowCount; row++) answers.push(answerOf(classified, row))
  }
  return answers
}

function batchOf(
  { features, preprocessing }: Classifier,
  objects: readonly ObjectToClassify[],
  from: number,
): FeatureBatch {
  const matrix = createMatrix(objects.length * features.length, preprocessing)
  const oids: string[] = []
  const candids: (bigint | null)[] = []
  objects.forEach((object, row) => {
    const { oid, candid } = idsOf(object, from + row)
    oids.push(oid)
    candids.push(candid)
    const values: Readonly<Record<string, unknown>> = object.features ?? object
    features.forEach((feature, f) => {
      if (!Object.hasOwn(values, feature)) throw missingFeature(oid, feature)
      const value = values[feature] ?? NaN
      if (typeof value !== 'number') throw new DataError(`object ${oid}: ${feature} is not a number`)
      const prepared = preprocess(value, preprocessing)
      const why = whyRejected(value, prepared, preprocessing)
      if (why !== undefined) throw new DataError(`object ${oid}: ${feature} ${why}`)
      matrix[row * features.length + f] = prepared
    })
  })
  return { rowCount: objects.length, oids, candids, matrix }
}

function missingFeature(oid: string, feature: string): DataError {
  return new DataError(`object ${oid}: ${feature} is missing`, {
    hint: 'Name every feature of the model (model.features), with null where it was not measured.',
  })
}

function idsOf(object: ObjectToClassify, place: number): { readonly oid: string; readonly candid: bigint | null } {
  const reading = readOid(object.oid, 'string')
  if ('reason' in reading) throw new DataError(`object ${reading.oid ?? `at index ${place}`}: ${reading.reason}`)
  const candid = readCandid(object.candid)
  if (candid === undefined) throw new DataError(`object ${reading.oid}: ${whyNoCandid(object.candid)}`)
  return { oid: reading.oid, candid }
}

function answerOf({ taxonomy, probabilities, oids, candids }: ClassifiedBatch, row: number): ClassifiedObject {
  const [product, ...levels] = taxonomy.levels.map(({ prefix, classes }, level) => {
    const start = row * classes.length
    const own = probabilities[level]!
    return { prefix, best: classes[firstMaximum(own, start, classes.length)]!, shares: sharesOf(classes, own, start) }
  })
  const candid = candids[row]
  return {
    oid: oids[row]!,
    ...(candid === null || candid === undefined ? {} : { candid: String(candid) }),
    class: product!.best,
    probability: product!.shares[product!.best]!,
    probabilities: product!.shares,
    levels: Object.fromEntries(levels.map(({ prefix, shares }) => [prefix, shares])),
  }
}

function sharesOf(classes: readonly string[], values: Float64Array, start: number): Record<string, number> {
  return Object.fromEntries(classes.map((name, i) => [name, values[start + i]!]))
}
