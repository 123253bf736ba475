import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { surveyOid, surveyVersion, ztfName } from '../../src/connectors/survey-ids.ts'
import { ModelError } from '../../src/errors.ts'

const letter = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz')
const names = fc
  .tuple(fc.integer({ min: 0, max: 99 }), fc.array(letter, { minLength: 7, maxLength: 7 }))
  .map(([year, word]) => `ZTF${String(year).padStart(2, '0')}${word.join('')}`)
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const ztfFirst = 1n << 55n
const ztfLast = ztfFirst + 100n * 26n ** 7n - 1n

describe("the survey's oid", () => {
  it.each([
    ['ZTF18acuemsf', 36_028_941_624_528_297n],
    ['ZTF17aaabauy', 36_028_933_559_755_080n],
    ['ZTF21aaaaaaf', 36_028_965_686_977_669n],
    ['ZTF00aaaaaaa', ztfFirst],
    ['ZTF99zzzzzzz', ztfLast],
  ])('of %s is %d, and back', (name, oid) => {
    expect(surveyOid(name)).toBe(oid)
    expect(ztfName(oid)).toBe(name)
  })

  it('of any ZTF name leads back to that name', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(ztfName(surveyOid(name)!)).toBe(name)
      }),
    )
  })

  it('of any number in the range of ZTF names is that number again', () => {
    const range = fc.bigInt({ min: ztfFirst, max: ztfLast })
    fc.assert(
      fc.property(range, (oid) => {
        expect(surveyOid(ztfName(oid)!)).toBe(oid)
      }),
    )
  })

  it('grows as names grow, so that no two names share one', () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(surveyOid(one)! < surveyOid(other)!).toBe(one < other)
      }),
    )
  })

  it('of an integer in digits is that integer', () => {
    fc.assert(
      fc.property(int64, (oid) => {
        expect(surveyOid(String(oid))).toBe(oid)
      }),
    )
  })

  it.each([
    'ZTF18acuems',
    'ZTF18acuemsff',
    'ZTF18Acuemsf',
    'ZTF1aacuemsf',
    'ztf18acuemsf',
    'ZTF18acuemsf\n',
    ' ZTF18acuemsf',
    '',
    '-',
    '-0',
    '007',
    '+7',
    '7.0',
    '1e3',
    '9223372036854775808',
    '-9223372036854775809',
    '9'.repeat(5000),
  ])('of %j is none', (text) => {
    expect(surveyOid(text)).toBeUndefined()
  })

  it('stands for no ZTF name outside their range', () => {
    expect(ztfName(ztfFirst - 1n)).toBeUndefined()
    expect(ztfName(ztfLast + 1n)).toBeUndefined()
    const others = int64.filter((oid) => oid < ztfFirst || oid > ztfLast)
    fc.assert(
      fc.property(others, (oid) => {
        expect(ztfName(oid)).toBeUndefined()
      }),
    )
  })
})

describe("the survey's version", () => {
  it.each([
    ['2.1.0', 210],
    ['2.1.0_beta_1', 210],
    ['0.3.6', 36],
    ['1.1.13', 1113],
    ['32.76.7', 32_767],
  ])('of %s is %d', (version, number) => {
    expect(surveyVersion(version)).toBe(number)
  })

  it.each(['2.1', '2.1.0.0', '2.1.x', 'v2.1.0', '2.01.0', '2.1.0-beta', '', '2..0', '32.76.8', '99.99.99999999999999'])(
    'of %j is refused, not written as another',
    (version) => {
      expect(() => surveyVersion(version)).toThrow(ModelError)
    },
  )
})
