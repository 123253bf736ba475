// A classifier behind transformations of its features.
import type { Preprocessing } from '../pipeline/preprocess.ts'
import { type Step, transformRows } from './bundle/steps.ts'
import type { Estimator } from './estimator.ts'

/**
 * The same classifier with steps before it.
 *
 * @param steps from what is read to what the classifier takes
 * @param shape the features that are read, by number and name
 */
export function withSteps(
  estimator: Estimator,
  steps: readonly Step[],
  { featureCount, featureNames, preprocessing }: Pick<Estimator, 'featureCount' | 'featureNames' | 'preprocessing'>,
): Estimator {
  const before = takesFloat32(estimator) ? [...steps, { kind: 'float32' } as const] : steps
  return {
    ...estimator,
    featureCount,
    featureNames,
    preprocessing,
    parts: estimator.parts.map((part) => ({ ...part, steps: [...before, ...part.steps] })),
    evaluate: (matrix, rowCount) =>
      estimator.evaluate(transformRows(before, Float64Array.from(matrix), rowCount), rowCount),
  }
}

/** Whether a classifier takes float32, and has not been told yet to make it of float64. */
function takesFloat32({ preprocessing }: { preprocessing: Preprocessing }): boolean {
  return preprocessing.precision === undefined
}
