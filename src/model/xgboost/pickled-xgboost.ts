// XGBoost's classifiers and boosters inside pickles, which hold the booster as a file of its own.
import { ModelError } from '../../errors.ts'
import type { Estimator } from '../estimator.ts'
import { readNames } from '../sklearn/pickle/names.ts'
import { readInteger } from '../sklearn/pickle/numpy.ts'
import { contentOf, describe, isBytes, PyObject, type PyValue } from '../sklearn/pickle/values.ts'
import { readXgboost } from './read-xgboost.ts'

const classifiers = new Set(['xgboost.sklearn.XGBClassifier', 'xgboost.sklearn.XGBRFClassifier'])
const boosterClass = 'xgboost.core.Booster'

/** Whether a value is a classifier or a booster of XGBoost's. */
export function isXgboost(value: PyValue): value is PyObject {
  return value instanceof PyObject && (classifiers.has(value.type.fullName) || value.type.fullName === boosterClass)
}

/** @throws ModelError for one that was never fitted, is damaged, or cannot be held exactly */
export function readPickledXgboost(value: PyObject, label: string): Estimator {
  if (value.type.fullName === boosterClass) return readXgboost(bytesOf(value, label), label, { allTrees: true })
  const booster = value.attribute('_Booster')
  if (!(booster instanceof PyObject) || booster.type.fullName !== boosterClass) {
    throw new ModelError(`${label}: _Booster is ${describe(booster)}, where a booster is needed (was it never fitted?)`)
  }
  const missing = value.attribute('missing')
  if (missing !== undefined && missing !== null && !Number.isNaN(missing)) {
    throw new ModelError(`${label}: the classifier takes ${describe(missing)} for missing (its parameter missing)`, {
      hint: 'Set missing=float("nan") on it in Python, and have missing values as NaN in the input.',
    })
  }
  const estimator = readXgboost(bytesOf(booster, label), label, { classes: classesOf(value, label) })
  const count = readInteger(value.attribute('n_classes_'))
  if (count === undefined || count === estimator.classes.length) return estimator
  throw new ModelError(`${label}: n_classes_ is ${count}, its booster has ${estimator.classes.length} classes`)
}

function bytesOf(booster: PyObject, label: string): Uint8Array {
  const handle = booster.attribute('handle')
  if (isBytes(handle)) return contentOf(handle)
  throw new ModelError(`${label}: the booster's handle is ${describe(handle)}, where bytes are needed`)
}

/** Up to XGBoost 1.5 labels could be anything; since then they are 0, 1, 2 … and not in the file. */
function classesOf(classifier: PyObject, label: string): readonly string[] | undefined {
  const classes = classifier.attribute('classes_')
  return classes === undefined || classes === null ? undefined : readNames(classes, `${label}: classes_`)
}
