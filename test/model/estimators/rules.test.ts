// What classifiers do with missing and infinite values, by their library and its version.
import { describe, expect, it } from 'vitest'
import { estimatorFixtures, readModel } from '../../support/estimator-fixtures.ts'
import { runPlainly } from '../../support/plain-estimator.ts'

/** The one classifier of a name, with its first row. */
function first(pattern: RegExp) {
  const [fixture] = estimatorFixtures(pattern)
  const estimator = readModel(fixture!.bytes, fixture!.file)
  return { estimator, row: fixture!.inputs.slice(estimator.featureCount * 20, estimator.featureCount * 21) }
}

function reasonFor(pattern: RegExp, value: number): string | undefined {
  const { estimator, row } = first(pattern)
  return runPlainly(estimator, row.fill(value, 3, 4)).rejected.get(0)
}

describe('a missing value', () => {
  it.each([
    [/^rf-nan/, undefined],
    [/^rf-mono/, 'is missing: scikit-learn 1.5.2 takes no missing values with monotonic_cst'],
    [/^et\./, 'is missing: scikit-learn 1.5.2 takes no missing values here'],
    [/^et-nan/, undefined],
    [/^gb\./, 'is missing: GradientBoostingClassifier takes no missing values'],
    [/^hgb\./, undefined],
    [/^pipe-standard/, undefined],
    [/^pipe-impute-999/, 'is missing: model.pkl: SimpleImputer with missing_values=-999 takes no NaN'],
    [/^xgb-multi\./, undefined],
    [/^lgb-multi\./, undefined],
  ])('of %s: %s', (pattern, reason) => {
    expect(reasonFor(pattern, NaN)).toBe(reason)
  })
})

describe('an infinite value', () => {
  it.each([
    [/^rf-nan/, 'is infinite'],
    [/^pipe-standard/, 'is infinite'],
    [/^xgb-multi\./, undefined],
    [/^hgb\./, undefined],
    [/^lgb-multi\./, undefined],
  ])('of %s: %s', (pattern, reason) => {
    expect(reasonFor(pattern, -Infinity)).toBe(reason)
  })

  it('or one beyond float32 rejects the row of a forest, and not that of a pipeline or of XGBoost', () => {
    expect(reasonFor(/^rf-nan/, 1e39)).toBe('is beyond float32')
    expect(reasonFor(/^xgb-multi\./, 1e39)).toBe(undefined)
    expect(reasonFor(/^pipe-maxabs/, 1e39)).toBe(undefined)
  })

  it('that comes of a transformation is refused by name', () => {
    expect(() => reasonFor(/^pipe-robust2/, 1e308)).toThrow(/beyond float32/)
  })
})
