// A level's probabilities and the classes that are known to be true → its calibration.
import { fitIsotonic } from './fit-isotonic.ts'
import { fitSigmoid } from './fit-sigmoid.ts'
import { fitTemperature } from './fit-temperature.ts'
import type { LevelCalibration, Method } from './level-calibration.ts'

/** Objects of one level whose class is known. */
export interface LabelledRows {
  /** rows × width, row-major */
  readonly probabilities: Float64Array
  readonly width: number
  /** for each row the place of its class */
  readonly truth: Int32Array
  /** see `floorOf` */
  readonly floor: number
}

/**
 * Fits as scikit-learn's CalibratedClassifierCV with `cv='prefit'` does: one class against the rest, and for two classes the
 * second alone. A temperature is one for the level.
 */
export function fitLevel(method: Method, { probabilities, width, truth, floor }: LabelledRows): LevelCalibration {
  if (method === 'temperature') {
    return { kind: 'temperature', degree: fitTemperature(probabilities, width, { truth, floor }), floor }
  }
  const places = width === 2 ? [1] : Array.from({ length: width }, (_, i) => i)
  const scoresOf = (place: number) => Float64Array.from(truth, (_, row) => probabilities[row * width + place]!)
  const isOf = (place: number) => (row: number) => truth[row] === place
  if (method === 'sigmoid') {
    const fitted = places.map((place) => fitSigmoid(scoresOf(place), isOf(place)))
    return { kind: 'sigmoid', a: fitted.map(({ a }) => a), b: fitted.map(({ b }) => b) }
  }
  const fitted = places.map((place) => fitIsotonic(scoresOf(place), isOf(place)))
  return { kind: 'isotonic', x: fitted.map(({ x }) => x), y: fitted.map(({ y }) => y) }
}
