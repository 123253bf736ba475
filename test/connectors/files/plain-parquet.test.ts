import { DuckDBInstance } from '@duckdb/node-api'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inspectFile } from '../../../src/connectors/files/byte-input.ts'
import { readParquetFooter } from '../../../src/connectors/files/parquet-footer.ts'
import { planPlain } from '../../../src/connectors/files/plain-parquet.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { fileSpec, fixture, readOnce, readOptions } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const folder = temporaryFolder()
/** every value as it was read */
const asRead = { missing: NaN, hugeAbove: Infinity, huge: 0, infinite: 'kept', precision: 'float64' } as const

/** All of a file, numbers by their bytes. */
async function everything(path: string, changes: Partial<ReadOptions>) {
  const source = await openSource(
    fileSpec(path, 'parquet', 'x.parquet'),
    readOptions({ preprocessing: asRead, ...changes }),
  )
  const [oids, candids, bytes]: [string[], (bigint | null)[], string[]] = [[], [], []]
  for await (const { batch } of source.deliveries(new AbortController().signal)) {
    oids.push(...batch.oids)
    candids.push(...batch.candids)
    bytes.push(...Array.from(batch.matrix, (value) => Buffer.from(Float64Array.of(value).buffer).toString('hex')))
  }
  await source.close()
  return { oids, candids, bytes, schema: source.schema }
}

/** DuckDB answers whoever has a condition. */
const throughDuckDb = { where: 'true' }

async function isPlain(path: string, changes: Partial<ReadOptions> = {}): Promise<boolean> {
  const footer = await readParquetFooter(await inspectFile(path, 'x.parquet'))
  return planPlain(footer, 'x.parquet', readOptions(changes)) !== undefined
}

async function written(name: string, select: string, options: string): Promise<string> {
  const path = join(folder, name)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet, ${options})`)
  connection.closeSync()
  instance.closeSync()
  return path
}

describe('a Parquet file of plain columns', () => {
  it.each([
    ['pyarrow-zstd.parquet', true],
    ['pyarrow-snappy.parquet', true],
    ['pyarrow-none.parquet', true],
    ['pyarrow-v1-plain.parquet', true],
    ['pyarrow-v2-pages.parquet', true],
    ['pyarrow-large-string.parquet', true],
    ['polars.parquet', true],
    ['float32.parquet', true],
    ['pyarrow-gzip.parquet', false],
    ['pyarrow-brotli.parquet', false],
    ['pyarrow-lz4.parquet', false],
  ])('%s is read as DuckDB reads it; without it: %s', async (name, plain) => {
    expect(await isPlain(fixture(name))).toBe(plain)
    const read = async (changes: Partial<ReadOptions>) =>
      readOnce(await openSource(fileSpec(fixture(name), 'parquet', name), readOptions(changes)))
    expect(await read({})).toEqual(await read(throughDuckDb))
  })

  it.each(['zstd', 'snappy', 'uncompressed'])('has every bit that DuckDB reads of it, in %s', async (codec) => {
    const select = `SELECT 'o' || i AS oid, CASE WHEN i % 7 = 0 THEN NULL ELSE 1200000000000000000 + i END AS candid,
      CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN -0.0 ELSE hash(i) / 3 END::DOUBLE AS mixed,
      sin(i) AS dense, (i % 3)::DOUBLE AS few, NULL::DOUBLE AS none, (i // 4000)::FLOAT AS steps, cos(i)::FLOAT AS single,
      CASE WHEN i % 11 > 3 THEN i - 5000 END::INTEGER AS small, (9007199254740993 + 3 * i) * (CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END) AS large
      FROM range(9000) t(i)`
    const path = await written(`${codec}.parquet`, select, `COMPRESSION ${codec}, ROW_GROUP_SIZE 4096`)
    const features = ['mixed', 'dense', 'few', 'none', 'steps', 'single', 'small', 'large', 'dense']
    expect(await isPlain(path, { features })).toBe(true)
    expect(await everything(path, { features })).toEqual(await everything(path, { features, ...throughDuckDb }))
    // ids of integers
    const ids = { features, idColumn: 'large' }
    expect(await everything(path, ids)).toEqual(await everything(path, { ...ids, ...throughDuckDb }))
  })

  it.each([
    ['decimals', "'o' AS oid, 1.5::DECIMAL(4, 2) AS x"],
    ['text', "'o' AS oid, '1.5' AS x"],
    ['unsigned integers', "'o' AS oid, 3::UINTEGER AS x"],
  ])('of %s is left to DuckDB', async (_, select) => {
    const path = await written(`${_}.parquet`, `SELECT ${select}`, 'COMPRESSION zstd')
    expect(await isPlain(path, { features: ['x'] })).toBe(false)
  })

  it('whose later pages are not plain is read to its end by DuckDB, each row once', async () => {
    const path = join(folder, 'mixed.parquet')
    const bytes = new ByteWriter()
    const schema = [
      { name: 'schema', num_children: 2 },
      { name: 'oid', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      { name: 'x', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    ] as const
    const writer = new ParquetWriter({ writer: bytes, schema: [...schema], codec: 'UNCOMPRESSED' })
    for (const [group, encoding] of (['PLAIN', 'PLAIN', 'BYTE_STREAM_SPLIT', 'PLAIN'] as const).entries()) {
      const ids = Array.from({ length: 3000 }, (_, i) => `o${group * 3000 + i}`)
      const numbers = Float64Array.from(ids, (_, i) => group * 3000 + i + 0.5)
      await writer.write({
        columnData: [
          { name: 'oid', data: ids },
          { name: 'x', data: numbers, encoding },
        ],
        rowGroupSize: 3000,
      })
    }
    await writer.finish()
    await writeFile(path, bytes.getBytes())
    expect(await isPlain(path, { features: ['x'] })).toBe(true)
    const read = await everything(path, { features: ['x'] })
    expect(read.oids).toEqual(Array.from({ length: 12_000 }, (_, i) => `o${i}`))
    expect(read).toEqual(await everything(path, { features: ['x'], ...throughDuckDb }))
  })
})
