// CSV and TSV: a header, always, and a line a row; line ends are LF.
import { stringify } from 'csv-stringify/sync'
import type { ColumnValues, OutputField } from './layouts/output-table.ts'
import type { EncoderOptions, TableEncoder } from './table-sink.ts'

/** @param delimiter a comma, or a tab for TSV */
export function createDelimitedEncoder({ fields, write }: EncoderOptions, delimiter: ',' | '\t'): TableEncoder {
  const style = { quote: quoter(delimiter), nullText: '' }
  let isBegun = false

  async function begin(): Promise<void> {
    if (isBegun) return
    isBegun = true
    await write(Buffer.from(`${header(fields).map(style.quote).join(delimiter)}\n`))
  }

  return {
    async add(table) {
      await begin()
      const cells = table.columns.map((column) => cellTexts(column, style))
      let text = ''
      for (let row = 0; row < table.rowCount; row++) {
        for (let c = 0; c < cells.length; c++) text += (c > 0 ? delimiter : '') + cells[c]!(row)
        text += '\n'
      }
      await write(Buffer.from(text))
    },
    end: begin,
  }
}

function header(fields: readonly OutputField[]): string[] {
  return fields.map(({ path }) => path.join('.'))
}

/**
 * Quotes by the library what may need it. It looks at every field several times, and numbers and most ids need no look:
 * what holds none of the characters that matter is passed on as it is.
 */
function quoter(delimiter: string): (text: string) => string {
  const plain = /^[\w.+/ -]+$/
  return (text) =>
    plain.test(text) ? text : stringify([[text]], { delimiter, eof: false, quoted_match: [/^\ufeff|[\r\n]/] })
}

// Single values as the text formats write them.

/** How a text format writes what is no number. */
interface TextStyle {
  readonly quote: (text: string) => string
  readonly nullText: string
}

/**
 * The shortest decimal that reads back as the same float64. `String(-0)` is `0`, and Python's json reads `-0` as the
 * integer 0: the sign of zero needs its fraction.
 */
function numberText(value: number): string {
  return value === 0 && Object.is(value, -0) ? '-0.0' : String(value)
}

/** Answers for each row of a column its text. */
export function cellTexts(column: ColumnValues, { quote, nullText }: TextStyle): (row: number) => string {
  switch (column.type) {
    case 'string':
      return (row) => quote(column.values[row]!)
    case 'label': {
      const labels = column.labels.map(quote)
      return (row) => labels[column.codes[row]!]!
    }
    case 'float64':
      return (row) => numberText(column.values[row]!)
    case 'int32':
    case 'uint32':
    case 'uint64':
      return (row) => column.values[row]!.toString()
    case 'int64':
      return (row) => (column.nulls?.has(row) ? nullText : column.values[row]!.toString())
  }
}
