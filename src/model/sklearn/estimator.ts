// What a pickle holds → a classifier, by the name of its class.
import { ModelError } from '../../errors.ts'
import type { Estimator, EstimatorFile } from '../estimator.ts'
import { isLightgbm, readPickledLightgbm } from '../lightgbm/pickled-lightgbm.ts'
import { isXgboost, readPickledXgboost } from '../xgboost/pickled-xgboost.ts'
import { isCalibrated, readCalibrated } from './calibrated.ts'
import { readForest } from './forests.ts'
import { isGradientBoosting, readGradientBoosting } from './gradient-boosting.ts'
import { isHistGradientBoosting, readHistGradientBoosting } from './hist-gradient-boosting.ts'
import { isPipeline, readPipeline } from './pipeline.ts'
import { isForest } from './pickled-forest.ts'
import { describe, PyObject, type PyValue } from './pickle/values.ts'

/**
 * Reads a classifier of scikit-learn, imbalanced-learn, XGBoost or LightGBM.
 *
 * @throws ModelError for what is none, for one that is damaged, and for what the bundle cannot hold exactly
 */
export function readEstimator(value: PyValue, file: EstimatorFile): Estimator {
  return readNested(value, file, new Set())
}

/** @param seen what was read before: a file can hold itself, or one thing a thousand times */
function readNested(value: PyValue, file: EstimatorFile, seen: Set<PyValue>): Estimator {
  if (seen.has(value)) throw new ModelError(`${file.label}: ${describe(value)} appears in it twice`)
  seen.add(value)
  const readInner = (inner: PyValue) => readNested(inner, file, seen)
  if (isPipeline(value)) return readPipeline(value, file.label, readInner)
  if (isCalibrated(value)) return readCalibrated(value, file, readInner)
  if (isForest(value)) return readForest(value, file)
  if (isXgboost(value)) return readPickledXgboost(value, file.label)
  if (isLightgbm(value)) return readPickledLightgbm(value, file.label)
  if (isGradientBoosting(value)) return readGradientBoosting(value, file)
  if (isHistGradientBoosting(value)) return readHistGradientBoosting(value, file)
  throw refusal(value, file.label)
}

/** what is known by its class, and what to do instead */
const advice: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/Regressor$/, 'A regressor answers with numbers, not with classes. Train a classifier.'],
  [/^(\w*Ranker|IsolationForest)$/, 'It answers with numbers, not with classes. Train a classifier.'],
  [/(Scaler|Transformer|Imputer)$/, 'Save the whole pipeline, with its classifier.'],
  [/^(GridSearchCV|RandomizedSearchCV|Halving\w+SearchCV)$/, 'Save its best_estimator_ instead.'],
  [/^(MultiOutput\w*|ClassifierChain)$/, 'Save one classifier for each output instead.'],
]
const otherHint = 'Convert it to ONNX (skl2onnx, or what its library has for it) and import that file.'

const aloneHint = 'Save the classifier itself, and nothing around it: pickle.dump(classifier, file).'

function refusal(value: PyValue, label: string): ModelError {
  const type = value instanceof PyObject ? value.type : undefined
  const isArray = type?.module.startsWith('numpy') === true
  const isEstimator = type !== undefined && !isArray
  const hint = isEstimator ? (advice.find(([pattern]) => pattern.test(type.name))?.[1] ?? otherHint) : aloneHint
  return new ModelError(
    `${label} holds ${isArray ? 'an array of numpy' : describe(value)}, which is not a classifier that can be imported`,
    { hint },
  )
}
