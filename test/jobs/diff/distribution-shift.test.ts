import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decileBins, kolmogorovSmirnov, populationStability } from '../../../src/jobs/diff/level-diff.ts'

const twelfths = fc.array(
  fc.integer({ min: 0, max: 12 }).map((n) => n / 12),
  { minLength: 1, maxLength: 50 },
)
const sorted = (values: number[]): Float64Array => Float64Array.from(values).sort()

describe('the Kolmogorov–Smirnov statistic', () => {
  it('is the largest difference of the distribution functions, with many equal values', () => {
    fc.assert(
      fc.property(twelfths, twelfths, (a, b) => {
        const share = (values: number[], bound: number): number =>
          values.filter((v) => v <= bound).length / values.length
        const wanted = Math.max(...[...a, ...b].map((bound) => Math.abs(share(a, bound) - share(b, bound))))
        expect(kolmogorovSmirnov(sorted(a), sorted(b))).toBeCloseTo(wanted, 14)
      }),
    )
  })

  // scipy.stats.ks_2samp([.1, .2, .2, .9], [.2, .3, .8]).statistic
  it('agrees with scipy', () => {
    expect(kolmogorovSmirnov(sorted([0.1, 0.2, 0.2, 0.9]), sorted([0.2, 0.3, 0.8]))).toBeCloseTo(
      0.41666666666666663,
      15,
    )
  })
})

describe('decile bins', () => {
  it('hold every object of both sides once, whatever coincides', () => {
    fc.assert(
      fc.property(twelfths, twelfths, (a, b) => {
        const bins = decileBins(sorted(a), sorted(b))
        for (const side of ['share_a', 'share_b'] as const)
          expect(bins.reduce((sum, bin) => sum + bin[side], 0)).toBeCloseTo(1, 12)
        bins.slice(1).forEach((bin, i) => expect(bin.from).toBe(bins[i]!.to))
      }),
    )
  })

  it('say that a population is stable against itself and not against another', () => {
    const uniform = Float64Array.from({ length: 1000 }, (_, i) => i / 1000)
    const low = uniform.map((value) => value * value)
    expect(populationStability(decileBins(uniform, uniform))).toBe(0)
    expect(populationStability(decileBins(uniform, low))).toBeGreaterThan(0.25)
  })
})
