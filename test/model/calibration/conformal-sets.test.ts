// Sets of classes: their promise, and what they do at its edges.
import { describe, expect, it } from 'vitest'
import { classLabels, setsOf, setThreshold } from '../../../src/model/calibration/conformal-sets.ts'
import { randomNumbers } from '../../../src/model/bundle/golden.ts'

const drawn = (count: number, random: () => number) => Float64Array.from({ length: count }, random)

describe('the threshold of a class', () => {
  it('is the probability at place ⌈(n + 1) × level⌉ of the largest first', () => {
    const labels = classLabels('AGN', Float64Array.of(0.1, 0.9, 0.5, 0.7, 0.3, 0.2, 0.8, 0.4, 0.6))
    expect(setThreshold(labels, 0.9)).toBe(0.1)
    expect(setThreshold(labels, 0.8)).toBe(0.2)
    expect(setThreshold(labels, 0.5)).toBe(0.5)
  })

  it('counts 20 × 0.95 as 19', () => {
    const labels = classLabels(
      'AGN',
      Float64Array.from({ length: 19 }, (_, i) => (i + 1) / 20),
    )
    expect(setThreshold(labels, 0.95)).toBe(1 / 20)
  })

  it('is zero where there are too few labels for the level: the class is in every set', () => {
    expect(setThreshold(classLabels('SLSN', drawn(8, randomNumbers(1))), 0.9)).toBe(0)
    expect(setThreshold(classLabels('SLSN', new Float64Array(0)), 0.5)).toBe(0)
    expect([...setsOf(Float64Array.of(0, 0.4), [0, 0.5])]).toEqual([1, 0])
  })

  it('of very many objects is not above the one of all of them, and hardly below', () => {
    const all = drawn(20_011, randomNumbers(2))
    const labels = classLabels('QSO', all)
    expect(labels.probabilities).toHaveLength(2000)
    const sorted = all.slice().sort().reverse()
    for (const level of [0.0001, 0.5, 0.9, 0.9995, 0.99999]) {
      const exact = sorted[Math.ceil(20_012 * level - 1e-9) - 1] ?? 0
      expect(setThreshold(labels, level)).toBeLessThanOrEqual(exact)
      expect(setThreshold(labels, level)).toBeGreaterThan(exact - 0.002)
    }
  })
})

it('keeps its promise over many draws, and not by much more', () => {
  const random = randomNumbers(3)
  let covered = 0
  const draws = 4000
  for (let draw = 0; draw < draws; draw++) {
    const threshold = setThreshold(classLabels('YSO', drawn(29, random)), 0.9)
    covered += random() >= threshold ? 1 : 0
  }
  // (n + 1) × 0.9 is whole: exactly 0.9 is expected
  expect(Math.abs(covered / draws - 0.9)).toBeLessThan(0.02)
})
