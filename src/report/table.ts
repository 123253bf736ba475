// A table of a report: caption, headings with their scope, and cells that the page's script can sort.
import { type Column, numberText, percentText, type Table } from '../formats/table.ts'
import { type Content, type Html, markup, trusted } from './html.ts'

/**
 * A table as markup; its first column is the heading of each row, cells without a value are empty. Optional end tags are
 * left out: curves have thousands of cells.
 */
export function tableOf<Row>({ caption, columns, rows, isSortable = false }: Table<Row>): Html {
  const shown = columns.filter(({ heading }) => heading !== undefined)
  const headings = shown.map(({ heading, isText }) => markup`<th scope="col"${sideOf(isText)}>${heading!}</th>`)
  const body = rows.map((row) => {
    const cells = shown.map((column, i) =>
      i === 0
        ? markup`<th scope="row"${sideOf(column.isText)}>${cellText(column, row)}`
        : markup`<td${sideOf(column.isText)}>${cellText(column, row)}`,
    )
    return markup`<tr>${cells}
`
  })
  // the script makes buttons of the headings; without script the rows keep their order
  const kind = trusted(isSortable ? ' class="sortable"' : '')
  return markup`<div class="scroll" tabindex="0" role="group" aria-label="table">
<table${kind}><caption>${caption}</caption><thead><tr>${headings}</tr></thead>
<tbody>
${body}</tbody></table></div>
`
}

function sideOf(isText: boolean | undefined): Html {
  return trusted(isText === true ? ' class="t"' : '')
}

function cellText<Row>({ cell, isShare }: Column<Row>, row: Row): Content {
  const value = cell(row)
  if (typeof value !== 'number') return value
  return isShare === true ? percentText(value, 2) : numberText(value)
}

/** Names and values in two columns. */
export function listOf(entries: readonly (readonly [name: string, value: Content])[]): Html {
  return markup`<dl>
${entries.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`
}
