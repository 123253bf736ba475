// The columns of a Parquet file: their exact names, the names DuckDB gives them, and the SQL that reads each.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { OidType } from '../../pipeline/batch.ts'
import { DataError } from '../../errors.ts'
import { ColumnError } from '../columns/column-error.ts'
import { globFree, readParquet, sqlName, sqlText } from './duckdb.ts'
import { shownText } from '../../formats/shown-text.ts'

/** One column as the file and as DuckDB know it. */
export interface ParquetColumn {
  /** the file's own name, exactly */
  readonly name: string
  /** DuckDB compares names without case and renames what then collides (`amplitude_1`, `Amplitude_1_1`) */
  readonly sqlName: string
  readonly type: string
}

/** An expression and how its values arrive. */
export interface ColumnReading {
  readonly sql: string
  readonly arrivesAs: 'doubles' | 'texts' | 'integers' | 'text lists'
}

/** The columns of a file, in its order. */
export async function parquetColumns(
  connection: DuckDBConnection,
  path: string,
  inputName: string,
): Promise<ParquetColumn[]> {
  const described = await rowsOf(connection, `DESCRIBE SELECT * FROM ${readParquet(path)}`)
  const elements = await rowsOf(connection, `SELECT name, num_children FROM parquet_schema(${sqlText(globFree(path))})`)
  const names = topLevelNames(
    elements.map(([name, children]) => ({ name: String(name), children: Number(children ?? 0) })),
  )
  if (names.length !== described.length) throw new DataError(`${inputName}: its schema contradicts itself`)
  return described.map(([name, type], i) => ({ name: names[i]!, sqlName: String(name), type: String(type) }))
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<unknown[][]> {
  return (await connection.run(sql)).getRows()
}

/** The schema is a tree written depth first; its first element is the root. */
function topLevelNames(elements: readonly { name: string; children: number }[]): string[] {
  const names: string[] = []
  let i = 1
  while (i < elements.length) {
    names.push(elements[i]!.name)
    for (let open = 1; open > 0 && i < elements.length; i++) open += Math.max(0, elements[i]!.children) - 1
  }
  return names
}

const smallIntegers = new Map<string, OidType>([
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
const texts = new Set(['VARCHAR', 'JSON', 'UUID'])
const nullType = '"NULL"'
const wholeDecimal = /^DECIMAL\(\d+,0\)$/
const decimal = /^DECIMAL\(/

/** Reads a feature: numbers as float64 with NaN for null; text and decimals as text, so that no digit is lost. */
export function featureReading(column: ParquetColumn, inputName: string): ColumnReading {
  const { type } = column
  const name = sqlName(column.sqlName)
  if (smallIntegers.has(type) || floats.has(type) || type === 'BOOLEAN' || type === 'HUGEINT' || type === nullType) {
    return { sql: `COALESCE(CAST(${name} AS DOUBLE), 'NaN'::DOUBLE)`, arrivesAs: 'doubles' }
  }
  if (texts.has(type) || decimal.test(type)) return { sql: `CAST(${name} AS VARCHAR)`, arrivesAs: 'texts' }
  throw new ColumnError(column.name, `${inputName}: column ${shownText(column.name)} holds ${type}, not numbers`)
}

/** Reads the object ids, as text whatever their type. */
export function oidReading(column: ParquetColumn, inputName: string): ColumnReading & { readonly oidType: OidType } {
  const { type } = column
  if (floats.has(type)) throw brokenIds(column, inputName)
  const isReadable = smallIntegers.has(type) || texts.has(type) || wholeDecimal.test(type) || type === nullType
  if (!isReadable)
    throw new ColumnError(column.name, `${inputName}: column ${shownText(column.name)} holds ${type}, not object ids`)
  const sql = `CAST(${sqlName(column.sqlName)} AS VARCHAR)`
  return { sql, arrivesAs: 'texts', oidType: smallIntegers.get(type) ?? 'string' }
}

/** Reads the candids: integers that fit as they are, others as text, lists of either as lists of text. */
export function candidReading(column: ParquetColumn, inputName: string): ColumnReading {
  const { type } = column
  const name = sqlName(column.sqlName)
  const isList = type.endsWith('[]')
  const item = isList ? type.slice(0, -2) : type
  if (floats.has(item)) throw brokenIds(column, inputName)
  const isReadable = smallIntegers.has(item) || texts.has(item) || wholeDecimal.test(item) || item === nullType
  if (!isReadable)
    throw new ColumnError(column.name, `${inputName}: column ${shownText(column.name)} holds ${type}, not candids`)
  if (isList) return { sql: `CAST(${name} AS VARCHAR[])`, arrivesAs: 'text lists' }
  if (smallIntegers.has(item) && item !== 'UBIGINT') return { sql: `CAST(${name} AS BIGINT)`, arrivesAs: 'integers' }
  return { sql: `CAST(${name} AS VARCHAR)`, arrivesAs: 'texts' }
}

function brokenIds(column: ParquetColumn, inputName: string): ColumnError {
  return new ColumnError(
    column.name,
    `${inputName}: column ${shownText(column.name)} holds ${column.type}: the ids are already broken`,
    {
      hint: `Export it again as int64 or text; in pandas, read it with dtype={'${column.name}': 'Int64'}.`,
    },
  )
}
