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
