// The report of an evaluation: scores, and for each level the matrix, the curves and the calibration.
import { numberText, percentText, type Table } from '../../formats/table.ts'
import { type Canvas, curveChart, matrixFigure, openCanvas } from '../../report/charts.ts'
import { type Html, markup } from '../../report/html.ts'
import { figureOf, type KeyFigures, listOf, pageOf, type Picture, type Section, tableOf } from '../../report/page.ts'
import { objectCount } from '../../terminal/text-table.ts'
import { orderText } from '../predictions/class-order.ts'
import type { ClassEvaluation, LevelEvaluation } from './evaluate-level.ts'
import type { EvaluationReport } from './evaluation-report.ts'
import type { CurvePoint } from './probability-scores.ts'
import {
  classTable,
  confusionMatrix,
  coverageEntries,
  curveName,
  curveTable,
  filledBins,
  levelTable,
  objectCaptions,
  objectTable,
  reliabilityCurves,
  reliabilityTable,
  withCalibrated,
} from './tables.ts'
import { demonstrationNote } from '../../model/store/model-reference.ts'

/** classes with curves of their own, over all levels; a level with more shows its largest */
const shownClasses = 70
/** points of a curve, in the picture and in the table */
const shownPoints = 100
const shownLabels = 200

export async function evaluatePage(report: EvaluationReport): Promise<string> {
  const canvas = await openCanvas()
  const { levels } = report
  const classes = levels.reduce((sum, level) => sum + level.classes.length, 0)
  const share = Math.min(1, shownClasses / classes)
  const { mostInDoubt, mostConfidentErrors } = objectCaptions
  return pageOf({
    title: 'lcclf evaluate: predictions against labels',
    lead: leadOf(report),
    key: keyFigures(report),
    sections: [
      { title: 'Scores', content: [scoresOf(report)] },
      ...levels.map((level, i) => {
        const shown = Math.max(1, Math.floor(level.classes.length * share))
        return levelSection(canvas, level, { shown, calibrated: i === 0 ? report.calibrated : null })
      }),
      { title: 'Objects most in doubt', content: [tableOf(objectTable(mostInDoubt, report.most_in_doubt))] },
      {
        title: 'Confidently wrong',
        content: [tableOf(objectTable(mostConfidentErrors, report.most_confident_errors))],
      },
      { title: 'What was compared', content: [coverageOf(report)] },
    ],
  })
}

/** How many, how good, and where it fails: of the first level that was evaluated. */
function keyFigures({ levels, coverage }: EvaluationReport): KeyFigures {
  const level = levels.find(({ objects }) => objects > 0)
  const outside = Object.values(coverage.outside_taxonomy).reduce((sum, number) => sum + number, 0)
  const left: KeyFigures = outside > 0 ? [[outside, 'objects with a label outside the taxonomy, left out']] : []
  if (!level) return [[0, 'objects evaluated'], ...left]
  const labelled = level.classes.filter(({ support }) => support > 0)
  const weakest = labelled.reduce((worst, one) => ((one.recall ?? 1) < (worst.recall ?? 1) ? one : worst), labelled[0]!)
  const { rows, columns, counts } = confusionMatrix(level)
  const mistakes = counts.flatMap((row, i) =>
    row.flatMap((count, j) => (rows[i] === columns[j] ? [] : [{ count, what: `${rows[i]!} called ${columns[j]!}` }])),
  )
  const worst = mistakes.reduce((most, one) => (one.count > most.count ? one : most), { count: 0, what: '' })
  const rounded = (value: number | null): string => (value === null ? '–' : value.toFixed(3))
  return [
    [level.objects, level.objects === 1 ? 'object evaluated' : 'objects evaluated'],
    ...(level.accuracy === null ? [] : [[percentText(level.accuracy), 'have the class of their label'] as const]),
    [rounded(level.macro_f1), 'macro F1'],
    [rounded(level.ece), 'expected calibration error'],
    [`${weakest.class}, ${rounded(weakest.recall)}`, 'lowest recall'],
    ...(worst.count > 0 ? [[worst.count, `${worst.what}: the most frequent mistake`] as const] : []),
    ...left,
  ]
}

/** Of the product; of the top where every label is a branch. */
function leadOf({ predictions, labels, levels }: EvaluationReport): Html {
  const first = levels.find(({ objects }) => objects > 0)
  const sides = markup`${predictions.address} (${predictions.classifier_version}) against ${labels.address}`
  const note = demonstrationNote(predictions.classifier_version)
  if (!first || first.accuracy === null) return markup`${sides}: no object could be evaluated.${note}`
  const what = first.branch === null && first !== levels[0] ? 'branch' : 'class'
  return markup`${objectCount(first.objects)} of ${sides}: ${percentText(first.accuracy)} have the ${what} of their label.${note}`
}

function coverageOf(report: EvaluationReport): Html {
  const { predictions, labels } = report
  const outside: Table<readonly [string, number]> = {
    caption: 'Labels outside the taxonomy',
    rows: Object.entries(report.coverage.outside_taxonomy).slice(0, shownLabels),
    isSortable: true,
    columns: [
      { heading: 'label', cell: ([label]) => label, isText: true },
      { heading: 'objects', cell: ([, count]) => count },
    ],
  }
  return markup`${listOf([
    ['predictions', predictions.address],
    ['their classifier_version', predictions.classifier_version],
    ['objects with a prediction', predictions.objects],
    ['labels', `${labels.address}, column ${labels.column}`],
    ['objects with a label', labels.objects],
    ...coverageEntries(report),
    ['order of classes that decides ties', orderText(report.tie_order_assumed)],
  ])}${outside.rows.length === 0 ? null : tableOf(outside)}`
}

function scoresOf(report: EvaluationReport): Html {
  const shown = (value: number | null): string => (value === null ? '–' : numberText(value))
  const { hierarchical_precision: precision, hierarchical_recall: recall, hierarchical_f1: f1 } = report
  return markup`${tableOf(levelTable(withCalibrated(report)))}
    <p>
      Hierarchical precision ${shown(precision)}, recall ${shown(recall)}, F1 ${shown(f1)}. The level of a branch counts the objects
      labelled with its classes. Balanced is the balanced accuracy; ROC-AUC and average precision (avg prec) are means
      over the classes, each against the rest; ECE is the expected calibration error. Definitions are scikit-learn’s.
    </p> `
}

/** @param options `shown`: how many classes have charts of their own; `calibrated`: the same objects, calibrated */
function levelSection(
  canvas: Canvas,
  level: LevelEvaluation,
  { shown, calibrated }: { readonly shown: number; readonly calibrated: LevelEvaluation | null },
): Section {
  const present = level.classes.filter(({ support }) => support > 0)
  const largest = new Set([...present].sort((a, b) => b.support - a.support).slice(0, shown))
  const classes = present.filter((one) => largest.has(one))
  const missing = present.length - classes.length
  const note = missing > 0 ? ` The ${missing} classes with the fewest objects are left out; --csv has them.` : ''
  return {
    title: level.classifier_name,
    content: [
      level.accuracy === null
        ? markup`<p>No object is labelled with a class of this level: nothing was evaluated.</p>`
        : markup`<p>${objectCount(level.objects)}, ${percentText(level.accuracy)} right.</p>`,
      tableOf(classTable(level)),
      matrixFigure(canvas, confusionMatrix(level), {
        note: 'Rows: labels; columns: predictions; entries: numbers of objects. Colour shows the share of the row.',
        label: 'Confusion matrix: labels in rows, predictions in columns; the table has the counts',
        rowAxis: 'label',
        columnAxis: 'predicted',
      }),
      curveFigure(canvas, { ...level, classes }, note),
      reliabilityFigure(canvas, { ...level, classes }, { note, calibrated }),
    ],
  }
}

/** ROC beside precision-recall, a pair for each class that some object has. */
function curveFigure(canvas: Canvas, { classifier_name, classes }: LevelEvaluation, note: string): Html {
  const thinned = classes.map((one) => ({ ...one, classifier_name, curve: thinnedCurve(one.curve) }))
  return figureOf({
    title: `ROC and precision-recall curves of ${classifier_name}`,
    note: markup`Each class against the rest: true against false positive rate (dashed: chance), then precision against
    recall.${note}`,
    pictures: thinned.map((one) => curvePicture(canvas, one)),
    numbers: tableOf(
      curveTable(`Curves of ${classifier_name}: rates of the objects at or above each threshold`, thinned),
    ),
  })
}

function curvePicture(canvas: Canvas, one: ClassEvaluation): Picture {
  const area = (value: number | null): string =>
    value === null ? 'not defined' : numberText(Math.round(value * 1000) / 1000)
  const roc = one.curve.map((point) => ({ x: point.false_positive_rate, y: point.true_positive_rate }))
  const recall = one.curve.map((point) => ({ x: point.true_positive_rate, y: point.precision }))
  return {
    name: `${one.class}: ROC-AUC ${area(one.roc_auc)}, AP ${area(one.average_precision)}`,
    drawing: [
      markup`<div class="pictures">`,
      curveChart(canvas, {
        label: `ROC curve of ${one.class}, area ${area(one.roc_auc)}`,
        points: [{ x: 0, y: 0 }, ...roc],
        xAxis: 'false positives',
        yAxis: 'true positives',
        color: 0,
        hasDiagonal: true,
      }),
      curveChart(canvas, {
        label: `Precision-recall curve of ${one.class}, average precision ${area(one.average_precision)}`,
        points: [...(recall[0] ? [{ x: 0, y: recall[0].y }] : []), ...recall],
        xAxis: 'recall',
        yAxis: 'precision',
        color: 1,
        hasDiagonal: false,
      }),
      markup`</div>`,
    ],
  }
}

/** Observed share against mean confidence: of the largest probability, then of each class. */
function reliabilityFigure(
  canvas: Canvas,
  level: LevelEvaluation,
  { note, calibrated }: { readonly note: string; readonly calibrated: LevelEvaluation | null },
): Html {
  const curves = reliabilityCurves(level)
  const others = (calibrated ? reliabilityCurves(calibrated) : []).map((curve) => ({ ...curve, isCalibrated: true }))
  const pointsOf = ({ bins }: (typeof curves)[number]) =>
    bins.flatMap(({ confidence: x, observed: y }) => (x === null || y === null ? [] : [{ x, y }]))
  const overOf = (curve: (typeof curves)[number]) => others.find(({ className }) => className === curve.className)
  const shown = [...curves, ...curves.flatMap((curve) => overOf(curve) ?? [])]
  const dashed = calibrated ? ' With squares: the calibrated probabilities.' : ''
  return figureOf({
    title: `Reliability of ${level.classifier_name}`,
    note: markup`Observed frequency of the class against its predicted probability, by interval of probability. Dashed: both agree;
    above that line the model is underconfident, below it overconfident.${dashed}${note}`,
    pictures: curves.map((curve) => ({
      name: curveName(curve),
      drawing: [
        curveChart(canvas, {
          label: `Reliability curve of ${curveName(curve)}`,
          points: pointsOf(curve),
          xAxis: 'probability',
          yAxis: 'observed',
          color: curve.className === null ? 5 : 2,
          hasDiagonal: true,
          hasDots: true,
          over: calibrated ? { points: pointsOf(overOf(curve)!), color: 1 } : undefined,
        }),
      ],
    })),
    numbers: tableOf(
      reliabilityTable(`Reliability of ${level.classifier_name}: intervals with objects`, filledBins(shown)),
    ),
  })
}

/** Evenly thinned, with both ends. */
function thinnedCurve(curve: CurvePoint[]): CurvePoint[] {
  if (curve.length <= shownPoints) return curve
  const step = (curve.length - 1) / (shownPoints - 1)
  return Array.from({ length: shownPoints }, (_, i) => curve[Math.round(i * step)]!)
}
