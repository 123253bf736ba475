// Forests as ONNX graphs, by the real onnxruntime: as near as float32 can be, and never on the wrong side of a threshold.
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openOnnxRunner } from '../../../src/model/onnx/runner.ts'
import { goldenMatrix, nextFloat32 } from '../../../src/model/bundle/golden.ts'
import { evaluatePlainly, withProduct } from '../../../src/model/bundle/forest.ts'
import { encodeGolden } from '../../../src/model/bundle/arrow-files.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { exportOnnx } from '../../../src/model/onnx/export-graph.ts'
import { roundDownToFloat32 } from '../../../src/model/onnx/forest-graph.ts'
import { importOnnx } from '../../../src/model/onnx/import-graph.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { taxonomyOf } from '../../../src/model/bundle/manifest.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { smallFeatures, unpackFixture, unpackSmallForest } from '../../support/fixture-folders.ts'
import { flatModel, forestOf, runGraph } from './onnx-forests.ts'

const sampleModel = fileURLToPath(new URL('../../../samples/model', import.meta.url))

/** Holds a graph's answers against the forests' own: every value, and the class wherever it is clear. */
function compareAnswers(levels: readonly { classes: readonly string[] }[], own: Float64Array[], got: Float64Array[]) {
  let worst = 0
  let otherClasses = 0
  levels.forEach(({ classes: { length: width } }, level) => {
    expect(got[level]!.length).toBe(own[level]!.length)
    for (let start = 0; start < own[level]!.length; start += width) {
      const expected = own[level]!.subarray(start, start + width)
      const answer = got[level]!.subarray(start, start + width)
      worst = Math.max(worst, ...expected.map((value, place) => Math.abs(value - answer[place]!)))
      const [best, second = 0] = [...expected].sort((a, b) => b - a) as [number, number?]
      const isClear = best - second > 2e-6
      if (isClear && answer.indexOf(Math.max(...answer)) !== expected.indexOf(best)) otherClasses++
    }
  })
  return { worst, otherClasses }
}

async function compareBundle(directory: string) {
  const bundle = await readBundle(directory)
  const { manifest, golden, forests } = bundle
  const file = join(temporaryFolder(), 'model.onnx')
  await exportOnnx(directory, file, { overwrite: false })
  const runner = await openOnnxRunner(file, { threads: 2, label: file })
  const matrix = goldenMatrix(golden, manifest.preprocessing)
  const got = await runner.run(matrix.slice(), golden.rowCount)
  await runner.close()
  const answers = forests.map((forest) => evaluatePlainly(forest, matrix, golden.rowCount))
  const own = withProduct(manifest, answers, golden.rowCount)
  return { ...compareAnswers(taxonomyOf(manifest).levels, own, got), names: runner.outputs.map(({ name }) => name) }
}

describe('a threshold rounded down to float32', () => {
  const specials = [0, -0, 1e-46, -1e-46, 1e39, -1e39, Infinity, -Infinity, 3.4028234663852886e38, 0.1, -0.1, 1 / 3]
  const thresholds = fc.oneof(fc.constantFrom(...specials), fc.double({ noNaN: true }), fc.float({ noNaN: true }))

  it('splits the float32 numbers exactly as the float64 threshold does', () => {
    fc.assert(
      fc.property(thresholds, fc.float({ noNaN: true, noDefaultInfinity: true }), (threshold, other) => {
        const rounded = roundDownToFloat32(threshold)
        expect(Math.fround(rounded)).toBe(rounded)
        const nearest = Math.fround(threshold)
        const beside = Number.isFinite(nearest) ? [nextFloat32(nearest, 1), nextFloat32(nearest, -1)] : []
        for (const value of [nearest, ...beside, other]) expect(value <= rounded).toBe(value <= threshold)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the graph of a forest', () => {
  it('sends no value to the other side of a threshold, on it or one bit beside it', async () => {
    const thresholds = [0.1, -0.1, 1 / 3, 0.5, 0, -0, 1e-46, -1e-46, 1e-45, 16777217, -16777217, 1e39, -1e39, 1e-30]
    thresholds.push(nextFloat32(0.5, 1), (0.5 + nextFloat32(0.5, 1)) / 2, Infinity, -Infinity, 3.4028235677973366e38)
    const stumps = thresholds.map((threshold, feature) => ({ feature, threshold, left: [1, 0], right: [0, 1] }))
    const forest = forestOf(['below', 'above'], stumps)
    const values = thresholds.map((threshold) => {
      const nearest = Math.max(-3.4028234663852886e38, Math.min(3.4028234663852886e38, Math.fround(threshold)))
      return [nearest, nextFloat32(nearest, 1), nextFloat32(nearest, -1)].filter(Number.isFinite)
    })
    // every row moves one feature, so that no mistake can hide behind another
    const rows = values.flatMap((choices, feature) =>
      choices.map((value) => thresholds.map((_, other) => (other === feature ? value : 7))),
    )
    const matrix = Float32Array.from(rows.flat())
    const [got] = await runGraph(flatModel(forest, thresholds.length), matrix, rows.length)
    const own = evaluatePlainly(forest, matrix, rows.length)
    expect([...got!]).toEqual([...own].map(Math.fround))
  })

  it('keeps exact ties: a forest of pure leaves gives the float32 nearest to the true answer, whatever the batch', async () => {
    const classes = ['a', 'b', 'c']
    const pure = (place: number) => classes.map((_, index) => (index === place % 3 ? 1 : 0))
    const stumps = Array.from({ length: 501 }, (_, tree) => {
      return { feature: tree % 5, threshold: (tree % 11) - 5.3, left: pure(tree), right: pure(tree * 7 + 1) }
    })
    const forest = forestOf(classes, stumps)
    const rowCount = 300
    const matrix = Float32Array.from({ length: rowCount * 5 }, (_, index) => ((index * 37) % 23) - 11.5)
    const own = evaluatePlainly(forest, matrix, rowCount)
    const ties = Array.from({ length: rowCount }, (_, row) => new Set(own.subarray(row * 3, row * 3 + 3)).size < 3)
    expect(ties.filter(Boolean).length).toBeGreaterThan(10)
    const [all] = await runGraph(flatModel(forest, 5), matrix, rowCount)
    expect([...all!]).toEqual([...own].map(Math.fround))
    const [one] = await runGraph(flatModel(forest, 5), matrix.slice(0, 5), 1)
    expect([...one!]).toEqual([...all!.subarray(0, 3)])
  })

  it('of 2000 trees with impure leaves is a rounding or two from the true answer, not one for each tree', async () => {
    const spread = (seed: number) => {
      const parts = [1, 2, 3].map((place) => 1 + ((seed * 7919 * place) % 101))
      const sum = parts.reduce((total, part) => total + part)
      return parts.map((part) => part / sum)
    }
    const stumps = Array.from({ length: 2000 }, (_, tree) => {
      return { feature: tree % 3, threshold: (tree % 17) / 7, left: spread(tree + 1), right: spread(tree + 5000) }
    })
    const forest = forestOf(['a', 'b', 'c'], stumps)
    const matrix = Float32Array.from({ length: 300 }, (_, index) => ((index * 31) % 29) / 10)
    const [got] = await runGraph(flatModel(forest, 3), matrix, 100)
    const own = evaluatePlainly(forest, matrix, 100)
    expect(Math.max(...own.map((value, index) => Math.abs(value - got![index]!)))).toBeLessThan(1e-7)
  })

  it('has an answer where a leaf holds nothing at all', async () => {
    const stumps = [
      { feature: 0, threshold: 0, left: [0, 0], right: [0.25, 0.75] },
      { feature: 0, threshold: 1, left: [1, 0], right: [0, 0] },
    ]
    const [got] = await runGraph(flatModel(forestOf(['a', 'b'], stumps), 1), Float32Array.of(-1, 0.5, 2), 3)
    expect([...got!]).toEqual([0.5, 0, 0.625, 0.375, 0.125, 0.375])
  })
})

describe('exported and run by onnxruntime', { tags: ['long'] }, () => {
  it('the sample model differs by less than 1e-6, and gives each level under its classifier_name', async () => {
    const { names, ...comparison } = await compareBundle(sampleModel)
    expect(comparison).toEqual({ worst: expect.any(Number) as number, otherClasses: 0 })
    expect(comparison.worst).toBeGreaterThan(0)
    expect(comparison.worst).toBeLessThan(2e-7)
    expect(names).toEqual(['', '_top', '_stochastic', '_periodic', '_transient'].map((end) => `lc_classifier${end}`))
  })

  it.each(['sklearn-0.22.2', 'sklearn-1.0.2', 'other-hierarchy'])('the hierarchy %s does too', async (version) => {
    const source = unpackFixture(version)
    const out = join(temporaryFolder(), 'bundle')
    const json = JSON.parse(readFileSync(join(source, 'golden.json'), 'utf8')) as { classes: Record<string, string[]> }
    const taxonomy = Object.fromEntries(
      json.classes['lc_classifier_top']!.map((branch) => {
        return [branch, json.classes[`lc_classifier_${branch.toLowerCase()}`]!]
      }),
    )
    await importModel({ source, name: 'x', version: '1', out, taxonomy })
    const { worst, otherClasses } = await compareBundle(out)
    expect(otherClasses).toBe(0)
    expect(worst).toBeLessThan(2e-7)
  })

  it.each([
    ['1.3', 'single-nodes'],
    ['1.3', 'zero-weight'],
    ['1.7', 'eleven-classes'],
    ['1.7', 'missing-values'],
    ['1.2', '150-classes'],
    ['0.20', 'balanced-protocol2'],
  ])('a small forest of scikit-learn %s, %s, does too', async (version, name) => {
    const { pickle, folder } = unpackSmallForest(version, name)
    const out = join(folder, 'bundle')
    await importModel({ source: pickle, name, version, out, features: smallFeatures, goldenDir: folder })
    const { worst, otherClasses } = await compareBundle(out)
    expect(otherClasses).toBe(0)
    expect(worst).toBeLessThan(2e-7)
  })
})

describe('an export', { tags: ['long'] }, () => {
  it('says where it is, how large, and what its outputs are', async () => {
    const file = join(temporaryFolder(), 'deep', 'model.onnx')
    const exported = await exportOnnx(sampleModel, file, { overwrite: false })
    expect(exported.file).toBe(file)
    expect(exported.size).toBe(readFileSync(file).length)
    expect(exported.outputs.map(({ name, classes }) => `${name} ${classes.length}`)).toEqual([
      'lc_classifier 15',
      'lc_classifier_top 3',
      'lc_classifier_stochastic 5',
      'lc_classifier_periodic 6',
      'lc_classifier_transient 4',
    ])
    expect(exported.comparison.rows).toBe(240)
  })

  it('gives the same bytes every time', async () => {
    const folder = temporaryFolder()
    const names = ['a.onnx', 'b.onnx'].map((name) => join(folder, name))
    for (const name of names) await exportOnnx(sampleModel, name, { overwrite: false })
    expect(readFileSync(names[0]!).equals(readFileSync(names[1]!))).toBe(true)
  })

  it('leaves a file that exists alone, unless told otherwise', async () => {
    const file = join(temporaryFolder(), 'model.onnx')
    writeFileSync(file, 'mine')
    await expect(exportOnnx(sampleModel, file, { overwrite: false })).rejects.toMatchObject({ exitCode: 2 })
    expect(readFileSync(file, 'utf8')).toBe('mine')
    await exportOnnx(sampleModel, file, { overwrite: true })
    expect(readFileSync(file).length).toBeGreaterThan(100_000)
  })

  it('to a place below a file is a usage error and leaves nothing behind', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const out = join(folder, 'file', 'model.onnx')
    await expect(exportOnnx(sampleModel, out, { overwrite: false })).rejects.toMatchObject({ exitCode: 2 })
    expect(readdirSync(folder)).toEqual(['file'])
  })

  it('of a bundle that does not answer its own golden rows writes no file', async () => {
    const folder = temporaryFolder()
    const { pickle, folder: golden } = unpackSmallForest('1.3', 'eleven-classes')
    const out = join(folder, 'bundle')
    await importModel({ source: pickle, name: 'x', version: '1', out, features: smallFeatures, goldenDir: golden })
    const file = join(folder, 'model.onnx')
    const whole = await readBundle(out)
    /** Gives the bundle golden answers that its forests miss by so much. */
    const shiftGolden = (shift: number) => {
      const expected = whole.golden.expected.map((level) => ({
        ...level,
        probabilities: level.probabilities.map((value) => value + shift),
      }))
      const bytes = encodeGolden({ ...whole.golden, expected }, whole.manifest.features)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const files = whole.manifest.files.map((entry) => (entry.file === 'golden.arrow' ? { ...entry, sha256 } : entry))
      writeFileSync(join(out, 'golden.arrow'), bytes)
      writeFileSync(join(out, 'manifest.json'), JSON.stringify({ ...whole.manifest, files }))
    }
    shiftGolden(2e-6)
    await expect(exportOnnx(out, file, { overwrite: false })).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('not reproduced') as string,
    })
    expect(existsSync(file)).toBe(false)
    shiftGolden(5e-7)
    await exportOnnx(out, file, { overwrite: false })
    expect(existsSync(file)).toBe(true)
  })

  it('can be imported again without taxonomy and features, and answers the same; and be exported from there', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'model.onnx')
    await exportOnnx(sampleModel, file, { overwrite: false })
    const out = join(folder, 'bundle')
    const imported = await importOnnx({ source: file, name: 'again', version: '2', out })
    const [original, bundle] = [await readBundle(sampleModel), await readBundle(out)]
    expect(imported.manifest.levels.map(({ classes }) => classes)).toEqual(
      original.manifest.levels.map(({ classes }) => classes),
    )
    expect(bundle.manifest.taxonomy).toEqual(original.manifest.taxonomy)
    expect(bundle.manifest.features).toEqual(original.manifest.features)
    expect(imported.warnings).toEqual([expect.stringContaining('no golden answers')])
    const again = join(folder, 'again.onnx')
    const exported = await exportOnnx(out, again, { overwrite: false })
    expect(exported.outputs.map(({ classes }) => classes)).toEqual(
      taxonomyOf(original.manifest).levels.map(({ classes }) => classes),
    )
    const matrix = goldenMatrix(original.golden, original.manifest.preprocessing)
    const answers: Float64Array[][] = []
    for (const path of [file, again]) {
      const runner = await openOnnxRunner(path, { threads: 1, label: path })
      answers.push(await runner.run(matrix.slice(), original.golden.rowCount))
      await runner.close()
    }
    expect(answers[1]).toEqual(answers[0])
  })

  it('of a damaged bundle is a model error', async () => {
    const folder = join(temporaryFolder(), 'bundle')
    mkdirSync(folder)
    for (const name of readdirSync(sampleModel)) {
      writeFileSync(join(folder, name), readFileSync(join(sampleModel, name)))
      chmodSync(join(folder, name), 0o644)
    }
    const bytes = readFileSync(join(folder, 'leaves.arrow'))
    bytes[2000]! ^= 1
    writeFileSync(join(folder, 'leaves.arrow'), bytes)
    const file = join(folder, 'model.onnx')
    await expect(exportOnnx(folder, file, { overwrite: false })).rejects.toMatchObject({ exitCode: 4 })
    expect(existsSync(file)).toBe(false)
  })
})
