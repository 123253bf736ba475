// A table of a report: caption, headings with their scope, and cells that the page's script can sort.
import { markup, trusted, type Content, type Html } from './html.ts'

/** A column. Numbers stand right and sort as numbers. */
export interface Column<Row> {
  readonly heading: string
  readonly cell: (row: Row) => string | number | null
  readonly isText?: boolean
}

/** See tableOf. The first column is the heading of its row. */
interface TableOptions<Row> {
  readonly caption: Content
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  /** the script makes buttons of its headings; without script it keeps the order of `rows` */
  readonly isSortable?: boolean
}

/** A table as markup; cells without a value are empty. Optional end tags are left out: curves have thousands of cells. */
export function tableOf<Row>({ caption, columns, rows, isSortable = false }: TableOptions<Row>): Html {
  const headings = columns.map(({ heading, isText }) =>
    isText === true ? markup`<th scope="col" class="t">${heading}</th>` : markup`<th scope="col">${heading}</th>`,
  )
  const body = rows.map((row) => {
    const cells = columns.map((column, i) => cellOf(column, row, i === 0))
    return markup`<tr>${cells}
`
  })
  const kind = trusted(isSortable ? ' class="sortable"' : '')
  return markup`<div class="scroll" tabindex="0" role="group" aria-label="table">
<table${kind}><caption>${caption}</caption><thead><tr>${headings}</tr></thead>
<tbody>
${body}</tbody></table></div>
`
}

function cellOf<Row>({ cell, isText }: Column<Row>, row: Row, isHeading: boolean): Html {
  const value = cell(row)
  const text = typeof value === 'number' ? numberText(value) : value
  if (isHeading) return isText === true ? markup`<th scope="row" class="t">${text}` : markup`<th scope="row">${text}`
  return isText === true ? markup`<td class="t">${text}` : markup`<td>${text}`
}

/** A number for a reader, to six significant digits; whole numbers have all of theirs. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
}

/** A share as a percentage with one decimal. */
export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Names and values in two columns. */
export function listOf(entries: readonly (readonly [name: string, value: Content])[]): Html {
  return markup`<dl>
${entries.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`
}
