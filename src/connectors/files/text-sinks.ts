// CSV, TSV and NDJSON: a line a row, line ends are LF; integers bare whatever their size.
import { stringify } from 'csv-stringify/sync'
import {
  type ColumnValues,
  type EncoderOptions,
  type FieldNode,
  fieldTree,
  listsOf,
  type OutputTable,
  type TableEncoder,
} from './table-sink.ts'

/**
 * A header, always, then the rows.
 *
 * @param delimiter a comma, or a tab for TSV
 */
export function createDelimitedEncoder({ fields, write }: EncoderOptions, delimiter: ',' | '\t'): TableEncoder {
  const quote = quoter(delimiter)
  const style = { quote, nullText: '', list: (texts: readonly string[]) => quote(texts.join('|')) }
  const before = fields.map((_, c) => (c > 0 ? delimiter : ''))
  let header = `${fields.map(({ path }) => style.quote(path.join('.'))).join(delimiter)}\n`

  async function begin(rows = ''): Promise<void> {
    const text = header + rows
    header = ''
    if (text !== '') await write(Buffer.from(text))
  }

  return { add: (table) => begin(lines(table, style, before, '\n')), end: () => begin() }
}

export function createNdjsonEncoder({ fields, write }: EncoderOptions): TableEncoder {
  const quote = (text: string): string => JSON.stringify(text)
  const style = { quote, nullText: 'null', list: (texts: readonly string[]) => JSON.stringify(texts) }
  const { before, after } = template(fieldTree(fields))
  return { add: (table) => write(Buffer.from(lines(table, style, before, after))), end: () => Promise.resolve() }
}

/** What stands before each value of a line, and after the last: the same in every line. */
function template(nodes: readonly FieldNode[]): { before: readonly string[]; after: string } {
  const before: string[] = []
  let pending = ''
  const walk = (children: readonly FieldNode[]): void => {
    pending += '{'
    children.forEach((node, i) => {
      pending += `${i > 0 ? ',' : ''}${JSON.stringify(node.name)}:`
      if ('children' in node) return walk(node.children)
      before[node.column] = pending
      pending = ''
    })
    pending += '}'
  }
  walk(nodes)
  return { before, after: `${pending}\n` }
}

/** How a text format writes what is no number. */
interface TextStyle {
  readonly quote: (text: string) => string
  readonly nullText: string
  readonly list: (texts: readonly string[]) => string
}

function lines(table: OutputTable, style: TextStyle, before: readonly string[], after: string): string {
  const cells = table.columns.map((column) => cellTexts(column, style))
  let text = ''
  for (let row = 0; row < table.rowCount; row++) {
    for (let c = 0; c < cells.length; c++) text += before[c]! + cells[c]!(row)
    text += after
  }
  return text
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

function cellTexts(column: ColumnValues, { quote, nullText, list }: TextStyle): (row: number) => string {
  switch (column.type) {
    case 'string':
      return (row) => quote(column.values[row]!)
    case 'label': {
      const labels = column.labels.map(quote)
      return (row) => labels[column.codes[row]!]!
    }
    case 'labels': {
      const lists = listsOf(column)
      return (row) => list(lists[row]!)
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

/**
 * The shortest decimal that reads back as the same float64. `String(-0)` is `0`, and Python's json reads `-0` as the
 * integer 0: the sign of zero needs its fraction.
 */
function numberText(value: number): string {
  return value === 0 && Object.is(value, -0) ? '-0.0' : String(value)
}
