import { join } from 'node:path'
import { DuckDBInstance, type JS } from '@duckdb/node-api'
import { beforeEach, expect, it } from 'vitest'
import { openSink } from '../../../src/connectors/open-connector.ts'
import { contextOf, goldenBatch } from '../../support/classified-samples.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = temporaryFolder()
  path = join(folder, 'x.parquet')
})

/** Writes `batches` times the same `size` objects. */
async function write(batches: number, size: number): Promise<void> {
  const spec = { kind: 'file', address: path, path, format: 'parquet', isGzipped: false, layout: 'wide' } as const
  const sink = await openSink({ ...spec, overwrite: false }, contextOf({ oidType: 'string', hasCandid: true }))
  const one = goldenBatch(0, 1)
  const many = {
    ...one,
    rowCount: size,
    oids: Array.from({ length: size }, (_, i) => `ZTF${i}`),
    candids: Array.from({ length: size }, (_, i) => BigInt(i)),
    probabilities: one.probabilities.map((p) =>
      Float64Array.from({ length: p.length * size }, (_, i) => p[i % p.length]!),
    ),
  }
  for (let i = 0; i < batches; i++) await sink.write(many)
  await sink.finish()
  await sink.publish()
  await sink.close()
}

async function query(sql: string): Promise<JS[][]> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const rows = (await connection.runAndReadAll(sql, { path })).getRowsJS()
  connection.closeSync()
  instance.closeSync()
  return rows
}

it('gathers small batches into row groups of about 20,000 rows', async () => {
  await write(45, 1000)
  expect(
    await query(`select distinct row_group_id, row_group_num_rows from parquet_metadata($path) order by 1`),
  ).toEqual([
    [0n, 20_000n],
    [1n, 20_000n],
    [2n, 5_000n],
  ])
  expect(await query(`select count(*), count(distinct oid) from read_parquet($path)`)).toEqual([[45_000n, 1000n]])
})

it('is compressed with ZSTD, every column of it', async () => {
  await write(1, 10)
  expect(await query(`select distinct compression from parquet_metadata($path)`)).toEqual([['ZSTD']])
})

it('has explicit types; only candid may be null', async () => {
  await write(1, 1)
  expect(
    await query(
      `select distinct type, converted_type, repetition_type, count(*) from parquet_schema($path)
       where type is not null group by all order by 1, 2`,
    ),
  ).toEqual([
    ['BYTE_ARRAY', 'UTF8', 'REQUIRED', 3n],
    ['DOUBLE', null, 'REQUIRED', 34n],
    ['INT64', null, 'OPTIONAL', 1n],
  ])
})

it('says which model made it', async () => {
  await write(1, 1)
  const facts = await query(`select decode(key), decode(value) from parquet_kv_metadata($path) order by 1`)
  expect(facts).toEqual([
    ['classifier_version', 'hierarchical_random_forest_1.0.0'],
    ['model_sha256', 'c0ffee'],
  ])
})
