// The kernel against a plain evaluation: equal in every bit, whatever the forest, the row and the rows beside it.
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { compileKernel } from '../../../src/model/forest/forest-engine.ts'
import { productColumns } from '../../../src/model/bundle/forest.ts'
import { engineOf } from './kernel-models.ts'
import { evaluate, feature, forestOf, randomForest, randomNumbers, rowsFor } from './random-forests.ts'
import type { RandomForest, Tree } from './random-forests.ts'

let module: WebAssembly.Module
beforeAll(async () => {
  module = await compileKernel()
})

function answer({ forest, features }: RandomForest, matrix: Float32Array, rowCount: number): Float64Array {
  return engineOf(module, { forests: [forest], features }).classify(matrix, rowCount).probabilities[0]!
}

/** Which values differ in any bit; Object.is tells 0 from −0 too. */
function differences(got: Float64Array, expected: Float64Array): string[] {
  if (got.length !== expected.length) return [`${got.length} values, not ${expected.length}`]
  return [...expected].flatMap((value, i) => (Object.is(got[i], value) ? [] : [`[${i}] ${got[i]}, not ${value}`]))
}

function expectEqual(forest: RandomForest, matrix: Float32Array, rowCount: number): void {
  expect(differences(answer(forest, matrix, rowCount), evaluate(forest, matrix, rowCount))).toEqual([])
}

const split = (at: number, threshold: number, left: Tree, right: Tree): Tree => ({
  feature: at,
  threshold,
  left,
  right,
})
const leaf = (...fractions: number[]): Tree => ({ fractions })

/** A tree that finds the interval of a value among sorted thresholds. */
function searchTree(thresholds: Float64Array, at = 0, from = 0, end = thresholds.length): Tree {
  if (from === end) return leaf(from / (thresholds.length + 1), 1 - from / (thresholds.length + 1))
  const middle = (from + end) >> 1
  return split(
    at,
    thresholds[middle]!,
    searchTree(thresholds, at, from, middle),
    searchTree(thresholds, at, middle + 1, end),
  )
}

describe('the forest engine', () => {
  it('answers as a plain evaluation, for any forest and any rows', () => {
    const sample = randomForest.chain((forest) =>
      fc
        .array(fc.array(feature, { minLength: forest.features, maxLength: forest.features }), {
          minLength: 1,
          maxLength: 40,
        })
        .map((rows) => ({ forest, rows })),
    )
    fc.assert(
      fc.property(sample, ({ forest, rows }) => {
        expectEqual(forest, Float32Array.from(rows.flat()), rows.length)
      }),
      { numRuns: 600 },
    )
  })

  it('answers as a plain evaluation for batches large enough to be parted', () => {
    fc.assert(
      fc.property(randomForest, fc.integer({ min: 48, max: 700 }), fc.nat(), (forest, rowCount, seed) => {
        expectEqual(forest, rowsFor(forest, rowCount, seed), rowCount)
      }),
      { numRuns: 200 },
    )
  })

  it('answers as a plain evaluation for forests as deep and wide as real ones', () => {
    const random = randomNumbers(7)
    const classes = 5
    const grow = (depth: number): Tree => {
      if (depth > 24 || random() < depth / 40) return leaf(...Array.from({ length: classes }, () => random()))
      return split(Math.floor(random() * 30), Math.round(random() * 4000) / 1000, grow(depth + 1), grow(depth + 1))
    }
    const forest = {
      forest: forestOf(
        Array.from({ length: 6 }, () => grow(8)),
        classes,
      ),
      features: 30,
    }
    for (const rowCount of [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 47, 48, 49, 63, 1000, 4063, 4064, 4065, 9000]) {
      const matrix = Float32Array.from({ length: rowCount * 30 }, () => Math.fround(random() * 4))
      expectEqual(forest, matrix, rowCount)
    }
  })

  it('gives a row the same answer alone and among any others', () => {
    fc.assert(
      fc.property(randomForest, fc.nat(), (forest, seed) => {
        const rows = 300
        const matrix = rowsFor(forest, rows, seed)
        const width = forest.forest.classes.length
        const engine = engineOf(module, { forests: [forest.forest], features: forest.features })
        const together = engine.classify(matrix, rows).probabilities[0]!
        for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 9, 130]) {
          for (const from of [0, 1, rows - size]) {
            const part = matrix.subarray(from * forest.features, (from + size) * forest.features)
            const expected = together.subarray(from * width, (from + size) * width)
            expect(differences(engine.classify(part, size).probabilities[0]!, expected)).toEqual([])
          }
        }
      }),
      { numRuns: 40 },
    )
  })

  it('keeps nothing of a batch for the next one', () => {
    const forest = {
      forest: forestOf([split(0, 0.5, leaf(1, 0), split(1, 2, leaf(0.25, 0.75), leaf(0, 1)))], 2),
      features: 2,
    }
    const engine = engineOf(module, { forests: [forest.forest], features: 2 })
    for (const [rowCount, seed] of [
      [2000, 1],
      [3, 2],
      [129, 3],
      [1, 4],
      [1999, 5],
      [8, 6],
    ] as const) {
      const matrix = rowsFor(forest, rowCount, seed)
      const [got] = engine.classify(matrix, rowCount).probabilities
      expect(differences(got!, evaluate(forest, matrix, rowCount))).toEqual([])
    }
  })

  it('goes left on a threshold and right just above it, also where float32 and float64 differ', () => {
    const cases: [threshold: number, value: number, goesLeft: boolean][] = [
      [0.1, Math.fround(0.1), false], // float32(0.1) is above 0.1
      [Math.fround(0.1), Math.fround(0.1), true],
      [0, -0, true],
      [-0, 0, true],
      [-0, -0, true],
      [-1e-300, -0, false],
      [-1e-300, -(2 ** -149), true],
      [1e-300, 0, true],
      [1e-300, 2 ** -149, false],
      [2 ** -149, 2 ** -149, true],
      [3.5e38, 3.4028234663852886e38, true],
      [-3.5e38, -3.4028234663852886e38, false],
      [Infinity, 3.4028234663852886e38, true],
      [-Infinity, -3.4028234663852886e38, false],
      [16777217, 16777216, true],
      [16777217, 16777218, false],
    ]
    for (const [threshold, value, goesLeft] of cases) {
      for (const rowCount of [1, 3, 20, 150]) {
        const forest = { forest: forestOf([split(0, threshold, leaf(1, 0), leaf(0, 1))], 2), features: 1 }
        const got = answer(forest, new Float32Array(rowCount).fill(value), rowCount)
        const expected = Array.from({ length: rowCount }, () => (goesLeft ? [1, 0] : [0, 1])).flat()
        expect([...got], `${value} <= ${threshold}`).toEqual(expected)
      }
    }
  })

  it('tells apart more thresholds of one feature than a code has values', () => {
    const thresholds = Float64Array.from({ length: 150_001 }, (_, i) => i - 75_000.5)
    const tree = searchTree(thresholds, 1)
    // the same feature in the other columns too, and another feature beside it
    const forest = { forest: forestOf([tree, split(0, 0.5, leaf(1, 0), tree)], 2), features: 2 }
    const edges = [-75_001, -75_000, -9464, -9463, -9462, 56_070, 56_071, 56_072, 56_073, 75_000, 75_001]
    const random = randomNumbers(3)
    for (const rowCount of [1, 11, 1000]) {
      const matrix = Float32Array.from({ length: rowCount * 2 }, (_, i) =>
        i % 2 === 0 ? Math.round(random()) : (edges[i >> 1] ?? Math.round((random() - 0.5) * 150_010)),
      )
      expectEqual(forest, matrix, rowCount)
    }
  })

  it('knows exactly 65,535 and 65,536 thresholds', () => {
    for (const count of [65_535, 65_536]) {
      const forest = {
        forest: forestOf([searchTree(Float64Array.from({ length: count }, (_, i) => i))], 2),
        features: 1,
      }
      const matrix = Float32Array.of(-1, 0, 1, count - 3, count - 2, count - 1, count, 65_534, 65_535, 65_536)
      expectEqual(forest, matrix, matrix.length)
    }
  })

  it('walks a chain sixty splits deep, and one of ten thousand', () => {
    for (const depth of [60, 10_000]) {
      let tree = leaf(0, 1)
      for (let i = depth; i > 0; i--) tree = split(0, i, leaf(i / depth, 1 - i / depth), tree)
      const forest = { forest: forestOf([tree, tree], 2), features: 1 }
      // the chain turns right for values above: the other way round it goes left
      const matrix = Float32Array.from({ length: 300 }, (_, i) => (i * depth) / 299)
      expectEqual(forest, matrix, 300)
      expectEqual(forest, matrix.slice(0, 5), 5)
    }
  })

  it('answers where every tree is a single leaf, and where some are', () => {
    for (const classes of [1, 2, 3, 9]) {
      const fractions = Array.from({ length: classes }, (_, i) => (i + 1) / 10)
      const single = leaf(...fractions)
      const forests = [
        forestOf([single], classes),
        forestOf([single, single, single], classes),
        forestOf([single, split(1, 0, single, leaf(...fractions.toReversed())), single], classes),
      ]
      for (const forest of forests) {
        for (const rowCount of [1, 2, 9, 140]) {
          expectEqual({ forest, features: 3 }, rowsFor({ forest, features: 3 }, rowCount, classes), rowCount)
        }
      }
    }
  })

  it('sends a row right where a threshold is no number, as the comparison does', () => {
    const forest = { forest: forestOf([split(0, NaN, leaf(1, 0), leaf(0, 1))], 2), features: 1 }
    expectEqual(forest, Float32Array.of(-Infinity, -1, 0, 1, Infinity), 5)
  })

  it('sends a value that is no number right, as the comparison does', () => {
    const forest = {
      forest: forestOf([split(0, 1e308, leaf(1, 0), split(0, Infinity, leaf(0, 1), leaf(0.5, 0.5)))], 2),
    }
    // NaN has a sign, which must not count
    for (const bits of [0x7fc00000, -0x400000]) {
      for (const rowCount of [1, 4, 140]) {
        const matrix = new Float32Array(new Int32Array(rowCount).fill(bits).buffer)
        expect(matrix[0]).toBeNaN()
        expectEqual({ ...forest, features: 1 }, matrix, rowCount)
      }
    }
  })

  it('adds in tree order, where another order would round otherwise', () => {
    const trees = [0.1, 0.2, 0.3].map((x) => leaf(x, 1 - x))
    const sum = 0.1 + 0.2 + 0.3
    expect(sum).not.toBe(0.3 + 0.2 + 0.1)
    const forest = { forest: forestOf(trees, 2), features: 1 }
    expect(answer(forest, Float32Array.of(0), 1)[0]).toBe(sum / 3)
    expect(answer(forest, new Float32Array(200), 200)[199 * 2]).toBe(sum / 3)
  })

  it('divides by the number of trees, where a reciprocal would round twice', () => {
    const trees = Array.from({ length: 49 }, () => leaf(1, 0))
    expect(49 * (1 / 49)).not.toBe(1)
    expect(answer({ forest: forestOf(trees, 2), features: 1 }, Float32Array.of(0), 1)[0]).toBe(1)
  })

  it('takes features that no tree asks for, and none at all', () => {
    const forest = forestOf([split(4, 0, leaf(1, 0), leaf(0, 1))], 2)
    expectEqual({ forest, features: 9 }, rowsFor({ forest, features: 9 }, 150, 1), 150)
    expect(answer({ forest, features: 9 }, new Float32Array(0), 0)).toHaveLength(0)
  })

  it('takes forests of hundreds of classes and of thousands of features', () => {
    const random = randomNumbers(11)
    const wide = (features: number, classes: number) => {
      const some = () => leaf(...Array.from({ length: classes }, () => random()))
      const grow = (depth: number): Tree =>
        depth === 0 ? some() : split(Math.floor(random() * features), random(), grow(depth - 1), grow(depth - 1))
      return { forest: forestOf([grow(5), grow(5)], classes), features }
    }
    // more rows than such a model's room holds at once
    for (const forest of [wide(3, 301), wide(9000, 2)]) {
      const matrix = Float32Array.from({ length: 700 * forest.features }, () => random())
      expectEqual(forest, matrix, 700)
    }
  })
})

describe('the product of a hierarchy', () => {
  const levels = [
    { branch: null, classes: ['A', 'B'] },
    { branch: 'B', classes: ['x', 'y', 'z'] },
    { branch: 'A', classes: ['p', 'q'] },
  ]
  const taxonomy = { B: ['z', 'x', 'y'], A: ['p', 'q'] }

  it('names for each leaf class its branch and its place, in output order', () => {
    expect(productColumns({ taxonomy, levels })).toEqual([
      { topColumn: 1, level: 1, column: 2 },
      { topColumn: 1, level: 1, column: 0 },
      { topColumn: 1, level: 1, column: 1 },
      { topColumn: 0, level: 2, column: 0 },
      { topColumn: 0, level: 2, column: 1 },
    ])
    expect(productColumns({ taxonomy: null, levels: [levels[0]!] })).toBeNull()
  })

  it('is the top times the branch, for all forests on the same rows', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 2, 5, 9, 150), (seed, rowCount) => {
        const random = randomNumbers(seed)
        const features = 4
        const forests = levels.map(({ classes }) => {
          const some = () => leaf(...classes.map(() => random()))
          const grow = (depth: number): Tree =>
            depth === 0 || random() < 0.2
              ? some()
              : split(Math.floor(random() * features), Math.round(random() * 8), grow(depth - 1), grow(depth - 1))
          return { forest: forestOf([grow(6), grow(6), grow(6)], classes.length), features }
        })
        const matrix = Float32Array.from({ length: rowCount * features }, () => Math.round(random() * 9))
        const trees = forests.map(({ forest }) => forest)
        const engine = engineOf(module, { forests: trees, features, hierarchy: { taxonomy, levels } })
        const [product, ...each] = engine.classify(matrix, rowCount).probabilities
        const expected = forests.map((forest) => evaluate(forest, matrix, rowCount))
        expected.forEach((values, i) => expect(differences(each[i]!, values)).toEqual([]))
        const [top, b, a] = expected as [Float64Array, Float64Array, Float64Array]
        const rows = Array.from({ length: rowCount }, (_, row) => [
          ...[2, 0, 1].map((column) => top[row * 2 + 1]! * b[row * 3 + column]!),
          ...[0, 1].map((column) => top[row * 2]! * a[row * 2 + column]!),
        ])
        expect(differences(product!, Float64Array.from(rows.flat()))).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})
