// One level: every score of its probabilities against the labels.
import { type ClassScores, classScores, confusionOf, overallScores } from './confusion.ts'
import {
  brier,
  classBrier,
  expectedCalibrationError,
  logLoss,
  maximumCalibrationError,
  rankingCurves,
  reliability,
  type Scored,
} from './probability-scores.ts'

export type LevelEvaluation = ReturnType<typeof evaluateLevel>

export type ClassEvaluation = ReturnType<typeof evaluateClass>

/** The scores that are one number a level, in the order tables show them. */
export const scoreNames = [
  'accuracy',
  'balanced_accuracy',
  'macro_precision',
  'macro_recall',
  'macro_f1',
  'weighted_precision',
  'weighted_recall',
  'weighted_f1',
  'macro_roc_auc',
  'weighted_roc_auc',
  'macro_average_precision',
  'weighted_average_precision',
  'log_loss',
  'brier',
  'ece',
  'mce',
] as const satisfies readonly (keyof LevelEvaluation)[]

type LevelScores = Pick<LevelEvaluation, (typeof scoreNames)[number]>

/** The scores of a level without the rest of it. */
export function scoresOf(level: LevelEvaluation): LevelScores {
  return Object.fromEntries(scoreNames.map((name) => [name, level[name]])) as LevelScores
}

/**
 * @param data a level's probabilities of some objects (objects × classes, row-major), their labels as places in `classes`
 * @param bins of the reliability curves
 * @returns scores are null where they are not defined for these objects
 */
export function evaluateLevel(
  data: Omit<Scored, 'width'> & { classifierName: string; branch: string | null; classes: readonly string[] },
  bins: number,
) {
  const { classes, truth, probabilities } = data
  const scored: Scored = { probabilities, width: classes.length, truth }
  const { winners, confidences, ties } = winnersOf(probabilities, classes.length)
  const confusion = confusionOf(classes, truth, winners)
  const scores = classScores(confusion)
  const perClass = classes.map((name, index) => evaluateClass(name, scored, { index, scores: scores[index]!, bins }))
  const curve = reliability(confidences, (row) => winners[row] === truth[row], bins)
  return {
    classifier_name: data.classifierName,
    /** objects of this branch alone are counted (by their label); null for the product and the top */
    branch: data.branch,
    objects: truth.length,
    /** objects whose largest probability two classes have; the first in taxonomy order is taken */
    ties,
    ...overallScores(confusion, scores),
    log_loss: logLoss(scored),
    brier: brier(scored),
    /** expected calibration error of the confidence (the largest probability) */
    ece: expectedCalibrationError(curve),
    /** the largest gap of any bin */
    mce: maximumCalibrationError(curve),
    // means over the classes for which they are defined; one class against the rest
    macro_roc_auc: meanOf(perClass, 'roc_auc', () => 1),
    weighted_roc_auc: meanOf(perClass, 'roc_auc', ({ support }) => support),
    macro_average_precision: meanOf(perClass, 'average_precision', () => 1),
    weighted_average_precision: meanOf(perClass, 'average_precision', ({ support }) => support),
    classes: perClass,
    confusion,
    /** of the largest probability */
    reliability: curve,
  }
}

/** The first largest probability of each object, in the order of the classes, and the next one (−1: there is none). */
export function winnersOf(probabilities: Float64Array, width: number) {
  const rowCount = width === 0 ? 0 : probabilities.length / width
  const winners = new Int32Array(rowCount)
  const seconds = new Int32Array(rowCount)
  const confidences = new Float64Array(rowCount)
  let ties = 0
  for (let row = 0; row < rowCount; row++) {
    const start = row * width
    let best = start
    let second = -1
    for (let at = start + 1; at < start + width; at++) {
      if (probabilities[at]! > probabilities[best]!) {
        second = best
        best = at
      } else if (second < 0 || probabilities[at]! > probabilities[second]!) second = at
    }
    winners[row] = best - start
    seconds[row] = second < 0 ? -1 : second - start
    confidences[row] = probabilities[best]!
    if (second >= 0 && probabilities[second] === probabilities[best]) ties++
  }
  return { winners, seconds, confidences, ties }
}

function evaluateClass(
  name: string,
  scored: Scored,
  { index, scores, bins }: { index: number; scores: ClassScores; bins: number },
) {
  const { probabilities, width, truth } = scored
  const own = Float64Array.from(truth, (_, row) => probabilities[row * width + index]!)
  const isOfClass = (row: number): boolean => truth[row] === index
  const { roc_auc, average_precision, curve } = rankingCurves(own, isOfClass)
  const calibration = reliability(own, isOfClass, bins)
  return {
    class: name,
    ...scores,
    roc_auc,
    average_precision,
    brier: classBrier(scored, index),
    ece: expectedCalibrationError(calibration),
    reliability: calibration,
    curve,
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
