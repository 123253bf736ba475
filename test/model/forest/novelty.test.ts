// Novelty out of the kernel, against the plain walk and against numbers by hand.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { evaluateNovelty } from '../../../src/model/bundle/evaluate-bundle.ts'
import type { CoveredForest, Forest } from '../../../src/model/bundle/forest.ts'
import { goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { withEmptiness } from '../../../src/model/bundle/novelty.ts'
import { readBundle, withCovers } from '../../../src/model/bundle/read-bundle.ts'
import { compileKernel } from '../../../src/model/forest/forest-engine.ts'
import { openClassifier } from '../../../src/model/open.ts'
import { samples } from '../../support/lcclf.ts'
import { engineOf, shapeOf, type TestModel } from './kernel-models.ts'
import { forestOf, randomNumbers, type Tree } from './random-forests.ts'
import { randomModel, rowsOf } from './random-models.ts'

let module: WebAssembly.Module
beforeAll(async () => {
  module = await compileKernel()
})

/** Leaves of one to nine samples, some of them weighted; a node has those of its children. */
function covered(forest: Forest, seed: number): CoveredForest {
  const random = randomNumbers(seed)
  const cover = new Float64Array(forest.feature.length)
  const weight = random() < 0.5 ? 1 : 0.37
  for (let node = cover.length - 1; node >= 0; node--) {
    const left = forest.left[node]!
    const isLeaf = forest.feature[node]! < 0
    cover[node] = isLeaf ? (1 + Math.floor(random() * 9)) * weight : cover[left]! + cover[left + 1]!
  }
  return { ...forest, cover }
}

function plainly(
  model: TestModel & { readonly forests: readonly CoveredForest[] },
  matrix: Float32Array | Float64Array,
) {
  const { parts, taxonomy, levels, features, preprocessing } = shapeOf(model)
  const named = levels.map((level) => ({ ...level, name: '', trees: 0, nodes: 0 }))
  const manifest = { taxonomy, levels: named, features, preprocessing }
  return evaluateNovelty({ manifest, parts, forests: model.forests }, matrix, matrix.length / features.length)
}

describe('novelty', () => {
  it('is the mean of how empty the leaves are and how little the class is sure, by hand', () => {
    const leaf: Tree = { fractions: [1, 0] }
    const split: Tree = { feature: 0, threshold: 0, left: leaf, right: { fractions: [0.5, 0.5] } }
    const forest = forestOf([split, leaf, split], 2)
    const model = { forests: [{ ...forest, cover: Float64Array.of(16, 4, 12, 16, 16, 15, 1) }], features: 1 }
    const engine = engineOf(module, { ...model, hierarchy: flat(2), forests: model.forests.map(withEmptiness) }, true)
    // of ln 16: ln 4 and 0 and ln 16/15 on the left, ln 16/12 and 0 and ln 16 on the right; then 1 − p
    const emptiness = [(0.5 + 0 + Math.log2(16 / 15) / 4) / 3, (Math.log2(16 / 12) / 4 + 0 + 1) / 3]
    const expected = [(emptiness[0]! + 0) / 2, (emptiness[1]! + 1 / 3) / 2]
    const rows = Float32Array.of(-1, 1)
    const { novelty, probabilities } = engine.classify(rows, 2)
    novelty!.forEach((value, row) => expect(value).toBeCloseTo(expected[row]!, 15))
    expect([...probabilities[0]!]).toEqual([1, 0, 2 / 3, 1 / 3])
    expect([...plainly(model, rows)]).toEqual([...novelty!])
  })

  it('is 0 where every tree is one leaf', () => {
    const forest = forestOf([{ fractions: [1, 0] }], 2)
    const forests = [withEmptiness({ ...forest, cover: Float64Array.of(0.2) })]
    const engine = engineOf(module, { forests, features: 1, hierarchy: flat(2) }, true)
    expect([...engine.classify(Float32Array.of(1), 1).novelty!]).toEqual([0])
  })

  it('of the kernel equals the plain walk in every bit, and leaves the probabilities as they are', () => {
    for (let seed = 0; seed < 24; seed++) {
      const precision = seed % 2 === 0 ? 'float32' : 'float64'
      const hasSteps = seed % 3 === 0
      const parts = 1 + (seed % 4)
      const model = randomModel({ seed, precision, isSum: false, hasSteps, hasCalibration: seed % 5 === 0, parts })
      const forests = model.forests.map((forest, i) => covered(forest, seed + i))
      for (const rowCount of [1, 40, 300]) {
        const matrix = rowsOf(model, rowCount, seed)
        const with_ = engineOf(module, { ...model, forests: forests.map(withEmptiness) }, true)
        const answers = with_.classify(matrix.slice(), rowCount)
        const without = engineOf(module, model).classify(matrix.slice(), rowCount)
        const isAnswered = (_: unknown, row: number) => !without.unanswered?.has(row)
        const own = answers.novelty!.filter(isAnswered)
        expect(own).toEqual(plainly({ ...model, forests }, matrix).filter(isAnswered))
        expect(own.every((value) => value >= 0 && value <= 1)).toBe(true)
        expect(answers.probabilities).toEqual(without.probabilities)
      }
    }
  })

  it('of a bundle is the same on every thread, and for a row alone', async () => {
    const directory = join(samples, 'model')
    const bundle = await readBundle(directory)
    const { golden } = bundle
    const matrix = goldenMatrix(golden, bundle.manifest.preprocessing)
    const expected = evaluateNovelty(
      { ...bundle, forests: await withCovers(directory, bundle) },
      matrix,
      golden.rowCount,
    )
    const classifier = await openClassifier(directory, { threads: 2, novelty: true })
    const ask = (from: number, end: number) => {
      const oids = golden.oids.slice(from, end)
      const width = classifier.features.length
      const rows = matrix.slice(from * width, end * width)
      return classifier.classify({ rowCount: end - from, oids, candids: oids.map(() => null), matrix: rows })
    }
    const all = await ask(0, golden.rowCount)
    const alone = await Promise.all(golden.oids.slice(0, 20).map((_, row) => ask(row, row + 1)))
    const none = await ask(0, 0)
    await classifier.close()
    expect(all.novelty).toEqual(expected)
    expect(alone.map(({ novelty }) => novelty![0])).toEqual([...expected.subarray(0, 20)])
    expect(none.novelty).toHaveLength(0)
    expect(new Set(expected).size).toBeGreaterThan(20)
  })
})

function flat(classes: number) {
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`)
  return { taxonomy: null, levels: [{ branch: null, classes: names }] }
}
