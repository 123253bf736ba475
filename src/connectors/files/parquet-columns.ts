// The columns of a Parquet file: their exact names, the SQL that reads each, and the chunks that DuckDB answers.
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { DataError } from '../../errors.ts'
import { shownText } from '../../formats/shown-text.ts'
import { readNumberText } from '../../formats/text-values.ts'
import type { ColumnChunk } from '../../pipeline/batch-assembler.ts'
import type { OidType } from '../../pipeline/batch.ts'
import { addNotNumber, ColumnError, type NotNumbers } from '../columns/match-columns.ts'
import { globFree, readParquet, sqlName, sqlText } from './duckdb.ts'

/** One column as the file and as DuckDB know it. */
export interface ParquetColumn {
  /** the file's own name, exactly */
  readonly name: string
  /** DuckDB compares names without case and renames what then collides (`amplitude_1`, `Amplitude_1_1`) */
  readonly sqlName: string
  readonly type: string
}

export async function parquetColumns(connection: DuckDBConnection, path: string, inputName: string) {
  const rowsOf = async (sql: string): Promise<unknown[][]> => (await connection.run(sql)).getRows()
  const described = await rowsOf(`DESCRIBE SELECT * FROM ${readParquet(path)}`)
  const elements = await rowsOf(`SELECT name, num_children FROM parquet_schema(${sqlText(globFree(path))})`)
  const names = topLevelNames(elements)
  if (names.length !== described.length) throw new DataError(`${inputName}: its schema contradicts itself`)
  return described.map(([name, type], i) => ({ name: names[i]!, sqlName: String(name), type: String(type) }))
}

/** @param elements name and number of children each: a tree written depth first, whose first element is the root */
function topLevelNames(elements: readonly unknown[][]): string[] {
  const names: string[] = []
  let i = 1
  while (i < elements.length) {
    names.push(String(elements[i]![0]))
    for (let open = 1; open > 0 && i < elements.length; i++) open += Math.max(0, Number(elements[i]![1] ?? 0)) - 1
  }
  return names
}

const oidTypes = new Map<string, OidType>([
  ['TINYINT', 'int32'],
  ['SMALLINT', 'int32'],
  ['INTEGER', 'int32'],
  ['BIGINT', 'int64'],
  ['UTINYINT', 'uint32'],
  ['USMALLINT', 'uint32'],
  ['UINTEGER', 'uint32'],
  ['UBIGINT', 'uint64'],
])
const floats = new Set(['FLOAT', 'DOUBLE'])
const otherNumbers = new Set(['BOOLEAN', 'HUGEINT', '"NULL"'])
const texts = new Set(['VARCHAR', 'JSON', 'UUID'])

/** An expression that reads a feature: numbers as float64 with NaN for null; text and decimals as text, exactly. */
export function featureSql(column: ParquetColumn, inputName: string): { sql: string; isText: boolean } {
  const { type } = column
  const name = sqlName(column.sqlName)
  if (oidTypes.has(type) || floats.has(type) || otherNumbers.has(type)) {
    return { sql: `COALESCE(CAST(${name} AS DOUBLE), 'NaN'::DOUBLE)`, isText: false }
  }
  if (texts.has(type) || type.startsWith('DECIMAL(')) return { sql: `CAST(${name} AS VARCHAR)`, isText: true }
  throw wrongType(column, inputName, 'numbers')
}

/** Reads the object ids, as text whatever their type. */
export function oidSql(column: ParquetColumn, inputName: string): { sql: string; oidType: OidType } {
  refuseOtherIds(column, column.type, inputName, 'object ids')
  return { sql: `CAST(${sqlName(column.sqlName)} AS VARCHAR)`, oidType: oidTypes.get(column.type) ?? 'string' }
}

/** Reads the candids: integers that fit as they are, others as text, lists of either as lists of text. */
export function candidSql(column: ParquetColumn, inputName: string): string {
  const isList = column.type.endsWith('[]')
  const item = isList ? column.type.slice(0, -2) : column.type
  refuseOtherIds(column, item, inputName, 'candids')
  const target = isList ? 'VARCHAR[]' : oidTypes.has(item) && item !== 'UBIGINT' ? 'BIGINT' : 'VARCHAR'
  return `CAST(${sqlName(column.sqlName)} AS ${target})`
}

function refuseOtherIds(column: ParquetColumn, type: string, inputName: string, role: string): void {
  if (floats.has(type)) {
    const what = `${inputName}: column ${shownText(column.name)} holds ${column.type}: the ids are already broken`
    throw new ColumnError(column.name, what, {
      hint: `Export it again as int64 or text; in pandas, read it with dtype={'${column.name}': 'Int64'}.`,
    })
  }
  if (oidTypes.has(type) || texts.has(type) || /^DECIMAL\(\d+,0\)$/.test(type) || type === '"NULL"') return
  throw wrongType(column, inputName, role)
}

function wrongType({ name, type }: ParquetColumn, inputName: string, role: string): ColumnError {
  return new ColumnError(name, `${inputName}: column ${shownText(name)} holds ${type}, not ${role}`)
}

/** What the columns of a chunk are, in the order they were selected. */
export interface ChunkShape {
  readonly oid: number
  readonly candid: number | undefined
  /** the column of row numbers, where it was asked for */
  readonly rowNumber: number | undefined
  readonly tellsAll: boolean | undefined
  /** the last of the numbers is the MJD of the newest detection */
  readonly hasMjd: boolean
  /** the features, one each */
  readonly numbers: readonly { readonly column: number; readonly name: string; readonly isText: boolean }[]
}

/**
 * @param rowCount rows of the chunk to take (its last row may be a marker)
 * @param firstRow the number of the chunk's first row, from 1, where no row numbers were selected
 */
export function columnChunk(
  chunk: DuckDBDataChunk,
  { oid, candid, rowNumber, hasMjd, tellsAll, numbers }: ChunkShape,
  { rowCount, firstRow, inputName }: { rowCount: number; firstRow: number; inputName: string },
): ColumnChunk {
  const oids = chunk.getColumnVector(oid)
  const candids = candid === undefined ? undefined : chunk.getColumnVector(candid)
  const rowNumbers = rowNumber === undefined ? undefined : chunk.getColumnVector(rowNumber)
  const unreadable = new Map<number, NotNumbers>()
  const columns = numbers.map(({ column, name, isText }) =>
    isText
      ? numbersOfTexts(chunk, column, (row, value) => {
          unreadable.set(row, addNotNumber(unreadable.get(row), name, value, tellsAll))
        })
      : doublesOf(chunk, column),
  )
  return {
    rowCount,
    oid: (row) => oids.getItem(row),
    candid(row) {
      const item: unknown = candids?.getItem(row)
      return typeof item === 'object' && item !== null && 'items' in item ? item.items : item
    },
    ...(hasMjd ? { mjd: (row: number) => columns.at(-1)![row]! } : {}),
    where: (row) => `${inputName} row ${rowNumbers ? Number(rowNumbers.getItem(row)) + 1 : firstRow + row}`,
    columns,
    unreadable,
  }
}

/** The query leaves no nulls in a column of doubles, so the vector's own array is the column. */
function doublesOf(chunk: DuckDBDataChunk, column: number): Float64Array {
  const vector = chunk.getColumnVector(column)
  // declared private, but reading item by item takes longer than the forest does
  const items: unknown = Reflect.get(vector, 'items')
  if (items instanceof Float64Array) return items
  return Float64Array.from({ length: vector.itemCount }, (_, row) => Number(vector.getItem(row) ?? NaN))
}

function numbersOfTexts(chunk: DuckDBDataChunk, column: number, onUnreadable: (row: number, value: string) => void) {
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
