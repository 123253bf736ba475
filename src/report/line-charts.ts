// Charts in the unit square: ROC, precision against recall, reliability; and shares of two sides.
import { axisLabel, labelMargin, paletteColor, type Canvas } from './canvas.ts'
import type { Html } from './html.ts'

/** A point of the unit square. */
interface Point {
  readonly x: number
  readonly y: number
}

/** A curve. */
interface CurveChart {
  readonly label: string
  readonly points: readonly Point[]
  readonly xAxis: string
  readonly yAxis: string
  readonly color: number
  /** the diagonal: what chance, or perfect calibration, would give */
  readonly hasDiagonal: boolean
  /** a dot at each point */
  readonly hasDots?: boolean
}

/** A small square chart, many of which stand beside each other. */
export function curveChart(canvas: Canvas, chart: CurveChart): Html {
  const { label, points, xAxis, yAxis, color, hasDiagonal, hasDots = false } = chart
  const { plot } = canvas
  const stroke = paletteColor(color)
  return canvas.draw(label, {
    width: 190,
    height: 190,
    marginLeft: 34,
    marginRight: 12,
    marginTop: 22,
    marginBottom: 36,
    x: { domain: [0, 1], ticks: [0, 0.5, 1], label: xAxis, tickSize: 4 },
    y: { domain: [0, 1], ticks: [0, 0.5, 1], label: yAxis, tickSize: 4 },
    marks: [
      plot.frame({ strokeOpacity: 0.25 }),
      ...(hasDiagonal
        ? [plot.line([[0, 0], [1, 1]], { stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '3,3' })] // prettier-ignore
        : []),
      plot.line(points, { x: 'x', y: 'y', stroke, strokeWidth: 2 }),
      ...(hasDots ? [plot.dot(points, { x: 'x', y: 'y', fill: stroke, r: 3 })] : []),
    ],
  })
}

/** One class's share on both sides. */
interface SharePair {
  readonly name: string
  readonly a: number
  readonly b: number
}

/** A ring for A, a disc for B, a line between them: shapes, so that nobody needs the colours. */
export function shareChart(canvas: Canvas, label: string, pairs: readonly SharePair[]): Html {
  const { plot } = canvas
  const rows = pairs.map((pair, key) => ({ ...pair, key }))
  return canvas.draw(label, {
    width: 440,
    height: pairs.length * 24 + 60,
    marginLeft: labelMargin(pairs.map(({ name }) => name)),
    marginRight: 20,
    marginTop: 10,
    marginBottom: 45,
    x: {
      domain: [0, Math.max(...pairs.flatMap(({ a, b }) => [a, b]), 1e-9) * 1.05],
      grid: true,
      ticks: 4,
      percent: false,
      tickFormat: (share: number) => `${Number((share * 100).toPrecision(3))} %`,
      label: 'share of the objects',
      labelAnchor: 'right',
    },
    y: { domain: rows.map(({ key }) => key), tickFormat: (key: number) => axisLabel(pairs[key]!.name), label: null },
    marks: [
      plot.link(rows, { x1: 'a', x2: 'b', y1: 'key', y2: 'key', stroke: 'currentColor', strokeOpacity: 0.5 }),
      plot.dot(rows, { x: 'b', y: 'key', r: 5, fill: paletteColor(0) }),
      plot.dot(rows, { x: 'a', y: 'key', r: 5, stroke: paletteColor(1), strokeWidth: 2 }),
    ],
  })
}
