import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIdTally } from '../../../src/model/profile/id-tally.ts'

describe('ids as they pass', () => {
  it('are counted as often as they come again, whatever they are', () => {
    const id = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ max: 30, min: 0 }).map(String))
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.option(fc.bigInt({ min: 0n, max: 3n })))), (rows) => {
        const tally = createIdTally()
        tally.add(
          rows.map(([oid]) => oid),
          rows.map(([, candid]) => candid),
        )
        const { repeated, identical } = tally.counts()
        expect(repeated).toBe(rows.length - new Set(rows.map(([oid]) => oid)).size)
        expect(identical).toBe(rows.length - new Set(rows.map(([oid, candid]) => `${oid}\0${candid ?? ''}`)).size)
      }),
    )
  })

  it('are told apart by the hundred thousand', () => {
    const tally = createIdTally()
    const oids = Array.from({ length: 300_000 }, (_, i) => `ZTF18${i.toString(36)}`)
    tally.add(oids, [])
    tally.add(['ZTF18a', 'new'], [])
    expect(tally.counts()).toMatchObject({ repeated: 1, example: 'ZTF18a', rows: 300_002 })
  })

  it('are counted as far as memory goes', () => {
    const tally = createIdTally(2)
    tally.add(['a', 'a', 'a', 'a'], [])
    expect(tally.counts()).toMatchObject({ repeated: 1, rows: 2 })
  })

  it('show when candids went through a float', () => {
    const candids = Array.from({ length: 30 }, (_, i) => 1_549_473_362_115_010_015n + BigInt(i) * 1_000_003n)
    const seen = (given: readonly bigint[]) => {
      const tally = createIdTally()
      tally.add(given.map(String), given)
      return tally.counts().areCandidsRounded
    }
    expect(seen(candids)).toBe(false)
    expect(seen(candids.map((candid) => BigInt(Number(candid))))).toBe(true)
    expect(seen(candids.map((_, i) => BigInt(i)))).toBe(false)
  })

  it('show when oids went through a float, and not where one looks so by chance', () => {
    const seen = (...oids: string[]) => {
      const tally = createIdTally()
      tally.add(oids, [])
      const { floatOids, floatExample } = tally.counts()
      return [floatOids, floatExample]
    }
    expect(seen('1.5e+17', '1.5e+17', '12')).toEqual([2, '1.5e+17'])
    expect(seen('7', '8.0')).toEqual([1, '8.0'])
    expect(seen('7', '150000000000000001')).toEqual([0, null])
    expect(seen('12e5', '4f0a', '1.0')).toEqual([0, null])
  })
})
