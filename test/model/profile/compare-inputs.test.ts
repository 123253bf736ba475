import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareInputs } from '../../../src/model/profile/compare-inputs.ts'
import { createInputTally } from '../../../src/model/profile/input-tally.ts'
import type { InputProfile } from '../../../src/model/bundle/input-profile.ts'
import { matrixOf, missing, profileOf } from './rows.ts'

type Row = readonly [number, number]

/** a: 10 to 20; b: around zero, an angle in degrees */
const usual: Row[] = Array.from({ length: 1000 }, (_, i) => [10 + i / 100, ((i * 7) % 180) - 90])
const profile = profileOf(usual)

function findings(rows: readonly Row[], against: InputProfile = profile): string[] {
  const tally = createInputTally({ features: ['a', 'b'], missing, profile: against, countsSizes: true })
  tally.add(matrixOf(rows), rows.length)
  return compareInputs(tally.counts(), tally.rows, against).map(({ feature, kind }) => `${feature} ${kind}`)
}

const changed = (change: (row: Row) => Row) => usual.slice(0, 400).map(change)

describe('inputs against a profile', () => {
  it('are as usual where they come from the same night', () => {
    expect(findings(usual)).toEqual([])
    expect(findings(usual.filter((_, i) => i % 9 === 0))).toEqual([])
  })

  it.each<[string, (row: Row) => Row, string]>([
    ['a feature that nobody has', ([, b]) => [missing, b], 'a all null'],
    ['a feature that half of them lack', ([a, b]) => [a < 12 ? missing : a, b], 'a null rate'],
    ['a feature that is the same everywhere', ([, b]) => [0, b], 'a constant'],
    ['a thousandfold unit', ([a, b]) => [a * 1000, b], 'a unit'],
    ['radians in place of degrees, around zero too', ([a, b]) => [a, (b * Math.PI) / 180], 'b unit'],
    ['values outside of the usual range', ([a, b]) => [a + 30, b], 'a range'],
  ])('tell %s', (_, change, expected) => {
    expect(findings(changed(change))).toEqual([expected])
  })

  it('tell smaller values that crowd where zero is, wherever that lies between the quantiles', () => {
    // from a little below zero to far above, as a period with errors is, or a longitude
    const skewed = usual.map(([, b], i): Row => [i / 10 - (i % 20), b < 0 ? 0 : b])
    const known = profileOf(skewed)
    const some = skewed.filter((_, i) => i % 3 === 0)
    for (const scale of [Math.PI / 180, 180 / Math.PI, 1 / 86_400, 86_400, 1e-3, 1e3]) {
      const scaled = some.map(([a, b]): Row => [a * scale, b])
      expect([scale, findings(scaled, known)]).toEqual([scale, ['a unit']])
    }
    expect(findings(some, known)).toEqual([])
    // half of b are usually zero: nearly all of them are no other unit
    expect(
      findings(
        some.filter(([, b], i) => b === 0 || i % 20 === 0),
        known,
      ),
    ).toEqual([])
  })

  it('say nothing of rates that a few rows cannot tell, and nothing of a feature that is usually null', () => {
    expect(findings([[500, 500]])).toEqual([])
    const mostlyNull = profileOf(usual.map(([a, b], i) => [i % 100 === 0 ? a : missing, b]))
    expect(
      findings(
        usual.slice(0, 60).map(([, b]) => [missing, b]),
        mostlyNull,
      ),
    ).toEqual([])
  })

  it('may be further from golden rows, which are few and perhaps unusual on purpose', () => {
    const shifted = changed(([a, b]) => [a < 11.4 ? 30 : a, b])
    expect(findings(shifted)).toEqual(['a range'])
    expect(findings(shifted, { ...profile, source: 'golden' })).toEqual([])
  })

  it('are counted in the bins in which sorting puts them', () => {
    const cell = fc.oneof(fc.constant(missing), fc.float({ min: -100, max: 100, noNaN: true }))
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 40 }), (rows) => {
        const tally = createInputTally({ features: ['a', 'b'], missing, profile })
        tally.add(matrixOf(rows), rows.length)
        tally.counts().forEach(({ bins, beyond, minimum, missing: absent }, f) => {
          const { quantiles, minimum: low, maximum: high } = profile.features[f]!.values!
          const values = rows.map((row) => row[f]!).filter((value) => value !== missing)
          const binOf = (v: number) => (v < quantiles[0]! ? 0 : 1 + quantiles.slice(1).filter((q) => v > q).length)
          const expected = Array.from({ length: 8 }, (_, bin) => values.filter((v) => binOf(v) === bin).length)
          expect(bins).toEqual(expected)
          expect(beyond).toBe(values.filter((v) => v < low || v > high).length)
          expect(absent).toBe(rows.length - values.length)
          expect((minimum ?? 0) + 0).toBe(values.length === 0 ? 0 : Math.min(...values) + 0)
        })
      }),
    )
  })
})
