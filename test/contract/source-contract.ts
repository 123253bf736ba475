// What every source promises; run for each format.
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { newestOnly } from '../../src/pipeline/newest-only.ts'
import type { Delivery, ReadOptions, Source } from '../../src/pipeline/source.ts'
import { bitsOf, readAll, readOnce, readOptions, type Rows } from '../support/objects.ts'
import type { Seed, SeedRow } from '../connectors/files/seed-files.ts'

/** A place with some rows, new for each test. */
export interface SourcePlace {
  seed(seed: Seed): Promise<void>
  open(options: ReadOptions): Promise<Source>
  remove(): Promise<void>
}

/** What a source does not promise, or cannot show. */
export interface SourceTraits {
  /** a feature may be missing from a row alone, so that no row is known to lack it before it is read */
  readonly hasFreeKeys?: boolean
  /** a feature's name may be any, so that a renamed one may come in a later row */
  readonly hasAnyKeys?: boolean
  readonly isReplayable?: boolean
  /** the format's own standard says that the case of names does not count */
  readonly isCaseBlind?: boolean
  /** false for messages, whose features are a record of their own */
  readonly hasColumns?: boolean
}

const names = ['a', 'b/c', 'select']
const needed: Partial<ReadOptions> = { features: ['select', 'a'] }

function row(i: number, changes: Partial<SeedRow> = {}): SeedRow {
  return { oid: `ZTF18object${i}`, candid: 1_000_000_000_000_000_001n + BigInt(i), values: [i, -i, i / 7], ...changes }
}

const many = (count: number): SeedRow[] => Array.from({ length: count }, (_, i) => row(i))
const seenOf = ({ values }: SeedRow): number[] => bitsOf([values[2] ?? NaN, values[0] ?? NaN])

/** @param place makes a place nobody has written to */
export function testSource(name: string, place: () => Promise<SourcePlace>, traits: SourceTraits = {}): void {
  const { hasFreeKeys = false, hasAnyKeys = false, isReplayable = true, hasColumns = true } = traits
  const { isCaseBlind = false } = traits
  describe(name, () => {
    let here: SourcePlace

    beforeEach(async () => {
      here = await place()
    })

    afterEach(async () => {
      await here.remove()
    })

    async function read(seed: Seed, changes: Partial<ReadOptions> = {}): Promise<Rows> {
      await here.seed(seed)
      return readOnce(await here.open(readOptions({ ...needed, ...changes })))
    }

    it('delivers every row once, in order, whatever the order of the columns', async () => {
      const rows = many(2500)
      const found = await read({ names, rows })
      expect(found.oids).toEqual(rows.map(({ oid }) => oid))
      expect(found.candids).toEqual(rows.map(({ candid }) => candid))
      expect(found.bits).toEqual(rows.map(seenOf))
      expect(found).toMatchObject({ rejected: [], read: 2500, duplicates: 0 })
    })

    it('keeps the size of batches, the last one shorter', async () => {
      const found = await read({ names, rows: many(2500) }, { batchSize: 700 })
      expect(found.batchSizes).toEqual([700, 700, 700, 400])
    })

    it('delivers no batch for no rows, and has a schema', async () => {
      await here.seed({ names, rows: [] })
      const source = await here.open(readOptions(needed))
      if (!hasFreeKeys) expect(source.schema.hasCandid).toBe(true)
      expect(await readOnce(source)).toMatchObject({ read: 0, batchSizes: [] })
    })

    it('says before the first row whether there are candids', async () => {
      const rows = many(3)
      await here.seed({ names, rows, hasCandid: false })
      const source = await here.open(readOptions(needed))
      expect(source.schema).toMatchObject({ oidType: 'string', hasCandid: false })
      expect((await readOnce(source)).candids).toEqual([null, null, null])
    })

    it('keeps candids beyond 2^53 and at both ends of int64, and rows without one', async () => {
      const all = [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), null, 0n]
      const found = await read({ names, rows: all.map((candid, i) => row(i, { candid })) })
      expect(found.candids).toEqual(all)
    })

    it.runIf(hasColumns)('says when each object was last seen, where that is asked and there', async () => {
      const days = [60_000.123456789, null, Infinity, 59_000]
      const rows = days.map((day, i) => row(i, { values: [i, -i, i / 7, day] }))
      const timed = { names: [...names, 'mjd'], rows }
      const found = await read(timed, { mjdColumn: 'mjd' })
      expect(found.mjds).toEqual([60_000.123456789, NaN, NaN, 59_000])
      expect(found.bits).toEqual(rows.map(seenOf))
      expect((await read(timed)).mjds).toBeUndefined()
      expect((await read({ names, rows: many(3) }, { mjdColumn: 'mjd' })).mjds).toBeUndefined()
      await expect(read({ names, rows: many(3) }, { mjdColumn: 'lastmjd' })).rejects.toThrow('lastmjd')
    })

    it('takes null and NaN for missing, and infinities too', async () => {
      const rows = [null, NaN, Infinity, -Infinity].map((value, i) => row(i, { values: [value, 0, 1] }))
      const found = await read({ names, rows })
      expect(found.bits.map(([, a]) => a)).toEqual(bitsOf([-999, -999, -999, -999]))
    })

    it('rejects a row without an id or beyond float32, and no other', async () => {
      const rows = many(5)
      rows[1] = row(1, { oid: null })
      rows[3] = row(3, { values: [-1e39, 0, 1] })
      const found = await read({ names, rows })
      expect(found.oids).toEqual(['ZTF18object0', 'ZTF18object2', 'ZTF18object4'])
      expect(found.rejected).toMatchObject([
        { oid: null, reason: 'oid is missing' },
        { oid: 'ZTF18object3', reason: 'a is beyond float32', value: '-1e+39' },
      ])
      expect(found.rejected[1]!.where).toMatch(/^seed\.\S+ (row|line|record) [45]$/)
      expect(found.read).toBe(5)
    })

    it('hands out rejects by the way when there is nothing else', async () => {
      const found = await read({ names, rows: many(15_000).map((one) => ({ ...one, oid: null })) })
      expect(found.rejected.length).toBe(15_000)
      expect(found.batchSizes.length).toBeGreaterThan(1)
    })

    it('reads no more rows than the run may', async () => {
      const allowance = { remaining: 1500 }
      const found = await read({ names, rows: many(2500) }, { allowance, batchSize: 400 })
      expect(found).toMatchObject({ read: 1500, batchSizes: [400, 400, 400, 300] })
      expect(allowance.remaining).toBe(0)
      expect(await readOnce(await here.open(readOptions({ ...needed, allowance })))).toMatchObject({ read: 0 })
    })

    it('keeps to its shard, and every row is in exactly one', async () => {
      const rows = many(300)
      await here.seed({ names, rows })
      const shards: string[][] = []
      for (let index = 0; index < 3; index++) {
        const found = await readOnce(await here.open(readOptions({ ...needed, shard: { index, count: 3 } })))
        expect(found.oids.every((oid) => crc32(oid) % 3 === index)).toBe(true)
        expect(found.read).toBe(found.oids.length)
        shards.push(found.oids)
      }
      expect(shards.flat().sort()).toEqual(rows.map(({ oid }) => oid).sort())
    })

    it('reads a renamed column, which shadows one that had the name', async () => {
      const found = await read(
        { names: ['a', 'old', 'select'], rows: [row(0, { values: [1, 2, 3] })] },
        { rename: new Map([['old', 'a']]) },
      )
      expect(found.bits).toEqual([bitsOf([3, 2])])
    })

    it('swaps two columns', async () => {
      const rename = new Map([
        ['a', 'select'],
        ['select', 'a'],
      ])
      const found = await read({ names, rows: [row(0, { values: [1, 2, 3] })] }, { rename })
      expect(found.bits).toEqual([bitsOf([1, 3])])
    })

    it('reads ids from the column it is told', async () => {
      const found = await read(
        { names, rows: [row(4)] },
        {
          idColumn: 'object',
          candidColumn: 'alert',
          rename: new Map([
            ['oid', 'object'],
            ['candid', 'alert'],
          ]),
        },
      )
      expect(found).toMatchObject({ oids: ['ZTF18object4'], candids: [1_000_000_000_000_000_005n] })
    })

    it('refuses, before the first row, an input without ids, without the named candids, or without a renamed column', async () => {
      await here.seed({ names, rows: many(3) })
      const opened = (changes: Partial<ReadOptions>): Promise<Source> =>
        here.open(readOptions({ ...needed, ...changes }))
      await expect(opened({ idColumn: 'oidd' })).rejects.toThrow('lacks a column the model needs: oidd (nearest: oid)')
      await expect(opened({ candidColumn: 'alertId' })).rejects.toThrow('lacks a column the model needs: alertId')
      await expect(opened({ idColumn: 'oidd' })).rejects.toBeInstanceOf(DataError)
      if (hasAnyKeys) return
      await expect(opened({ rename: new Map([['sellect', 'x']]) })).rejects.toThrow(
        'has no column to rename: sellect (nearest: select)',
      )
    })

    it('says which features are missing, and what comes near', async () => {
      await here.seed({ names, rows: many(3) })
      const options = readOptions({ features: ['a', 'b_c', 'Select', 'unlike'] })
      const select = isCaseBlind ? '' : 'Select (nearest: select), '
      if (hasFreeKeys) {
        const { rejected } = await readOnce(await here.open(options))
        expect(rejected).toMatchObject([{ reason: 'b_c is absent', value: 'and 2 more' }, {}, {}])
      } else {
        await expect(here.open(options)).rejects.toThrow(
          `lacks ${isCaseBlind ? 2 : 3} columns the model needs: b_c (nearest: b/c), ${select}unlike`,
        )
      }
    })

    it('ends soon after the signal, with what it has', async () => {
      await here.seed({ names, rows: many(8_000) })
      const source = await here.open(readOptions({ ...needed, batchSize: 100 }))
      const controller = new AbortController()
      async function* two(): AsyncGenerator<Delivery> {
        let count = 0
        for await (const delivery of source.deliveries(controller.signal)) {
          yield delivery
          if (++count === 2) controller.abort()
        }
      }
      const found = await readAll(two())
      expect(found.read).toBeLessThan(1000)
      expect(found.read).toBe(found.oids.length)
      await source.close()
    })

    it('may be left in the middle, and closed twice', async () => {
      await here.seed({ names, rows: many(8_000) })
      const source = await here.open(readOptions({ ...needed, batchSize: 100 }))
      for await (const { batch } of source.deliveries(new AbortController().signal)) {
        expect(batch.rowCount).toBe(100)
        break
      }
      await source.close()
      await source.close()
    })

    it('may be opened and closed without being read', async () => {
      await here.seed({ names, rows: many(10) })
      const source = await here.open(readOptions(needed))
      await source.close()
    })

    it(isReplayable ? 'gives the same rows again' : 'says that it cannot be read again', async () => {
      await here.seed({ names, rows: many(1200) })
      const source = await here.open(readOptions(needed))
      expect(source.replayable).toBe(isReplayable)
      if (isReplayable) {
        const first = await readAll(source.deliveries(new AbortController().signal))
        expect(await readAll(source.deliveries(new AbortController().signal))).toEqual(first)
        expect(source.fractionRead?.()).toBeCloseTo(1, 1)
      }
      await source.close()
    })

    it('gives the newest row of each object, at its own place', async () => {
      const rows = [
        row(0, { oid: 'a', candid: 5n }),
        row(1, { oid: 'b', candid: 1n }),
        row(2, { oid: 'a', candid: 9n }),
        row(3, { oid: 'a', candid: 7n }),
        row(4, { oid: 'b', candid: 1n }),
      ]
      await here.seed({ names, rows })
      const options = readOptions({ ...needed, allowance: { remaining: 100 } })
      const found = await readOnce(newestOnly(await here.open(options), options))
      expect(found).toMatchObject({ oids: ['a', 'b'], candids: [9n, 1n], duplicates: 3, read: 5 })
      expect(found.bits).toEqual([seenOf(rows[2]!), seenOf(rows[4]!)])
      expect(options.allowance.remaining).toBe(95)
    })
  })
}
