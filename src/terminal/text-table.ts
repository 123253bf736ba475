// Tables and numbers as text for people at a terminal.
import { stripVTControlCharacters } from 'node:util'
import { type BareTable, type Column, numberText, percentText, type Table } from '../formats/table.ts'

const narrowHeading = 7

/** Columns of text between which nothing is. */
const gap = '  '

/**
 * Lines of a table. Where a width is given, headings are whole if there is room for them, and a table that is too wide goes on
 * below, its first column again before the others.
 *
 * @param width columns of the terminal; undefined for a pipe, which has as many as it takes
 */
export function textTable<Row>(table: BareTable<Row>, width = terminalWidth()): string[] {
  if (width !== undefined) {
    const whole = columnsOf(table, { isShortened: false })
    if (widthOf(whole) <= width) return linesOf(whole)
  }
  const shown = columnsOf(table, { isShortened: true })
  return width === undefined
    ? linesOf(shown)
    : panels(shown, width).flatMap((panel, i) => [...(i === 0 ? [] : ['']), ...linesOf(panel)])
}

/** How wide the terminal is that stdout is; undefined where it is none. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns || undefined : undefined
}

/** The cells of a column, padded to its width, the heading first. */
type TextColumn = readonly string[]

function columnsOf<Row>({ columns, rows }: BareTable<Row>, { isShortened }: { isShortened: boolean }): TextColumn[] {
  return columns.flatMap((column) => {
    const { heading, isText, isNarrow } = column
    if (heading === undefined) return []
    const isTooLong = isShortened && isNarrow && heading.length > narrowHeading
    const name = isTooLong ? `${heading.slice(0, narrowHeading - 1)}…` : heading
    const texts = [name, ...rows.map((row) => cellText(column, row))].map(harmless)
    const width = Math.max(...texts.map((text) => text.length))
    return [texts.map((text) => (isText ? text.padEnd(width) : text.padStart(width)))]
  })
}

function widthOf(columns: readonly TextColumn[]): number {
  return columns.reduce((sum, [heading]) => sum + heading!.length + gap.length, -gap.length)
}

/** The columns in as many tables as it takes; one column that is too wide stands alone with the first. */
function panels(columns: readonly TextColumn[], width: number): TextColumn[][] {
  const [first, ...others] = columns
  const found: TextColumn[][] = [[first!]]
  for (const column of others) {
    const last = found.at(-1)!
    if (last.length > 1 && widthOf([...last, column]) > width) found.push([first!, column])
    else last.push(column)
  }
  return found
}

function linesOf(columns: readonly TextColumn[]): string[] {
  return columns[0]!.map((_, line) =>
    columns
      .map((texts) => texts[line]!)
      .join(gap)
      .trimEnd(),
  )
}

/** A table below its caption; nothing where it has no rows. */
export function captionedTable<Row>(table: Table<Row>): string[] {
  return table.rows.length === 0 ? [] : [harmless(table.caption), ...textTable(table)]
}

/** Parts of a text with an empty line between them; parts without lines are left out. */
export function paragraphs(parts: readonly (readonly string[])[]): string {
  const filled = parts.filter((lines) => lines.length > 0)
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function cellText<Row>({ cell, decimals, isShare, isSigned }: Column<Row>, row: Row): string {
  const value = cell(row)
  if (typeof value === 'string') return value
  if (value !== null && isShare) return percentText(value, 2)
  if (value !== null && isSigned) return `${value < 0 ? '−' : '+'}${shownNumber(Math.abs(value), decimals)}`
  const isFixed = value === null || decimals !== undefined || Number.isInteger(value)
  return isFixed ? shownNumber(value, decimals) : numberText(value)
}

/** A number with its thousands parted; `–` where there is none. */
export function shownNumber(value: number | null, decimals = 0): string {
  if (value === null) return '–'
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** `1 object`, `1,234 objects`. */
export function objectCount(count: number): string {
  return `${shownNumber(count)} ${count === 1 ? 'object' : 'objects'}`
}

/** An id or a label may hold anything, a terminal's own commands included. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{C}/gu, '?')
}
