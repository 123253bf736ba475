// One level's probabilities made better, so that its own levels still multiply to the product.
import { type Calibration, calibrate, readCalibration } from '../bundle/calibration.ts'
import { exp, log } from '../bundle/exact-math.ts'
import type { Checker } from '../bundle/manifest.ts'

/** What is done to the probabilities of a level. */
export type LevelCalibration =
  | Calibration
  /** ln p ÷ `degree`, made probabilities again; a p below `floor` counts as `floor` */
  | { readonly kind: 'temperature'; readonly degree: number; readonly floor: number }
  /** left alone */
  | { readonly kind: 'none' }

/** The ways of calibrating that `lcclf calibrate --method` knows. */
export const methods = ['temperature', 'sigmoid', 'isotonic'] as const
export type Method = (typeof methods)[number]

/**
 * @param probabilities rowCount × width, row-major
 * @returns the same form; the same array where nothing is done
 */
export function calibrateLevel(
  calibration: LevelCalibration,
  probabilities: Float64Array,
  rowCount: number,
  width: number,
): Float64Array {
  switch (calibration.kind) {
    case 'none':
      return probabilities
    case 'temperature':
      return tempered(calibration, probabilities, rowCount, width)
    case 'sigmoid':
    case 'isotonic':
      return calibrate(calibration, probabilities, rowCount, width)
  }
}

function tempered(
  { degree, floor }: Extract<LevelCalibration, { kind: 'temperature' }>,
  probabilities: Float64Array,
  rowCount: number,
  width: number,
): Float64Array {
  const calibrated = new Float64Array(rowCount * width)
  for (let row = 0, start = 0; row < rowCount; row++, start += width) {
    let largest = floor
    for (let i = start; i < start + width; i++) if (probabilities[i]! > largest) largest = probabilities[i]!
    const top = log(largest)
    let sum = 0
    for (let i = start; i < start + width; i++) {
      const power = exp((log(Math.max(probabilities[i]!, floor)) - top) / degree)
      calibrated[i] = power
      sum += power
    }
    for (let i = start; i < start + width; i++) calibrated[i]! /= sum
  }
  return calibrated
}

/**
 * What stands for a probability of zero: half a vote. What a forest of `trees` trees never said is not impossible.
 *
 * @param trees 0 for a model that is not made of trees
 */
export function floorOf(trees: number): number {
  return 1 / (2 * (trees === 0 ? 500 : Math.max(trees, 10)))
}

/** @throws ModelError for what is not a calibration of `width` classes */
export function readLevelCalibration(check: Checker, value: unknown, width: number): LevelCalibration {
  const record = check.record(value, 'parameters')
  if (record['kind'] === 'none') return { kind: 'none' }
  if (record['kind'] === 'temperature') {
    const degree = check.number(record['degree'], 'degree of a calibration')
    const floor = check.number(record['floor'], 'floor of a calibration')
    if (!(degree > 0) || !(floor > 0)) throw check.error('temperature of a calibration')
    return { kind: 'temperature', degree, floor }
  }
  const calibration = readCalibration(check, value)
  const count = calibration.kind === 'sigmoid' ? calibration.a.length : calibration.x.length
  if (count !== (width === 2 ? 1 : width)) throw check.error('classes of a calibration')
  return calibration
}
