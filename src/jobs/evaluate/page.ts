// The report of an evaluation: scores, and for each level the matrix, the curves and the calibration.
import type { DoubtfulObject, EvaluationReport, LevelEvaluation } from './evaluation-report.ts'
import { openCanvas, type Canvas } from '../../report/canvas.ts'
import { markup, type Html } from '../../report/html.ts'
import { confusionFigure, curveFigure, reliabilityFigure, type LevelView } from './level-figures.ts'
import { pageOf, type Section } from '../../report/page.ts'
import { listOf, numberText, percentText, tableOf, type Column } from '../../report/table.ts'

/** classes with curves of their own, over all levels; a level with more shows its largest */
const shownClasses = 70

/** The text of the page. */
export async function evaluatePage(report: EvaluationReport): Promise<string> {
  const canvas = await openCanvas()
  const { levels } = report
  const classes = levels.reduce((sum, level) => sum + level.classes.length, 0)
  const share = Math.min(1, shownClasses / classes)
  return pageOf({
    title: 'lcclf evaluate: predictions against labels',
    lead: leadOf(report),
    sections: [
      { title: 'What was compared', content: [coverageOf(report)] },
      { title: 'Scores', content: [scoreTable(report)] },
      ...levels.map((level) =>
        levelSection(canvas, { level, shown: Math.max(1, Math.floor(level.classes.length * share)) }),
      ),
      {
        title: 'Objects most in doubt',
        content: [objectTable(report.most_in_doubt, 'The smallest margin between the two most probable classes first')],
      },
      {
        title: 'Confidently wrong',
        content: [
          objectTable(report.most_confident_errors, 'Objects that have another label, the most probable class first'),
        ],
      },
    ],
  })
}

/** Of the product; of the top where every label is a branch. */
function leadOf({ predictions, labels, levels }: EvaluationReport): Html {
  const first = levels.find(({ objects }) => objects > 0)
  const sides = markup`${predictions.address} (${predictions.classifier_version}) against ${labels.address}`
  if (!first || first.accuracy === null) return markup`${sides}: no object could be evaluated.`
  const what = first.branch === null && first !== levels[0] ? 'branch' : 'class'
  return markup`${countOf(first.objects)} of ${sides}: ${percentText(first.accuracy)} have the ${what} of their label.`
}

function countOf(objects: number): string {
  return objects === 1 ? '1 object' : `${objects} objects`
}

function coverageOf({ predictions, labels, coverage, tie_order_assumed: assumed }: EvaluationReport): Html {
  const outside = Object.entries(coverage.outside_taxonomy)
  return markup`${listOf([
    ['predictions', predictions.address],
    ['their classifier_version', predictions.classifier_version],
    ['objects with a prediction', predictions.objects],
    ['labels', `${labels.address}, column ${labels.column}`],
    ['objects with a label', labels.objects],
    ['evaluated', coverage.evaluated],
    ['labelled by a branch', coverage.labelled_by_branch],
    ['objects without a label', coverage.objects_without_label],
    ['labels without a prediction', coverage.labels_without_prediction],
    ['labels outside the taxonomy', coverage.labels_outside_taxonomy],
    ['objects with several labels', coverage.conflicting_labels],
    ['empty labels', coverage.empty_labels],
    ['older predictions of an object', coverage.duplicate_predictions],
    ['order of classes that decides ties', assumed === null ? 'the taxonomy’s' : `not known; taken was ${assumed}`],
  ])}${
    outside.length === 0
      ? null
      : tableOf({
          caption: 'Labels outside the taxonomy',
          rows: outside.slice(0, 200),
          isSortable: true,
          columns: [
            { heading: 'label', cell: ([label]) => label, isText: true },
            { heading: 'objects', cell: ([, count]) => count },
          ],
        })
  }`
}

const scores = [
  ['accuracy', 'accuracy'],
  ['balanced accuracy', 'balanced_accuracy'],
  ['macro F1', 'macro_f1'],
  ['weighted F1', 'weighted_f1'],
  ['macro ROC-AUC', 'macro_roc_auc'],
  ['macro average precision', 'macro_average_precision'],
  ['log loss', 'log_loss'],
  ['Brier score', 'brier'],
  ['calibration error', 'ece'],
] as const

function scoreTable(report: EvaluationReport): Html {
  const { hierarchical_precision: precision, hierarchical_recall: recall, hierarchical_f1: f1, levels } = report
  const hierarchical = [precision, recall, f1].map((value) => (value === null ? '–' : numberText(value)))
  return markup`${tableOf({
    caption: 'Scores of each level',
    rows: levels,
    isSortable: true,
    columns: [
      { heading: 'level', cell: (level) => level.classifier_name, isText: true },
      { heading: 'objects', cell: (level) => level.objects },
      ...scores.map(([heading, key]): Column<LevelEvaluation> => ({ heading, cell: (level) => level[key] })),
    ],
  })}
    <p>
      Hierarchical precision ${hierarchical[0]!}, recall ${hierarchical[1]!}, F1 ${hierarchical[2]!}. A level of a
      branch counts the objects labelled with its classes. Definitions are scikit-learn’s.
    </p> `
}

function levelSection(canvas: Canvas, view: Omit<LevelView, 'canvas'>): Section {
  const { level } = view
  return {
    title: level.classifier_name,
    content: [
      level.accuracy === null
        ? markup`<p>No object is labelled with a class of this level: nothing was evaluated.</p>`
        : markup`<p>${countOf(level.objects)}, ${percentText(level.accuracy)} right.</p>`,
      classTable(level),
      confusionFigure({ canvas, ...view }),
      curveFigure({ canvas, ...view }),
      reliabilityFigure({ canvas, ...view }),
    ],
  }
}

function classTable({ classifier_name: name, classes }: LevelEvaluation): Html {
  return tableOf({
    caption: `Classes of ${name}`,
    rows: classes,
    isSortable: true,
    columns: [
      { heading: 'class', cell: (one) => one.class, isText: true },
      { heading: 'labelled', cell: (one) => one.support },
      { heading: 'predicted', cell: (one) => one.predicted },
      { heading: 'precision', cell: (one) => one.precision },
      { heading: 'recall', cell: (one) => one.recall },
      { heading: 'F1', cell: (one) => one.f1 },
      { heading: 'ROC-AUC', cell: (one) => one.roc_auc },
      { heading: 'average precision', cell: (one) => one.average_precision },
      { heading: 'Brier score', cell: (one) => one.brier },
      { heading: 'calibration error', cell: (one) => one.ece },
    ],
  })
}

function objectTable(rows: readonly DoubtfulObject[], caption: string): Html {
  return tableOf({
    caption,
    rows,
    isSortable: true,
    columns: [
      { heading: 'oid', cell: ({ oid }) => oid, isText: true },
      { heading: 'label', cell: ({ label }) => label, isText: true },
      { heading: 'class', cell: (row) => row.class, isText: true },
      { heading: 'probability', cell: (row) => row.probability },
      { heading: 'second class', cell: (row) => row.second_class, isText: true },
      { heading: 'its probability', cell: (row) => row.second_probability },
      { heading: 'probability of the label', cell: (row) => row.label_probability },
    ],
  })
}
