// The scores that are one number a level, in the order tables show them.
import type { LevelScores } from './evaluation-report.ts'

/** Keys of `LevelScores`. */
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
] as const satisfies readonly (keyof LevelScores)[]

/** The scores of a level without the rest of it. */
export function scoresOf(level: LevelScores): LevelScores {
  return Object.fromEntries(scoreNames.map((name) => [name, level[name]])) as unknown as LevelScores
}
