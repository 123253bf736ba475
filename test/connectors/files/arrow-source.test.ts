import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Vector } from 'apache-arrow'
import { beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import { loadArrow } from '../../../src/formats/arrow/library.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { bitsOf, fileSpec, fixture, readOnce, readOptions, type Rows } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const arrow = loadArrow()
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
    expect(source.schema).toMatchObject({ oidType: 'int64', hasCandid: true })
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

  describe('that lie about their lists', () => {
    const { List, Float64, Int64, Field, tableToIPC, Table, vectorFromArray, Null, Utf8 } = arrow
    const lists = vectorFromArray([[1n, 2n], [], [3n]], new List(new Field('item', new Int64())))
    const x = vectorFromArray([1, 2, 3], new Float64())
    const write = (columns: Record<string, Vector>, form: 'file' | 'stream'): Buffer => {
      const oid = vectorFromArray(['a', 'b', 'c'], new Utf8())
      return Buffer.from(tableToIPC(new Table({ oid, x, ...columns }), form))
    }
    /** offsets of the lists: 0, 2, 2, 3 */
    const withOffset = (bytes: Buffer, last: number): Buffer => {
      const at = bytes.indexOf(Buffer.from(Int32Array.of(0, 2, 2, 3).buffer))
      bytes.writeInt32LE(last, at + 12)
      return bytes
    }

    it.each(['file', 'stream'] as const)('are refused, as a %s, before anything is allocated', async (form) => {
      for (const last of [2 ** 31 - 1, 4, 1, -1]) {
        const path = join(folder, 'lists.arrow')
        await writeFile(path, withOffset(write({ candid: lists }, form), last))
        await expect(read(path, { features: ['x'] })).rejects.toThrow('lists.arrow is damaged')
      }
    })

    it('hurt nobody who does not need them', async () => {
      const path = join(folder, 'others.arrow')
      await writeFile(path, withOffset(write({ others: lists }, 'file'), 2 ** 31 - 1))
      expect((await read(path, { features: ['x'] })).oids).toEqual(['a', 'b', 'c'])
    })

    it('may hold a column of nothing but nulls, as Python writes one where nothing was measured', async () => {
      const path = join(folder, 'null-column.arrow')
      await writeFile(path, write({ y: vectorFromArray([null, null, null], new Null()) as Vector }, 'file'))
      const rows = await read(path, { features: ['y'] })
      expect(rows.bits).toEqual([bitsOf([NaN]), bitsOf([NaN]), bitsOf([NaN])])
    })

    it('may hold any number of nulls, which are no candid', async () => {
      const nulls = vectorFromArray([[null, null], [], [null]], new List(new Field('item', new Null())))
      const path = join(folder, 'nulls.arrow')
      const bytes = withOffset(write({ candid: nulls as Vector }, 'stream'), 2 ** 31 - 2)
      // the nodes of the lists and of their items, which nobody has counted
      const node = bytes.indexOf(Buffer.from(BigInt64Array.of(3n, 0n, 3n, -1n).buffer))
      bytes.writeBigInt64LE(2n ** 31n - 1n, node + 16)
      await writeFile(path, bytes)
      expect((await read(path, { features: ['x'] })).candids).toEqual([null, null, null])
    })
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
