// Calibrations as scikit-learn fits them.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fitLevel, type LabelledRows } from '../../../src/model/calibration/fit-level.ts'
import { calibrateLevel, type Method } from '../../../src/model/calibration/level-calibration.ts'

const { cases } = JSON.parse(
  readFileSync(new URL('../../fixtures/calibration/expected.json', import.meta.url), 'utf8'),
) as {
  cases: {
    width: number
    fit: number[]
    truth: number[]
    judged: number[]
    sigmoid: number[]
    isotonic: number[]
  }[]
}

function rowsOf({ width, fit, truth }: (typeof cases)[number]): LabelledRows {
  return { probabilities: Float64Array.from(fit), width, truth: Int32Array.from(truth), floor: 1e-3 }
}

function answers(method: Method, one: (typeof cases)[number]): Float64Array {
  const judged = Float64Array.from(one.judged)
  return calibrateLevel(fitLevel(method, rowsOf(one)), judged, judged.length / one.width, one.width)
}

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length)
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)))
}

describe('a calibration of a level', () => {
  it.for(cases)('by isotonic regression is that of CalibratedClassifierCV, $width classes', (one) => {
    expect(furthest(answers('isotonic', one), one.isotonic)).toBeLessThan(1e-9)
  })

  it.for(cases)('by sigmoid is that of CalibratedClassifierCV, $width classes', (one) => {
    expect(furthest(answers('sigmoid', one), one.sigmoid)).toBeLessThan(1e-9)
  })
})
