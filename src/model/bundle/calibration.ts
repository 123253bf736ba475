// Probabilities made better: what a CalibratedClassifierCV does to its classifier's answers.
import type { Checker } from './manifest.ts'

/** One calibrator a class. */
export type Calibration = { readonly kind: 'sigmoid'; readonly a: readonly number[]; readonly b: readonly number[] }

export function readCalibration(check: Checker, value: unknown): Calibration {
  const calibration = check.record(value, 'calibration')
  if (calibration['kind'] !== 'sigmoid') throw check.error('kind of a calibration')
  const numbersOf = (list: unknown) => check.exactNumbers(list, 'numbers of a calibration')
  return { kind: 'sigmoid', a: numbersOf(calibration['a']), b: numbersOf(calibration['b']) }
}

/**
 * Calibrated probabilities.
 *
 * @param probabilities rowCount × classes, row-major; not changed
 */
export function calibrate(
  { a, b }: Calibration,
  probabilities: Float64Array,
  rowCount: number,
  classes: number,
): Float64Array<ArrayBuffer> {
  const answer = probabilities.map((p, i) => 1 / (1 + Math.exp(a[i % classes]! * p + b[i % classes]!)))
  for (let row = 0; row < rowCount; row++) {
    const own = answer.subarray(row * classes, (row + 1) * classes)
    const sum = own.reduce((before, p) => before + p, 0)
    for (let i = 0; i < classes; i++) own[i]! /= sum
  }
  return new Float64Array(answer)
}
