// The charts of a report, by Observable Plot without a browser: bars, histograms, waterfalls, curves, shares of two sides, and matrices of counts.
import type * as ObservablePlot from '@observablehq/plot'
import { type Matrix, matrixTable } from '../formats/table.ts'
import { type Content, type Html, trusted, visibleText } from './html.ts'
import { figureOf, tableOf } from './page.ts'

/** The plot library, and how a chart of it becomes markup. */
export type Canvas = Awaited<ReturnType<typeof openCanvas>>

/** pixels of a letter of the charts' text */
const fontSize = 12
const letterWidth = 6.8
const longestLabel = 22
// attributes that hold coordinates: digits below a hundredth of a pixel are two thirds of the file
const coordinates = new Set(['d', 'transform', 'x', 'y', 'x1', 'x2', 'y1', 'y2', 'cx', 'cy', 'width', 'height'])

/** Loads Plot and a DOM to draw in: some 300 ms. */
export async function openCanvas() {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom/worker')])
  const { document } = parseHTML('<html><body></body></html>')
  return {
    plot,
    /** @param label what a screen reader says of the chart */
    draw(label: string, options: ObservablePlot.PlotOptions): Html {
      const chart: Drawn = plot.plot({ document, style: { fontSize: `${fontSize}px` }, ...options })
      // the page has its own
      for (const sheet of [...chart.querySelectorAll('style')]) sheet.remove()
      chart.setAttribute('role', 'img')
      chart.setAttribute('aria-label', visibleText(label))
      trim(chart)
      return trusted(chart.outerHTML)
    },
  }
}

/** A class's name as an axis has room for it; the tables have all of it. */
function axisLabel(name: string): string {
  const letters = [...visibleText(name)]
  if (letters.length <= longestLabel) return letters.join('')
  // names of features differ at their ends: _1 and _2 are two bands
  const tail = Math.floor(longestLabel / 3)
  return `${letters.slice(0, longestLabel - 1 - tail).join('')}…${letters.slice(-tail).join('')}`
}

/** Room for the longest of some names beside an axis, in pixels. */
export function labelMargin(names: readonly string[]): number {
  return Math.ceil(Math.max(3, ...names.map((name) => [...axisLabel(name)].length)) * letterWidth) + 14
}

/** A colour of the page's palette, which is another on dark paper; there are six. */
function paletteColor(index: number): string {
  return `var(--c${(index % 6) + 1})`
}

/** What is used of an element: the project is not compiled with a browser's types. */
interface Drawn {
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>
  readonly children: Iterable<Drawn>
  readonly outerHTML: string
  querySelectorAll(selector: string): Iterable<Drawn>
  setAttribute(name: string, value: string): void
  remove(): void
}

function trim(element: Drawn): void {
  for (const { name, value } of [...element.attributes]) {
    if (!coordinates.has(name)) continue
    const rounded = value.replace(/(?<!\d)\d+\.\d{3,}(?:e-?\d+)?/g, (number) =>
      String(Math.round(Number(number) * 100) / 100),
    )
    if (rounded !== value) element.setAttribute(name, rounded)
  }
  for (const child of element.children) trim(child)
}

// The charts.

export interface Bar {
  readonly name: string
  readonly value: number
}

const barHeight = 22
/** what stands above and below rows with names */
const rowMargins = { marginTop: 10, marginBottom: 45 }
const histogramMargins = { marginLeft: 48, marginRight: 14, marginTop: 24, marginBottom: 40 }
/** small: many curves stand beside each other */
const curveSize = { width: 190, height: 190, marginLeft: 34, marginRight: 12, marginTop: 22, marginBottom: 36 }

/** The vertical axis of rows with names; two names may look alike when they are shortened: places tell them apart. */
function namesAxis(rows: readonly { readonly name: string }[]) {
  return { domain: [...rows.keys()], tickFormat: (key: number) => axisLabel(rows[key]!.name), label: null, tickSize: 0 }
}

function keyed<Row>(rows: readonly Row[]): (Row & { readonly key: number })[] {
  return rows.map((row, key) => ({ ...row, key }))
}

function marginOf(rows: readonly { readonly name: string }[]): number {
  return labelMargin(rows.map(({ name }) => name))
}

/**
 * Horizontal bars in the order given, with the value at the end of each.
 *
 * @param chart.most the largest value of the axis, `chart.margin` the room for names: several charts may share them
 */
export function barChart(
  canvas: Canvas,
  chart: { label: string; bars: readonly Bar[]; axis: string; most: number; color: number; margin?: number },
): Html {
  const { label, bars, axis, most, color, margin = marginOf(bars) } = chart
  const rows = keyed(bars)
  const { plot } = canvas
  return canvas.draw(label, {
    width: 350,
    height: bars.length * barHeight + 60,
    marginLeft: margin,
    marginRight: 50,
    ...rowMargins,
    x: { domain: [0, most || 1], label: axis, ticks: 3, grid: true, labelAnchor: 'right', tickFormat: shortNumber },
    y: namesAxis(bars),
    marks: [
      plot.barX(rows, { x: 'value', y: 'key', fill: paletteColor(color), insetTop: 2, insetBottom: 2 }),
      plot.text(rows, { x: 'value', y: 'key', text: (row: Bar) => shortNumber(row.value), dx: 4, textAnchor: 'start' }),
      plot.ruleX([0]),
    ],
  })
}

/** What a screen reader says of a chart, what stands beside its axes, and its colour of the page's palette. */
interface ChartText {
  readonly label: string
  readonly xAxis: string
  readonly yAxis: string
  readonly color: number
}

/** A histogram over probabilities or distances: x goes from 0 to 1. */
export function histogramChart(
  canvas: Canvas,
  chart: ChartText & { bins: readonly { from: number; to: number; value: number }[]; width?: number; height?: number },
): Html {
  const { label, bins, xAxis, yAxis, color, width = 350, height = 220 } = chart
  const { plot } = canvas
  const most = Math.max(0, ...bins.map(({ value }) => value))
  return canvas.draw(label, {
    width,
    height,
    ...histogramMargins,
    x: { domain: [0, 1], ticks: 5, label: xAxis },
    y: { domain: [0, most || 1], ticks: 4, grid: true, label: yAxis, tickFormat: shortNumber },
    marks: [
      plot.rectY(bins, { x1: 'from', x2: 'to', y: 'value', fill: paletteColor(color), inset: 0.5 }),
      plot.ruleY([0]),
    ],
  })
}

/** From a first value by steps to the last: each bar begins where the one above it ends, so that one sees them add up. */
export function waterfallChart(
  canvas: Canvas,
  {
    label,
    first,
    steps,
    last,
    axis,
  }: Record<'first' | 'last', Bar> & { label: string; steps: readonly Bar[]; axis: string },
): Html {
  let sum = first.value
  const rows = keyed([
    { ...first, from: 0, to: first.value, isStep: false },
    ...steps.map(({ name, value }) => ({ name, value, from: sum, to: (sum += value), isStep: true })),
    { ...last, from: 0, to: last.value, isStep: false },
  ])
  const { plot } = canvas
  const ends = [0, ...rows.map(({ to }) => to)]
  const [least, most] = [Math.min(...ends), Math.max(...ends)]
  // room for a number beside the longest bar
  const spare = (most - least || 1) * 0.12
  const color = ({ isStep, value }: (typeof rows)[number]): string => paletteColor(isStep ? (value < 0 ? 1 : 0) : 5)
  const text = ({ isStep, value }: (typeof rows)[number]): string =>
    isStep ? `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}` : shortNumber(value)
  return canvas.draw(label, {
    width: 640,
    height: rows.length * barHeight + 60,
    marginLeft: marginOf(rows),
    marginRight: 20,
    ...rowMargins,
    x: {
      domain: [least < 0 ? least - spare : 0, most + spare],
      ...{ label: axis, ticks: 6, grid: true, labelAnchor: 'center', labelArrow: 'none' },
    },
    y: namesAxis(rows),
    marks: [
      plot.link(rows.slice(0, -1), {
        ...{ x1: 'to', x2: 'to', y1: 'key', y2: (row: { key: number }) => row.key + 1 },
        ...{ stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '2,2' },
      }),
      plot.barX(rows, { x1: 'from', x2: 'to', y: 'key', fill: color, insetTop: 2, insetBottom: 2 }),
      plot.text(rows, {
        ...{ x: ({ from, to }: { from: number; to: number }) => Math.max(from, to), y: 'key', text },
        ...{ dx: 4, textAnchor: 'start', stroke: 'var(--paper)', strokeWidth: 3, fill: 'currentColor' },
      }),
      plot.ruleX([0]),
    ],
    color: { type: 'identity' },
  })
}

/**
 * A curve in the unit square.
 *
 * @param chart.hasDiagonal what chance, or perfect calibration, would give
 * @param chart.hasDots a dot at each point
 */
export function curveChart(
  canvas: Canvas,
  chart: ChartText & { points: readonly Point[]; hasDiagonal: boolean; hasDots?: boolean; over?: Overlay | undefined },
): Html {
  const { label, points, xAxis, yAxis, color, hasDiagonal, hasDots = false, over } = chart
  const { plot } = canvas
  const stroke = paletteColor(color)
  const dashes = { stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '3,3' }
  return canvas.draw(label, {
    ...curveSize,
    x: { domain: [0, 1], ticks: [0, 0.5, 1], label: xAxis, tickSize: 4 },
    y: { domain: [0, 1], ticks: [0, 0.5, 1], label: yAxis, tickSize: 4 },
    marks: [
      plot.frame({ strokeOpacity: 0.25 }),
      ...(hasDiagonal ? [plot.line([[0, 0], [1, 1]], dashes)] : []), // prettier-ignore
      plot.line(points, { x: 'x', y: 'y', stroke, strokeWidth: 2 }),
      ...(hasDots ? [plot.dot(points, { x: 'x', y: 'y', fill: stroke, r: 3 })] : []),
      ...(over ? overlay(plot, over) : []),
    ],
  })
}

interface Point {
  readonly x: number
  readonly y: number
}

/** A second curve in the same frame, told from the first by colour and by its squares. */
interface Overlay {
  readonly points: readonly Point[]
  readonly color: number
}

function overlay(plot: Canvas['plot'], { points, color }: Overlay) {
  const stroke = paletteColor(color)
  return [
    plot.line(points, { x: 'x', y: 'y', stroke, strokeWidth: 2, strokeDasharray: '5,2' }),
    plot.dot(points, { x: 'x', y: 'y', fill: stroke, symbol: 'square', r: 3 }),
  ]
}

/** Each class's share on both sides: a ring for A, a disc for B, a line between them, so that nobody needs the colours. */
export function shareChart(
  canvas: Canvas,
  label: string,
  pairs: readonly { readonly name: string; readonly a: number; readonly b: number }[],
): Html {
  const { plot } = canvas
  const rows = keyed(pairs)
  return canvas.draw(label, {
    width: 440,
    height: pairs.length * 24 + 60,
    marginLeft: marginOf(pairs),
    marginRight: 20,
    ...rowMargins,
    x: {
      domain: [0, Math.max(...pairs.flatMap(({ a, b }) => [a, b]), 1e-9) * 1.05],
      grid: true,
      ticks: 4,
      percent: false,
      tickFormat: (share: number) => `${Number((share * 100).toPrecision(3))} %`,
      label: 'share of the objects',
      labelAnchor: 'right',
    },
    y: namesAxis(pairs),
    marks: [
      plot.link(rows, { x1: 'a', x2: 'b', y1: 'key', y2: 'key', stroke: 'currentColor', strokeOpacity: 0.5 }),
      plot.dot(rows, { x: 'b', y: 'key', r: 5, fill: paletteColor(0) }),
      plot.dot(rows, { x: 'a', y: 'key', r: 5, stroke: paletteColor(1), strokeWidth: 2 }),
    ],
  })
}

const cellSize = 36
/** of the colour: text on more of it could not be read */
const darkest = 0.55
/** beyond so many classes on a side, a matrix is its table alone */
const largestMatrix = 40

export function matrixFigure(
  canvas: Canvas,
  matrix: Matrix,
  text: { note: Content; label: string; rowAxis: string; columnAxis: string },
): Html {
  const isSmall = Math.max(matrix.rows.length, matrix.columns.length) <= largestMatrix
  return figureOf({
    title: matrix.title,
    note: text.note,
    pictures: isSmall ? [{ name: null, drawing: [matrixChart(canvas, matrix, text)], isWide: true }] : [],
    numbers: tableOf(matrixTable(matrix)),
  })
}

/** Counts stand in the cells that have any; the colour is the share of the row. */
function matrixChart(
  canvas: Canvas,
  { rows, columns, counts }: Matrix,
  { label, rowAxis, columnAxis }: { label: string; rowAxis: string; columnAxis: string },
): Html {
  const { plot } = canvas
  const cells = counts.flatMap((row, y) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count, x) => ({ x, y, count, share: total === 0 ? 0 : count / total }))
  })
  const filled = cells.filter(({ count }) => count > 0)
  const marginLeft = labelMargin(rows) + 16
  const marginTop = labelMargin(columns) + 14
  const band = (names: readonly string[]) => ({
    type: 'band' as const,
    domain: [...names.keys()],
    tickFormat: (i: number) => axisLabel(names[i]!),
    labelArrow: 'none' as const,
    tickSize: 0,
    padding: 0,
  })
  return canvas.draw(label, {
    width: marginLeft + columns.length * cellSize + 30,
    height: marginTop + rows.length * cellSize + 10,
    marginLeft,
    marginTop,
    marginRight: 30,
    marginBottom: 10,
    x: { ...band(columns), axis: 'top', tickRotate: -90, label: columnAxis, labelAnchor: 'left' },
    y: { ...band(rows), label: rowAxis, labelAnchor: 'center' },
    marks: [
      plot.cell(cells, { x: 'x', y: 'y', fill: 'none', stroke: 'var(--line)' }),
      plot.cell(filled, {
        x: 'x',
        y: 'y',
        fill: paletteColor(0),
        fillOpacity: ({ share }: { share: number }) => 0.04 + (darkest - 0.04) * share,
        inset: 0.5,
      }),
      plot.text(filled, { x: 'x', y: 'y', text: ({ count }: { count: number }) => cellNumber(count), fontSize: 11 }),
    ],
    opacity: { type: 'identity' },
  })
}

/** Up to ten thousand as it is, beyond that shortened. */
function shortNumber(value: number): string {
  if (!Number.isInteger(value)) return String(Number(value.toPrecision(3)))
  if (value < 10_000) return String(value)
  return value < 1e6 ? `${Number((value / 1e3).toPrecision(3))}k` : `${Number((value / 1e6).toPrecision(3))}M`
}

/** At most four letters: a cell has no room for more. */
function cellNumber(count: number): string {
  if (count < 10_000) return String(count)
  return count < 1e6 ? `${Math.round(count / 1e3)}k` : `${Math.round(count / 1e6)}M`
}
