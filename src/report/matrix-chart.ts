// A matrix of counts, coloured by share of the row.
import { axisLabel, labelMargin, paletteColor, type Canvas } from './canvas.ts'
import type { Html } from './html.ts'

/** Classes against classes. */
interface MatrixChart {
  readonly label: string
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly counts: readonly (readonly number[])[]
  readonly rowAxis: string
  readonly columnAxis: string
}

const cellSize = 36
/** of the colour: text on more of it could not be read */
const darkest = 0.55
/** beyond so many classes on a side, a matrix is its table alone */
export const largestMatrix = 40

/** Counts stand in the cells that have any. */
export function matrixChart(canvas: Canvas, chart: MatrixChart): Html {
  const { label, rows, columns, counts, rowAxis, columnAxis } = chart
  const { plot } = canvas
  const cells = counts.flatMap((row, y) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count, x) => ({ x, y, count, share: total === 0 ? 0 : count / total }))
  })
  const filled = cells.filter(({ count }) => count > 0)
  const marginLeft = labelMargin(rows) + 16
  const marginTop = labelMargin(columns) + 14
  return canvas.draw(label, {
    width: marginLeft + columns.length * cellSize + 30,
    height: marginTop + rows.length * cellSize + 10,
    marginLeft,
    marginTop,
    marginRight: 30,
    marginBottom: 10,
    x: {
      type: 'band',
      domain: columns.map((_, i) => i),
      tickFormat: (i: number) => axisLabel(columns[i]!),
      axis: 'top',
      tickRotate: -90,
      label: columnAxis,
      labelAnchor: 'left',
      labelArrow: 'none',
      tickSize: 0,
      padding: 0,
    },
    y: {
      type: 'band',
      domain: rows.map((_, i) => i),
      tickFormat: (i: number) => axisLabel(rows[i]!),
      label: rowAxis,
      labelAnchor: 'center',
      labelArrow: 'none',
      tickSize: 0,
      padding: 0,
    },
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

/** At most four letters: a cell has no room for more. */
function cellNumber(count: number): string {
  if (count < 10_000) return String(count)
  return count < 1e6 ? `${Math.round(count / 1e3)}k` : `${Math.round(count / 1e6)}M`
}
