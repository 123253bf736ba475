// What calibrated answers were like where they were learnt, for whoever asks later whether they still are.
import { firstMaximum } from '../../pipeline/batch.ts'

/** What calibrated answers were like on the labelled objects, each calibrated without itself (by cross-validation). */
export interface UsualAnswers {
  readonly objects: number
  /** of the largest calibrated probability: how sure the answers were */
  readonly confidence: { readonly mean: number; readonly variance: number }
  /** objects whose set at `watchedLevel` has one class */
  readonly single: number
}

/** The sets that are counted, whatever level a run asks for. */
export const watchedLevel = 0.9

/**
 * @param calibrated rowCount × leaf classes, row-major
 * @param product the model's own, in the same form
 * @param thresholds of the leaf classes at `watchedLevel`
 */
export function usualAnswers(
  calibrated: Float64Array,
  product: Float64Array,
  thresholds: readonly number[],
): UsualAnswers {
  const width = thresholds.length
  const objects = calibrated.length / width
  let [sum, squares, single] = [0, 0, 0]
  for (let start = 0; start < calibrated.length; start += width) {
    const confidence = calibrated[start + firstMaximum(calibrated, start, width)]!
    sum += confidence
    squares += confidence * confidence
    single += hasOneClass(product, start, thresholds) ? 1 : 0
  }
  const mean = sum / objects
  return { objects, confidence: { mean, variance: Math.max(0, squares / objects - mean * mean) }, single }
}

/** Whether the set of an object has one class. */
export function hasOneClass(product: Float64Array, start: number, thresholds: readonly number[]): boolean {
  let members = 0
  for (let i = 0; i < thresholds.length; i++) if (product[start + i]! >= thresholds[i]!) members++
  return members === 1
}
