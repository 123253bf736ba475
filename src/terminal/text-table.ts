// Tables of text for people: columns side by side, numbers to the right.
import { stripVTControlCharacters } from 'node:util'

/** A column; its cells are text already. */
export interface TextColumn {
  readonly heading: string
  readonly cells: readonly string[]
  /** stands to the right, as numbers do */
  readonly isNumber: boolean
}

/** The lines of a table, its headings first. */
export function textTable(columns: readonly TextColumn[]): string[] {
  const safe = columns.map(({ heading, cells, isNumber }) => {
    const texts = [heading, ...cells].map(harmless)
    return { texts, isNumber, width: Math.max(...texts.map((text) => text.length)) }
  })
  const length = Math.max(0, ...safe.map(({ texts }) => texts.length))
  return Array.from({ length }, (_, row) =>
    safe
      .map(({ texts, isNumber, width }) => {
        const text = texts[row] ?? ''
        return isNumber ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}

/** A column of numbers. `null`: not defined. */
export function numberColumn(heading: string, values: readonly (number | null)[], decimals = 0): TextColumn {
  return { heading, cells: values.map((value) => shownNumber(value, decimals)), isNumber: true }
}

/** A column of text. */
export function textColumn(heading: string, cells: readonly string[]): TextColumn {
  return { heading, cells, isNumber: false }
}

/** Makes the columns of a table of these rows: each says what of a row its cell shows. */
export function columnsOf<Row>(rows: readonly Row[]) {
  return {
    text: (heading: string, cell: (row: Row) => string): TextColumn => textColumn(heading, rows.map(cell)),
    number: (heading: string, value: (row: Row) => number | null, decimals = 0): TextColumn =>
      numberColumn(heading, rows.map(value), decimals),
  }
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

// What is said of equal probabilities whose order is not known.

/**
 * @param ties objects whose largest probability several classes have
 * @param where what stands after “two classes”
 * @param assumed what decided
 */
export function tieLine(ties: number, where: string, assumed: string): string {
  const [ranks, were] = ties === 1 ? ['first rank', 'was'] : ['first ranks', 'were']
  return `${shownNumber(ties)} ${ranks} shared by two classes${where} ${were} decided by ${assumed}, which may not be the model’s: long results have no order of classes; --model names the model`
}
