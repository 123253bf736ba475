// Levels that were trained with lists of features of their own: one list for the model, and each forest's indices into it.
import { ModelError } from '../../errors.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import type { Estimator } from '../estimator.ts'

/** Every feature of some lists, in the order of first appearance. */
export function unionOf(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}

/**
 * An estimator that reads the model's features in place of its own.
 *
 * @param own the names of its features, in their order
 * @param features of the model, with all of these
 */
export function withFeatures(estimator: Estimator, own: readonly string[], features: readonly string[]): Estimator {
  const places = own.map((name) => features.indexOf(name))
  if (own.length === features.length && places.every((place, index) => place === index)) return estimator
  if (estimator.parts.some(({ steps }) => steps.length > 0)) {
    throw new ModelError(
      'a pipeline of transformers with features of its own, within a hierarchy, cannot be represented',
    )
  }
  const forests = estimator.forests.map((forest) => {
    return { ...forest, feature: forest.feature.map((index) => (index < 0 ? index : places[index]!)) }
  })
  return {
    ...estimator,
    featureCount: features.length,
    forests,
    evaluate: (matrix, rowCount) => estimator.evaluate(columnsOf(matrix, places, rowCount), rowCount),
  }
}

function columnsOf(matrix: FeatureMatrix, places: readonly number[], rowCount: number): FeatureMatrix {
  const width = matrix.length / rowCount
  const chosen = matrix.slice(0, rowCount * places.length)
  for (let row = 0; row < rowCount; row++) {
    places.forEach((place, index) => (chosen[row * places.length + index] = matrix[row * width + place]!))
  }
  return chosen
}
