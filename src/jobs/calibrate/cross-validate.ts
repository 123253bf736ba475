// What a calibration makes of objects that it did not learn from: five folds, each class spread over all of them.
import { createHash } from 'node:crypto'
import type { CalibrationScores } from '../../model/calibration/bundle-calibration.ts'
import { fitLevel } from '../../model/calibration/fit-level.ts'
import { calibrateLevel, type LevelCalibration, type Method } from '../../model/calibration/level-calibration.ts'
import { pickRows } from '../../pipeline/batch.ts'
import { winnersOf } from '../evaluate/evaluate-level.ts'
import { expectedCalibrationError, logLoss, reliability } from '../evaluate/probability-scores.ts'
import type { LabelledLevel } from './labelled-results.ts'

const folds = 5
const bins = 10

/** For each object its fold. It depends on ids and labels alone: the objects of a class, by the hash of their oid, in turn. */
export function foldsOf(oids: readonly string[], truth: Int32Array): Int32Array {
  const hashes = oids.map((oid) => createHash('sha256').update(oid).digest('hex'))
  const order = [...oids.keys()].sort((a, b) => truth[a]! - truth[b]! || (hashes[a]! < hashes[b]! ? -1 : 1))
  const found = new Int32Array(oids.length)
  order.forEach((row, place) => (found[row] = place % folds))
  return found
}

/** The calibration of a level, from the objects whose label it has. */
export function fitOn(method: Method, level: LabelledLevel, isUsed: (row: number) => boolean): LevelCalibration {
  const { truth, floor, classes, probabilities } = level
  const rows = [...truth.keys()].filter((row) => truth[row]! >= 0 && isUsed(row))
  const width = classes.length
  return fitLevel(method, {
    probabilities: pickRows(probabilities, rows, width),
    width,
    truth: pickRows(truth, rows, 1),
    floor,
  })
}

/** The level's probabilities of every object, each calibrated without the objects of its own fold. */
export function crossValidated(method: Method, level: LabelledLevel, foldOf: Int32Array): Float64Array {
  const width = level.classes.length
  const answers = new Float64Array(level.probabilities.length)
  for (let fold = 0; fold < folds; fold++) {
    const calibration = fitOn(method, level, (row) => foldOf[row] !== fold)
    const rows = [...foldOf.keys()].filter((row) => foldOf[row] === fold)
    const own = calibrateLevel(calibration, pickRows(level.probabilities, rows, width), rows.length, width)
    rows.forEach((row, i) => answers.set(own.subarray(i * width, (i + 1) * width), row * width))
  }
  return answers
}

/** The scores of those objects whose label the level has. */
export function scoresOf(
  { classes, truth }: Pick<LabelledLevel, 'classes' | 'truth'>,
  answers: Float64Array,
): CalibrationScores {
  const width = classes.length
  const rows = [...truth.keys()].filter((row) => truth[row]! >= 0)
  const scored = { probabilities: pickRows(answers, rows, width), width, truth: pickRows(truth, rows, 1) }
  const { winners, confidences } = winnersOf(scored.probabilities, width)
  const isRight = (row: number): boolean => winners[row] === scored.truth[row]
  const right = rows.reduce((count, _, row) => count + (isRight(row) ? 1 : 0), 0)
  return {
    logLoss: logLoss(scored) ?? 0,
    accuracy: rows.length === 0 ? 0 : right / rows.length,
    calibrationError: expectedCalibrationError(reliability(confidences, isRight, bins)) ?? 0,
  }
}
