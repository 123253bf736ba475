import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCandid, readOid, whyNoCandid } from '../../src/pipeline/row-ids.ts'

describe('readOid', () => {
  it('takes text as it is and integers as decimal text', () => {
    expect(readOid('ZTF18aaabskg', 'string')).toEqual({ oid: 'ZTF18aaabskg' })
    expect(readOid(9223372036854775807n, 'int64')).toEqual({ oid: '9223372036854775807' })
    expect(readOid(42, 'string')).toEqual({ oid: '42' })
  })

  it('says when there is none', () => {
    for (const raw of [null, undefined, '']) {
      expect(readOid(raw, 'string')).toEqual({ oid: null, reason: 'oid is missing' })
    }
  })

  it('refuses text among integers, and a number that may have lost digits', () => {
    expect(readOid('ZTF18', 'int64')).toHaveProperty('reason')
    expect(readOid(2 ** 53, 'int64')).toHaveProperty('reason')
    expect(readOid(1.5, 'string')).toHaveProperty('reason')
    expect(readOid({}, 'string')).toHaveProperty('reason')
  })
})

describe('readCandid', () => {
  it('reads every int64 exactly, as bigint and as text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (candid) => {
        expect(readCandid(candid)).toBe(candid)
        expect(readCandid(candid.toString())).toBe(candid)
      }),
    )
  })

  it('is told from a float, whose digits look like those of an int64', () => {
    const lost = 'candid is a float: its last digits are lost'
    for (const raw of [1.08203092099319e18, '1.08e18', '1.08E+18', '1082030920993190015.0', ['1', 2 ** 60]]) {
      expect(whyNoCandid(raw)).toBe(lost)
    }
    for (const raw of ['12.0', 1.5, '.', 'e5', 'x', true, {}, 2n ** 63n, '9223372036854775808', ['1', 'x']]) {
      expect(whyNoCandid(raw)).toBe('candid is not an int64')
    }
    expect(readOid(1.5e17, 'string')).toHaveProperty('reason', 'oid is a float: its last digits are lost')
  })

  it('takes the largest of a list', () => {
    expect(readCandid(['1000000123456789010', '1000000123456789012', 1000000123456789011n])).toBe(1000000123456789012n)
    expect(readCandid([])).toBe(null)
    expect(readCandid(['1', 'x'])).toBe(undefined)
  })

  it('knows none from a wrong one', () => {
    for (const raw of [null, undefined, '']) expect(readCandid(raw)).toBe(null)
    for (const raw of ['1.0', '1e18', 'abc', 1.5, 2 ** 60, 2n ** 63n, true, {}]) expect(readCandid(raw)).toBe(undefined)
  })
})
