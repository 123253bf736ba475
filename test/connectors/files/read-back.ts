// Reads outputs with libraries that did not write them, where there is one.
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance, DuckDBStructValue } from '@duckdb/node-api'
import { StructRow, tableFromIPC } from 'apache-arrow'
import { parse } from 'csv-parse/sync'
import { parse as parseJson } from 'lossless-json'
import type { InputSchema } from '../../../src/pipeline/batch.ts'
import type { OutputFormat } from '../../../src/connectors/address.ts'
import { openTypedTable } from '../../../src/connectors/files/typed-source.ts'
import type { Row } from './expected-rows.ts'

/** Rows of a file, their values as `expectedRows` gives them. */
export async function readRows(path: string, format: OutputFormat, schema: InputSchema): Promise<Row[]> {
  switch (format) {
    case 'parquet':
      return (await readParquet(path)).map((row) => withIds(row, schema))
    case 'arrow':
      return tableFromIPC(readFileSync(path))
        .toArray()
        .map((row) => withIds(plain(row) as Row, schema))
    case 'csv':
    case 'tsv':
      return readDelimited(textOf(path), format === 'csv' ? ',' : '\t', schema)
    case 'fits':
    case 'votable':
      return (await readTyped(path, format)).map((row) => withIds(row, schema))
    case 'ndjson':
      return readNdjson(textOf(path), schema)
  }
}

function textOf(path: string): string {
  const bytes = readFileSync(path)
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

async function readParquet(path: string): Promise<Row[]> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll('select * from read_parquet($path)', { path })
  const rows = reader.getRowObjects().map((row) => plain(row) as Row)
  connection.closeSync()
  instance.closeSync()
  return rows
}

/** By our own reader, which is held to astropy's files: Node has no other. */
async function readTyped(path: string, format: 'fits' | 'votable'): Promise<Row[]> {
  const bytes = readFileSync(path)
  const chunks = Readable.from([path.endsWith('.gz') ? gunzipSync(bytes) : bytes])
  const table = await openTypedTable({ format }, chunks, path)
  const wanted = table.columns.map(({ holds }, place) => ({ place, as: holds === 'real' ? 'number' : 'id' }) as const)
  const rows: Row[] = []
  for await (const { rowCount, cells } of table.rows(wanted)) {
    for (let row = 0; row < rowCount; row++) {
      rows.push(Object.fromEntries(table.columns.map(({ name }, i) => [name, plainCell(name, cells[i]![row]!)])))
    }
  }
  return rows
}

function plainCell(name: string, cell: number | string | bigint | null): unknown {
  return typeof cell === 'bigint' && name === 'ranking' ? Number(cell) : cell
}

/** Structs of DuckDB and Arrow as plain objects. */
function plain(value: unknown): unknown {
  if (value instanceof DuckDBStructValue) return plain(value.entries)
  if (value instanceof StructRow) return plain(value.toJSON())
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

function withIds(row: Row, { oidType }: InputSchema): Row {
  const { oid } = row
  return oidType === 'string' ? row : { ...row, oid: BigInt(oid as number | bigint) }
}

const textColumns = new Set(['class', 'class_name', 'classifier_name', 'classifier_version'])

function readDelimited(text: string, delimiter: string, schema: InputSchema): Row[] {
  const [header = [], ...records] = parse(text, { delimiter, record_delimiter: '\n' })
  return records.map((record) =>
    Object.fromEntries(record.map((cell, i) => [header[i]!, fromText(header[i]!, cell, schema)])),
  )
}

function fromText(name: string, cell: string, { oidType }: InputSchema): unknown {
  if (name === 'oid') return oidType === 'string' ? cell : BigInt(cell)
  if (name === 'candid') return cell === '' ? null : BigInt(cell)
  return textColumns.has(name) ? cell : Number(cell)
}

function readNdjson(text: string, schema: InputSchema): Row[] {
  if (text === '') return []
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      // bare integers beyond 2^53 must not pass through a double on the way back either
      const exact = parseJson(line, null, { parseNumber: (digits) => digits }) as Row
      const row = JSON.parse(line) as Row
      if (schema.oidType !== 'string') row['oid'] = BigInt(exact['oid'] as string)
      if (typeof exact['candid'] === 'string') row['candid'] = BigInt(exact['candid'])
      return row
    })
}
