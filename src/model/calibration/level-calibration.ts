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

/** @throws ModelError that names the fault of what is not a calibration of this level */
export function readLevelCalibration(
  check: Checker,
  value: unknown,
  { name, width }: { readonly name: string; readonly width: number },
): LevelCalibration {
  const record = check.record(value, `parameters of ${name}`)
  if (record['kind'] === 'none') return { kind: 'none' }
  const fail = (why: string): never => {
    throw check.error(`parameters of ${name}: ${why}`)
  }
  if (record['kind'] === 'temperature') {
    const degree = check.number(record['degree'], `degree of ${name}`)
    const floor = check.number(record['floor'], `floor of ${name}`)
    if (!(degree > 0)) fail('its degree is not above 0')
    if (!(floor > 0 && floor < 1)) fail('its floor is not between 0 and 1')
    return { kind: 'temperature', degree, floor }
  }
  const calibration = readCalibration(check, value)
  const maps = calibration.kind === 'sigmoid' ? calibration.a.length : calibration.x.length
  const wanted = width === 2 ? 1 : width
  if (maps !== wanted) fail(`${maps} maps, and ${wanted} are needed`)
  if (calibration.kind === 'sigmoid') {
    if (![calibration.a, calibration.b].every((list) => Array.from(list).every(Number.isFinite)))
      fail('a number is not finite')
    return calibration
  }
  const rises = (list: ArrayLike<number>, isStrict: boolean): boolean =>
    Array.from(list).every((one, i) => i === 0 || (isStrict ? one > list[i - 1]! : one >= list[i - 1]!))
  calibration.x.forEach((x, i) => {
    const y = calibration.y[i]!
    if (!rises(x, true) || !rises(y, false)) fail(`map ${i + 1} does not rise`)
    if (!(y[0]! >= 0 && y[y.length - 1]! <= 1)) fail(`map ${i + 1} leaves 0 to 1`)
  })
  return calibration
}
