// Every table of an evaluation as rows for CSV.
import { type EvaluationReport, scoreNames } from './evaluation-report.ts'
import type { CsvTable } from '../../terminal/csv-tables.ts'

/** levels, classes, confusion, reliability, curves, coverage and the objects to look at. */
export function evaluationTables(report: EvaluationReport): CsvTable[] {
  return [
    levelTable(report),
    classTable(report),
    confusionTable(report),
    reliabilityTable(report),
    curveTable(report),
    ...others(report),
  ]
}

const classScores = [
  'support',
  'predicted',
  'precision',
  'recall',
  'f1',
  'roc_auc',
  'average_precision',
  'brier',
  'ece',
] as const

function levelTable({ levels }: EvaluationReport): CsvTable {
  return {
    name: 'levels',
    columns: ['classifier_name', 'objects', 'ties', ...scoreNames],
    rows: levels.map((level) => ({
      classifier_name: level.classifier_name,
      objects: level.objects,
      ties: level.ties,
      ...Object.fromEntries(scoreNames.map((name) => [name, level[name]])),
    })),
  }
}

function classTable({ levels }: EvaluationReport): CsvTable {
  return {
    name: 'classes',
    columns: ['classifier_name', 'class_name', ...classScores],
    rows: levels.flatMap((level) =>
      level.classes.map((one) => ({
        classifier_name: level.classifier_name,
        class_name: one.class,
        ...Object.fromEntries(classScores.map((name) => [name, one[name]])),
      })),
    ),
  }
}

function confusionTable({ levels }: EvaluationReport): CsvTable {
  return {
    name: 'confusion',
    columns: ['classifier_name', 'label', 'predicted', 'objects', 'share_of_label'],
    rows: levels.flatMap(({ classifier_name, confusion: { classes, counts, by_row: shares } }) =>
      classes.flatMap((label, i) =>
        classes.map((predicted, j) => ({
          classifier_name,
          label,
          predicted,
          objects: counts[i]![j]!,
          share_of_label: shares[i]![j]!,
        })),
      ),
    ),
  }
}

/** `class_name` is empty for the confidence, whatever the class. */
function reliabilityTable({ levels }: EvaluationReport): CsvTable {
  return {
    name: 'reliability',
    columns: ['classifier_name', 'class_name', 'from', 'to', 'objects', 'confidence', 'observed'],
    rows: levels.flatMap(({ classifier_name, classes, reliability }) =>
      [{ class: null, reliability }, ...classes].flatMap((one) =>
        one.reliability.map((bin) => ({ classifier_name, class_name: one.class, ...bin })),
      ),
    ),
  }
}

function curveTable({ levels }: EvaluationReport): CsvTable {
  return {
    name: 'curves',
    columns: ['classifier_name', 'class_name', 'threshold', 'false_positive_rate', 'true_positive_rate', 'precision'],
    rows: levels.flatMap(({ classifier_name, classes }) =>
      classes.flatMap((one) => one.curve.map((point) => ({ classifier_name, class_name: one.class, ...point }))),
    ),
  }
}

function others({ coverage, most_in_doubt: doubts, most_confident_errors: errors }: EvaluationReport): CsvTable[] {
  const { outside_taxonomy: outside, ...counts } = coverage
  const columns = ['oid', 'label', 'class', 'probability', 'second_class', 'second_probability', 'label_probability']
  return [
    {
      name: 'coverage',
      columns: ['what', 'label', 'count'],
      rows: [
        ...Object.entries(counts).map(([what, count]) => ({ what, label: null, count })),
        ...Object.entries(outside).map(([label, count]) => ({ what: 'labels_outside_taxonomy', label, count })),
      ],
    },
    { name: 'most_in_doubt', columns, rows: doubts.map((object) => ({ ...object })) },
    { name: 'most_confident_errors', columns, rows: errors.map((object) => ({ ...object })) },
  ]
}
