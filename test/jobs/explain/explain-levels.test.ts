// Explanations of every kind of model, held against the package shap, and adding up.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  additivityError,
  explainedValue,
  explainLevels,
  type ExplainedRow,
  spaceOf,
} from '../../../src/jobs/explain/explain-levels.ts'
import { goldenMatrix } from '../../../src/model/bundle/golden.ts'
import type { Manifest } from '../../../src/model/bundle/manifest.ts'
import { estimatorFixtures, readModel } from '../../support/estimator-fixtures.ts'

const { models } = JSON.parse(
  gunzipSync(
    readFileSync(fileURLToPath(new URL('../../fixtures/explanation/shap-estimators.json.gz', import.meta.url))),
  ).toString(),
) as { models: Record<string, { file: string; rows: number[]; base: number[]; values: number[] }> }

const versions = 'sklearn-1.5.2, xgboost-3.2.0, lightgbm-4.7.0'

/** A classifier of the fixtures with some of its rows. */
function modelNamed(name: string, wanted?: string) {
  const fixture = estimatorFixtures(new RegExp(`^${name}\\.json`)).find(
    (one) => one.name === `${name} of ${versions}` && (wanted === undefined || one.file === wanted),
  )!
  const estimator = readModel(fixture.bytes, fixture.file)
  const { classes, featureCount: width, parts, forests, preprocessing } = estimator
  const manifest: Manifest = {
    formatVersion: 2,
    kind: 'forest',
    name,
    version: '1',
    classifierName: 'lc_classifier',
    taxonomy: null,
    levels: [{ name: 'flat', branch: null, classes, trees: 1, nodes: 1 }],
    features: Array.from({ length: width }, (_, i) => `feature_${i}`),
    preprocessing,
    trainedBy: { library: 'test', version: null },
    golden: { rows: 0, source: 'none' },
    origin: [],
    files: [],
  }
  const explained = (row: number, isApproximate = false): ExplainedRow => {
    const inputs = fixture.inputs.slice(row * width, (row + 1) * width)
    const matrix = goldenMatrix({ inputs }, preprocessing)
    return { manifest, parts, forests, row: matrix, oid: 'x', isApproximate }
  }
  return { classes, width, explained, fixture }
}

describe('an explanation', () => {
  it.each(Object.keys(models))('of %s has the values that the package shap finds', (name) => {
    const { file, rows, base, values } = models[name]!
    const { width, explained } = modelNamed(name, file)
    const columns = base.length
    // XGBoost works its own out in float32
    const digits = name.includes('xgb') ? 1e-5 : 1e-9
    rows.forEach((row, index) => {
      const { classes } = explainLevels(explained(row))[0]!
      // shap has the one margin of two classes, the second's
      const own = columns === 1 ? classes.slice(1) : classes
      own.forEach(({ base: ownBase, contributions }, column) => {
        expect(Math.abs(ownBase - base[column]!)).toBeLessThan(digits * Math.max(1, Math.abs(base[column]!)))
        const wanted = contributions.map((_, f) => values[(index * width + f) * columns + column]!)
        const size = Math.max(...wanted.map(Math.abs), name.includes('xgb') ? 1 : 0)
        contributions.forEach((value, f) => {
          expect(Math.abs(value - wanted[f]!), `${name} row ${row} feature ${f}`).toBeLessThan(digits * size)
        })
      })
    })
  })

  it('of every kind of model adds up to what classify answers, exactly and by paths', () => {
    for (const name of Object.keys(models)) {
      const { classes, explained, fixture } = modelNamed(name, models[name]!.file)
      for (const row of [9, 20, 30]) {
        for (const isApproximate of [false, true]) {
          const model = explained(row, isApproximate)
          const [level] = explainLevels(model)
          const gap = Math.max(...level!.classes.map(additivityError))
          expect(gap, name).toBeLessThan(name.includes('xgb') ? 1e-5 : 1e-12)
          level!.classes.forEach(({ probability }, c) => {
            expect(Math.abs(probability - fixture.probabilities[row * classes.length + c]!)).toBeLessThan(1e-15)
          })
        }
      }
    }
  })

  it('of a booster is of its margins, which are those of the library', () => {
    for (const name of ['xgb-multi', 'lgb-multi', 'hgb']) {
      const { explained, fixture } = modelNamed(name)
      const model = explained(20)
      expect(spaceOf(model)).toBe('margin')
      const { classes } = explainLevels(model)[0]!
      expect(classes.map(({ margin }) => margin)).toEqual([...fixture.margins!.subarray(80, 84)])
    }
  })

  it('of a booster with one margin gives the first class its negative', () => {
    const { explained, fixture } = modelNamed('gb-binary')
    const [first, second] = explainLevels(explained(20))[0]!.classes
    expect(second!.margin).toBe(fixture.margins![20])
    expect(first!.margin).toBe(-fixture.margins![20]!)
    expect(first!.base).toBe(-second!.base)
    expect(first!.contributions).toEqual(second!.contributions.map((value) => -value))
  })

  it('of a calibrated classifier is of the mean before its calibration, and says the probability too', () => {
    const { explained } = modelNamed('cal-sigmoid-multi-True')
    const model = explained(20)
    expect(spaceOf(model)).toBe('uncalibrated_probability')
    const { classes } = explainLevels(model)[0]!
    expect(model.parts.length).toBe(3)
    expect(classes.reduce((sum, one) => sum + explainedValue(one), 0)).toBeCloseTo(1, 12)
    expect(classes.some((one) => Math.abs(explainedValue(one) - one.probability) > 0.01)).toBe(true)
    const margins = modelNamed('cal-isotonic-binary-gb').explained(20)
    expect(spaceOf(margins)).toBe('uncalibrated_margin')
    expect(additivityError(explainLevels(margins)[0]!.classes[1]!)).toBeLessThan(1e-12)
  })

  it('of a feature that the pipeline drops is zero, and of its other columns in its place', () => {
    const { explained } = modelNamed('pipe-impute-drop-mean')
    const { classes } = explainLevels(explained(20))[0]!
    expect(classes.every(({ contributions }) => contributions.length === 12 && contributions[4] === 0)).toBe(true)
    expect(classes.some(({ contributions }) => contributions[11] !== 0)).toBe(true)
  })

  it('of a row that the model has no answer for is refused with the reason', () => {
    const model = modelNamed('pipe-standard').explained(20)
    const row = model.row.slice()
    row[4] = 1e300
    expect(() => explainLevels({ ...model, row })).toThrow(/^x cannot be classified: feature_4 .* once the model/)
  })

  it('of a hierarchy of boosters is refused by name', () => {
    const model = modelNamed('xgb-multi').explained(20)
    const manifest = { ...model.manifest, taxonomy: { a: ['b'] } }
    expect(() => spaceOf({ ...model, manifest })).toThrow('a hierarchy of boosters cannot be explained')
  })
})
