import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { familiesOf } from '../../../src/model/profile/feature-families.ts'

/** name → features, for people */
const named = (features: readonly string[], own?: Record<string, string[]>): Record<string, string[]> =>
  Object.fromEntries(familiesOf(features, own).map((family) => [family.name, family.features.map((f) => features[f]!)]))

const survey2020 = (JSON.parse(readFileSync('samples/model/manifest.json', 'utf8')) as { features: string[] }).features

describe('families of features', () => {
  it('know both spellings of the WISE colours', () => {
    expect(named(['Skew_1', 'W1-W2', 'g-W2', 'r_W4', 'W3_W4', 'g-r_max'])).toEqual({
      'light-curve statistics': ['Skew_1'],
      'WISE colours': ['W1-W2', 'g-W2', 'r_W4', 'W3_W4'],
      'g-r colours': ['g-r_max'],
    })
  })
  it('hold every feature of the survey exactly once, and none is left alone by its name', () => {
    const families = familiesOf(survey2020)
    expect(families.flatMap(({ features }) => features).sort((a, b) => a - b)).toEqual(survey2020.map((_, f) => f))
    expect(families.map(({ name }) => name)).toEqual([
      ...['light-curve statistics', 'random walks', 'harmonics', 'MHPS', 'periods', 'SPM', 'WISE colours'],
      ...['before and after detection', 'g-r colours', 'position', 'image quality', 'Pan-STARRS'],
    ])
  })
  it('take a user’s own families first', () => {
    expect(named(['W1-W2', 'SPM_A_1', 'SPM_t0_2'], { fits: ['SPM_t0*', 'W1-W2'] })).toEqual({
      fits: ['W1-W2', 'SPM_t0_2'],
      SPM: ['SPM_A_1'],
    })
  })
  it('are named for the feature without its band where nobody knows it', () => {
    expect(named(['colour_1', 'colour_2', 'nonsense'])).toEqual({
      colour: ['colour_1', 'colour_2'],
      nonsense: ['nonsense'],
    })
  })
})
