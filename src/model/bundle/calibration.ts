// Probabilities made better: what a CalibratedClassifierCV does to its classifier's answers.
import { exp } from './exact-math.ts'
import { interpolate } from './interpolate.ts'
import type { Checker } from './manifest.ts'
import { numpySum } from './numpy-sum.ts'

type Numbers = ArrayLike<number>

/** One calibrator a class; of two classes, for the second alone. */
export type Calibration =
  /** Platt's: 1 ÷ (1 + e^(a × x + b)) */
  | { readonly kind: 'sigmoid'; readonly a: Numbers; readonly b: Numbers }
  /** the line through the points of each class */
  | { readonly kind: 'isotonic'; readonly x: readonly Numbers[]; readonly y: readonly Numbers[] }

/**
 * Calibrated probabilities (`_CalibratedClassifier.predict_proba` of sklearn/calibration.py).
 *
 * @param answers rowCount × classCount, row-major: the classifier's probabilities, or its margins where it has some
 * @returns the same form
 */
export function calibrate(
  calibration: Calibration,
  answers: Float64Array,
  rowCount: number,
  classCount: number,
): Float64Array {
  const calibrated = new Float64Array(rowCount * classCount)
  for (let row = 0; row < rowCount; row++) {
    const target = calibrated.subarray(row * classCount, (row + 1) * classCount)
    if (classCount === 2) {
      target[1] = calibrateOne(calibration, 0, answers[row * 2 + 1]!)
      target[0] = 1 - target[1]
    } else {
      for (let i = 0; i < classCount; i++) target[i] = calibrateOne(calibration, i, answers[row * classCount + i]!)
      normalise(target)
    }
    for (let i = 0; i < classCount; i++) if (target[i]! > 1 && target[i]! <= 1 + 1e-5) target[i] = 1
  }
  return calibrated
}

function calibrateOne(calibration: Calibration, index: number, value: number): number {
  if (calibration.kind === 'isotonic') return interpolate(value, calibration.x[index]!, calibration.y[index]!)
  return 1 / (1 + exp(calibration.a[index]! * value + calibration.b[index]!))
}

/** Divided by their sum; all alike where that is zero. */
function normalise(row: Float64Array): void {
  const sum = numpySum(row, 0, row.length)
  for (let i = 0; i < row.length; i++) row[i] = sum === 0 ? 1 / row.length : row[i]! / sum
}

/** @throws ModelError for what is not a calibration */
export function readCalibration(check: Checker, value: unknown): Calibration {
  const calibration = check.record(value, 'calibration')
  const numbers = (list: unknown) => Float64Array.from(check.exactNumbers(list, 'numbers of a calibration'))
  switch (calibration['kind']) {
    case 'sigmoid': {
      const [a, b] = [numbers(calibration['a']), numbers(calibration['b'])]
      if (a.length !== b.length) throw check.error('numbers of a calibration')
      return { kind: 'sigmoid', a, b }
    }
    case 'isotonic': {
      const lists = (list: unknown) => check.list(list, 'points of a calibration').map(numbers)
      const [x, y] = [lists(calibration['x']), lists(calibration['y'])]
      const isWhole =
        x.length === y.length && x.every((points, i) => points.length > 0 && points.length === y[i]!.length)
      if (!isWhole) throw check.error('points of a calibration')
      return { kind: 'isotonic', x, y }
    }
    default:
      throw check.error('kind of a calibration')
  }
}
