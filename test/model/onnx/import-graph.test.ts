// Somebody else's ONNX classifiers as bundles: what is understood, what is refused and why.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openOnnxRunner } from '../../../src/model/onnx/runner.ts'
import { compareGolden, goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { importOnnx, type OnnxImportOptions } from '../../../src/model/onnx/import-graph.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { taxonomyOf } from '../../../src/model/bundle/manifest.ts'
import { verifyBundle } from '../../../src/model/bundle/verify-bundle.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/onnx/', import.meta.url))
const readJson = (name: string): unknown => JSON.parse(readFileSync(join(fixtures, name), 'utf8'))
const features = readJson('features.json') as string[]
const taxonomy = readJson('taxonomy.json') as Record<string, string[]>
const outputOrder = ['CV/Nova', 'AGN', 'RRL', 'CEP', 'SNIa']
const sorted = ['AGN', 'CEP', 'CV/Nova', 'RRL', 'SNIa']
const inColumns = 'by the taxonomy’s order'.replace('’', "'")

const folder = temporaryFolder()
let count = 0

async function importFixture(name: string, options: Partial<OnnxImportOptions> = {}) {
  const out = join(folder, `bundle${count++}`)
  const all = { source: join(fixtures, `${name}.onnx`), name: 'theirs', version: '1', out, features, ...options }
  const imported = await importOnnx(all)
  return { ...imported, bundle: await readBundle(imported.directory) }
}

/** The bundle's own graph on its own golden rows. */
async function worstDifference(directory: string): Promise<number> {
  const { manifest, golden } = await readBundle(directory)
  const runner = await openOnnxRunner(join(directory, 'model.onnx'), { threads: 1, label: directory })
  const answers = await runner.run(goldenMatrix(golden, manifest.preprocessing), golden.rowCount)
  await runner.close()
  expect(runner.outputs.length).toBe(taxonomyOf(manifest).levels.length)
  return compareGolden(golden, answers).worst?.difference ?? 0
}

describe('a classifier as skl2onnx writes it', { tags: ['long'] }, () => {
  it.each([
    ['forest-zipmap', 'forest-golden'],
    ['forest-matrix', 'forest-golden'],
    ['network-zipmap', 'network-golden'],
    ['network-matrix', 'network-golden'],
  ])('%s answers as scikit-learn does, its classes in the order of the taxonomy', async (name, golden) => {
    const { directory, warnings, manifest } = await importFixture(name, { taxonomy, goldenDir: join(fixtures, golden) })
    expect(warnings).toEqual([])
    expect(manifest.kind).toBe('onnx')
    expect(manifest.taxonomy).toBeNull()
    expect(manifest.levels).toEqual([{ name: 'flat', branch: null, classes: outputOrder, trees: 0, nodes: 0 }])
    expect(manifest.golden).toEqual({ rows: 40, source: 'scikit-learn 1.5.2' })
    expect(manifest.trainedBy).toEqual({ library: 'ONNX by skl2onnx', version: '1.20.0' })
    expect(manifest.files.map(({ file }) => file)).toEqual(['model.onnx', 'golden.arrow'])
    expect(await worstDifference(directory)).toBeLessThan(1e-6)
    expect((await verifyBundle(directory)).checks.every(({ ok }) => ok)).toBe(true)
  })

  it.each(['forest-zipmap', 'network-matrix', 'logistic-zipmap'])(
    '%s names its classes itself where there is no taxonomy',
    async (name) => {
      const { manifest, warnings, directory } = await importFixture(name)
      expect(manifest.levels[0]!.classes).toEqual(sorted)
      expect(manifest.golden).toEqual({ rows: 64, source: 'onnxruntime 1.30.0 at import' })
      expect(warnings).toEqual([expect.stringContaining('no golden answers were given')])
      expect(await worstDifference(directory)).toBe(0)
    },
  )

  it('that was trained on numbers takes their names from the taxonomy, in the order of its columns, and says so', async () => {
    const goldenDir = join(fixtures, 'forest-golden')
    const { manifest, warnings } = await importFixture('forest-numbers', { taxonomy: sorted, goldenDir })
    expect(manifest.levels[0]!.classes).toEqual(sorted)
    expect(warnings).toEqual([expect.stringContaining('0 is AGN, 10 is CEP, 20 is CV/Nova, 30 is RRL, 40 is SNIa')])
    expect((await importFixture('forest-numbers')).manifest.levels[0]!.classes).toEqual(['0', '10', '20', '30', '40'])
  })

  it('is refused where the names are given in another order than the golden answers say', async () => {
    const options = { taxonomy: outputOrder, goldenDir: join(fixtures, 'forest-golden') }
    await expect(importFixture('forest-numbers', options)).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('not reproduced within 1e-6') as string,
    })
  })

  it('has as golden inputs the thresholds of its trees, and the values one bit beside them', async () => {
    const { bundle } = await importFixture('forest-zipmap')
    const values = new Set(bundle.golden.inputs)
    const bytes = readFileSync(join(fixtures, 'forest-zipmap.onnx'))
    const inFile = [...values].filter((value) => {
      const pattern = Buffer.alloc(4)
      pattern.writeFloatLE(value)
      return Math.fround(value) === value && value % 1 !== 0 && bytes.includes(pattern)
    })
    expect(inFile.length).toBeGreaterThan(20)
  })
})

describe('a graph without names of classes', () => {
  it('takes them from the taxonomy, as a list or under branches', async () => {
    for (const given of [taxonomy, outputOrder]) {
      const { manifest, warnings } = await importFixture('no-labels', { taxonomy: given })
      expect(manifest.levels[0]!.classes).toEqual(outputOrder)
      expect(warnings[0]).toContain(`has no names for its columns; ${inColumns} 0 is CV/Nova`)
    }
  })

  it('is a usage error without one', async () => {
    await expect(importFixture('no-labels')).rejects.toMatchObject({
      exitCode: 2,
      hint: expect.stringContaining('--taxonomy') as string,
    })
  })

  it('may give float64', async () => {
    const { directory } = await importFixture('double-output', { taxonomy })
    expect(await worstDifference(directory)).toBe(0)
  })

  it('with an output for every level is a hierarchy, whose product is made of the levels', async () => {
    const { manifest, bundle, directory } = await importFixture('levels', { taxonomy })
    expect(manifest.taxonomy).toEqual(taxonomy)
    expect(manifest.levels.map(({ name, classes }) => [name, classes])).toEqual([
      ['top', Object.keys(taxonomy)],
      ...Object.entries(taxonomy).map(([branch, classes]) => [branch.toLowerCase(), classes]),
    ])
    const [product, top, stochastic] = bundle.golden.expected
    expect(product!.classes).toEqual(outputOrder)
    for (let row = 0; row < bundle.golden.rowCount; row++) {
      const expected = top!.probabilities[row * 3]! * stochastic!.probabilities[row * 2 + 1]!
      expect(product!.probabilities[row * 5 + 1]).toBeCloseTo(expected, 7)
    }
    expect(await worstDifference(directory)).toBe(0)
  })
})

describe('what cannot be used', () => {
  const refused: [string, string][] = [
    ['double-input', 'takes X (float64 [?, 6]), not one matrix of float32'],
    ['two-inputs', 'takes left (float32 [batch, 3]), right (float32 [batch, 3]), not one matrix'],
    ['fixed-rows', 'takes exactly 4 rows at a time'],
    ['scores', 'its answers are not probabilities'],
    ['batch-dependent', 'depends on the rows beside it'],
    ['weights-elsewhere', 'its weights are in another file'],
    ['one-output-a-class', 'one output must be the matrix of probabilities, but none can be'],
    ['two-matrices', 'but probabilities_scores, again can be'],
    ['two-classes', 'has the classes AGN, CEP, the taxonomy CV/Nova, AGN, RRL, CEP, SNIa'],
  ]
  it.each(refused)('%s: it %s', async (name, message) => {
    const out = join(folder, 'refused')
    await expect(importFixture(name, { taxonomy, out })).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining(`${name}.onnx: `) as string,
    })
    await expect(importFixture(name, { taxonomy, out })).rejects.toThrow(message)
    expect(existsSync(out)).toBe(false)
  })

  it('a taxonomy that does not name the classes of the model', async () => {
    const wrong = { ...taxonomy, Transient: ['SNIb'] }
    await expect(importFixture('forest-zipmap', { taxonomy: wrong })).rejects.toThrow(
      'has the classes AGN, CEP, CV/Nova, RRL, SNIa, the taxonomy CV/Nova, AGN, RRL, CEP, SNIb',
    )
    await expect(importFixture('no-labels', { taxonomy: ['one', 'two'] })).rejects.toThrow('has 5 classes')
    await expect(importFixture('no-labels', { taxonomy: ['one', 'one'] })).rejects.toMatchObject({ exitCode: 2 })
    await expect(importFixture('no-labels', { taxonomy: { A: [] } })).rejects.toMatchObject({ exitCode: 2 })
  })

  it('features that are missing, too few, or named twice', async () => {
    const source = join(fixtures, 'forest-zipmap.onnx')
    const options = { source, name: 'theirs', version: '1', out: join(folder, 'refused') }
    await expect(importOnnx(options)).rejects.toMatchObject({
      exitCode: 2,
      message: 'forest-zipmap.onnx: does not say what its 6 features are called',
    })
    await expect(importFixture('forest-zipmap', { features: features.slice(1) })).rejects.toThrow(
      'takes 6 features, the list has 5 names',
    )
    const twice = [...features.slice(1), features[1]!]
    await expect(importFixture('forest-zipmap', { features: twice })).rejects.toThrow(
      'the list of features names one twice',
    )
  })

  it('a file that is something else, empty, cut off, or not there', async () => {
    const whole = readFileSync(join(fixtures, 'forest-zipmap.onnx'))
    const contents = { pickle: Buffer.from('\x80\x04\x95.'), empty: Buffer.alloc(0), cut: whole.subarray(0, 9000) }
    for (const [name, bytes] of Object.entries(contents)) {
      const source = join(folder, `${name}.onnx`)
      writeFileSync(source, bytes)
      await expect(importFixture('x', { source, taxonomy })).rejects.toMatchObject({
        exitCode: 4,
        message: expect.stringMatching(new RegExp(`^${name}.onnx: not an? (whole )?ONNX file`)) as string,
      })
    }
    await expect(importFixture('absent', { taxonomy })).rejects.toMatchObject({ exitCode: 4 })
  })

  it('an output folder that exists, or a version that cannot be a folder', async () => {
    const { directory } = await importFixture('forest-zipmap')
    await expect(importFixture('forest-zipmap', { out: directory })).rejects.toMatchObject({ exitCode: 2 })
    await importFixture('logistic-zipmap', { out: directory, overwrite: true })
    expect((await readBundle(directory)).manifest.origin[0]!.file).toBe('logistic-zipmap.onnx')
    await expect(importFixture('forest-zipmap', { version: '../1' })).rejects.toMatchObject({ exitCode: 2 })
  })
})
