// A table that is defined once: `terminal/text-table.ts` prints it, `terminal/csv-tables.ts` and `report/page.ts` write it.

/** What stands in a cell; null: not defined. */
export type Cell = string | number | null

/** A column: `key` puts it into CSV, `heading` shows it to people; most have both. */
export interface Column<Row = unknown> {
  readonly key?: string
  readonly heading?: string | undefined
  // a method, so that a table of rows of any kind is a `Table`
  cell(row: Row): Cell
  /** to the left and sorted as text; numbers stand to the right */
  readonly isText?: boolean
  /** digits after the point on a terminal; six significant ones where it is not given */
  readonly decimals?: number
  /** the cell is a share, and people read it as a percentage */
  readonly isShare?: boolean
  /** with its sign on a terminal */
  readonly isSigned?: boolean
  /** counts of one digit or two: a terminal shortens the heading */
  readonly isNarrow?: boolean
}

/** Rows of any kind, and what of them is told. */
export interface Table<Row = unknown> {
  readonly caption: string
  readonly columns: readonly Column<NoInfer<Row>>[]
  readonly rows: readonly Row[]
  /** in a report, a click on a heading sorts it */
  readonly isSortable?: boolean
}

/** A table without what only people need. */
export type BareTable<Row = unknown> = Pick<Table<Row>, 'columns' | 'rows'>

/** Objects counted by class against class. */
export interface Matrix {
  readonly title: string
  /** names both sides, above the names of the rows */
  readonly corner: string
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly counts: readonly (readonly number[])[]
}

export function matrixTable({ title, corner, rows, columns, counts }: Matrix): Table<number> {
  return {
    caption: `${title} (objects)`,
    rows: [...rows.keys()],
    columns: [
      { heading: corner, cell: (i) => rows[i]!, isText: true },
      ...columns.map((heading, j): Column<number> => ({ heading, cell: (i) => counts[i]![j]!, isNarrow: true })),
    ],
  }
}

/** A table for CSV alone, its cells as they are. */
export function cellTable(keys: readonly string[], rows: readonly (readonly Cell[])[]): BareTable<readonly Cell[]> {
  return { rows, columns: keys.map((key, i) => ({ key, cell: (row) => row[i]! })) }
}

/** A number for a reader, to six significant digits; whole numbers have all of theirs. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
}

/** A number as a caption has it: three digits. */
export function captionNumber(value: number): string {
  return numberText(Number(value.toPrecision(3)))
}

/** A share as a percentage. */
export function percentText(share: number, decimals = 1): string {
  return `${(100 * share).toFixed(decimals)} %`
}
