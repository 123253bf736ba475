import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeProfile, parseProfile, profileQuantiles } from '../../../src/model/bundle/input-profile.ts'
import { compareInputs } from '../../../src/model/profile/compare-inputs.ts'
import { createInputTally } from '../../../src/model/profile/input-tally.ts'
import { createInputProfiler } from '../../../src/model/profile/profile-inputs.ts'
import { missing, profileOf, taxonomy } from './rows.ts'

const cell = fc.oneof(fc.constant(missing), fc.float({ noNaN: true, noDefaultInfinity: true }))
const rows = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 60 })

describe('a profile of inputs', () => {
  it('has the quantiles that sorting all values gives, and counts what is missing', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const [a] = profileOf(given).features
        const values = given.map(([value]) => value).filter((value) => value !== missing)
        values.sort((x, y) => x - y)
        expect(a!.missing).toBe(given.length - values.length)
        expect(a!.values?.quantiles.map((value) => value + 0)).toEqual(
          values.length === 0
            ? undefined
            : profileQuantiles.map((share) => values.find((v, i) => i + 1 >= share * values.length && v === v)! + 0),
        )
        expect(a!.values?.minimum).toBe(values.length === 0 ? undefined : a!.values!.quantiles.length && values[0])
      }),
    )
  })

  it('is read back as it was, to the last bit of every float32', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const profile = profileOf(given, 'golden', [3, 0, 1])
        const text = Buffer.from(encodeProfile(profile)).toString()
        // JSON has no −0, and a value that is compared needs none
        const plain = JSON.parse(JSON.stringify(profile)) as unknown
        expect(parseProfile(text, 'profile.json', ['a', 'b'])).toEqual(plain)
      }),
    )
  })

  it('of a model that keeps what is missing counts NaN as missing, and −999 as the number that it is', () => {
    const profiler = createInputProfiler({ features: ['a', 'b'], missing: NaN, taxonomy })
    profiler.addRows(Float64Array.of(NaN, -999, 2, -999, NaN, 4, NaN, NaN), 4)
    const [a, b] = profiler.profile({ source: 'file', name: 'x' }).features
    expect([a!.missing, b!.missing]).toEqual([3, 1])
    expect([a!.values!.minimum, b!.values!.minimum, b!.values!.maximum]).toEqual([2, -999, 4])
  })

  it('is read back where the model takes infinite values, and those beyond float32', () => {
    const profiler = createInputProfiler({ features: ['a', 'b'], missing: NaN, taxonomy })
    profiler.addRows(Float64Array.of(Infinity, 1e300, -Infinity, -1e300, 1, 2), 3)
    const text = Buffer.from(encodeProfile(profiler.profile({ source: 'file', name: 'x' }))).toString()
    const largest = 3.4028234663852886e38
    for (const { values } of parseProfile(text, 'profile.json', ['a', 'b']).features) {
      expect([values!.minimum, values!.maximum]).toEqual([-largest, largest])
    }
  })

  it('of float64 values has them where it holds them, so that none is unusual in itself', () => {
    const rows = Float64Array.from({ length: 100 }, (_, i) => [0.1, 0.7][i % 2]!)
    const features = ['a']
    const profiler = createInputProfiler({ features, missing: NaN, taxonomy })
    profiler.addRows(rows, 100)
    const profile = profiler.profile({ source: 'file', name: 'x' })
    const tally = createInputTally({ features, missing: NaN, profile })
    tally.add(rows, 100)
    const [a] = tally.counts()
    expect([a!.beyond, a!.bins[0], a!.bins.at(-1)]).toEqual([0, 0, 0])
    expect(compareInputs(tally.counts(), 100, profile)).toEqual([])
  })

  it('counts the class with the largest probability, by classifier', () => {
    expect(profileOf([[1, 2]], 'file', [2, 0, 5]).predictions).toEqual([
      {
        classifierName: 'lc_classifier',
        classes: [
          { name: 'AGN', rows: 2 },
          { name: 'RRL', rows: 0 },
          { name: 'SNIa', rows: 5 },
        ],
      },
    ])
  })

  it('takes quantiles of more rows than it keeps from a sample, the same each time, and counts all', () => {
    const sampled = () => {
      const profiler = createInputProfiler({ features: ['a'], missing, taxonomy }, 500)
      profiler.addRows(
        Float32Array.from({ length: 20_000 }, (_, i) => i / 20_000),
        20_000,
      )
      return profiler.profile({ source: 'file', name: 'x' })
    }
    const { rows: count, features } = sampled()
    expect(count).toBe(20_000)
    expect(features[0]!.values!.maximum).toBe(Math.fround(19_999 / 20_000))
    expect(Math.abs(features[0]!.values!.quantiles[3]! - 0.5)).toBeLessThan(0.08)
    expect(sampled().features).toEqual(features)
  })

  it('is refused where it is damaged, or of another model', () => {
    const text = Buffer.from(encodeProfile(profileOf([[1, 2]]))).toString()
    for (const [broken, features] of [
      ['{', ['a', 'b']],
      ['[]', ['a', 'b']],
      [text.replace('"rows":1', '"rows":-1'), ['a', 'b']],
      [text.replace('"quantiles":[1,', '"quantiles":['), ['a', 'b']],
      [text, ['b', 'a']],
    ] as const) {
      expect(() => parseProfile(broken, 'profile.json', features)).toThrow(expect.objectContaining({ exitCode: 4 }))
    }
  })
})
