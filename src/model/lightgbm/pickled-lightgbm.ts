// LightGBM's classifiers and boosters inside pickles, which hold the booster's text.
import { ModelError } from '../../errors.ts'
import type { Estimator } from '../estimator.ts'
import { readNames } from '../sklearn/pickle/names.ts'
import { readInteger } from '../sklearn/pickle/numpy.ts'
import { describe, PyObject, type PyValue } from '../sklearn/pickle/values.ts'
import { readLightgbm } from './read-lightgbm.ts'

const classifierClass = 'lightgbm.sklearn.LGBMClassifier'
const boosterClass = 'lightgbm.basic.Booster'

/** Whether a value is a classifier or a booster of LightGBM's. */
export function isLightgbm(value: PyValue): value is PyObject {
  return value instanceof PyObject && [classifierClass, boosterClass].includes(value.type.fullName)
}

/** @throws ModelError for one that was never fitted, is damaged, or cannot be held exactly */
export function readPickledLightgbm(value: PyObject, label: string): Estimator {
  if (value.type.fullName === boosterClass) return readBooster(value, label)
  const booster = value.attribute('_Booster')
  if (!(booster instanceof PyObject) || booster.type.fullName !== boosterClass) {
    throw new ModelError(`${label}: _Booster is ${describe(booster)}, where a booster is needed (was it never fitted?)`)
  }
  const classes = readNames(value.attribute('_classes') ?? encoderClasses(value), `${label}: _classes`)
  return readBooster(booster, label, classes)
}

/** LightGBM 4 writes the text as `_handle`, 3 as `handle`; it predicts up to the best iteration where there is one. */
function readBooster(booster: PyObject, label: string, classes?: readonly string[]): Estimator {
  const text = booster.attribute('_handle') ?? booster.attribute('handle')
  if (typeof text !== 'string') {
    throw new ModelError(`${label}: the booster's handle is ${describe(text)}, where a text is needed`)
  }
  const best = readInteger(booster.attribute('best_iteration')) ?? 0
  return readLightgbm(text, label, { classes, iterations: best > 0 ? best : undefined })
}

function encoderClasses(classifier: PyObject): PyValue | undefined {
  const encoder = classifier.attribute('_le')
  return encoder instanceof PyObject ? encoder.attribute('classes_') : undefined
}
