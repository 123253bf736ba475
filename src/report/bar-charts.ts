// Charts of bars: counts of classes, histograms, contributions.
import { axisLabel, labelMargin, paletteColor, type Canvas } from './canvas.ts'
import type { Html } from './html.ts'

/** A named number. */
export interface Bar {
  readonly name: string
  readonly value: number
}

/** Horizontal bars, in the order given. */
interface BarChart {
  readonly label: string
  readonly bars: readonly Bar[]
  readonly axis: string
  /** the largest value of the axis, where several charts share one */
  readonly most: number
  /** of the page's palette */
  readonly color: number
  /** room for names, where several charts share it */
  readonly margin?: number
}

const barHeight = 22

/** The value stands at the end of each bar. */
export function barChart(canvas: Canvas, { label, bars, axis, most, color, margin }: BarChart): Html {
  const rows = numbered(bars)
  const { plot } = canvas
  return canvas.draw(label, {
    width: 350,
    height: bars.length * barHeight + 60,
    marginLeft: margin ?? labelMargin(bars.map(({ name }) => name)),
    marginRight: 50,
    marginTop: 10,
    marginBottom: 45,
    x: { domain: [0, most || 1], label: axis, ticks: 3, grid: true, labelAnchor: 'right', tickFormat: shortNumber },
    y: { domain: rows.map(({ key }) => key), tickFormat: nameOf(bars), label: null, tickSize: 0 },
    marks: [
      plot.barX(rows, { x: 'value', y: 'key', fill: paletteColor(color), insetTop: 2, insetBottom: 2 }),
      plot.text(rows, {
        x: 'value',
        y: 'key',
        text: (row: Bar) => shortNumber(row.value),
        dx: 4,
        textAnchor: 'start',
      }),
      plot.ruleX([0]),
    ],
  })
}

/** Numbers by interval. */
interface HistogramChart {
  readonly label: string
  readonly bins: readonly { readonly from: number; readonly to: number; readonly value: number }[]
  readonly xAxis: string
  readonly yAxis: string
  readonly color: number
  readonly width?: number
  readonly height?: number
}

/** A histogram over probabilities or distances: x goes from 0 to 1. */
export function histogramChart(canvas: Canvas, chart: HistogramChart): Html {
  const { label, bins, xAxis, yAxis, color, width = 350, height = 220 } = chart
  const { plot } = canvas
  const most = Math.max(0, ...bins.map(({ value }) => value))
  return canvas.draw(label, {
    width,
    height,
    marginLeft: 48,
    marginRight: 14,
    marginTop: 24,
    marginBottom: 40,
    x: { domain: [0, 1], ticks: 5, label: xAxis },
    y: { domain: [0, most || 1], ticks: 4, grid: true, label: yAxis, tickFormat: shortNumber },
    marks: [
      plot.rectY(bins, { x1: 'from', x2: 'to', y: 'value', fill: paletteColor(color), inset: 0.5 }),
      plot.ruleY([0]),
    ],
  })
}

/** Bars to both sides of zero: what speaks for and what against. */
export function contributionChart(
  canvas: Canvas,
  { label, bars, axis }: { label: string; bars: readonly Bar[]; axis: string },
): Html {
  const rows = numbered(bars)
  const { plot } = canvas
  const far = Math.max(...bars.map(({ value }) => Math.abs(value)), 1e-12) * 1.35
  return canvas.draw(label, {
    width: 500,
    height: bars.length * barHeight + 60,
    marginLeft: labelMargin(bars.map(({ name }) => name)),
    marginRight: 20,
    marginTop: 10,
    marginBottom: 45,
    x: { domain: [-far, far], label: axis, ticks: 5, grid: true, labelAnchor: 'center', labelArrow: 'none' },
    y: { domain: rows.map(({ key }) => key), tickFormat: nameOf(bars), label: null, tickSize: 0 },
    marks: [
      plot.barX(rows, {
        x: 'value',
        y: 'key',
        // constants are colours, columns would be data
        fill: (row: Bar) => (row.value < 0 ? paletteColor(1) : paletteColor(0)),
        insetTop: 2,
        insetBottom: 2,
      }),
      ...[1, -1].map((side) =>
        plot.text(
          rows.filter(({ value }) => value < 0 === side < 0),
          {
            x: 'value',
            y: 'key',
            text: (row: Bar) => `${row.value < 0 ? '−' : '+'}${Math.abs(row.value).toFixed(4)}`,
            dx: 4 * side,
            textAnchor: side > 0 ? 'start' : 'end',
          },
        ),
      ),
      plot.ruleX([0]),
    ],
    color: { type: 'identity' },
  })
}

/** 1,234 as it is, beyond ten thousand shortened. */
function shortNumber(value: number): string {
  if (!Number.isInteger(value)) return String(Number(value.toPrecision(3)))
  if (value < 10_000) return String(value)
  return value < 1e6 ? `${Number((value / 1e3).toPrecision(3))}k` : `${Number((value / 1e6).toPrecision(3))}M`
}

/** Two names may look alike when they are shortened: places tell them apart. */
function numbered(bars: readonly Bar[]): (Bar & { readonly key: number })[] {
  return bars.map((bar, key) => ({ ...bar, key }))
}

function nameOf(bars: readonly Bar[]): (key: number) => string {
  return (key) => axisLabel(bars[key]!.name)
}
