import { describe, expect, it } from 'vitest'
import { changedFamilies, changeOf, changeText } from '../../../src/jobs/diff/family-changes.ts'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'

const colours = { name: 'WISE colours', features: [0, 1, 2] }
const missing = -999
const rules = alercePreprocessing

/** What became of three float32 values. */
function said(before: readonly number[], after: readonly number[]): string {
  return changeText(changeOf(colours, Float32Array.from(before), Float32Array.from(after), rules))
}

describe('what became of a family', () => {
  it('is said of the values that differ alone', () => {
    expect(said([0.1, missing, 3], [missing, missing, missing])).toBe('WISE colours: now missing')
    expect(said([missing, missing, 3], [0.25, missing, 3])).toBe('WISE colours: new')
    expect(said([0.1, missing, 3], [missing, 4, 3])).toBe('WISE colours: in part missing or new')
    expect(said([0.1, 2, 3], [0.2, 3, 7])).toBe('WISE colours: changed')
  })

  it('is a factor where all values were multiplied by it, rounded to float32 as they are', () => {
    expect(said([0.1, 0.3, 7e-5], [100, 300, 0.07])).toBe('WISE colours: × 1000')
    expect(said([0.1, 0.3, 7e-5], [0.25, 0.75, 17.5e-5])).toBe('WISE colours: × 2.5')
    expect(said([0.1, -0.3, 0], [-0.1, 0.3, -0])).toBe('WISE colours: negated')
    expect(said([0.1, 0.3, 2], [100, 300, 2001])).toBe('WISE colours: changed')
  })

  it('is no factor where a single value changed, unless it is a unit or a sign', () => {
    expect(said([0.1, missing, 3], [0.25, missing, 3])).toBe('WISE colours: changed')
    expect(said([0.1, missing, 3], [1e-4, missing, 3])).toBe('WISE colours: × 0.001')
    expect(said([0.1, missing, 3], [-0.1, missing, 3])).toBe('WISE colours: negated')
  })

  it('leaves out families whose values are the same, a missing one and either zero too', () => {
    const families = [0, 1, 2].map((feature) => ({ name: `f${feature}`, features: [feature] }))
    const [before, after] = [Float64Array.of(NaN, 0, 1), Float64Array.of(NaN, -0, NaN)]
    expect(changedFamilies(families, before, after)).toEqual([2])
  })
})
