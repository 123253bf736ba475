// Forests of any shape with thresholds that hurt, and the plainest way to evaluate them.
import * as fc from 'fast-check'
import type { Forest } from '../../../src/model/bundle/forest.ts'

/** A forest and the number of features its rows have. */
export interface RandomForest {
  readonly forest: Forest
  readonly features: number
}

interface Leaf {
  readonly fractions: readonly number[]
}

interface Split {
  readonly feature: number
  readonly threshold: number
  readonly left: Tree
  readonly right: Tree
}

export type Tree = Leaf | Split

const f32 = Math.fround
const tiny = 2 ** -149

/** The float32 beside x, in the direction of `to`. */
function besideFloat32(x: number, to: -1 | 1): number {
  const float = new Float32Array([x === 0 ? 0 : x])
  const bits = new Int32Array(float.buffer)
  if (float[0] === 0) return to * tiny
  bits[0]! += float[0]! > 0 === to > 0 ? 1 : -1
  return float[0]!
}

/** Numbers around which float32 and float64 disagree, signs flip and exponents end. */
export const landmarks = [
  0,
  -0,
  1,
  -1,
  0.1,
  -0.1,
  -999,
  1e32,
  3.5,
  f32(0.1),
  tiny,
  -tiny,
  tiny / 2,
  -tiny / 2,
  1e-300,
  -1e-300,
  2 ** -126,
  f32(2 ** -126 * 0.999),
  3.4028234663852886e38,
  -3.4028234663852886e38,
  3.4028235e38,
  -3.4028235e38,
  3.5e38,
  -3.5e38,
  16777216,
  16777217,
  1e308,
  -1e308,
]

/** A threshold: a landmark, a float64 a little beside one, or one of few so that many nodes share it. */
const threshold: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(...landmarks),
  fc.tuple(fc.constantFrom(...landmarks), fc.constantFrom(1 - 2 ** -53, 1 + 2 ** -52)).map(([x, factor]) => x * factor),
  fc.constantFrom(...landmarks).map((x) => besideFloat32(x, 1)),
  fc.integer({ min: -20, max: 20 }).map((i) => i / 8),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

/** A feature: always a float32, often on a threshold or one ulp beside it. */
export const feature: fc.Arbitrary<number> = fc
  .oneof(
    threshold,
    threshold.map((x) => besideFloat32(f32(x), 1)),
    threshold.map((x) => besideFloat32(f32(x), -1)),
  )
  .map(f32)

const fraction = fc.oneof(fc.constantFrom(0, 1, 1 / 3, 2 / 3, 0.1, 1 / 7), fc.double({ min: 0, max: 1, noNaN: true }))

/** A tree of up to `depth` splits below each other. */
function tree(features: number, classes: number, depth: number): fc.Arbitrary<Tree> {
  const leaf = fc.array(fraction, { minLength: classes, maxLength: classes }).map((fractions): Tree => ({ fractions }))
  return fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: depth, depthSize: 'large' },
      leaf,
      fc.record({
        feature: fc.integer({ min: 0, max: features - 1 }),
        threshold,
        left: tie('tree'),
        right: tie('tree'),
      }),
    ),
  })).tree
}

/** Forests of 1 to 7 classes, 1 to 6 features, 1 to 7 trees. */
export const randomForest: fc.Arbitrary<RandomForest> = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 6 }))
  .chain(([classes, features]) =>
    fc
      .array(tree(features, classes, 9), { minLength: 1, maxLength: 7 })
      .map((trees) => ({ forest: forestOf(trees, classes), features })),
  )

/** Trees in the layout of a bundle: breadth-first, siblings adjacent, distinct leaf distributions. */
export function forestOf(trees: readonly Tree[], classes: number): Forest {
  const nodes: Tree[] = []
  const left: number[] = []
  const roots: number[] = []
  const leaf: number[] = []
  const distributions = new Map<string, number>()
  const leaves: number[] = []
  for (const root of trees) {
    const start = nodes.length
    roots.push(start)
    nodes.push(root)
    for (let i = start; i < nodes.length; i++) {
      const node = nodes[i]!
      left.push('left' in node ? nodes.length : 0)
      if ('left' in node) nodes.push(node.left, node.right)
      leaf.push('left' in node ? 0 : numberOf(node))
    }
  }
  function numberOf({ fractions }: Leaf): number {
    const key = fractions.join()
    const known = distributions.get(key)
    if (known !== undefined) return known
    leaves.push(...fractions)
    distributions.set(key, distributions.size)
    return distributions.size - 1
  }
  return {
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    roots: Uint32Array.from(roots),
    feature: Int16Array.from(nodes, (node) => ('left' in node ? node.feature : -1)),
    threshold: Float64Array.from(nodes, (node) => ('left' in node ? node.threshold : 0)),
    left: Uint32Array.from(left),
    leaf: Uint32Array.from(leaf),
    leaves: Float64Array.from(leaves),
  }
}

/** What scikit-learn does, word for word: every tree's fractions added in order, one division at the end. */
export function evaluate({ forest, features }: RandomForest, matrix: Float32Array, rowCount: number): Float64Array {
  const { classes, roots, feature: asked, threshold: thresholds, left, leaf, leaves } = forest
  const width = classes.length
  const probabilities = new Float64Array(rowCount * width)
  for (let row = 0; row < rowCount; row++) {
    for (const root of roots) {
      let node = root
      while (asked[node] !== -1) {
        const goesLeft = matrix[row * features + asked[node]!]! <= thresholds[node]!
        node = goesLeft ? left[node]! : left[node]! + 1
      }
      for (let i = 0; i < width; i++) probabilities[row * width + i]! += leaves[leaf[node]! * width + i]!
    }
    for (let i = 0; i < width; i++) probabilities[row * width + i]! /= roots.length
  }
  return probabilities
}

/** Rows of features with a fixed seed's randomness, drawn from the forest's own thresholds and their neighbours. */
export function rowsFor({ forest, features }: RandomForest, rowCount: number, seed: number): Float32Array<ArrayBuffer> {
  const random = randomNumbers(seed)
  const pool = [0, -0, 1, -1, ...forest.threshold.filter((_, node) => forest.feature[node] !== -1)]
  return Float32Array.from({ length: rowCount * features }, () => {
    const value = f32(pool[Math.floor(random() * pool.length)]!)
    const near = Math.floor(random() * 3)
    const finite = Math.abs(value) === Infinity ? Math.sign(value) * 3.4028234663852886e38 : value
    return near === 0 ? finite : besideFloat32(finite, near === 1 ? 1 : -1)
  })
}

/** mulberry32: the same numbers for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
