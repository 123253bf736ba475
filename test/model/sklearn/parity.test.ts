// Equal to scikit-learn in every bit: three versions' hierarchies, and small forests of ten more.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { firstMaximum } from '../../../src/pipeline/batch.ts'
import { compareGolden, describeComparison, goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { evaluatePlainly, withProduct } from '../../../src/model/bundle/forest.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { taxonomyOf } from '../../../src/model/bundle/manifest.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { namesIn, smallFeatures, unpackFixture, unpackSmallForest } from '../../support/fixture-folders.ts'

interface GoldenJson {
  readonly sklearn: string
  readonly classes: Record<string, string[]>
  readonly probabilities: Record<string, number[][]>
  readonly predicted: string[]
}

/** Evaluates a bundle on the golden inputs; counts by classifier_name what is not equal to golden.json. */
async function differences(bundle: string, json: GoldenJson): Promise<Record<string, number>> {
  const { manifest, forests, golden } = await readBundle(bundle)
  const matrix = goldenMatrix(golden, manifest.preprocessing)
  const own = forests.map((forest) => evaluatePlainly(forest, matrix, golden.rowCount))
  const answers = withProduct(manifest, own, golden.rowCount)
  const { levels } = taxonomyOf(manifest)
  const counts = levels.map(({ classifierName, classes }, index) => {
    const expected = json.probabilities[classifierName]!.flatMap((row) =>
      classes.map((name) => row[json.classes[classifierName]!.indexOf(name)]!),
    )
    expect(expected.length).toBe(answers[index]!.length)
    return [classifierName, expected.filter((value, i) => !Object.is(value, answers[index]![i])).length] as const
  })
  const { classes } = levels[0]!
  const predicted = json.predicted.map(
    (_, row) => classes[firstMaximum(answers[0]!, row * classes.length, classes.length)],
  )
  expect(predicted).toEqual(json.predicted)
  return Object.fromEntries(counts)
}

function readJson(path: string): GoldenJson {
  return JSON.parse(readFileSync(path, 'utf8')) as GoldenJson
}

describe.each(['0.22.2', '1.0.2', '1.5.2'])('the hierarchy of scikit-learn %s', (version) => {
  it('answers as scikit-learn does, in every bit of every level and of the product', async () => {
    const source = unpackFixture(`sklearn-${version}`)
    const out = join(temporaryFolder(), 'bundle')
    const { manifest, warnings } = await importModel({ source, name: 'hrf', version: '1.0.0', out, goldenDir: source })
    expect(warnings).toEqual([])
    expect(manifest.trainedBy.version).toContain(version)
    expect(manifest.golden).toEqual({ rows: 240, source: `scikit-learn ${manifest.trainedBy.version}` })
    expect(await differences(out, readJson(join(source, 'golden.json')))).toEqual({
      lc_classifier: 0,
      lc_classifier_top: 0,
      lc_classifier_stochastic: 0,
      lc_classifier_periodic: 0,
      lc_classifier_transient: 0,
    })
  })
})

const smallForests = namesIn('pickles')
  .filter((version) => !version.endsWith('.csv'))
  .flatMap((version) =>
    namesIn(`pickles/${version}`)
      .filter((name) => name.endsWith('.pkl.gz') && !name.includes('protocol0'))
      .map((name) => [version, name.slice(0, -7)] as const),
  )

describe('a small forest of', () => {
  it('versions from 0.20 to 1.7 is among the fixtures', () => {
    expect(smallForests.length).toBeGreaterThan(40)
  })

  it.each(smallForests)('scikit-learn %s, %s, answers as scikit-learn does, in every bit', async (version, name) => {
    const { pickle, folder } = unpackSmallForest(version, name)
    const out = join(folder, 'bundle')
    const options = { source: pickle, name, version, out, features: smallFeatures }
    await importModel({ ...options, goldenDir: folder })
    expect(await differences(out, readJson(join(folder, 'golden.json')))).toEqual({ lc_classifier: 0 })
    // the answers worked out from the pickle's own arrays agree with the converted forest too
    const plain = await importModel({ ...options, out: join(folder, 'plain') })
    expect(plain.manifest.golden).toEqual({ rows: 64, source: 'plain evaluation at import' })
  })
})

describe('golden answers', () => {
  it('that differ in the last bit of one probability fail the import and are named', async () => {
    const { pickle, folder } = unpackSmallForest('1.6', 'balanced-protocol5')
    const json = readJson(join(folder, 'golden.json'))
    const row = json.probabilities['lc_classifier']![5]!
    const place = row.findIndex((value) => value > 0)
    row[place] = row[place]! + row[place]! * 2 ** -52
    writeFileSync(join(folder, 'golden.json'), JSON.stringify(json))
    const options = { source: pickle, name: 'x', version: '1', out: join(folder, 'bundle'), features: smallFeatures }
    await expect(importModel({ ...options, goldenDir: folder })).rejects.toThrow(
      new RegExp(
        `not reproduced: 24 rows, every probability within 1e-6, but 1 of \\d+ not equal in every bit; the largest difference is \\S+e-1\\d, in row 5 \\(ZTF5\\), lc_classifier/${json.classes['lc_classifier']![place]}$`,
      ),
    )
  })

  it('count every difference, and an answer that is missing as the worst', () => {
    const golden = {
      rowCount: 2,
      oids: ['a', 'b'],
      inputs: new Float64Array(),
      expected: [
        { classifierName: 'lc_classifier', classes: ['x', 'y'], probabilities: Float64Array.of(0.5, 0.5, -0, 1) },
      ],
    }
    expect(compareGolden(golden, [Float64Array.of(0.5, 0.5, 0, 1)])).toEqual({
      ...{ rows: 2, compared: 4, differing: 0, beyond: 0, worst: null },
    })
    const comparison = compareGolden(golden, [Float64Array.of(0.25, 0.5, 0)])
    expect(comparison).toMatchObject({
      differing: 2,
      beyond: 2,
      worst: { row: 1, oid: 'b', className: 'y', expected: 1 },
    })
    expect(describeComparison(comparison)).toBe(
      '2 of 4 probabilities differ in 2 rows, by more than 1e-6, the worst in row 1 (b), lc_classifier/y: expected 1, got NaN (NaN apart)',
    )
    const mixed = compareGolden(golden, [Float64Array.of(0.5 + 1e-9, 0.5, 0, 0.5)])
    expect(describeComparison(mixed)).toMatch(
      /^2 of 4 probabilities differ in 2 rows, 1 of them by more than 1e-6, the worst in row 1/,
    )
  })
})
