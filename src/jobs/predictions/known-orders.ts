// The order of classes of results that do not tell their own (long ones): from another result, or from a model.
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { taxonomyOf } from '../../model/bundle/manifest.ts'
import type { ClassOrder, KnownOrders } from './class-order.ts'
import type { Predictions } from './predictions.ts'
import { readKnownModels } from '../../model/store/model-lists.ts'
import { findModel, modelStore, sampleModel } from '../../model/store/model-reference.ts'

/** what the survey called its 1.1.0 from August 2021 on, in its tables only */
const renamedBySurvey = 'hierarchical_rf_1.1.0'

/**
 * Results in their model's order of classes, or, where nothing proves it, in the likeliest, which they then say. Models
 * are looked at only where something is to be decided: most results need none.
 *
 * @param reference `--model`, `LCCLF_MODEL`
 * @param other the other side of a comparison
 * @throws ModelError for a reference that is none
 */
export async function inModelOrder(
  predictions: Predictions,
  reference: string | undefined,
  other?: Predictions,
): Promise<Predictions> {
  if (predictions.assumedOrder === null) return predictions
  const { inKnownOrder } = await import('./class-order.ts')
  const lent = other?.assumedOrder === null ? [{ levels: other.levels, from: other.address }] : []
  const isSameModel = other?.classifierVersion === predictions.classifierVersion
  const sides: KnownOrders = isSameModel ? { proven: lent, likely: [] } : { proven: [], likely: lent }
  const byOther = inKnownOrder(predictions, sides)
  if (byOther.assumedOrder === null && isSameModel) return byOther
  const { named, stored, sample } = await modelOrders(predictions.classifierVersion, reference)
  const models = [...named, ...stored, sample]
  return inKnownOrder(predictions, {
    proven: [...sides.proven, ...models.filter(({ versions }) => versions.includes(predictions.classifierVersion))],
    likely: [...named, ...sides.likely, sample],
  })
}

/** A model's order, and the results that have it. */
interface ModelOrder extends ClassOrder {
  /** values of classifier_version */
  readonly versions: readonly string[]
}

async function modelOrders(
  version: string,
  reference: string | undefined,
): Promise<{ named: ModelOrder[]; stored: ModelOrder[]; sample: ModelOrder }> {
  const found = modelStore()
    .list()
    .filter((model) => `${model.name}_${model.version}` === version)
  const sample = await orderOf(sampleModel)
  return {
    named: reference === undefined ? [] : [await orderOf(findModel(reference))],
    // a damaged model proves nothing, and nobody asked for it
    stored: (await Promise.all(found.map(({ folder }) => orderOf(folder).catch(() => [])))).flat(),
    // the sample has the hierarchy and the order of the survey's own models
    sample: { ...sample, versions: [...sample.versions, ...surveyVersions()] },
  }
}

async function orderOf(folder: string): Promise<ModelOrder> {
  const { manifest } = await readManifest(folder)
  const version = `${manifest.name}_${manifest.version}`
  return { levels: taxonomyOf(manifest).levels, from: version, versions: [version] }
}

function surveyVersions(): string[] {
  return [...readKnownModels().models.map(({ name, version }) => `${name}_${version}`), renamedBySurvey]
}
