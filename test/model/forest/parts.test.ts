// The kernel against the plain evaluation of a bundle, whatever stands around the trees: equal in every bit.
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { evaluateBundle } from '../../../src/model/bundle/evaluate-bundle.ts'
import type { Forest } from '../../../src/model/bundle/forest.ts'
import { type Part, plainParts } from '../../../src/model/bundle/parts.ts'
import { compileKernel } from '../../../src/model/forest/forest-engine.ts'
import type { FeatureMatrix, Preprocessing } from '../../../src/pipeline/preprocess.ts'
import { engineOf, shapeOf, type TestModel } from './kernel-models.ts'
import { forestOf, type Tree } from './random-forests.ts'
import { beside, type ModelKind, type Precision, randomModel, rowsOf } from './random-models.ts'

let module: WebAssembly.Module
beforeAll(async () => {
  module = await compileKernel()
})

function plainly(model: TestModel, matrix: FeatureMatrix, rowCount: number) {
  const { parts, taxonomy, levels, features, preprocessing } = shapeOf(model)
  const named = levels.map((level) => ({ ...level, name: '', trees: 0, nodes: 0 }))
  const manifest = { taxonomy, levels: named, features, preprocessing }
  return evaluateBundle({ manifest, parts, forests: model.forests }, matrix, rowCount)
}

/** Values that differ in any bit, and rows that only one of the two refuses. */
function differences(model: TestModel, matrix: FeatureMatrix, rowCount: number): string[] {
  const engine = engineOf(module, model)
  const got = engine.classify(matrix, rowCount)
  const expected = plainly(model, matrix, rowCount)
  const refused = [got, expected].map(({ unanswered }) =>
    JSON.stringify([...(unanswered ?? [])].sort((a, b) => a[0] - b[0])),
  )
  const found = refused[0] === refused[1] ? [] : [`refused ${refused.join(', not ')}`]
  const compare = (name: string, own: Float64Array | undefined, wanted: Float64Array | undefined) => {
    if (own?.length !== wanted?.length) return found.push(`${name}: ${own?.length} values, not ${wanted?.length}`)
    const width = (wanted?.length ?? 0) / rowCount
    wanted?.forEach((value, i) => {
      const row = Math.floor(i / width)
      if (!expected.unanswered?.has(row) && !Object.is(own![i], value))
        found.push(`${name}[${i}] ${own![i]}, not ${value}`)
    })
    return undefined
  }
  expected.probabilities.forEach((values, level) => compare(`level ${level}`, got.probabilities[level], values))
  compare('margins', got.margins, expected.margins)
  return found
}

const precision = fc.constantFrom<Precision>('float32', 'float64')
const modelKind = (fixed: Partial<ModelKind>): fc.Arbitrary<ModelKind> =>
  fc
    .record({
      seed: fc.nat(),
      precision,
      isSum: fc.boolean(),
      hasSteps: fc.boolean(),
      hasCalibration: fc.boolean(),
      parts: fc.integer({ min: 1, max: 4 }),
    })
    .map((kind) => ({ ...kind, ...fixed }))

function checkKind(fixed: Partial<ModelKind>, numRuns: number): void {
  const rowCount = fc.constantFrom(1, 2, 3, 7, 40, 130, 300)
  fc.assert(
    fc.property(modelKind(fixed), rowCount, (kind, rows) => {
      const model = randomModel(kind)
      expect(differences(model, rowsOf(model, rows, kind.seed + 1), rows)).toEqual([])
    }),
    { numRuns },
  )
}

describe('the kernel answers as the plain evaluation of a bundle', () => {
  it('for forests with a rule for missing values in each node, in float32 and float64', { tags: ['long'] }, () => {
    checkKind({ isSum: false, hasSteps: false, hasCalibration: false, parts: 1 }, 300)
  })

  it('for trees that add up to margins in float32 and float64', { tags: ['long'] }, () => {
    checkKind({ isSum: true, hasSteps: false, hasCalibration: false, parts: 1 }, 300)
  })

  it('for parts with steps, links and calibrations of their own, averaged', { tags: ['long'] }, () => {
    checkKind({}, 400)
  })

  it('for more rows than a block has', { tags: ['long'] }, () => {
    for (const isSum of [false, true]) {
      for (const kind of ['float32', 'float64'] as const) {
        const model = randomModel({ seed: 5, precision: kind, isSum, hasSteps: true, hasCalibration: true, parts: 3 })
        expect(differences(model, rowsOf(model, 5000, 6), 5000)).toEqual([])
      }
    }
  })

  it('for batches together as for each alone', () => {
    for (const isSum of [false, true]) {
      for (const precision of ['float32', 'float64'] as const) {
        const model = randomModel({ seed: 3, precision, isSum, hasSteps: true, hasCalibration: true, parts: 2 })
        const engine = engineOf(module, model)
        // the fifth is in two blocks
        const batches = [130, 0, 7, 2500, 2500, 1].map((rowCount, seed) => {
          return { matrix: rowsOf(model, rowCount, seed), rowCount }
        })
        const alone = batches.map(({ matrix, rowCount }) => engine.classify(matrix, rowCount))
        expect(engine.classifyTogether(batches)).toEqual(alone)
      }
    }
  })
})

const leaf = (...fractions: number[]): Tree => ({ fractions })
const split = (threshold: number, left: Tree, right: Tree): Tree => ({ feature: 0, threshold, left, right })
const keepsMissing: Preprocessing = { missing: NaN, hugeAbove: Infinity, huge: 0, infinite: 'kept' }
const inFloat64: Preprocessing = { ...keepsMissing, precision: 'float64' }

/** Both the kernel's and the plain probabilities of the first class. */
function bothOf(model: TestModel, values: readonly number[]): number[][] {
  const { preprocessing } = shapeOf(model)
  return [1, 3, 40, 150].flatMap((copies) => {
    const all = Array.from({ length: copies }, () => values).flat()
    const matrix = preprocessing.precision === 'float64' ? Float64Array.from(all) : Float32Array.from(all)
    const answers = [engineOf(module, model).classify(matrix, all.length), plainly(model, matrix, all.length)]
    return answers.map(({ probabilities: [level] }) =>
      values.map((_, row) => level![row * (level!.length / all.length)]!),
    )
  })
}

function partOf(forest: Forest, more: Partial<Part> = {}): Part {
  return { ...plainParts([{ trees: forest.roots.length, nodes: forest.feature.length }])[0]!, ...more }
}

describe('a missing value', () => {
  const withRule = (forest: Forest, rule: 0 | 1): Forest => ({
    ...forest,
    missingLeft: Uint8Array.from(forest.feature, (asked) => (asked >= 0 ? rule : 0)),
  })

  it.each(['float32', 'float64'] as const)('goes where its node says, whatever the threshold, in %s', (kind) => {
    for (const threshold of [-Infinity, -1, -0, 0, 5e-324, 1e38, Infinity, NaN]) {
      for (const rule of [0, 1] as const) {
        const forest = withRule(forestOf([split(threshold, leaf(1, 0), leaf(0, 1))], 2), rule)
        const parts = [partOf(forest)]
        const preprocessing = kind === 'float64' ? inFloat64 : keepsMissing
        const model: TestModel = { forests: [forest], features: 1, parts, preprocessing }
        for (const got of bothOf(model, [NaN])) expect(got, `${threshold} ${rule}`).toEqual([rule])
      }
    }
  })

  it('goes right past a feature with as many thresholds as codes, and left of one', { tags: ['long'] }, () => {
    const search = (from: number, end: number): Tree => {
      if (from === end) return leaf(from, 1)
      const middle = (from + end) >> 1
      return split(middle, search(from, middle), search(middle + 1, end))
    }
    for (const count of [65_534, 65_535, 65_536]) {
      const trees = forestOf([search(0, count)], 2)
      for (const rule of [0, 1] as const) {
        for (const preprocessing of [keepsMissing, inFloat64]) {
          const forest = withRule(trees, rule)
          const model = { forests: [forest], features: 1, parts: [partOf(forest)], preprocessing }
          const matrix = preprocessing === inFloat64 ? Float64Array.of(NaN, -1, count) : Float32Array.of(NaN, -1, count)
          const [level] = engineOf(module, model).classify(matrix, 3).probabilities
          expect([level![0], level![2], level![4]]).toEqual([rule === 1 ? 0 : count, 0, count])
        }
      }
    }
  })
})

describe('a comparison in float64', () => {
  it('tells apart what float32 does not', () => {
    for (const threshold of [0.1, -0.1, 1, 1e300, 5e-324, -5e-324, 0, -0]) {
      const forest = forestOf([split(threshold, leaf(1, 0), leaf(0, 1))], 2)
      const parts = [partOf(forest)]
      const model: TestModel = { forests: [forest], features: 1, parts, preprocessing: inFloat64 }
      const values = [threshold, beside(threshold, 1, 'float64'), beside(threshold, -1, 'float64'), Infinity, -Infinity]
      for (const got of bothOf(model, values)) expect(got).toEqual([1, 0, 1, 0, 1])
    }
  })
})

describe('trees that add up', () => {
  it.each(['float32', 'float64'] as const)('begin at the base and add in tree order in %s', (kind) => {
    const rounded = kind === 'float32' ? Math.fround : (x: number) => x
    const values = [0.1, 5, 1e16, -1e16, 7, -0.2].map(rounded)
    const forest = forestOf(
      values.map((value) => leaf(value)),
      1,
    )
    const base = [rounded(0.7), rounded(-1.3), 0.5]
    const targets = [0, 2, 0, 0, 2, 1]
    const expected = [...base]
    targets.forEach((target, tree) => (expected[target] = rounded(expected[target]! + values[tree]!)))
    const sum = {
      margins: ['a', 'b', 'c'],
      targets,
      base,
      precision: kind,
      link: { kind: 'softmax', library: 'xgboost' },
    } as const
    const levels = [{ branch: null, classes: ['a', 'b', 'c'] }]
    const model: TestModel = {
      forests: [forest],
      features: 1,
      parts: [partOf(forest, { sum })],
      hierarchy: { taxonomy: null, levels },
      preprocessing: keepsMissing,
    }
    for (const rows of [1, 2, 5, 200]) {
      const matrix = new Float32Array(rows)
      for (const { margins } of [engineOf(module, model).classify(matrix, rows), plainly(model, matrix, rows)]) {
        expect([...margins!.subarray(margins!.length - 3)]).toEqual(expected)
      }
    }
  })
})

describe('a row whose features the steps make too large', () => {
  const forest = forestOf([split(0, leaf(1, 0), leaf(0, 1))], 2)
  const steps = [{ kind: 'affine', subtract: null, divide: [1e-20] }, { kind: 'float32' }] as const
  const reason = 'f0 is beyond float32 once the model has transformed it'

  it('has no answer, and costs no other row its own', () => {
    const preprocessing: Preprocessing = { ...inFloat64, infinite: 'rejected' }
    const model: TestModel = { forests: [forest], features: 1, parts: [partOf(forest, { steps })], preprocessing }
    const matrix = Float64Array.of(1, 1e30, -1, NaN)
    for (const answers of [engineOf(module, model).classify(matrix, 4), plainly(model, matrix, 4)]) {
      expect([...answers.unanswered!]).toEqual([[1, reason]])
      const [level] = answers.probabilities
      expect([level![0], level![4], level![6]]).toEqual([0, 1, 0])
    }
  })

  it('has no answer either where a missing value is left that the trees do not take', () => {
    const preprocessing: Preprocessing = { ...inFloat64, rejectsMissing: 'scikit-learn 1.2.2 takes no missing values' }
    const model: TestModel = { forests: [forest], features: 1, parts: [partOf(forest, { steps })], preprocessing }
    const { unanswered } = engineOf(module, model).classify(Float64Array.of(NaN), 1)
    expect([...unanswered!.values()]).toEqual([
      'f0 is missing: scikit-learn 1.2.2 takes no missing values once the model has transformed it',
    ])
  })

  it('has no answer where a step has no value for it', () => {
    const boxCox = [{ kind: 'power', method: 'box-cox', lambdas: [1] }, { kind: 'float32' }] as const
    const parts = [partOf(forest, { steps: boxCox })]
    const model: TestModel = { forests: [forest], features: 1, parts, preprocessing: inFloat64 }
    const matrix = Float64Array.of(0.5, -1, 2)
    for (const answers of [engineOf(module, model).classify(matrix, 3), plainly(model, matrix, 3)]) {
      expect([...answers.unanswered!]).toEqual([[1, "the model's transformation has no value for a feature"]])
      expect([answers.probabilities[0]![0], answers.probabilities[0]![4]]).toEqual([1, 0])
    }
  })
})
