// What a model is, in words.
import { describe, expect, it } from 'vitest'
import { structureOf } from '../../../src/model/bundle/structure.ts'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import { float32Features, rawFeatures } from '../../../src/model/estimator.ts'
import { estimatorFixtures, readModel } from '../../support/estimator-fixtures.ts'

function structureFrom(name: string) {
  const [fixture] = estimatorFixtures(new RegExp(`^${name}\\.json`))
  const { parts, preprocessing } = readModel(fixture!.bytes, fixture!.file)
  return structureOf({ kind: 'forest', preprocessing }, parts)
}

describe('a model in words', () => {
  it('is a tree, a forest or a booster', () => {
    expect(['tree', 'et', 'gb', 'xgb-multi', 'lgb-multi'].map((name) => structureFrom(name).kind)).toEqual([
      'tree',
      'forest',
      'booster',
      'booster',
      'booster',
    ])
    expect(structureOf({ kind: 'onnx', preprocessing: alercePreprocessing }, []).kind).toBe('onnx')
  })

  it('has its margins and its link, where they are its own', () => {
    expect(structureFrom('xgb-multi')).toMatchObject({ margins: ['0', '1', '2', '3'], link: 'softmax' })
    expect(structureFrom('xgb-binary-base')).toMatchObject({ margins: ['1'], link: 'sigmoid' })
    expect(structureFrom('et')).toMatchObject({ margins: null, link: null })
    expect(structureFrom('cal-isotonic-binary-gb').margins).toBeNull()
  })

  it('has its steps in their order, and its calibration', () => {
    expect(structureFrom('pipe-scale-impute').steps).toEqual([
      'scaling (x - a) / b',
      'imputation of missing values',
      'choice of 11 features',
      'scaling x * a + b',
    ])
    expect(structureFrom('cal-isotonic-multi-pipe').calibration).toMatch(/^isotonic, the mean of \d folds$/)
    expect(structureFrom('et').calibration).toBeNull()
  })

  it('says what becomes of missing, infinite and large values', () => {
    const of = (preprocessing: typeof alercePreprocessing) => {
      const { missing, infinite, large } = structureOf({ kind: 'forest', preprocessing }, [])
      return [missing, infinite, large]
    }
    expect(of(alercePreprocessing)).toEqual([
      'values become -999',
      'values are missing ones',
      'values above 1e+32 become 0',
    ])
    expect(of({ ...float32Features, rejectsMissing: 'scikit-learn 1.2.2 takes none' })).toEqual([
      'values reject their row: scikit-learn 1.2.2 takes none',
      'values reject their row',
      'values beyond float32 reject their row',
    ])
    expect(of(rawFeatures)).toEqual([
      'values stay missing: the model has a rule of its own for them',
      'values are taken as they are',
      'values are taken as they are',
    ])
    expect(structureFrom('pipe-scale-impute').missing).toBe("values are filled in by the model's imputer")
    expect(structureFrom('xgb-multi').large).toBe('values beyond float32 are infinite')
    expect(structureFrom('pipe-standard').large).toBe('values beyond float32 after the steps reject their row')
  })
})
