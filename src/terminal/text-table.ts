// Tables and numbers as text for people at a terminal.
import { stripVTControlCharacters } from 'node:util'
import { type BareTable, type Column, numberText, percentText, type Table } from '../formats/table.ts'

const narrowHeading = 7

export function textTable<Row>({ columns, rows }: BareTable<Row>): string[] {
  const shown = columns.flatMap((column) => {
    const { heading, isText, isNarrow } = column
    if (heading === undefined) return []
    const name = isNarrow && heading.length > narrowHeading ? `${heading.slice(0, narrowHeading - 1)}…` : heading
    const texts = [name, ...rows.map((row) => cellText(column, row))].map(harmless)
    const width = Math.max(...texts.map((text) => text.length))
    return [texts.map((text) => (isText ? text.padEnd(width) : text.padStart(width)))]
  })
  const lineOf = (line: number): string => shown.map((texts) => texts[line]!).join('  ')
  return Array.from({ length: rows.length + 1 }, (_, line) => lineOf(line).trimEnd())
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
