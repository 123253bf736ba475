// Writes rows as files of every format, by other code than the code under test.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Field, Float64, Int64, Schema, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from 'apache-arrow'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { InputFormat } from '../../../src/connectors/address.ts'
import type { SourceSpec } from '../../../src/connectors/spec.ts'
import { container, write } from '../../support/avro-writer.ts'
import { fileSpec } from '../../support/objects.ts'
import { fits, votableInBinary, votableInText } from './typed-seeds.ts'

/** One row to write. */
export interface SeedRow {
  readonly oid: string | null
  readonly candid: bigint | null
  /** one a column */
  readonly values: readonly (number | null)[]
}

/** Rows and the names of their features, in the file's order. */
export interface Seed {
  readonly names: readonly string[]
  readonly rows: readonly SeedRow[]
  /** whether there is a column of candids at all */
  readonly hasCandid?: boolean
}

/** One way to write a file. */
export interface Seeder {
  readonly name: string
  readonly format: InputFormat
  readonly suffix: string
  readonly encode: (seed: Seed) => Uint8Array | string
}

const csvField = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

function delimited({ names, rows, hasCandid = true }: Seed, delimiter: string): string {
  const line = (oid: string | null, candid: string | undefined, cells: readonly string[]): string =>
    [csvField(oid ?? ''), ...(hasCandid ? [candid ?? ''] : []), ...cells].join(delimiter)
  const lines = [line('oid', 'candid', names.map(csvField))]
  for (const { oid, candid, values } of rows) {
    lines.push(
      line(
        oid,
        candid?.toString(),
        values.map((value) => (value === null ? '' : Object.is(value, -0) ? '-0' : String(value))),
      ),
    )
  }
  return `${lines.join('\n')}\n`
}

function ndjson({ names, rows, hasCandid = true }: Seed, isNested: boolean): string {
  const number = (value: number | null): string =>
    value === null ? 'null' : Object.is(value, -0) ? '-0.0' : Number.isFinite(value) ? String(value) : `${value}`
  return rows
    .map(({ oid, candid, values }) => {
      const features = values.map((value, i) => `${JSON.stringify(names[i])}: ${number(value)}`).join(', ')
      const ids = [`"oid": ${JSON.stringify(oid)}`, ...(hasCandid ? [`"candid": ${candid ?? 'null'}`] : [])].join(', ')
      return isNested ? `{${ids}, "features": {${features}}}\n` : `{${ids}, ${features}}\n`
    })
    .join('')
}

function arrowTable({ names, rows, hasCandid = true }: Seed): Table {
  const columns: [string, Vector][] = [
    [
      'oid',
      vectorFromArray(
        rows.map(({ oid }) => oid),
        new Utf8(),
      ),
    ],
    ...(hasCandid
      ? ([
          [
            'candid',
            vectorFromArray(
              rows.map(({ candid }) => candid),
              new Int64(),
            ),
          ],
        ] as [string, Vector][])
      : []),
    ...names.map((name, i): [string, Vector] => [
      name,
      vectorFromArray(
        rows.map(({ values }) => values[i]!),
        new Float64(),
      ),
    ]),
  ]
  const schema = new Schema(columns.map(([name, vector]) => new Field(name, vector.type, true)))
  return new Table(schema, Object.fromEntries(columns))
}

function parquet({ names, rows, hasCandid = true }: Seed): Uint8Array {
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'oid', data: rows.map(({ oid }) => oid), type: 'STRING', nullable: true },
      ...(hasCandid
        ? [{ name: 'candid', data: rows.map(({ candid }) => candid), type: 'INT64' as const, nullable: true }]
        : []),
      ...names.map((name, i) => ({
        name,
        data: rows.map(({ values }) => values[i]!),
        type: 'DOUBLE' as const,
        nullable: true,
      })),
    ],
    rowGroupSize: 300,
  })
  return new Uint8Array(bytes)
}

function avro({ names, rows, hasCandid = true }: Seed, isMap: boolean): Buffer {
  const number = ['null', 'double']
  const features = isMap
    ? { type: 'map', values: number }
    : { type: 'record', name: 'features_record', fields: names.map((name) => ({ name, type: number })) }
  const schema = {
    type: 'record',
    name: 'features_document',
    fields: [
      { name: 'oid', type: ['null', 'string'] },
      ...(hasCandid ? [{ name: 'candid', type: ['null', 'long'] }] : []),
      { name: 'features', type: features },
    ],
  }
  const optional = <T>(value: T | null, encode: (value: T) => Buffer): Buffer =>
    value === null ? write.long(0) : Buffer.concat([write.long(1), encode(value)])
  const records = rows.map(({ oid, candid, values }) => {
    const cells = values.map((value, i) => {
      const cell = optional(value, write.double)
      return isMap ? Buffer.concat([write.text(names[i]!), cell]) : cell
    })
    return Buffer.concat([
      optional(oid, write.text),
      ...(hasCandid ? [optional(candid, write.long)] : []),
      isMap ? write.items(cells) : Buffer.concat(cells),
    ])
  })
  return container(schema, records, { perBlock: 70, codec: isMap ? 'deflate' : 'null' })
}

/** Every format, and the variants that go other ways through the code. */
export const seeders: readonly Seeder[] = [
  { name: 'Parquet', format: 'parquet', suffix: '.parquet', encode: parquet },
  { name: 'CSV', format: 'csv', suffix: '.csv', encode: (seed) => delimited(seed, ',') },
  { name: 'CSV in gzip', format: 'csv', suffix: '.csv.gz', encode: (seed) => gzipSync(delimited(seed, ',')) },
  { name: 'TSV', format: 'tsv', suffix: '.tsv', encode: (seed) => delimited(seed, '\t') },
  { name: 'flat NDJSON', format: 'ndjson', suffix: '.ndjson', encode: (seed) => ndjson(seed, false) },
  { name: 'nested NDJSON', format: 'ndjson', suffix: '.ndjson', encode: (seed) => ndjson(seed, true) },
  { name: 'an Arrow file', format: 'arrow', suffix: '.arrow', encode: (seed) => tableToIPC(arrowTable(seed), 'file') },
  {
    name: 'an Arrow stream',
    format: 'arrow',
    suffix: '.arrow',
    encode: (seed) => tableToIPC(arrowTable(seed), 'stream'),
  },
  { name: 'Avro records', format: 'avro', suffix: '.avro', encode: (seed) => avro(seed, false) },
  { name: 'FITS', format: 'fits', suffix: '.fits', encode: fits },
  { name: 'a VOTable in text', format: 'votable', suffix: '.vot', encode: votableInText },
  {
    name: 'a VOTable in BINARY, in gzip',
    format: 'votable',
    suffix: '.vot.gz',
    encode: (seed) => gzipSync(votableInBinary(seed, 'BINARY')),
  },
  {
    name: 'a VOTable in BINARY2',
    format: 'votable',
    suffix: '.xml',
    encode: (seed) => votableInBinary(seed, 'BINARY2'),
  },
  { name: 'Avro maps', format: 'avro', suffix: '.avro', encode: (seed) => avro(seed, true) },
]

/** Writes a seed into a folder. */
export async function seedFile(
  { format, suffix, encode }: Seeder,
  seed: Seed,
  folder: string,
): Promise<Extract<SourceSpec, { kind: 'file' }>> {
  const path = join(folder, `seed${suffix}`)
  await writeFile(path, encode(seed))
  return fileSpec(path, format, `seed${suffix}`)
}
