// A query with one row per object and one column per feature.
import type { OidType } from '../../pipeline/batch.ts'
import { type DataError, UsageError } from '../../errors.ts'
import { readNumberText } from '../../formats/text-values.ts'
import { createBinaryRows } from './client/binary.ts'
import type { Connection, QueryColumn } from './client/connection.ts'
import { statementFailure } from './client/failure.ts'
import { serverName } from './settings.ts'
import { ColumnError, type ColumnMatch, matchColumns } from '../columns/match-columns.ts'
import { settleNames } from '../columns/settle-names.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** One object as it was found, here or in the long table. */
export interface ObjectRow {
  readonly oid: string | undefined
  readonly candid: unknown
  /** MJD of its newest detection; NaN if it does not say */
  readonly mjd?: number
  readonly where: string
  /** one float64 per feature, NaN for null */
  readonly values: Float64Array
  /** why it cannot be classified */
  readonly problem?: { readonly reason: string; readonly value?: string } | undefined
}

/** How a column is asked for; what is text is read value by value. */
interface Cell {
  readonly sql: string
  readonly isText: boolean
}

// OIDs of pg_type, which never change
const booleanType = 16
const integers: ReadonlyMap<number, OidType> = new Map([
  [21, 'int32'],
  [23, 'int32'],
  [20, 'int64'],
])
const floats = new Set([700, 701])
/** bpchar, varchar, text, unknown, name; numeric as text, because float8 refuses what is beyond it */
const texts = new Set([1042, 1043, 25, 705, 19, 1700])
const uuidType = 2950
const lists = new Set([1005, 1007, 1016, 1009, 1015, 1231])

/**
 * @param sql one SELECT of the user's; it runs read-only
 * @throws UsageError if the server does not take it; DataError for columns that are missing or of types without numbers
 */
export async function openWideQuery(connection: Connection, sql: string, given: ReadOptions) {
  const filtered = given.where === undefined ? sql : `SELECT * FROM (\n${sql}\n) AS q WHERE (\n${given.where}\n)`
  const inputName = `the query on ${serverName(connection.settings)}`
  const columns = await describe(connection, sql, inputName)
  const columnNames = columns.map(({ name }) => name)
  const options = settleNames(given, columnNames)
  const match = matchColumns(columnNames, options, inputName)
  if (given.where !== undefined) await describe(connection, filtered, '--where')
  const types = await typeNames(connection, columns)
  const cells = cellsOf(columns, match, types, inputName)
  const oidType = integers.get(columns[match.oid]!.type) ?? 'string'
  const statement = `COPY (SELECT ${cells.map((cell) => cell.sql).join(', ')}
    FROM (\n${filtered}\n) AS q(${columns.map((_, i) => `c${i}`).join(', ')})) TO STDOUT (FORMAT binary)`
  return {
    schema: { oidType, hasCandid: match.candid !== undefined },
    notes: (): readonly string[] => [],
    objects: () => readRows(connection, statement, cells, options.features, match.candid !== undefined),
  }
}

async function describe(connection: Connection, sql: string, what: string): Promise<readonly QueryColumn[]> {
  try {
    return await connection.describe(sql)
  } catch (error) {
    const failure = statementFailure(error, what)
    throw failure
      ? new UsageError(failure.message, { cause: error, hint: 'It must be one SELECT that only reads.' })
      : error
  }
}

async function typeNames(connection: Connection, columns: readonly QueryColumn[]) {
  const ids = [...new Set(columns.map(({ type }) => String(type)))]
  const rows = await connection.rows('SELECT t, format_type(t::oid, NULL) FROM unnest($1::text[]) t', [ids])
  return new Map(rows.map(([id, name]) => [Number(id), String(name)]))
}

/** oid, candid if there is one, then the features */
function cellsOf(
  columns: readonly QueryColumn[],
  match: ColumnMatch,
  types: ReadonlyMap<number, string>,
  inputName: string,
): Cell[] {
  const refuse = (place: number, why: string, hint?: string): DataError => {
    const { name, type } = columns[place]!
    const message = `${inputName}: column ${name} is of type ${types.get(type) ?? 'unknown'}, ${why}`
    return new ColumnError(name, message, hint === undefined ? {} : { hint })
  }
  const idCell = (place: number): Cell => {
    const { type } = columns[place]!
    if (floats.has(type)) throw refuse(place, 'which breaks ids', 'Cast it where it is still an integer.')
    if (!integers.has(type) && !texts.has(type) && type !== uuidType) throw refuse(place, 'which cannot be an id')
    return { sql: `c${place}::text`, isText: true }
  }
  const candidCell = (place: number): Cell =>
    lists.has(columns[place]!.type) ? { sql: `array_to_string(c${place}, ',')`, isText: true } : idCell(place)
  const featureCell = (place: number): Cell => {
    const { type } = columns[place]!
    if (texts.has(type)) return { sql: `c${place}::text`, isText: true }
    if (type === booleanType) return { sql: `c${place}::int::float8`, isText: false }
    if (!floats.has(type) && !integers.has(type)) throw refuse(place, 'which is not a number')
    return { sql: `c${place}::float8`, isText: false }
  }
  return [
    idCell(match.oid),
    ...(match.candid === undefined ? [] : [candidCell(match.candid)]),
    ...match.features.map(featureCell),
  ]
}

async function* readRows(
  connection: Connection,
  statement: string,
  cells: readonly Cell[],
  features: readonly string[],
  hasCandid: boolean,
): AsyncGenerator<ObjectRow[], void, undefined> {
  const rows = createBinaryRows(cells.length)
  const first = hasCandid ? 2 : 1
  let number = 0
  try {
    for await (const chunk of connection.copyOut(statement)) {
      const ready: ObjectRow[] = []
      rows.push(chunk)
      while (rows.next()) ready.push(row(++number))
      if (ready.length > 0) yield ready
    }
    rows.finish()
  } catch (error) {
    throw statementFailure(error, `the query, after ${number} rows`) ?? error
  }

  function row(number: number): ObjectRow {
    const values = new Float64Array(features.length)
    let problem: ObjectRow['problem']
    for (let f = 0; f < features.length; f++) {
      const field = first + f
      if (rows.lengths[field]! < 0) values[f] = NaN
      else if (!cells[field]!.isText) values[f] = rows.bytes.readDoubleBE(rows.starts[field]!)
      else {
        const text = rows.text(field)!
        const value = readNumberText(text)
        if (value === undefined) problem ??= { reason: `${features[f]!} is not a number`, value: text }
        else values[f] = value
      }
    }
    // a list of candids arrives as its items with commas between them
    const candid = hasCandid ? rows.text(1) : undefined
    const candids = candid?.includes(',') ? candid.split(',') : (candid ?? null)
    return { oid: rows.text(0), candid: candids, where: `query row ${number}`, values, problem }
  }
}
