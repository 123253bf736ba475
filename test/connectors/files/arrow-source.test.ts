import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { bitsOf, fileSpec, fixture, readOnce, readOptions, type Rows } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

function open(path: string, changes: Partial<ReadOptions> = {}): Promise<Source> {
  return openSource(fileSpec(path, 'arrow', path.split('/').at(-1)), readOptions(changes))
}

async function read(path: string, changes: Partial<ReadOptions> = {}): Promise<Rows> {
  return readOnce(await open(path, changes))
}

async function readBytes(name: string, bytes: Uint8Array): Promise<Rows> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return read(path)
}

describe('Arrow data', () => {
  it('give numbers of every type, and integer ids as integers', async () => {
    const source = await open(fixture('kinds.arrow'))
    expect(source.schema).toEqual({ oidType: 'int64', hasCandid: true })
    const rows = await readOnce(source)
    expect(rows.oids).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    const decimal = (i: number): number => (i % 2 === 1 ? 1.000000059604644775390625 : NaN)
    expect(rows.bits).toEqual(
      Array.from({ length: 20 }, (_, i) => bitsOf([i, i, i, i, i, i % 2 === 0 ? 1 : 0, i / 4, decimal(i)])),
    )
  })

  it.each(['candid-lists.arrow', 'candid-text-lists.arrow'])('%s: take the largest candid', async (file) => {
    const rows = await read(fixture(file), { features: ['x'] })
    expect(rows.candids).toEqual([2n ** 53n + 1n, null, -4n])
    expect(rows.bits).toEqual([bitsOf([0.1]), bitsOf([NaN]), bitsOf([7])])
    expect(rows.rejected).toEqual([
      { oid: 'c', where: `${file} row 3`, reason: 'x is not a number', value: 'nonsense' },
    ])
  })

  it('refuse ids that were doubles, and columns that are no numbers', async () => {
    const path = fixture('broken-ids.arrow')
    await expect(open(path, { features: ['x'] })).rejects.toThrow(
      'broken-ids.arrow: column candid holds Float64: the ids are already broken',
    )
    await expect(open(path, { features: ['when'], candidColumn: 'oid' })).rejects.toThrow(
      'broken-ids.arrow: column when holds Timestamp<MICROSECOND>, not numbers',
    )
  })

  it('of Feather version 1 are refused with what to do', async () => {
    await expect(open(fixture('version-1.feather'))).rejects.toThrow('version-1.feather is a Feather file of version 1')
  })

  it.each(['file-plain.arrow', 'stream-plain.arrow', 'file-zstd.arrow', 'stream-lz4.arrow', 'polars.arrow'])(
    '%s that is cut off anywhere is refused, never taken for shorter',
    async (file) => {
      const whole = await readFile(fixture(file))
      for (let length = 0; length < whole.length; length += 397) {
        const reading = readBytes('cut.arrow', whole.subarray(0, length))
        await expect(reading).rejects.toBeInstanceOf(DataError)
        await expect(reading).rejects.toThrow(/^cut\.arrow is [^\n]+$/)
      }
    },
  )

  it('delivers the batches before the damage', async () => {
    const whole = await readFile(fixture('stream-plain.arrow'))
    const path = join(folder, 'later.arrow')
    await writeFile(path, whole.subarray(0, whole.length - 300))
    const source = await open(path)
    let count = 0
    await expect(async () => {
      for await (const { read: rows } of source.deliveries(new AbortController().signal)) count += rows
    }).rejects.toThrow('later.arrow is cut off')
    // the library reads one message ahead
    expect(count).toBeGreaterThanOrEqual(7)
    await source.close()
  })

  it('refuses two streams, one after the other, rather than read one of them', async () => {
    const stream = await readFile(fixture('stream-plain.arrow'))
    await expect(readBytes('two.arrow', Buffer.concat([stream, stream]))).rejects.toThrow(
      'two.arrow goes on after the mark of its end',
    )
  })

  it.each([
    ['nothing', '', 'is empty: not Arrow data'],
    ['text', 'oid,a,b\no1,1,2\n', 'is not Arrow data'],
    ['parquet', 'PAR1\0\0\0\0\0\0PAR1', 'is not Arrow data'],
    ['zeros', '\0'.repeat(100), 'is not Arrow data'],
  ])('refuse %s', async (_, text, message) => {
    await expect(readBytes('x.arrow', Buffer.from(text))).rejects.toThrow(`x.arrow ${message}`)
  })
})
