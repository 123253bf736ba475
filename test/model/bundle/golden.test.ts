// The inputs that are drawn for a model without golden answers.
import { expect, it } from 'vitest'
import { alercePreprocessing, preprocess } from '../../../src/pipeline/preprocess.ts'
import { drawGoldenInputs, nextFloat32 } from '../../../src/model/bundle/golden.ts'
import { readFixture } from '../../support/fixture-folders.ts'
import { readForest } from '../sklearn/pickle/read-pickled.ts'

const forest = readForest(readFixture('sklearn-1.5.2/transient_level_BRF_model.pkl.gz'))

it('are always the same, and lie on thresholds, beside them, and far away', () => {
  const { rowCount, inputs } = drawGoldenInputs([forest], 152)
  expect(rowCount).toBe(64)
  expect(drawGoldenInputs([forest], 152).inputs).toEqual(inputs)
  const values = new Set(inputs)
  expect([NaN, Infinity, -Infinity, 1e33, -999].filter((odd) => !values.has(odd))).toEqual([])
  const thresholds = forest.threshold.filter((_, node) => forest.feature[node]! >= 0)
  expect(thresholds.filter((value) => values.has(value)).length).toBeGreaterThan(50)
  expect(thresholds.filter((value) => values.has(nextFloat32(Math.fround(value), 1))).length).toBeGreaterThan(50)
  expect(thresholds.filter((value) => values.has(nextFloat32(Math.fround(value), -1))).length).toBeGreaterThan(50)
})

it('are never infinite after preprocessing', () => {
  const infinite = { ...forest, threshold: forest.threshold.map((value, node) => (node % 3 ? value : Infinity)) }
  const { inputs } = drawGoldenInputs([infinite], 152)
  expect(inputs.every((value) => Number.isFinite(preprocess(value, alercePreprocessing)))).toBe(true)
})

it('know the float32 beside a float32', () => {
  expect(nextFloat32(1, 1)).toBe(1 + 2 ** -23)
  expect(nextFloat32(1, -1)).toBe(1 - 2 ** -24)
  expect(nextFloat32(-1, 1)).toBe(-1 + 2 ** -24)
  expect(nextFloat32(-1, -1)).toBe(-1 - 2 ** -23)
  expect(nextFloat32(0, 1)).toBe(2 ** -149)
  expect(nextFloat32(-0, -1)).toBe(-(2 ** -149))
})
