// One level: every score of its probabilities against the labels.
import { classScores, confusionOf, overallScores, type ClassScores } from './confusion.ts'
import type { ClassEvaluation, LevelEvaluation, LevelScores } from './evaluation-report.ts'
import {
  brier,
  classBrier,
  expectedCalibrationError,
  logLoss,
  maximumCalibrationError,
  reliability,
  type Scored,
} from './probability-scores.ts'
import { rankingCurves } from './ranking-curves.ts'

/** A level's probabilities of some objects, with their labels as places in `classes`. */
export interface LevelData {
  readonly classifierName: string
  readonly branch: string | null
  readonly classes: readonly string[]
  /** objects × classes, row-major */
  readonly probabilities: Float64Array
  readonly truth: Int32Array
}

/** @param bins of the reliability curves */
export function evaluateLevel(data: LevelData, bins: number): LevelEvaluation {
  const { classes, truth, probabilities } = data
  const width = classes.length
  const scored: Scored = { probabilities, width, truth }
  const { winners, confidences, ties } = winnersOf(probabilities, width)
  const confusion = confusionOf(classes, truth, winners)
  const scores = classScores(confusion)
  const perClass = classes.map((name, index) => evaluateClass(name, scored, { index, scores: scores[index]!, bins }))
  const curve = reliability(confidences, (row) => winners[row] === truth[row], bins)
  const own: Omit<LevelScores, keyof ReturnType<typeof overallScores>> = {
    log_loss: logLoss(scored),
    brier: brier(scored),
    ece: expectedCalibrationError(curve),
    mce: maximumCalibrationError(curve),
    macro_roc_auc: meanOf(perClass, 'roc_auc', () => 1),
    weighted_roc_auc: meanOf(perClass, 'roc_auc', ({ support }) => support),
    macro_average_precision: meanOf(perClass, 'average_precision', () => 1),
    weighted_average_precision: meanOf(perClass, 'average_precision', ({ support }) => support),
  }
  return {
    classifier_name: data.classifierName,
    branch: data.branch,
    objects: truth.length,
    ties,
    ...overallScores(confusion, scores),
    ...own,
    classes: perClass,
    confusion,
    reliability: curve,
  }
}

/** The first largest probability of each object, in the order of the classes. */
export function winnersOf(
  probabilities: Float64Array,
  width: number,
): { winners: Int32Array; confidences: Float64Array; ties: number } {
  const rowCount = width === 0 ? 0 : probabilities.length / width
  const winners = new Int32Array(rowCount)
  const confidences = new Float64Array(rowCount)
  let ties = 0
  for (let row = 0; row < rowCount; row++) {
    let best = 0
    let isTie = false
    for (let i = 1; i < width; i++) {
      const value = probabilities[row * width + i]!
      const leader = probabilities[row * width + best]!
      if (value > leader) [best, isTie] = [i, false]
      else if (value === leader) isTie = true
    }
    winners[row] = best
    confidences[row] = probabilities[row * width + best]!
    if (isTie) ties++
  }
  return { winners, confidences, ties }
}

function evaluateClass(
  name: string,
  scored: Scored,
  { index, scores, bins }: { index: number; scores: ClassScores; bins: number },
): ClassEvaluation {
  const { probabilities, width, truth } = scored
  const own = Float64Array.from(truth, (_, row) => probabilities[row * width + index]!)
  const isOfClass = (row: number): boolean => truth[row] === index
  const curves = rankingCurves(own, isOfClass)
  const calibration = reliability(own, isOfClass, bins)
  return {
    class: name,
    ...scores,
    roc_auc: curves.roc_auc,
    average_precision: curves.average_precision,
    brier: classBrier(scored, index),
    ece: expectedCalibrationError(calibration),
    reliability: calibration,
    curve: curves.curve,
  }
}

function meanOf(
  classes: readonly ClassEvaluation[],
  key: 'roc_auc' | 'average_precision',
  weightOf: (one: ClassEvaluation) => number,
): number | null {
  let sum = 0
  let weights = 0
  for (const one of classes) {
    const value = one[key]
    if (value === null) continue
    sum += value * weightOf(one)
    weights += weightOf(one)
  }
  return weights === 0 ? null : sum / weights
}
