// One level's probabilities made better, so that its own levels still multiply to the product.
import { type Calibration, readCalibration } from '../bundle/calibration.ts'
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
  return levelCalibrator(calibration, width)(probabilities, rowCount)
}

/** `probabilities`: rowCount × width, row-major; the answer has the same form */
export type LevelCalibrator = (probabilities: Float64Array, rowCount: number) => Float64Array

/** The same for many batches: what a level needs is worked out once. */
export function levelCalibrator(calibration: LevelCalibration, width: number): LevelCalibrator {
  switch (calibration.kind) {
    case 'none':
      return (probabilities) => probabilities
    case 'temperature':
      return (probabilities, rowCount) => tempered(calibration, probabilities, rowCount, width)
    case 'sigmoid': {
      const { a, b } = calibration
      return byClass(
        Array.from(a, (slope, i) => (score: number) => 1 / (1 + Math.exp(slope * score + b[i]!))),
        width,
      )
    }
    case 'isotonic':
      return byClass(
        calibration.x.map((x, i) => lineThrough(x, calibration.y[i]!)),
        width,
      )
  }
}

/**
 * Each class by its own map, then divided by their sum; all alike where that is zero. Of two classes the second has a map, and
 * the first is what is left (`_CalibratedClassifier.predict_proba` of sklearn/calibration.py).
 */
function byClass(maps: readonly ((score: number) => number)[], width: number): LevelCalibrator {
  return (probabilities, rowCount) => {
    const calibrated = new Float64Array(rowCount * width)
    if (width === 2) {
      const map = maps[0]!
      for (let cell = 0; cell < calibrated.length; cell += 2) {
        calibrated[cell + 1] = map(probabilities[cell + 1]!)
        calibrated[cell] = 1 - calibrated[cell + 1]!
      }
      return calibrated
    }
    // a class after the other: each map stays where the processor has it
    for (let place = 0; place < width; place++) {
      const map = maps[place]!
      for (let cell = place; cell < calibrated.length; cell += width) calibrated[cell] = map(probabilities[cell]!)
    }
    for (let start = 0; start < calibrated.length; start += width) {
      let sum = 0
      for (let i = start; i < start + width; i++) sum += calibrated[i]!
      for (let i = start; i < start + width; i++) calibrated[i] = sum === 0 ? 1 / width : calibrated[i]! / sum
    }
    return calibrated
  }
}

/** equal parts of a line, each of which knows the point before it */
const parts = 1024

/**
 * The line through points, flat outside, as `numpy.interp` works it out; a point is found from the part of the line that it is
 * in, not by halving.
 *
 * @param xs rising
 */
function lineThrough(xs: ArrayLike<number>, ys: ArrayLike<number>): (x: number) => number {
  const [x, y] = [Float64Array.from(xs), Float64Array.from(ys)]
  const end = x.length - 1
  const [first, last] = [x[0]!, x[end]!]
  const slopes = Float64Array.from({ length: end }, (_, i) => (y[i + 1]! - y[i]!) / (x[i + 1]! - x[i]!))
  const scale = parts / (last - first)
  const starts = new Int32Array(parts + 1)
  for (let part = 0, i = 0; part <= parts; part++) {
    while (i < end - 1 && x[i + 1]! <= first + part / scale) i++
    starts[part] = i
  }
  return (at) => {
    if (!(at > first)) return y[0]!
    if (at >= last) return y[end]!
    let i = starts[Math.floor((at - first) * scale)]!
    while (x[i]! > at) i--
    while (x[i + 1]! <= at) i++
    return slopes[i]! * (at - x[i]!) + y[i]!
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
    const top = Math.log(largest)
    let sum = 0
    for (let i = start; i < start + width; i++) {
      const power = Math.exp((Math.log(Math.max(probabilities[i]!, floor)) - top) / degree)
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
