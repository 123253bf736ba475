// Pipelines of scikit-learn and imbalanced-learn: transformations, then a classifier.
import { ModelError } from '../../errors.ts'
import { columnsAfter, type Step, transformRows } from '../bundle/steps.ts'
import { type Estimator, float32Features } from '../estimator.ts'
import { describe, PyList, PyObject, PyTuple, type PyValue } from './pickle/values.ts'
import { readFeatureCount, readFeatureNames } from './pickled-forest.ts'
import { readTransformer, type Transformer } from './transformers.ts'
import type { Preprocessing } from '../../pipeline/preprocess.ts'

const names = new Set(['sklearn.pipeline.Pipeline', 'imblearn.pipeline.Pipeline'])

export function isPipeline(value: PyValue): value is PyObject {
  return value instanceof PyObject && names.has(value.type.fullName)
}

/**
 * Reads a pipeline.
 *
 * @param readClassifier reads its last step
 * @throws ModelError for a step that a bundle cannot hold exactly
 */
export function readPipeline(value: PyObject, label: string, readClassifier: (value: PyValue) => Estimator): Estimator {
  const stages = stagesOf(value, label)
  const last = stages.pop()
  if (last === undefined) throw new ModelError(`${label}: the pipeline has no steps`)
  const classifier = readClassifier(last.estimator)
  const transformers = stages.filter(({ estimator }) => !isPassing(estimator))
  const [first] = transformers
  if (first === undefined) return classifier
  const featureCount = readFeatureCount(first.estimator as PyObject, `${label}: step ${first.name}`)
  const read = transformers.map(({ name, estimator }) => readTransformer(estimator, `${label}: step ${name}`))
  const steps = read.flatMap((transformer) => transformer.steps)
  const left = columnsAfter(steps, featureCount)
  if (left !== classifier.featureCount) {
    throw new ModelError(
      `${label}: its steps make ${left ?? 'no certain number of'} features of ${featureCount}, its classifier takes ${classifier.featureCount}`,
    )
  }
  return withSteps(classifier, steps, {
    featureCount,
    featureNames: readFeatureNames(first.estimator as PyObject, label, featureCount) ?? namesWithin(classifier, steps),
    preprocessing: {
      ...float32Features,
      precision: 'float64',
      ...missingRule(read, classifier, label),
    },
  })
}

/** A classifier's own names are those of the features only where no step takes columns away. */
function namesWithin(classifier: Estimator, steps: readonly Step[]): readonly string[] | null {
  return steps.some(({ kind }) => kind === 'columns') ? null : classifier.featureNames
}

/** Missing values are the imputer's, where one comes in time; else the classifier's. */
function missingRule(
  transformers: readonly Transformer[],
  classifier: Estimator,
  label: string,
): { rejectsMissing?: string } {
  for (const { missing } of transformers) {
    if (missing === 'filled') return {}
    if (missing !== 'kept') return { rejectsMissing: `${label}: ${missing}` }
  }
  const { rejectsMissing } = classifier.preprocessing
  return rejectsMissing === undefined ? {} : { rejectsMissing }
}

function isPassing(estimator: PyValue): boolean {
  return estimator === 'passthrough' || estimator === null
}

/** `steps`: a list of (name, estimator). */
function stagesOf(value: PyObject, label: string): { name: string; estimator: PyValue }[] {
  const steps = value.attribute('steps')
  if (!(steps instanceof PyList) || steps.items.length > mostSteps) {
    throw new ModelError(`${label}: the pipeline's steps are ${describe(steps)}, where a list is needed`)
  }
  return steps.items.map((step) => {
    const [name, estimator] = step instanceof PyTuple ? step.items : []
    if (typeof name === 'string' && estimator !== undefined)
      return { name: JSON.stringify(name.slice(0, 60)), estimator }
    throw new ModelError(`${label}: a step of the pipeline is ${describe(step)}`)
  })
}

const mostSteps = 20

// A classifier behind transformations of its features.

/**
 * The same classifier with steps before it.
 *
 * @param steps from what is read to what the classifier takes
 * @param shape the features that are read, by number and name
 */
function withSteps(
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
