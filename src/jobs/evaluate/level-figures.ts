// The figures of one evaluated level: confusion matrix, ROC and precision-recall curves, reliability.
import type { ClassEvaluation, LevelEvaluation } from './evaluation-report.ts'
import type { CurvePoint } from './ranking-curves.ts'
import type { ReliabilityBin } from './probability-scores.ts'
import type { Canvas } from '../../report/canvas.ts'
import { figureOf, type Picture } from '../../report/figure.ts'
import { markup, type Html } from '../../report/html.ts'
import { curveChart } from '../../report/line-charts.ts'
import { largestMatrix, matrixChart } from '../../report/matrix-chart.ts'
import { numberText, tableOf } from '../../report/table.ts'

/** A level and how much of it has room. */
export interface LevelView {
  readonly canvas: Canvas
  readonly level: LevelEvaluation
  /** classes with charts of their own */
  readonly shown: number
}

/** points of a curve, in the picture and in the table */
const shownPoints = 100

/** Counts, coloured by the share of the label. */
export function confusionFigure({ canvas, level }: LevelView): Html {
  const { classes, counts } = level.confusion
  const title = `Confusion matrix of ${level.classifier_name}`
  const label = `Confusion matrix: labels in rows, predictions in columns; the table has the counts`
  const chart = { label, rows: classes, columns: classes, counts, rowAxis: 'label', columnAxis: 'predicted' }
  return figureOf({
    title,
    note: 'Rows are labels, columns predictions, numbers objects. The colour is the share of the row.',
    pictures:
      classes.length > largestMatrix ? [] : [{ name: null, drawing: [matrixChart(canvas, chart)], isWide: true }],
    numbers: tableOf({
      caption: `${title}: objects`,
      rows: classes.map((name, i) => ({ name, row: counts[i]! })),
      columns: [
        { heading: 'label', cell: ({ name }) => name, isText: true },
        ...classes.map((heading, j) => ({ heading, cell: ({ row }: { row: readonly number[] }) => row[j]! })),
      ],
    }),
  })
}

/** ROC beside precision-recall, a pair for each class that some object has. */
export function curveFigure(view: LevelView): Html {
  const { canvas, level } = view
  const { classes, note } = shownOf(view)
  const thinned = classes.map((one) => ({ one, curve: thinnedCurve(one.curve) }))
  return figureOf({
    title: `ROC and precision-recall curves of ${level.classifier_name}`,
    note: markup`Each class against the rest: true against false positive rate (dashed: chance), and precision against
    recall.${note}`,
    pictures: thinned.map(({ one, curve }) => curvePicture(canvas, one, curve)),
    numbers: tableOf({
      caption: `Curves of ${level.classifier_name}: rates of the objects at or above each threshold`,
      rows: thinned.flatMap(({ one, curve }) => curve.map((point) => ({ name: one.class, ...point }))),
      columns: [
        { heading: 'class', cell: ({ name }) => name, isText: true },
        { heading: 'threshold', cell: (point) => point.threshold },
        { heading: 'false positive rate', cell: (point) => point.false_positive_rate },
        { heading: 'true positive rate (recall)', cell: (point) => point.true_positive_rate },
        { heading: 'precision', cell: (point) => point.precision },
      ],
    }),
  })
}

function curvePicture(canvas: Canvas, one: ClassEvaluation, curve: readonly CurvePoint[]): Picture {
  const area = (value: number | null): string => (value === null ? 'not defined' : numberText(round(value)))
  const roc = curve.map((point) => ({ x: point.false_positive_rate, y: point.true_positive_rate }))
  const recall = curve.map((point) => ({ x: point.true_positive_rate, y: point.precision }))
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
export function reliabilityFigure(view: LevelView): Html {
  const { canvas, level } = view
  const { classes, note } = shownOf(view)
  const curves = [
    { name: 'the largest probability', bins: level.reliability, color: 5 },
    ...classes.map((one) => ({ name: one.class, bins: one.reliability, color: 2 })),
  ]
  return figureOf({
    title: `Reliability of ${level.classifier_name}`,
    note: markup`How often it is so, against how probable the model says it is, by interval of probability. On the dashed
    line they agree; above it the model is too careful, below too sure.${note}`,
    pictures: curves.map(({ name, bins, color }) => ({
      name,
      drawing: [
        curveChart(canvas, {
          label: `Reliability curve of ${name}`,
          points: bins.flatMap(({ confidence: x, observed: y }) => (x === null || y === null ? [] : [{ x, y }])),
          xAxis: 'probability',
          yAxis: 'observed',
          color,
          hasDiagonal: true,
          hasDots: true,
        }),
      ],
    })),
    numbers: tableOf({
      caption: `Reliability of ${level.classifier_name}: intervals with objects`,
      rows: curves.flatMap(({ name, bins }) =>
        bins.filter(({ objects }) => objects > 0).map((bin): ReliabilityBin & { name: string } => ({ name, ...bin })),
      ),
      columns: [
        { heading: 'class', cell: ({ name }) => name, isText: true },
        { heading: 'above', cell: ({ from }) => from },
        { heading: 'up to', cell: ({ to }) => to },
        { heading: 'objects', cell: ({ objects }) => objects },
        { heading: 'mean probability', cell: ({ confidence }) => confidence },
        { heading: 'observed share', cell: ({ observed }) => observed },
      ],
    }),
  })
}

/** The classes that objects have, the most frequent where there is no room for all; in the level's order. */
function shownOf({ level, shown }: LevelView): { classes: readonly ClassEvaluation[]; note: string } {
  const present = level.classes.filter(({ support }) => support > 0)
  const largest = new Set([...present].sort((a, b) => b.support - a.support).slice(0, shown))
  const missing = present.length - largest.size
  return {
    classes: present.filter((one) => largest.has(one)),
    note: missing > 0 ? ` The ${missing} classes with the fewest objects are left out; --csv has them.` : '',
  }
}

/** Evenly thinned, with both ends. */
function thinnedCurve(curve: readonly CurvePoint[]): readonly CurvePoint[] {
  if (curve.length <= shownPoints) return curve
  const step = (curve.length - 1) / (shownPoints - 1)
  return Array.from({ length: shownPoints }, (_, i) => curve[Math.round(i * step)]!)
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
