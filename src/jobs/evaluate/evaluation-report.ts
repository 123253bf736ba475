// What `lcclf evaluate` finds: every number of its tables and figures, in one object that is also its JSON.
import type { ClassScores, Confusion, HierarchicalScores, OverallScores } from './confusion.ts'
import type { ReliabilityBin } from './probability-scores.ts'
import type { CurvePoint } from './ranking-curves.ts'

/** Scores of one level that are single numbers. null: not defined for these objects. */
export interface LevelScores extends OverallScores {
  readonly log_loss: number | null
  readonly brier: number | null
  /** expected calibration error of the confidence (the largest probability) */
  readonly ece: number | null
  /** the largest gap of any bin */
  readonly mce: number | null
  /** means over the classes for which they are defined; one class against the rest */
  readonly macro_roc_auc: number | null
  readonly weighted_roc_auc: number | null
  readonly macro_average_precision: number | null
  readonly weighted_average_precision: number | null
}

/** One class of a level. */
export interface ClassEvaluation extends ClassScores {
  readonly class: string
  readonly roc_auc: number | null
  readonly average_precision: number | null
  readonly brier: number | null
  readonly ece: number | null
  readonly reliability: readonly ReliabilityBin[]
  readonly curve: readonly CurvePoint[]
}

/** One classifier of the hierarchy. */
export interface LevelEvaluation extends LevelScores {
  readonly classifier_name: string
  /** objects of this branch alone are counted (by their label); null for the product and the top */
  readonly branch: string | null
  readonly objects: number
  /** objects whose largest probability two classes have; the first in taxonomy order is taken */
  readonly ties: number
  readonly classes: readonly ClassEvaluation[]
  readonly confusion: Confusion
  /** of the largest probability */
  readonly reliability: readonly ReliabilityBin[]
}

/** An object worth a look. */
export interface DoubtfulObject {
  readonly oid: string
  readonly label: string
  readonly class: string
  readonly probability: number
  /** the class of the second largest probability */
  readonly second_class: string
  readonly second_probability: number
  readonly label_probability: number
}

/** What was joined, and what was not. */
interface EvaluationCoverage {
  /** objects with a prediction and a label that is a leaf class */
  readonly evaluated: number
  /** objects whose label names a branch: counted in the top level and in the hierarchical scores only */
  readonly labelled_by_branch: number
  readonly objects_without_label: number
  readonly labels_without_prediction: number
  /** objects with a prediction and a label that the taxonomy does not know */
  readonly labels_outside_taxonomy: number
  readonly outside_taxonomy: Readonly<Record<string, number>>
  /** objects to which the file gives several classes */
  readonly conflicting_labels: number
  readonly empty_labels: number
  /** rows of predictions for an object that came again; the newest counts */
  readonly duplicate_predictions: number
}

/** The report; the scores at its top are those of the product. */
export interface EvaluationReport extends LevelScores {
  readonly schemaVersion: 1
  readonly command: 'evaluate'
  readonly predictions: { readonly address: string; readonly classifier_version: string; readonly objects: number }
  readonly labels: { readonly address: string; readonly column: string; readonly objects: number }
  readonly coverage: EvaluationCoverage
  readonly hierarchical_precision: HierarchicalScores['hierarchical_precision'] | null
  readonly hierarchical_recall: HierarchicalScores['hierarchical_recall'] | null
  readonly hierarchical_f1: HierarchicalScores['hierarchical_f1'] | null
  /** whether the order of classes that decides ties is known to be the taxonomy's */
  readonly tie_order_known: boolean
  /** what decided ties where it is not: “the order of MODEL”, “the alphabet”, or both, for different levels */
  readonly tie_order_assumed: string | null
  /** the product, the top, the branches */
  readonly levels: readonly LevelEvaluation[]
  /** smallest difference between the two largest probabilities first */
  readonly most_in_doubt: readonly DoubtfulObject[]
  /** wrong, the most confident first */
  readonly most_confident_errors: readonly DoubtfulObject[]
}

// The scores that are one number a level, in the order tables show them.

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
