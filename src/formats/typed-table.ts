// What FITS and VOTable have in common: a table of typed columns, of which some are read, some rows at a time.

/** A column as its file declares it. */
export interface TypedColumn {
  readonly name: string
  /** the type in the file's own words, for messages */
  readonly typeName: string
  /** what its cells hold; undefined for arrays, complex numbers and whatever else is neither a number nor an id */
  readonly holds: 'integer' | 'real' | 'logical' | 'text' | undefined
  /** of integers: what takes them all */
  readonly integerType?: 'int32' | 'uint32' | 'int64' | 'uint64' | undefined
}

/** A cell as an id: integers exact, text as it stands. */
export type IdCell = string | bigint | null

/** A cell as a number in float64, NaN for null; text that is none as it stands. */
export type NumberCell = number | string

/** A column to be read: by its place, as numbers or as ids. */
export interface WantedColumn {
  readonly place: number
  readonly as: 'number' | 'id'
}

/** Some rows: for each wanted column its cells. */
export interface TypedRows {
  readonly rowCount: number
  readonly cells: readonly (Float64Array | readonly IdCell[])[]
  /** text that is no number: its row, and which of the wanted columns */
  readonly notNumbers: readonly { readonly row: number; readonly wanted: number; readonly text: string }[]
  /** rows that have more or fewer cells than the table has columns */
  readonly uneven: ReadonlySet<number>
}

export interface TypedTable {
  readonly columns: readonly TypedColumn[]
  /** once. Throws DataError for what is cut off or damaged, after the rows before it */
  rows(wanted: readonly WantedColumn[]): AsyncGenerator<TypedRows, void, undefined>
  /** what should be said of the file besides; complete once the rows have ended */
  notes(): readonly string[]
}

/** A text of fixed length without the blanks that fill it up. */
export function withoutFill(text: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === ' ') end--
  return text.slice(0, end)
}

/** Gathers cells, of whole rows and of one that has begun, until they are taken. */
export function createRowCollector(wanted: readonly WantedColumn[]) {
  let rowCount = 0
  let cells = wanted.map((): (number | IdCell)[] => [])
  let notNumbers: { row: number; wanted: number; text: string }[] = []
  let uneven = new Set<number>()

  return {
    get rowCount(): number {
      return rowCount
    },
    /** @param cell of the row that is being gathered; of a column of numbers a NumberCell, else an IdCell */
    put(column: number, cell: NumberCell | IdCell): void {
      const isText = typeof cell === 'string' && wanted[column]!.as === 'number'
      if (isText) notNumbers.push({ row: rowCount, wanted: column, text: cell })
      cells[column]!.push(isText ? NaN : cell)
    },
    /** @param isUneven the row has more or fewer cells than it should; those that it lacks are null */
    endRow(isUneven = false): void {
      if (isUneven) {
        uneven.add(rowCount)
        cells.forEach((column, i) => {
          if (column.length === rowCount) column.push(wanted[i]!.as === 'number' ? NaN : null)
        })
      }
      rowCount++
    },
    /** the rows that have ended; the cells of one that has begun stay */
    take(): TypedRows {
      const columns = cells.map((column, i) => {
        const ended = column.slice(0, rowCount)
        return wanted[i]!.as === 'number' ? Float64Array.from(ended as number[]) : (ended as IdCell[])
      })
      const isEnded = ({ row }: { readonly row: number }): boolean => row < rowCount
      const begun = notNumbers.filter((one) => !isEnded(one))
      const taken = { rowCount, cells: columns, notNumbers: notNumbers.filter(isEnded), uneven }
      cells = cells.map((column) => column.slice(rowCount))
      notNumbers = begun.map((one) => ({ ...one, row: 0 }))
      rowCount = 0
      uneven = new Set()
      return taken
    },
  }
}
