// CSV and TSV: a header, always, and a line a row; line ends are LF.
import { stringify } from 'csv-stringify/sync'
import type { OutputField } from './layouts/output-table.ts'
import { cellTexts } from './cell-text.ts'
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
