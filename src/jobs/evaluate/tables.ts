// The tables of an evaluation, and its text for a person at a terminal.
import { type BareTable, cellTable, type Column, type Matrix, matrixTable, type Table } from '../../formats/table.ts'
import { captionedTable, harmless, paragraphs, shownNumber } from '../../terminal/text-table.ts'
import { tieLines } from '../predictions/class-order.ts'
import { type ClassEvaluation, type LevelEvaluation, scoreNames } from './evaluate-level.ts'
import type { DoubtfulObject, EvaluationReport } from './evaluation-report.ts'
import type { CurvePoint, ReliabilityBin } from './probability-scores.ts'

const decimals = 4
const shownObjects = 5
const shownOutside = 8

/** levels, classes, confusion, reliability, curves, coverage and the objects to look at: a CSV file each. */
export function evaluationTables(report: EvaluationReport): Record<string, BareTable> {
  const { levels, coverage } = report
  const named = levels.flatMap(({ classifier_name, classes }) => classes.map((one) => ({ classifier_name, ...one })))
  return {
    levels: levelTable(withCalibrated(report)),
    classes: classTable(...levels),
    confusion: confusionCells(levels),
    reliability: reliabilityTable('', withCalibrated(report).flatMap(reliabilityCurves)),
    curves: curveTable('', named),
    coverage: coverageCells(coverage),
    most_in_doubt: objectTable('', report.most_in_doubt),
    most_confident_errors: objectTable('', report.most_confident_errors),
  }
}

/** The levels, and last the calibrated product where there is one. */
export function withCalibrated({ levels, calibrated }: EvaluationReport): readonly LevelEvaluation[] {
  return calibrated ? [...levels, calibrated] : levels
}

/** the scores of a level that people see, and what they are called */
const levelHeadings: Partial<Record<(typeof scoreNames)[number], string>> = {
  accuracy: 'accuracy',
  balanced_accuracy: 'balanced',
  macro_f1: 'macro F1',
  weighted_f1: 'weighted F1',
  macro_roc_auc: 'ROC-AUC',
  macro_average_precision: 'avg prec',
  log_loss: 'log loss',
  brier: 'Brier',
  ece: 'ECE',
}

export function levelTable(levels: readonly LevelEvaluation[]): Table<LevelEvaluation> {
  return {
    caption: 'Scores of each level',
    rows: levels,
    isSortable: true,
    columns: [
      { key: 'classifier_name', heading: 'level', cell: (level) => level.classifier_name, isText: true },
      { key: 'objects', heading: 'objects', cell: (level) => level.objects },
      { key: 'ties', cell: (level) => level.ties },
      ...scoreNames.map((key): Column<LevelEvaluation> => ({
        key,
        heading: levelHeadings[key],
        cell: (level) => level[key],
        decimals,
      })),
    ],
  }
}

const classHeadings = {
  support: 'labelled',
  predicted: 'predicted',
  precision: 'precision',
  recall: 'recall',
  f1: 'F1',
  roc_auc: 'ROC-AUC',
  average_precision: 'avg prec',
  brier: 'Brier',
  ece: 'ECE',
} as const

/** People read the classes of one level, a CSV file has those of all. */
export function classTable(
  ...levels: readonly LevelEvaluation[]
): Table<readonly [level: string, one: ClassEvaluation]> {
  const { classifier_name: name, branch } = levels[0]!
  return {
    caption: `Classes of ${name}${branch === null ? '' : `, objects labelled ${branch}`}`,
    rows: levels.flatMap((level) => level.classes.map((one) => [level.classifier_name, one] as const)),
    isSortable: true,
    columns: [
      { key: 'classifier_name', cell: ([level]) => level },
      { key: 'class_name', heading: 'class', cell: ([, one]) => one.class, isText: true },
      ...Object.entries(classHeadings).map(([key, heading]): Column<readonly [string, ClassEvaluation]> => ({
        key,
        heading,
        cell: ([, one]) => one[key as keyof typeof classHeadings],
        ...(key === 'support' || key === 'predicted' ? {} : { decimals }),
      })),
    ],
  }
}

export function confusionMatrix({ classifier_name: name, confusion: { classes, counts } }: LevelEvaluation): Matrix {
  const corner = 'label ↓ predicted →'
  return { title: `Confusion matrix of ${name}`, corner, rows: classes, columns: classes, counts }
}

function confusionCells(levels: readonly LevelEvaluation[]): BareTable {
  const rows = levels.flatMap(({ classifier_name, confusion: { classes, counts, by_row: shares } }) =>
    classes.flatMap((label, i) =>
      classes.map((predicted, j) => [classifier_name, label, predicted, counts[i]![j]!, shares[i]![j]!]),
    ),
  )
  return cellTable(['classifier_name', 'label', 'predicted', 'objects', 'share_of_label'], rows)
}

/** A reliability curve; the class is null for the confidence, whatever the class. */
interface ReliabilityCurve {
  readonly level: string
  readonly className: string | null
  readonly bins: readonly ReliabilityBin[]
  /** beside another curve of the same name */
  readonly isCalibrated?: boolean
}

/** The curve of the confidence, then one for each class. */
export function reliabilityCurves({
  classifier_name: level,
  reliability,
  classes,
}: LevelEvaluation): ReliabilityCurve[] {
  return [
    { level, className: null, bins: reliability },
    ...classes.map((one) => ({ level, className: one.class, bins: one.reliability })),
  ]
}

export function curveName({
  className,
  isCalibrated = false,
}: Pick<ReliabilityCurve, 'className' | 'isCalibrated'>): string {
  return `${className ?? 'the largest probability'}${isCalibrated ? ', calibrated' : ''}`
}

export function reliabilityTable(
  caption: string,
  curves: readonly ReliabilityCurve[],
): Table<ReliabilityCurve & { readonly bin: ReliabilityBin }> {
  return {
    caption,
    rows: curves.flatMap((curve) => curve.bins.map((bin) => ({ ...curve, bin }))),
    columns: [
      { key: 'classifier_name', cell: ({ level }) => level },
      { key: 'class_name', cell: ({ className }) => className },
      { heading: curves.length > 1 ? 'class' : undefined, cell: curveName, isText: true },
      { key: 'from', heading: 'above', cell: ({ bin }) => bin.from },
      { key: 'to', heading: 'up to', cell: ({ bin }) => bin.to },
      { key: 'objects', heading: 'objects', cell: ({ bin }) => bin.objects },
      { key: 'confidence', heading: 'mean probability', cell: ({ bin }) => bin.confidence, decimals },
      { key: 'observed', heading: 'observed share', cell: ({ bin }) => bin.observed, decimals },
    ],
  }
}

/** Curves without the intervals that no object lies in. */
export function filledBins(curves: readonly ReliabilityCurve[]): ReliabilityCurve[] {
  return curves.map((curve) => ({ ...curve, bins: curve.bins.filter(({ objects }) => objects > 0) }))
}

export function curveTable(
  caption: string,
  classes: readonly (Pick<ClassEvaluation, 'class' | 'curve'> & { readonly classifier_name: string })[],
): Table<CurvePoint & { readonly level: string; readonly name: string }> {
  return {
    caption,
    rows: classes.flatMap(({ classifier_name: level, class: name, curve }) =>
      curve.map((point) => ({ level, name, ...point })),
    ),
    columns: [
      { key: 'classifier_name', cell: ({ level }) => level },
      { key: 'class_name', heading: 'class', cell: ({ name }) => name, isText: true },
      { key: 'threshold', heading: 'threshold', cell: ({ threshold }) => threshold },
      { key: 'false_positive_rate', heading: 'false positive rate', cell: (point) => point.false_positive_rate },
      { key: 'true_positive_rate', heading: 'true positive rate (recall)', cell: (point) => point.true_positive_rate },
      { key: 'precision', heading: 'precision', cell: ({ precision }) => precision },
    ],
  }
}

export function objectTable(caption: string, rows: readonly DoubtfulObject[]): Table<DoubtfulObject> {
  return {
    caption,
    rows,
    isSortable: true,
    columns: [
      { key: 'oid', heading: 'oid', cell: ({ oid }) => oid, isText: true },
      { key: 'label', heading: 'label', cell: ({ label }) => label, isText: true },
      { key: 'class', heading: 'class', cell: (object) => object.class, isText: true },
      { key: 'probability', heading: 'probability', cell: ({ probability }) => probability, decimals },
      { key: 'second_class', heading: 'second class', cell: (object) => object.second_class, isText: true },
      { key: 'second_probability', heading: 'its probability', cell: (object) => object.second_probability, decimals },
      {
        key: 'label_probability',
        heading: 'label’s probability',
        cell: (object) => object.label_probability,
        decimals,
      },
    ],
  }
}

export const objectCaptions = {
  mostInDoubt: 'Objects most in doubt: the smallest margin between the two most probable classes first',
  mostConfidentErrors: 'Confidently wrong: objects with another label, the most probable class first',
} as const

function coverageCells({ outside_taxonomy: outside, ...counts }: EvaluationReport['coverage']): BareTable {
  return cellTable(
    ['what', 'label', 'count'],
    [
      ...Object.entries(counts).map(([what, count]) => [what, null, count]),
      ...Object.entries(outside).map(([label, count]) => ['labels_outside_taxonomy', label, count]),
    ],
  )
}

/** How people call what was joined and what was not: of many, and of one where it differs. */
const coverageNames: readonly (readonly [
  count: Exclude<keyof EvaluationReport['coverage'], 'outside_taxonomy'>,
  many: string,
  one?: string,
])[] = [
  ['evaluated', 'objects evaluated', 'object evaluated'],
  ['labelled_by_branch', 'labelled with a branch only: counted in the top level'],
  ['objects_without_label', 'predictions without a label', 'prediction without a label'],
  [
    'labels_without_prediction',
    'labels without a prediction (not scored: the results may be a part only)',
    'label without a prediction (not scored: the results may be a part only)',
  ],
  ['labels_outside_taxonomy', 'with a label outside the taxonomy, left out'],
  ['conflicting_labels', 'with several labels, left out'],
  ['empty_labels', 'rows of labels without a class', 'row of labels without a class'],
  [
    'duplicate_predictions',
    'older predictions of the same objects, left out',
    'older prediction of the same object, left out',
  ],
]

export function coverageEntries({ coverage }: EvaluationReport): (readonly [name: string, count: number])[] {
  return coverageNames.map(([key, many]) => [many, coverage[key]])
}

/** Coverage, then for each level its scores, classes and confusion matrix, then the objects to look at. */
export function evaluationText(report: EvaluationReport): string {
  const { predictions, labels, levels } = report
  const [product] = levels
  return paragraphs([
    [
      `${harmless(predictions.address)} (${harmless(predictions.classifier_version)}) against ${harmless(labels.address)}`,
      ...coverageLines(report),
    ],
    [...captionedTable(levelTable(withCalibrated(report))), ...hierarchyLines(report)],
    ...levels.flatMap((level) => [
      captionedTable(classTable(level)),
      captionedTable(matrixTable(confusionMatrix(level))),
    ]),
    ...[product!, ...(report.calibrated ? [report.calibrated] : [])].map((level) =>
      captionedTable(
        reliabilityTable(
          `How often ${level.classifier_name} is right, by its confidence`,
          filledBins(reliabilityCurves(level).slice(0, 1)),
        ),
      ),
    ),
    captionedTable(
      objectTable(objectCaptions.mostConfidentErrors, report.most_confident_errors.slice(0, shownObjects)),
    ),
    captionedTable(objectTable(objectCaptions.mostInDoubt, report.most_in_doubt.slice(0, shownObjects))),
  ])
}

function coverageLines({ coverage, tie_order_assumed: assumed, levels }: EvaluationReport): string[] {
  const outside = Object.entries(coverage.outside_taxonomy)
  const listed = outside.slice(0, shownOutside).map(([name, count]) => `${harmless(name)} ${shownNumber(count)}`)
  const list = [...listed, ...(outside.length > shownOutside ? ['…'] : [])].join(', ')
  const ties = levels.reduce((sum, level) => sum + level.ties, 0)
  return [
    ...coverageNames
      .filter(([key]) => coverage[key] > 0 || key === 'evaluated')
      .map(([key, many, one = many]) => {
        const line = `${shownNumber(coverage[key])} ${coverage[key] === 1 ? one : many}`
        return key === 'labels_outside_taxonomy' ? `${line}: ${list}` : line
      }),
    ...tieLines(ties, '', assumed),
  ]
}

function hierarchyLines(report: EvaluationReport): string[] {
  if (report.hierarchical_f1 === null) return []
  const shown = (score: 'precision' | 'recall' | 'f1') => shownNumber(report[`hierarchical_${score}`], decimals)
  return [
    `hierarchical precision ${shown('precision')}, recall ${shown('recall')}, F1 ${shown('f1')} (a wrong class of the right branch counts half)`,
  ]
}
