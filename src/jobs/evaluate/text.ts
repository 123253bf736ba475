// An evaluation as text for a person at a terminal.
import type { EvaluationReport, LevelEvaluation } from './evaluation-report.ts'
import {
  columnsOf,
  harmless,
  numberColumn,
  objectCount,
  shownNumber,
  textColumn,
  textTable,
  tieLine,
} from '../../terminal/text-table.ts'

const decimals = 4
const shownDoubts = 5

/** Coverage, then for each level its scores, classes and confusion matrix, then the objects to look at. */
export function evaluationText(report: EvaluationReport): string {
  const { predictions, labels, levels } = report
  const parts = [
    [
      `${harmless(predictions.address)} (${predictions.classifier_version}) against ${harmless(labels.address)}`,
      ...coverageLines(report),
    ],
    scoreTable(report),
    ...levels.flatMap((level) => [classTable(level), confusionTable(level)]),
    calibrationTable(levels[0]!),
    doubtTable('The most confident errors', report.most_confident_errors),
    doubtTable('The objects most in doubt', report.most_in_doubt),
  ]
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function coverageLines({ coverage, tie_order_assumed: assumed, levels }: EvaluationReport): string[] {
  const outside = Object.entries(coverage.outside_taxonomy).map(
    ([name, count]) => `${harmless(name)} ${shownNumber(count)}`,
  )
  const list = outside.length > 8 ? `${outside.slice(0, 8).join(', ')}, …` : outside.join(', ')
  const said: (readonly [number, string, string?])[] = [
    [coverage.labelled_by_branch, 'labelled with a branch only: counted in the top level'],
    [coverage.objects_without_label, 'predictions without a label', 'prediction without a label'],
    [coverage.labels_without_prediction, 'labels without a prediction', 'label without a prediction'],
    [coverage.labels_outside_taxonomy, `with a label outside the taxonomy, left out: ${list}`],
    [coverage.conflicting_labels, 'with several labels, left out'],
    [coverage.empty_labels, 'rows of labels without a class', 'row of labels without a class'],
    [
      coverage.duplicate_predictions,
      'older predictions of an object that came again',
      'older prediction of an object that came again',
    ],
  ]
  const ties = levels.reduce((sum, level) => sum + level.ties, 0)
  return [
    `${objectCount(coverage.evaluated)} evaluated`,
    ...said
      .filter(([count]) => count > 0)
      .map(([count, many, one = many]) => `${shownNumber(count)} ${count === 1 ? one : many}`),
    ...(assumed === null || ties === 0 ? [] : [tieLine(ties, '', assumed)]),
  ]
}

function scoreTable(report: EvaluationReport): string[] {
  const { levels } = report
  const column = columnsOf(levels)
  const score = (heading: string, key: keyof LevelEvaluation & string) =>
    column.number(heading, (level) => level[key] as number | null, decimals)
  const lines = textTable([
    column.text('level', (level) => level.classifier_name),
    column.number('objects', (level) => level.objects),
    score('accuracy', 'accuracy'),
    score('balanced', 'balanced_accuracy'),
    score('macro F1', 'macro_f1'),
    score('weighted F1', 'weighted_f1'),
    score('ROC-AUC', 'macro_roc_auc'),
    score('log loss', 'log_loss'),
    score('Brier', 'brier'),
    score('ECE', 'ece'),
  ])
  if (report.hierarchical_f1 === null) return lines
  const [precision, recall, f1] = [report.hierarchical_precision, report.hierarchical_recall, report.hierarchical_f1]
  const shown = `hierarchical precision ${shownNumber(precision, decimals)}, recall ${shownNumber(recall, decimals)}, F1 ${shownNumber(f1, decimals)}`
  return [...lines, `${shown} (a wrong class of the right branch counts half)`]
}

function classTable({ classifier_name: name, branch, classes }: LevelEvaluation): string[] {
  const column = columnsOf(classes)
  const number = (
    heading: string,
    key: 'precision' | 'recall' | 'f1' | 'roc_auc' | 'average_precision' | 'brier' | 'ece',
  ) => column.number(heading, (one) => one[key], decimals)
  const counted = branch === null ? '' : `, objects labelled ${harmless(branch)}`
  return [
    `${name}${counted}`,
    ...textTable([
      column.text('class', (one) => one.class),
      column.number('labelled', (one) => one.support),
      column.number('predicted', (one) => one.predicted),
      number('precision', 'precision'),
      number('recall', 'recall'),
      number('F1', 'f1'),
      number('ROC-AUC', 'roc_auc'),
      number('avg prec', 'average_precision'),
      number('Brier', 'brier'),
      number('ECE', 'ece'),
    ]),
  ]
}

function confusionTable({ confusion: { classes, counts } }: LevelEvaluation): string[] {
  // the headings stand above narrow columns of counts
  const short = (name: string): string => (name.length > 7 ? `${name.slice(0, 6)}…` : name)
  return textTable([
    textColumn('label ↓ predicted →', classes),
    ...classes.map((name, j) =>
      numberColumn(
        short(name),
        counts.map((row) => row[j]!),
      ),
    ),
  ])
}

function calibrationTable({ classifier_name: name, reliability }: LevelEvaluation): string[] {
  const bins = reliability.filter(({ objects }) => objects > 0)
  if (bins.length === 0) return []
  const column = columnsOf(bins)
  return [
    `${name}: is the confidence right?`,
    ...textTable([
      column.text('confidence', ({ from, to }) => `${from.toFixed(2)}–${to.toFixed(2)}`),
      column.number('objects', ({ objects }) => objects),
      column.number('mean', ({ confidence }) => confidence, decimals),
      column.number('right', ({ observed }) => observed, decimals),
    ]),
  ]
}

function doubtTable(heading: string, objects: EvaluationReport['most_in_doubt']): string[] {
  const shown = objects.slice(0, shownDoubts)
  if (shown.length === 0) return []
  const column = columnsOf(shown)
  return [
    heading,
    ...textTable([
      column.text('oid', ({ oid }) => oid),
      column.text('label', ({ label }) => label),
      column.text('class', (object) => object.class),
      column.number('probability', ({ probability }) => probability, decimals),
      column.text('second', ({ second_class: name }) => name),
      column.number('probability', ({ second_probability: probability }) => probability, decimals),
    ]),
  ]
}
