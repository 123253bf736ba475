// Observable Plot without a browser: a chart's options → SVG text. Loaded only when a report is asked for.
import type * as ObservablePlot from '@observablehq/plot'
import { trusted, visibleText, type Html } from './html.ts'

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
export function axisLabel(name: string): string {
  const letters = [...visibleText(name)]
  return letters.length > longestLabel ? `${letters.slice(0, longestLabel - 1).join('')}…` : letters.join('')
}

/** Room for the longest of some names beside an axis, in pixels. */
export function labelMargin(names: readonly string[]): number {
  return Math.ceil(Math.max(3, ...names.map((name) => [...axisLabel(name)].length)) * letterWidth) + 14
}

/** A colour of the page's palette, which is another on dark paper; there are six. */
export function paletteColor(index: number): string {
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
    const rounded = value.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) =>
      String(Math.round(Number(number) * 100) / 100),
    )
    if (rounded !== value) element.setAttribute(name, rounded)
  }
  for (const child of element.children) trim(child)
}
