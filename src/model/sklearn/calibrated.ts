// CalibratedClassifierCV: one classifier or one a fold, each with calibrators, and the mean of them.
import { ModelError } from '../../errors.ts'
import { calibrate, type Calibration } from '../bundle/calibration.ts'
import type { Part } from '../bundle/parts.ts'
import { linkMargins } from '../bundle/sums.ts'
import type { Estimator, EstimatorFile } from '../estimator.ts'
import { readNames } from './pickle/names.ts'
import { numbersOf, readArray, readNumber } from './pickle/numpy.ts'
import { describe, PyList, PyObject, type PyValue } from './pickle/values.ts'
import { versionOf } from './pickled-forest.ts'

const classifierClass = 'sklearn.calibration.CalibratedClassifierCV'
const frozenClass = 'sklearn.frozen._frozen.FrozenEstimator'
const most = 1000
const marginsThemselves = { kind: 'none', library: 'scikit-learn' } as const
/** of a node in any form of file */
const leastBytes = 8

export function isCalibrated(value: PyValue): value is PyObject {
  return value instanceof PyObject && value.type.fullName === classifierClass
}

/**
 * Reads a calibrated classifier. What is calibrated are the margins of scikit-learn's boosters (their decision_function) and
 * the probabilities of all others.
 *
 * @param readClassifier reads the classifier within
 * @throws ModelError for a calibration that a bundle cannot hold exactly
 */
export function readCalibrated(
  value: PyObject,
  { label, fileSize }: EstimatorFile,
  readClassifier: (value: PyValue) => Estimator,
): Estimator {
  const list = value.attribute('calibrated_classifiers_')
  if (!(list instanceof PyList) || list.items.length === 0 || list.items.length > most) {
    throw new ModelError(`${label}: calibrated_classifiers_ is ${describe(list)}, where a list is needed`)
  }
  const classes = readNames(value.attribute('classes_'), `${label}: classes_`)
  let nodes = 0
  const folds = list.items.map((fold, index) => {
    const read = readFold(fold, `${label}: fold ${index}`, { classes, readClassifier })
    nodes += read.part.nodes
    if (nodes * leastBytes > fileSize) throw new ModelError(`${label}: its folds share their trees`)
    return read
  })
  const [first] = folds
  if (folds.some(({ inner }) => !isSameForm(inner, first!.inner))) {
    throw new ModelError(`${label}: its folds take features in different ways, which a bundle cannot hold`)
  }
  return {
    ...first!.inner,
    classes,
    parts: folds.map(({ part }) => part),
    forests: folds.flatMap(({ inner }) => inner.forests),
    trainedBy: { library: 'scikit-learn', version: versionOf(value) ?? first!.inner.trainedBy.version },
    warnings: [...new Set(folds.flatMap(({ inner }) => inner.warnings))],
    evaluate(matrix, rowCount) {
      const probabilities = new Float64Array(rowCount * classes.length)
      for (const { inner, part } of folds) {
        const { probabilities: own, margins } = inner.evaluate(matrix, rowCount)
        const answers = part.sum?.link.kind === 'none' ? linkMargins(part.sum, margins!, rowCount, classes.length) : own
        calibrate(part.calibration!, answers, rowCount, classes.length).forEach((p, i) => (probabilities[i]! += p))
      }
      return { probabilities: probabilities.map((sum) => sum / folds.length), margins: null }
    },
  }
}

function isSameForm(one: Estimator, other: Estimator): boolean {
  const form = ({ preprocessing, featureCount }: Estimator) => JSON.stringify([preprocessing, featureCount])
  return form(one) === form(other)
}

function readFold(
  fold: PyValue,
  what: string,
  { classes, readClassifier }: { classes: readonly string[]; readClassifier: (value: PyValue) => Estimator },
): { inner: Estimator; part: Part } {
  if (!(fold instanceof PyObject)) throw new ModelError(`${what} is ${describe(fold)}`)
  // base_estimator until 1.1
  const inner = readClassifier(unfrozen(fold.attribute('estimator') ?? fold.attribute('base_estimator') ?? null))
  if (inner.classes.join('\0') !== classes.join('\0')) {
    throw new ModelError(`${what} does not know all classes, which a bundle cannot hold exactly`, {
      hint: 'Train with folds that have every class (StratifiedKFold).',
    })
  }
  const [part, other] = inner.parts
  if (part === undefined || other !== undefined || part.calibration !== null) {
    throw new ModelError(`${what} is calibrated twice, which a bundle cannot hold`)
  }
  // XGBoost's are calibrated in float32; LightGBM's margins since its version 4.7, its probabilities before, and no file says
  if (part.sum && part.sum.link.library !== 'scikit-learn' && part.sum.link.library !== 'scikit-learn-hist') {
    throw new ModelError(
      `${what} calibrates a booster of ${inner.trainedBy.library}, which a bundle cannot hold exactly`,
      {
        hint: 'Import the booster without its calibration, or calibrate a classifier of scikit-learn.',
      },
    )
  }
  const calibration = readCalibrators(fold, what, classes.length === 2 ? 1 : classes.length)
  return { inner, part: { ...part, sum: part.sum && { ...part.sum, link: marginsThemselves }, calibration } }
}

function unfrozen(value: PyValue): PyValue {
  const isFrozen = value instanceof PyObject && value.type.fullName === frozenClass
  return isFrozen ? (value.attribute('estimator') ?? null) : value
}

function readCalibrators(fold: PyObject, what: string, count: number): Calibration {
  const list = fold.attribute('calibrators') ?? fold.attribute('calibrators_')
  const calibrators = list instanceof PyList ? list.items : []
  if (calibrators.length !== count)
    throw new ModelError(`${what}: ${calibrators.length} calibrators, where ${count} are needed`)
  const objects = calibrators.filter((calibrator) => calibrator instanceof PyObject)
  const isAll = (name: string) =>
    objects.length === count && objects.every(({ type }) => /^sklearn\./.test(type.module) && type.name === name)
  if (isAll('_SigmoidCalibration')) {
    const numbers = (name: string) => Float64Array.from(objects, (calibrator) => finiteAt(calibrator, name, what))
    return { kind: 'sigmoid', a: numbers('a_'), b: numbers('b_') }
  }
  if (isAll('IsotonicRegression')) return readIsotonic(objects, what)
  throw new ModelError(`${what}: it is calibrated by ${describe(calibrators[0])}, which a bundle cannot hold exactly`, {
    hint: 'Calibrations by sigmoid and isotonic can be imported.',
  })
}

function finiteAt(calibrator: PyObject, name: string, what: string): number {
  const number = readNumber(calibrator.attribute(name))
  if (number !== undefined && Number.isFinite(number)) return number
  throw new ModelError(`${what}: ${name} is ${describe(calibrator.attribute(name))}, where a number is needed`)
}

/** `X_thresholds_` and `y_thresholds_`, from scikit-learn 0.24 on. */
function readIsotonic(calibrators: readonly PyObject[], what: string): Calibration {
  const points = calibrators.map((calibrator) => {
    const at = (name: string) => {
      const array = readArray(calibrator.attribute(name), `${what}: ${name}`)
      if (array.type.kind === 'f' && array.type.size === 8 && array.shape.length === 1) return numbersOf(array, what)
      throw new ModelError(`${what}: ${name} is not a row of float64`)
    }
    const [x, y] = [at('X_thresholds_'), at('y_thresholds_')]
    const isAscending = x.every((value, i) => i === 0 || value > x[i - 1]!)
    if (x.length === 0 || x.length !== y.length || !isAscending || y.some(Number.isNaN)) {
      throw new ModelError(`${what}: its isotonic points are not in order`)
    }
    if (calibrator.attribute('out_of_bounds') !== 'clip') throw new ModelError(`${what}: out_of_bounds is not 'clip'`)
    return { x, y }
  })
  return { kind: 'isotonic', x: points.map(({ x }) => x), y: points.map(({ y }) => y) }
}
