// A DuckDB chunk as the columns an assembler takes.
import type { DuckDBDataChunk } from '@duckdb/node-api'
import type { ColumnChunk } from '../../pipeline/batch-assembler.ts'
import { readNumberText } from '../../formats/number-text.ts'
import { addNotNumber, type NotNumbers } from '../columns/column-error.ts'
import type { ColumnReading } from './parquet-columns.ts'

/** What the columns of a chunk are, in the order they were selected. */
export interface ChunkShape {
  readonly oid: number
  readonly candid: number | undefined
  /** the column of row numbers, where it was asked for */
  readonly rowNumber: number | undefined
  /** as in ReadOptions */
  readonly tellsAll: boolean | undefined
  /** one a feature */
  readonly features: readonly { readonly column: number; readonly name: string; readonly reading: ColumnReading }[]
}

/**
 * @param rowCount rows of the chunk to take (its last row may be a marker)
 * @param firstRow the number of the chunk's first row, from 1, where no row numbers were selected
 */
export function columnChunk(
  chunk: DuckDBDataChunk,
  shape: ChunkShape,
  { rowCount, firstRow, inputName }: { rowCount: number; firstRow: number; inputName: string },
): ColumnChunk {
  const oids = chunk.getColumnVector(shape.oid)
  const candids = shape.candid === undefined ? undefined : chunk.getColumnVector(shape.candid)
  const numbers = shape.rowNumber === undefined ? undefined : chunk.getColumnVector(shape.rowNumber)
  const unreadable = new Map<number, NotNumbers>()
  const columns = shape.features.map(({ column, name, reading }) =>
    reading.arrivesAs === 'doubles'
      ? doublesOf(chunk, column)
      : numbersOfTexts(chunk, column, (row, value) => {
          unreadable.set(row, addNotNumber(unreadable.get(row), { feature: name, value, tellsAll: shape.tellsAll }))
        }),
  )
  return {
    rowCount,
    oid: (row) => oids.getItem(row),
    candid: (row) => listOrItem(candids?.getItem(row)),
    where: (row) => `${inputName} row ${numbers ? Number(numbers.getItem(row)) + 1 : firstRow + row}`,
    columns,
    unreadable,
  }
}

/** How many rows of a chunk come before the marker of the end, and whether it is there. */
export function rowsBeforeEnd(chunk: DuckDBDataChunk, endColumn: number): { rowCount: number; hasEnded: boolean } {
  const rowCount = chunk.rowCount
  const hasEnded = rowCount > 0 && chunk.getColumnVector(endColumn).getItem(rowCount - 1) === 1
  return { rowCount: hasEnded ? rowCount - 1 : rowCount, hasEnded }
}

/** The query leaves no nulls in a column of doubles, so the vector's own array is the column. */
function doublesOf(chunk: DuckDBDataChunk, column: number): Float64Array {
  const vector = chunk.getColumnVector(column)
  // declared private, but reading item by item takes longer than the forest does
  const items: unknown = Reflect.get(vector, 'items')
  if (items instanceof Float64Array) return items
  return Float64Array.from({ length: vector.itemCount }, (_, row) => Number(vector.getItem(row) ?? NaN))
}

function numbersOfTexts(
  chunk: DuckDBDataChunk,
  column: number,
  onUnreadable: (row: number, value: string) => void,
): Float64Array {
  const vector = chunk.getColumnVector(column)
  const values = new Float64Array(vector.itemCount).fill(NaN)
  for (let row = 0; row < values.length; row++) {
    const text = vector.getItem(row)
    if (typeof text !== 'string') continue
    const value = readNumberText(text)
    if (value === undefined) onUnreadable(row, text)
    else values[row] = value
  }
  return values
}

/** A list of candids as an array, anything else as it is. */
function listOrItem(item: unknown): unknown {
  return typeof item === 'object' && item !== null && 'items' in item ? item.items : item
}
