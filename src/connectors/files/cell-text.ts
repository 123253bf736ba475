// Single values as the text formats write them.
import type { ColumnValues } from './layouts/output-table.ts'

/** How a text format writes what is no number. */
export interface TextStyle {
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
