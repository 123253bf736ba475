// A booster behind transformed features, from its bundle's files to its answers: what a forest alone does not have.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluateBundle } from '../../src/model/bundle/evaluate-bundle.ts'
import { goldenLevels, goldenMatrix } from '../../src/model/bundle/golden.ts'
import { taxonomyOf } from '../../src/model/bundle/manifest.ts'
import { marginsOf, type Part, whyNotOnnx } from '../../src/model/bundle/parts.ts'
import { readBundle } from '../../src/model/bundle/read-bundle.ts'
import { verifyBundle } from '../../src/model/bundle/verify-bundle.ts'
import { writeBundle } from '../../src/model/bundle/write-bundle.ts'
import { exportOnnx } from '../../src/model/onnx/export-graph.ts'
import { enginesOf, openClassifier } from '../../src/model/open.ts'
import { float32Features } from '../../src/model/estimator.ts'
import type { Preprocessing } from '../../src/pipeline/preprocess.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { forestOf, type Tree } from './forest/random-forests.ts'

const classes = ['SN', 'AGN', 'LPV']
const features = ['period', 'colour']
const split = (feature: number, threshold: number, left: number, right: number): Tree => ({
  feature,
  threshold,
  left: { fractions: [left] },
  right: { fractions: [right] },
})
const forest = {
  ...forestOf([split(0, 0.5, 1, -1), split(1, 0, 0.25, 0.5), split(0, -1, 2, 3), split(1, 1, -0.5, 0.1)], 1),
  classes: ['margin'],
  missingLeft: Uint8Array.of(1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0),
}
const part: Part = {
  level: 0,
  trees: 4,
  nodes: 12,
  steps: [{ kind: 'affine', subtract: [10, 0], divide: [1e-3, 1] }, { kind: 'float32' }],
  sum: {
    margins: classes,
    targets: [0, 1, 2, 0],
    base: [0.5, 0, -0.1],
    precision: 'float64',
    link: { kind: 'softmax', library: 'scikit-learn' },
  },
  calibration: null,
}
const preprocessing: Preprocessing = {
  missing: NaN,
  hugeAbove: Infinity,
  huge: 0,
  infinite: 'rejected',
  precision: 'float64',
}

async function bundleOf(parts: readonly Part[]): Promise<string> {
  const manifest = {
    formatVersion: 2 as const,
    kind: 'forest' as const,
    name: 'booster',
    version: '1',
    classifierName: 'lc_classifier',
    taxonomy: null,
    levels: [{ name: 'flat', branch: null, classes, trees: 4, nodes: 12 }],
    features,
    preprocessing,
    trainedBy: { library: 'scikit-learn', version: '1.5.2' },
    origin: [],
  }
  const forests = parts.map(() => forest)
  const inputs = Float64Array.of(10, 0, 10.0004, 1, NaN, NaN, 9, -1)
  const golden = { rowCount: 4, oids: ['a', 'b', 'c', 'd'], inputs, expected: [] }
  const { probabilities } = evaluateBundle({ manifest, parts, forests }, goldenMatrix(golden, preprocessing), 4)
  const expected = goldenLevels(taxonomyOf(manifest), probabilities)
  const out = join(temporaryFolder(), 'bundle')
  const proof = { golden: { ...golden, expected }, source: 'plain evaluation', warnings: [] }
  await writeBundle({ manifest, parts, forests, proof }, { name: 'booster', version: '1', out }, [])
  return out
}

describe('a booster', () => {
  it('answers with its margins, and rejects the row that its steps make too large', async () => {
    const classifier = await openClassifier(await bundleOf([part]), { threads: 1 })
    expect(classifier.taxonomy.margins).toEqual(classes)
    const rows = [10, 0, 1e36, 0, NaN, NaN]
    for (const copies of [1, 100]) {
      const rowCount = 3 * copies
      const matrix = Float64Array.from(Array.from({ length: copies }, () => rows).flat())
      const oids = Array.from({ length: rowCount }, (_, row) => `oid${row}`)
      const answer = await classifier.classify({ rowCount, oids, candids: oids.map(() => null), matrix })
      expect(answer.rowCount).toBe(2 * copies)
      expect(answer.oids.slice(0, 2)).toEqual(['oid0', 'oid2'])
      expect(answer.unanswered).toHaveLength(copies)
      expect(answer.unanswered![0]).toMatchObject({
        oid: 'oid1',
        reason: 'period is beyond float32 once the model has transformed it',
      })
      expect([...answer.margins!.subarray(0, 6)]).toEqual([0.5 + 1 - 0.5, 0.25, -0.1 + 3, 0.5 + 1 + 0.1, 0.5, -0.1 + 2])
      expect(answer.probabilities[0]).toHaveLength(2 * copies * 3)
    }
    await classifier.close()
  })

  it('is verified like a forest, also where two of them are averaged', async () => {
    for (const parts of [[part], [part, { ...part, steps: [{ kind: 'float32' }] as const }]]) {
      const { checks } = await verifyBundle(await bundleOf(parts))
      expect(checks.filter(({ ok }) => !ok)).toEqual([])
      const structures = checks.filter(({ name }) => name.startsWith('structure')).map(({ name }) => name)
      expect(structures).toEqual(
        parts.length === 1 ? ['structure flat'] : ['structure flat part 1', 'structure flat part 2'],
      )
    }
  })

  it('has no margins of its own where several are averaged or they are calibrated', () => {
    expect(marginsOf([part, part])).toBeUndefined()
    expect(marginsOf([{ ...part, calibration: { kind: 'sigmoid', a: [1, 1, 1], b: [0, 0, 0] } }])).toBeUndefined()
  })

  it('is not run or exported as ONNX, which does not carry it, and says so', async () => {
    const directory = await bundleOf([part])
    expect(enginesOf(await readBundle(directory))).toEqual(['forest'])
    const why = 'an ONNX graph does not carry the steps before its trees'
    await expect(openClassifier(directory, { threads: 1, engine: 'onnx' })).rejects.toThrow(
      `--engine onnx cannot run booster_1: ${why}`,
    )
    await expect(exportOnnx(directory, join(temporaryFolder(), 'x.onnx'), { overwrite: false })).rejects.toThrow(
      `cannot be exported as ONNX: ${why}`,
    )
  })

  it('without steps, in float32, is an ONNX graph; one that compares float64 is none', () => {
    const alone = [{ ...part, steps: [] }]
    expect(whyNotOnnx({ manifest: { preprocessing: float32Features }, parts: alone })).toBeUndefined()
    expect(whyNotOnnx({ manifest: { preprocessing }, parts: alone })).toBe(
      'its trees compare float64 numbers, and those of an ONNX graph float32',
    )
    expect(whyNotOnnx({ manifest: { preprocessing: float32Features }, parts: [...alone, ...alone] })).toBe(
      'an ONNX graph does not carry a mean of forests',
    )
  })
})
