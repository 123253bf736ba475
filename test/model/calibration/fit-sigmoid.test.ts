// Platt's sigmoid ends where scikit-learn's optimiser does.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fitSigmoid } from '../../../src/model/calibration/fit-sigmoid.ts'

const { cases } = JSON.parse(
  readFileSync(new URL('../../fixtures/calibration/sigmoids.json', import.meta.url), 'utf8'),
) as { cases: { kind: string; scores: number[]; flags: string; a: number; b: number }[] }

const probability = (score: number, { a, b }: { a: number; b: number }): number => 1 / (1 + Math.exp(a * score + b))

describe('the sigmoid of scores', () => {
  it.for([...new Set(cases.map(({ kind }) => kind))])('is scikit-learn’s: %s', (wanted) => {
    for (const one of cases.filter(({ kind }) => kind === wanted)) {
      const fitted = fitSigmoid(Float64Array.from(one.scores), (row) => one.flags[row] === '1')
      const gaps = one.scores.map((score) => Math.abs(probability(score, fitted) - probability(score, one)))
      expect(Math.max(...gaps), `${gaps.length} scores`).toBeLessThanOrEqual(1e-9)
    }
  })
})
