// How strange an object is to a model: how few training samples share the leaves that it falls into, and how little its class is sure.
import { firstMaximum } from '../../pipeline/batch.ts'
import { log } from './exact-math.ts'
import type { CoveredForest, Forest } from './forest.ts'
import type { Part } from './parts.ts'

/**
 * What a leaf adds to the emptiness of where an object falls, before the mean over the trees: ln(samples of the tree ÷ samples
 * of the leaf), as a share of the same of the forest's smallest leaf. So 0 is a tree of one leaf, and 1 the smallest leaf.
 *
 * @returns asks for a leaf and the root of its tree
 */
export function leafEmptiness({ roots, feature, cover }: CoveredForest): (leaf: number, root: number) => number {
  const largest = largestRatio(roots, feature, cover)
  const scale = largest === 1 ? 1 : log(largest)
  // weights are sums, and those of a leaf may be above its root's by a rounding
  return (leaf, root) => Math.min(1, Math.max(0, log(cover[root]! / cover[leaf]!) / scale))
}

/** Of a tree's samples to those of a leaf, in any tree. */
function largestRatio(roots: Uint32Array, feature: Int16Array, cover: Float64Array): number {
  let largest = 1
  for (let tree = 0; tree < roots.length; tree++) {
    const root = roots[tree]!
    const end = roots[tree + 1] ?? feature.length
    let smallest = Infinity
    for (let node = root; node < end; node++) {
      if (feature[node]! < 0 && cover[node]! < smallest) smallest = cover[node]!
    }
    largest = Math.max(largest, cover[root]! / smallest)
  }
  return largest
}

const emptinessColumn = 'emptiness'

/**
 * The forest with one column more in each leaf, its emptiness, as if it were a class: the engine then finds the mean in the same
 * walk, and the sums of the classes are what they are without. A distribution is there once for each value beside it.
 */
export function withEmptiness({ cover, ...forest }: CoveredForest): Forest {
  const { classes, roots, feature, leaf: distributionOf, leaves } = forest
  const emptinessOf = leafEmptiness({ ...forest, cover })
  const numbers = numberedPairs()
  const leaf = new Uint32Array(new SharedArrayBuffer(distributionOf.length * 4))
  const values: number[] = []
  let known = 0
  for (let tree = 0; tree < roots.length; tree++) {
    const root = roots[tree]!
    const end = roots[tree + 1] ?? feature.length
    for (let node = root; node < end; node++) {
      if (feature[node]! >= 0) continue
      const distribution = distributionOf[node]!
      const number = numbers.numberOf(distribution, cover[root]! / cover[node]!)
      leaf[node] = number
      if (number < known) continue
      known++
      for (let i = 0; i < classes.length; i++) values.push(leaves[distribution * classes.length + i]!)
      values.push(emptinessOf(node, root))
    }
  }
  return { ...forest, classes: [...classes, emptinessColumn], leaf, leaves: sharedNumbers(values) }
}

function sharedNumbers(values: readonly number[]): Float64Array {
  const shared = new Float64Array(new SharedArrayBuffer(values.length * 8))
  shared.set(values)
  return shared
}

/**
 * Numbers pairs from 0 as they come; a pair that was there has its number. There are a million leaves and a thousand pairs: a
 * table of arrays, small enough for the cache, is many times as fast as a Map.
 */
function numberedPairs() {
  let mask = 0x3fff
  let table = new Uint32Array(mask + 1)
  let firsts = new Uint32Array(mask + 1)
  let seconds = new Float64Array(mask + 1)
  let count = 0
  const bits = new Float64Array(1)
  const words = new Uint32Array(bits.buffer)

  /** Where a pair is, or is to be. */
  function placeOf(first: number, second: number): number {
    bits[0] = second
    const mixed = Math.imul(first ^ Math.imul(words[0]! ^ words[1]!, 0x9e3779b1), 0x85ebca6b)
    let place = (mixed ^ (mixed >>> 15)) & mask
    for (;;) {
      const number = table[place]!
      if (number === 0 || (firsts[number - 1] === first && seconds[number - 1] === second)) return place
      place = (place + 1) & mask
    }
  }

  function grow(): void {
    mask = mask * 2 + 1
    table = new Uint32Array(mask + 1)
    const [oldFirsts, oldSeconds] = [firsts, seconds]
    firsts = new Uint32Array(mask + 1)
    seconds = new Float64Array(mask + 1)
    firsts.set(oldFirsts)
    seconds.set(oldSeconds)
    for (let number = 0; number < count; number++) table[placeOf(firsts[number]!, seconds[number]!)] = number + 1
  }

  return {
    numberOf(first: number, second: number): number {
      const place = placeOf(first, second)
      if (table[place] !== 0) return table[place]! - 1
      firsts[count] = first
      seconds[count] = second
      table[place] = ++count
      if (2 * count > mask) grow()
      return count - 1
    },
  }
}

/**
 * Takes the emptiness out of what the parts say, which have it as their last column.
 *
 * @param said of each part, rowCount × (classes + 1), row-major
 * @returns `said` without, and the `emptiness` of each part, one number a row
 */
export function separateEmptiness(said: readonly Float64Array<ArrayBuffer>[], rowCount: number) {
  const emptiness: Float64Array[] = []
  const others = said.map((own) => {
    const width = rowCount === 0 ? 1 : own.length / rowCount
    const values = new Float64Array(rowCount * (width - 1))
    const last = new Float64Array(rowCount)
    for (let row = 0, from = 0, into = 0; row < rowCount; row++) {
      for (let i = 1; i < width; i++) values[into++] = own[from++]!
      last[row] = own[from++]!
    }
    emptiness.push(last)
    return values
  })
  return { said: others, emptiness }
}

/**
 * How strange rows are: the emptiness of each level's forest, the mean of its parts, and, as if it were one level more, what
 * the most probable class lacks of 1; of these the mean.
 *
 * @param emptiness of each part, one number a row
 * @param product rows × leaf classes, row-major
 * @returns one number a row, 0 to 1
 */
export function noveltyOf(
  parts: readonly Pick<Part, 'level'>[],
  emptiness: readonly Float64Array[],
  product: Float64Array,
): Float64Array<ArrayBuffer> {
  const numbers = [...new Set(parts.map(({ level }) => level))]
  const levels = numbers.map((level) => [...parts.keys()].filter((index) => parts[index]!.level === level))
  const rowCount = emptiness[0]!.length
  const width = product.length / rowCount
  const novelty = new Float64Array(rowCount)
  for (let row = 0; row < rowCount; row++) {
    let sum = 1 - product[row * width + firstMaximum(product, row * width, width)]!
    for (const indices of levels) {
      sum += indices.reduce((part, index) => part + emptiness[index]![row]!, 0) / indices.length
    }
    novelty[row] = sum / (levels.length + 1)
  }
  return novelty
}
