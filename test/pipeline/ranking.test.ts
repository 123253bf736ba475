import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { denseRanks } from '../../src/pipeline/ranking.ts'

function ranksOf(values: readonly number[]): number[] {
  const into = new Int32Array(values.length)
  denseRanks(Float64Array.from(values), 0, values.length, into, 0)
  return [...into]
}

describe('dense ranks', () => {
  it('are those of the original’s own test: fifteen classes with ties', () => {
    // AGN, Blazar, CV/Nova, QSO, YSO, CEP, DSCT, E, LPV, Periodic-Other, RRL, SLSN, SNII, SNIa, SNIbc
    const values = [0.02, 0.04, 0.08, 0, 0.06, 0.15, 0.11, 0.3, 0, 0.13, 0.1, 0, 0, 0, 0]
    expect(ranksOf(values)).toEqual([9, 8, 6, 10, 7, 2, 4, 1, 10, 3, 5, 10, 10, 10, 10])
  })

  it('leave no gap after equals', () => {
    expect(ranksOf([0.7, 0.2, 0.1, 0.1, 0, 0])).toEqual([1, 2, 3, 3, 4, 4])
  })

  it('take −0 and 0 for equals', () => {
    expect(ranksOf([0, 0.5, -0])).toEqual([2, 1, 2])
  })

  it('are all 1 where all values are equal', () => {
    expect(ranksOf([0.25, 0.25, 0.25, 0.25])).toEqual([1, 1, 1, 1])
  })

  it('read and write where they are told, and nowhere else', () => {
    const into = new Int32Array(6).fill(-1)
    denseRanks(Float64Array.of(9, 9, 0.1, 0.9, 9), 2, 2, into, 3)
    expect([...into]).toEqual([-1, -1, -1, 2, 1, -1])
  })

  it('are one more than the number of distinct larger values', () => {
    const probability = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 1))
    fc.assert(
      fc.property(fc.array(probability, { minLength: 1, maxLength: 20 }), (values) => {
        const expected = values.map((value) => new Set(values.filter((other) => other > value)).size + 1)
        expect(ranksOf(values)).toEqual(expected)
      }),
    )
  })
})
