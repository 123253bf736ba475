import { copyFile, mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { DataError, UsageError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import {
  bits,
  bitsOf,
  features,
  fileSpec,
  fixture,
  oids,
  readAll,
  readOnce,
  readOptions,
  type Rows,
} from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

function open(path: string, changes: Partial<ReadOptions> = {}): Promise<Source> {
  return openSource(fileSpec(path, 'parquet', path.split('/').at(-1)), readOptions(changes))
}

async function read(path: string, changes: Partial<ReadOptions> = {}): Promise<Rows> {
  return readOnce(await open(path, changes))
}

async function written(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

function numbered(count: number, rowGroupSize: number): Uint8Array {
  const columnData = [
    { name: 'oid', data: Array.from({ length: count }, (_, i) => `object${i}`), type: 'STRING' as const },
    { name: 'x', data: Float64Array.from({ length: count }, (_, i) => i), type: 'DOUBLE' as const },
  ]
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize, codec: 'UNCOMPRESSED' }))
}

describe('a Parquet file', () => {
  it('gives numbers of every type, and integer ids as integers', async () => {
    const source = await open(fixture('kinds.parquet'))
    expect(source.schema).toMatchObject({ oidType: 'int64', hasCandid: true })
    const rows = await readOnce(source)
    expect(rows.oids).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    expect(rows.candids).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i)))
    // the decimal is a hair above the middle between two float32, and its nearest float64 the middle itself
    const decimal = (i: number): number => (i % 2 === 1 ? 1.000000059604644775390625 : NaN)
    expect(rows.bits).toEqual(
      Array.from({ length: 20 }, (_, i) => bitsOf([i, i, i, i, i, i % 2 === 0 ? 1 : 0, i / 4, decimal(i)])),
    )
  })

  it.each(['candid-lists.parquet', 'candid-text-lists.parquet'])('%s: takes the largest candid', async (file) => {
    const rows = await read(fixture(file), { features: ['x'] })
    expect(rows.candids).toEqual([2n ** 53n + 1n, null, -4n])
    expect(rows.bits).toEqual([bitsOf([0.1]), bitsOf([NaN]), bitsOf([7])])
    expect(rows.rejected).toEqual([
      { oid: 'c', where: `${file} row 3`, reason: 'x is not a number', value: 'nonsense' },
    ])
  })

  it('refuses ids that were doubles, and columns that are no numbers', async () => {
    const path = fixture('broken-ids.parquet')
    const ids = open(path, { features: ['x'] })
    await expect(ids).rejects.toThrow('broken-ids.parquet: column candid holds DOUBLE: the ids are already broken')
    await expect(ids).rejects.toMatchObject({ exitCode: 3, hint: expect.stringContaining('int64') as string })
    await expect(open(path, { features: ['x'], idColumn: 'f' })).rejects.toThrow('column f holds DOUBLE')
    await expect(open(path, { features: ['when'], candidColumn: 'oid' })).rejects.toThrow(
      'broken-ids.parquet: column when holds TIMESTAMP, not numbers',
    )
  })

  it('says how to read ids that pandas kept as an unnamed index', async () => {
    await expect(open(fixture('pandas-unnamed-index.parquet'))).rejects.toMatchObject({
      message: 'pandas-unnamed-index.parquet lacks a column the model needs: oid',
      hint: expect.stringContaining('--id-column __index_level_0__') as string,
    })
  })

  it('tells columns apart that differ in case only', async () => {
    const both = await read(fixture('pyarrow-zstd.parquet'), { features: ['amplitude_1', 'Amplitude_1'] })
    const lower = features.indexOf('amplitude_1')
    const upper = features.indexOf('Amplitude_1')
    expect(both.bits).toEqual(bits.map((row) => [row[lower], row[upper]]))
    await expect(open(fixture('duckdb.parquet'), { features: ['amplitude_1'] })).rejects.toThrow(
      'lacks a column the model needs: amplitude_1 (nearest: Amplitude_1)',
    )
  })

  it.each(["[we]ird*?'.parquet", 'a=b {x,y}\\z.parquet', 'b[1]/c?.parquet', 'ü "q" ;--.parquet'])(
    'may have any name: %s',
    async (name) => {
      await mkdir(join(folder, 'b[1]'), { recursive: true })
      const path = join(folder, name)
      await copyFile(fixture('polars.parquet'), path)
      expect((await read(path)).oids).toEqual(oids)
      expect((await read(path, { where: "candid > 0 AND oid LIKE 'ZTF%'" })).oids.length).toBeGreaterThan(5)
    },
  )

  it.each([
    ['nothing.parquet', '', 'nothing.parquet is empty: not a Parquet file'],
    ['text.parquet', 'oid,x\na,1\n', 'text.parquet is not a Parquet file'],
    ['short.parquet', 'PAR1', 'short.parquet is cut off'],
  ])('%s is refused in one line', async (name, text, message) => {
    const opened = open(await written(name, text))
    await expect(opened).rejects.toBeInstanceOf(DataError)
    await expect(opened).rejects.toThrow(message)
  })

  it('refuses a file that was cut off or whose footer is damaged, in one line', async () => {
    const whole = await readFile(fixture('pyarrow-snappy.parquet'))
    await expect(open(await written('cut.parquet', whole.subarray(0, 3000)))).rejects.toThrow('cut.parquet is cut off')
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, whole.length - 900, whole.length - 700)
    const opened = open(await written('footer.parquet', damaged))
    await expect(opened).rejects.toBeInstanceOf(DataError)
    await expect(opened).rejects.toThrow(/^footer\.parquet: cannot be read: [^\n]+$/)
  })

  it('refuses what is not there, a folder and a pipe', async () => {
    await expect(open(join(folder, 'absent.parquet'))).rejects.toThrow('absent.parquet: there is no such file')
    await expect(open(folder)).rejects.toThrow('is a folder')
    await expect(open('/dev/null')).rejects.toThrow('null is not a regular file')
  })

  it('never takes an error on the way for the end of the rows', async () => {
    const bytes = Buffer.from(numbered(40_000, 10_000))
    // the header of a page in the third row group
    const third = bytes.indexOf('object20000')
    bytes.fill(0xff, third - 40, third - 4)
    const source = await open(await written('page.parquet', bytes), { features: ['x'] })
    const seen: string[] = []
    await expect(async () => {
      for await (const { batch } of source.deliveries(new AbortController().signal)) seen.push(...batch.oids)
    }).rejects.toThrow(/^page\.parquet( after row \d+)?: /)
    expect(seen.length).toBeLessThan(40_000)
    await source.close()
  })

  it('notices that the file changed while it was read', async () => {
    const path = await written('changing.parquet', numbered(5000, 1000))
    const source = await open(path, { features: ['x'] })
    await utimes(path, new Date(), new Date(1e12))
    const reading = readAll(source.deliveries(new AbortController().signal))
    await expect(reading).rejects.toThrow('changing.parquet changed while it was read')
    await source.close()
  })

  it('is named by its size and time', async () => {
    const source = await open(await written('named.parquet', numbered(10, 10)), { features: ['x'] })
    expect(source.identity).toMatchObject({ address: 'named.parquet', size: numbered(10, 10).length })
    expect(Date.parse(source.identity.mtime!)).toBeGreaterThan(Date.now() - 60_000)
    await source.close()
  })

  it('reads hundreds of files one after the other, and many at once', async () => {
    const path = await written('small.parquet', numbered(10, 10))
    const sources = await Promise.all(Array.from({ length: 60 }, () => open(path, { features: ['x'] })))
    for (const source of sources) expect((await readOnce(source)).read).toBe(10)
  })
})

describe('--where', () => {
  let path: string

  beforeAll(async () => {
    path = await written('where.parquet', numbered(5000, 700))
  })

  it('keeps the rows of the condition, and the numbers of their places', async () => {
    const rows = await read(path, { where: 'x % 1000 = 7 -- and nothing else', features: ['x'] })
    expect(rows.oids).toEqual(['object7', 'object1007', 'object2007', 'object3007', 'object4007'])
    expect(rows.read).toBe(5)
    const { rejected } = await read(path, { where: 'x = 4321', features: ['x'], candidColumn: 'oid' })
    expect(rejected).toMatchObject([{ where: 'where.parquet row 4322', reason: 'candid is not an int64' }])
  })

  it('sees the names of the file, whatever is renamed', async () => {
    const rename = new Map([['x', 'y']])
    expect((await read(path, { where: '"x" < 3', features: ['y'], rename })).read).toBe(3)
  })

  it('may be random, and may find nothing', async () => {
    const some = await read(path, { where: 'random() < 0.5', features: ['x'] })
    expect(some.read).toBeGreaterThan(1000)
    expect(some.read).toBeLessThan(4000)
    expect((await read(path, { where: 'false', features: ['x'] })).read).toBe(0)
  })

  it.each([
    ['x > > 1 FROM', 'syntax error'],
    ['z > 1', 'column "z" not found'],
    ['true) UNION ALL SELECT 1; DROP TABLE x --', 'syntax error'],
    ['true\n); SELECT (1', 'multiple statements'],
    ["x = (SELECT max(column0) FROM read_csv('/etc/hostname', header = false))", 'disabled by configuration'],
    ["x IN (SELECT 1 FROM read_parquet('FIXTURE'))", 'disabled by configuration'],
    ["x = 1 AND getenv('HOME') = ''", 'getenv'],
  ])('refuses %s', async (where, message) => {
    const opened = open(path, { where: where.replace('FIXTURE', fixture('polars.parquet')), features: ['x'] })
    await expect(opened).rejects.toBeInstanceOf(UsageError)
    await expect(opened).rejects.toThrow(new RegExp(`^--where: [^\\n]*${message}`, 'i'))
  })

  it('says that the condition cannot be worked out for a row', async () => {
    const source = await open(path, { where: 'CAST(oid AS INTEGER) > 3', features: ['x'] })
    const reading = readOnce(source)
    await expect(reading).rejects.toBeInstanceOf(UsageError)
    await expect(reading).rejects.toThrow(/^--where: [^\n]*object0/)
  })

  it('is refused for other formats', async () => {
    const opened = openSource(fileSpec(fixture('objects.csv'), 'csv'), readOptions({ where: 'true' }))
    await expect(opened).rejects.toBeInstanceOf(UsageError)
  })
})
