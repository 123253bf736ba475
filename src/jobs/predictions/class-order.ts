// The order of classes, which decides between equal probabilities, for results that do not record it (long ones).
import { DataError } from '../../errors.ts'
import { shownText } from '../../formats/shown-text.ts'
import { taxonomyOf } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { readKnownModels } from '../../model/store/model-lists.ts'
import { findModel, modelStore, sampleModel } from '../../model/store/model-reference.ts'
import { localModel } from '../models/local-model.ts'
import { shownNumber } from '../../terminal/text-table.ts'
import { alphabet, type NamedLevel, type PredictedLevel, type Predictions } from './predictions.ts'

/** An order of classes that somebody knows. */
interface ClassOrder {
  readonly levels: readonly NamedLevel[]
  /** how messages call it, after “the order of” */
  readonly from: string
  /** whether it is certainly the order of the results in question; else it is a guess, and said to be one */
  readonly isProven: boolean
}

/** what the survey called its 1.1.0 from August 2021 on, in its tables only */
const renamedBySurvey = 'hierarchical_rf_1.1.0'

/**
 * Results with the classes of each level in their model's order, or, where nothing proves it, in the likeliest, which
 * they then say. Each level is decided by itself, as a file may hold some of a model's levels only. Only names move: the
 * table stays as it is. Models are read only where something is undecided: most results need none.
 *
 * @param reference `--model`, `LCCLF_MODEL`
 * @param other the other side of a comparison
 * @throws ModelError for a reference that is none; DataError for results that lack classes
 */
export async function inModelOrder(
  predictions: Predictions,
  reference: string | undefined,
  other?: Predictions,
): Promise<Predictions> {
  await refuseLeftOut(predictions, reference)
  const { assumedOrder, classifierVersion: version } = predictions
  if (assumedOrder === null) return predictions
  const lent: ClassOrder[] =
    other?.assumedOrder === null
      ? [{ levels: other.levels, from: other.address, isProven: other.classifierVersion === version }]
      : []
  const byOther = inOrderOf(
    predictions,
    lent.filter(({ isProven }) => isProven),
  )
  if (byOther.assumedOrder === null) return byOther
  const named = reference === undefined ? [] : [await orderOf(findModel(await localModel(reference)), version)]
  return inOrderOf(predictions, [...named, ...lent, ...(await storedOrders(version)), await sampleOrder(version)])
}

/** Of few models the probabilities do not sum to 1; of others, columns are missing that nothing else tells of. */
async function refuseLeftOut(predictions: Predictions, reference: string | undefined): Promise<void> {
  const { oddSum, address, levels, classifierVersion: version } = predictions
  if (!oddSum) return
  const named = reference === undefined ? [] : [await orderOf(findModel(reference), version)]
  const models = [...named, ...(await storedOrders(version)), await sampleOrder(version)]
  const classes = new Set(levels[0]!.classes)
  const isOwn = ({ levels: [product], isProven }: ClassOrder): boolean =>
    isProven && product!.classes.length === classes.size && product!.classes.every((name) => classes.has(name))
  if (models.some(isOwn)) return
  const sum = oddSum.sum.toPrecision(3)
  throw new DataError(
    `${address}: the probabilities of an object sum to ${sum} and not to 1, as if classes were left out (the first: ${shownText(oddSum.oid)})`,
    { hint: `Give results with all their columns. If ${version} is such a model, name it with --model.` },
  )
}

async function orderOf(folder: string, version: string): Promise<ClassOrder> {
  const { manifest } = await readManifest(folder)
  const from = `${manifest.name}_${manifest.version}`
  return { levels: taxonomyOf(manifest).levels, from, isProven: from === version }
}

/** Models of the store that have the version; a damaged one proves nothing, and nobody asked for it. */
async function storedOrders(version: string): Promise<ClassOrder[]> {
  const found = modelStore()
    .list()
    .filter((model) => `${model.name}_${model.version}` === version)
  return (await Promise.all(found.map(({ folder }) => orderOf(folder, version).catch(() => [])))).flat()
}

/** The sample has the hierarchy and the order of the survey's own models. */
async function sampleOrder(version: string): Promise<ClassOrder> {
  const sample = await orderOf(sampleModel, version)
  const ofSurvey = [...readKnownModels().models.map((model) => `${model.name}_${model.version}`), renamedBySurvey]
  return { ...sample, isProven: sample.isProven || ofSurvey.includes(version) }
}

/** Proven orders come before guesses, and what nobody knows stays in the order of the alphabet. */
function inOrderOf(predictions: Predictions, orders: readonly ClassOrder[]): Predictions {
  const sorted = [...orders].sort((a, b) => Number(b.isProven) - Number(a.isProven))
  const decided = predictions.levels.map((level) => {
    for (const { levels, from, isProven } of sorted) {
      const place = levels.findIndex(({ classifierName }) => classifierName === level.classifierName)
      const ordered = place < 0 ? undefined : reordered(level, levels[place]!.classes)
      if (ordered) return { level: ordered, place, assumed: isProven ? [] : [`the order of ${from}`] }
    }
    return { level, place: level.branch === null ? 0 : Infinity, assumed: [alphabet] }
  })
  // one class alone has an order
  const assumed = decided.flatMap((one) => (one.level.classes.length < 2 ? [] : one.assumed))
  return {
    ...predictions,
    // levels that no order has keep their places behind the others
    levels: decided.sort((a, b) => a.place - b.place).map(({ level }) => level),
    assumedOrder: assumed.length === 0 ? null : [...new Set(assumed)].join(' and '),
  }
}

/** Undefined where a class has no place in the order. */
function reordered(
  { classes, columns, ...level }: PredictedLevel,
  order: readonly string[],
): PredictedLevel | undefined {
  if (!classes.every((name) => order.includes(name))) return undefined
  const own = order.filter((name) => classes.includes(name))
  return { ...level, classes: own, columns: own.map((name) => columns[classes.indexOf(name)]!) }
}

/**
 * What is said of ties that an assumed order decided.
 *
 * @param ties objects whose largest probability several classes have
 * @param where what stands after “for first place”
 */
export function tieLines(ties: number, where: string, assumed: string | null): string[] {
  if (assumed === null || ties === 0) return []
  const [counted, were] = ties === 1 ? ['1 tie', 'was'] : [`${shownNumber(ties)} ties`, 'were']
  return [
    `${counted} for first place${where} ${were} decided by ${assumed}, which may not be the model’s: long results do not record the order of classes; name the model with --model`,
  ]
}

export function orderText(assumed: string | null): string {
  return assumed === null ? 'the model’s' : `unknown; assumed: ${assumed}`
}
