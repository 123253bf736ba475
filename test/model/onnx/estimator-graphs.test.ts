// Classifiers of today as ONNX graphs, by the real onnxruntime: missing values by each node's rule, boosters by their sums.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluateBundle } from '../../../src/model/bundle/evaluate-bundle.ts'
import { goldenMatrix, onnxTolerance } from '../../../src/model/bundle/golden.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { exportOnnx } from '../../../src/model/onnx/export-graph.ts'
import { importOnnx } from '../../../src/model/onnx/import-graph.ts'
import { openOnnxRunner } from '../../../src/model/onnx/runner.ts'
import { openClassifier } from '../../../src/model/open.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { estimatorFixtures } from '../../support/estimator-fixtures.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** The one classifier of a name, as a bundle. */
async function bundleNamed(name: string) {
  const [fixture] = estimatorFixtures(new RegExp(`^${name}\\.`))
  const { file, bytes, inputs, probabilities, classes } = fixture!
  const folder = temporaryFolder()
  const source = join(folder, file)
  writeFileSync(source, bytes)
  const out = join(folder, 'bundle')
  const rowCount = probabilities.length / classes.length
  const features = Array.from({ length: inputs.length / rowCount }, (_, i) => `feature_${i}`)
  await importModel({ source, name, version: '1', out, features })
  return { folder, out, inputs, rowCount }
}

/** Rows of the fixture and what a bundle says of them; `withMissing` also the same rows with one value in three missing. */
async function answersOf(out: string, inputs: Float64Array, rowCount: number) {
  const bundle = await readBundle(out)
  const holed = inputs.map((value, i) => (i % 3 === 1 ? NaN : value))
  const isTaken = bundle.manifest.preprocessing.rejectsMissing === undefined
  const all = { inputs: isTaken ? Float64Array.of(...inputs, ...holed) : inputs }
  const count = isTaken ? 2 * rowCount : rowCount
  const matrix = goldenMatrix(all, bundle.manifest.preprocessing)
  return { matrix, count, own: evaluateBundle(bundle, matrix.slice(), count).probabilities[0]! }
}

const worst = (got: Float64Array, own: Float64Array): number =>
  Math.max(...own.map((value, i) => Math.abs(value - got[i]!)))

describe('a graph', { tags: ['long'] }, () => {
  it.each([
    'rf-nan',
    'tree',
    'et',
    'et-nan',
    'gb',
    'gb-binary',
    'gb-exponential',
    'xgb-multi',
    'xgb-binary-base',
    'xgb-early',
  ])(
    'of %s answers as the bundle does within 1e-6, on rows with missing values too, one row at a time or all',
    async (name) => {
      const { folder, out, inputs, rowCount } = await bundleNamed(name)
      const file = join(folder, 'model.onnx')
      await exportOnnx(out, file, { overwrite: false })
      const { matrix, count, own } = await answersOf(out, inputs, rowCount)
      const runner = await openOnnxRunner(file, { threads: 2, label: file })
      const [got] = await runner.run(matrix.slice(), count)
      const width = matrix.length / count
      const [first] = await runner.run(matrix.slice(count * width - width), 1)
      await runner.close()
      expect(worst(got!, own)).toBeLessThan(onnxTolerance)
      expect(worst(first!, own.slice(-first!.length))).toBeLessThan(onnxTolerance)
      const classifier = await openClassifier(out, { threads: 1, engine: 'onnx', cacheFolder: join(folder, 'cache') })
      await classifier.close()
    },
  )

  it('keeps what becomes of a missing value when it is imported again', async () => {
    const { folder, out, inputs, rowCount } = await bundleNamed('rf-nan')
    const file = join(folder, 'model.onnx')
    await exportOnnx(out, file, { overwrite: false })
    const again = join(folder, 'again')
    await importOnnx({ source: file, name: 'again', version: '1', out: again })
    const { manifest } = await readBundle(again)
    expect(manifest.preprocessing).toEqual((await readBundle(out)).manifest.preprocessing)
    const { matrix, count, own } = await answersOf(out, inputs, rowCount)
    const classifier = await openClassifier(again, { threads: 1 })
    const ids = Array.from({ length: count }, (_, i) => `o${i}`)
    const { probabilities } = await classifier.classify({
      rowCount: count,
      oids: ids,
      candids: ids.map(() => null),
      matrix,
    })
    await classifier.close()
    expect(worst(probabilities[0]!, own)).toBeLessThan(onnxTolerance)
  })

  it.each([
    ['hgb', 'its trees compare float64 numbers, and those of an ONNX graph float32'],
    ['lgb-multi', 'its trees compare float64 numbers, and those of an ONNX graph float32'],
    ['pipe-standard', 'an ONNX graph does not carry the steps before its trees'],
    ['cal-sigmoid-multi-True', 'an ONNX graph does not carry its calibration'],
  ])('of %s is refused by name, as a file and as an engine', async (name, why) => {
    const { folder, out } = await bundleNamed(name)
    await expect(exportOnnx(out, join(folder, 'model.onnx'), { overwrite: false })).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining(why) as string,
      hint: 'Export the bundle itself with --format tar.gz.',
    })
    await expect(openClassifier(out, { threads: 1, engine: 'onnx' })).rejects.toThrow(why)
  })
})
