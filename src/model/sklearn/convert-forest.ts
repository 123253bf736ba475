// scikit-learn's trees → the bundle's: breadth first, children side by side, leaves by number. Checks every node.
import { ModelError } from '../../errors.ts'
import { type Forest, isDistribution } from '../bundle/forest.ts'
import type { PickledForest, PickledTree } from './pickled-forest.ts'
import { numpySum } from './numpy-sum.ts'

/**
 * Converts a forest.
 *
 * @param onTree is told the number of trees done, now and then
 * @throws ModelError where a tree is not one: a child out of range, a node reached twice or never, a feature the model
 *   does not have, a threshold that is no number, a leaf whose fractions do not sum to 1
 */
export function convertForest(pickled: PickledForest, onTree: (done: number) => void = () => undefined): Forest {
  const { classes, nodeCount, treeCount } = pickled
  const forest: Required<Omit<Forest, 'leaves'>> = {
    classes,
    roots: new Uint32Array(treeCount),
    feature: new Int16Array(nodeCount),
    threshold: new Float64Array(nodeCount),
    left: new Uint32Array(nodeCount),
    leaf: new Uint32Array(nodeCount),
    cover: new Float64Array(nodeCount),
  }
  const leaves = new LeafTable(classes.length)
  let row = 0
  for (let index = 0; index < treeCount; index++) {
    forest.roots[index] = row
    const tree = pickled.tree(index)
    convertTree(tree, { pickled, what: `${pickled.label}: tree ${index}`, forest, leaves, row })
    row += tree.nodeCount
    if (index % 25 === 24) onTree(index + 1)
  }
  return { ...forest, leaves: leaves.toArray() }
}

interface Target {
  readonly pickled: PickledForest
  readonly what: string
  readonly forest: Required<Omit<Forest, 'leaves'>>
  readonly leaves: LeafTable
  /** where the tree begins */
  readonly row: number
}

function convertTree(tree: PickledTree, { pickled, what, forest, leaves, row }: Target): void {
  const order = breadthFirst(tree, what)
  const fractions = new Float64Array(pickled.classes.length)
  let next = 1
  for (let place = 0; place < order.length; place++) {
    const node = order[place]!
    const at = row + place
    forest.cover[at] = tree.cover[node]!
    if (tree.left[node] === -1) {
      forest.feature[at] = -1
      leafFractions(tree.values, node, { layout: pickled.valueLayout, target: fractions })
      if (!isDistribution(fractions)) {
        throw new ModelError(`${what}: the fractions of leaf ${node} do not sum to 1 (${fractions.join(', ')})`)
      }
      forest.leaf[at] = leaves.add(fractions, 0)
    } else {
      forest.feature[at] = splitFeature(tree, node, { what, featureCount: pickled.featureCount })
      forest.threshold[at] = tree.threshold[node]!
      forest.left[at] = row + next
      next += 2
    }
  }
}

function splitFeature(
  tree: PickledTree,
  node: number,
  { what, featureCount }: { what: string; featureCount: number },
): number {
  const feature = tree.feature[node]!
  if (!(feature >= 0 && feature < featureCount)) {
    throw new ModelError(`${what}: node ${node} asks for feature ${feature} of ${featureCount}`)
  }
  if (Number.isNaN(tree.threshold[node]!)) throw new ModelError(`${what}: the threshold of node ${node} is no number`)
  return feature
}

/** The nodes level by level, the children of one node side by side; every node exactly once. */
function breadthFirst({ nodeCount, left, right }: PickledTree, what: string): Uint32Array {
  const order = new Uint32Array(nodeCount)
  const isSeen = new Uint8Array(nodeCount)
  isSeen[0] = 1
  let end = 1
  for (let place = 0; place < end; place++) {
    const node = order[place]!
    const children = [left[node]!, right[node]!]
    if (children[0] === -1 && children[1] === -1) continue
    for (const child of children) {
      // in a real tree a child comes after its parent, so the root is nobody's
      if (!(child > 0 && child < nodeCount)) {
        throw new ModelError(`${what}: node ${node} has the child ${child}, outside its ${nodeCount} nodes`)
      }
      if (isSeen[child] === 1) throw new ModelError(`${what}: node ${child} is reached twice`)
      isSeen[child] = 1
      order[end++] = child
    }
  }
  if (end !== nodeCount) throw new ModelError(`${what}: ${nodeCount - end} of its ${nodeCount} nodes are never reached`)
  return order
}

// The distinct leaf distributions of a forest: most leaves share theirs with thousands of others.

/** Gives every distribution a number, the same number for the same bits, in the order of first appearance. */
export class LeafTable {
  readonly #width: number
  #rows: Float64Array
  #words: Uint32Array
  #count = 0
  /** open addressing: number + 1 of the distribution, 0 for empty */
  #slots = new Uint32Array(1024)

  constructor(width: number) {
    this.#width = width
    this.#rows = new Float64Array(width * 256)
    this.#words = new Uint32Array(this.#rows.buffer)
  }

  /** The number of the distribution at `start` of `values`. */
  add(values: Float64Array, start: number): number {
    const width = this.#width
    if ((this.#count + 1) * width > this.#rows.length) this.#grow()
    // written behind the last row, where it stays if it is new
    for (let i = 0; i < width; i++) this.#rows[this.#count * width + i] = values[start + i]!
    const mask = this.#slots.length - 1
    for (let slot = this.#hash(this.#count) & mask; ; slot = (slot + 1) & mask) {
      const known = this.#slots[slot]!
      if (known === 0) {
        this.#slots[slot] = ++this.#count
        if (this.#count * 2 > this.#slots.length) this.#rehash()
        return this.#count - 1
      }
      if (this.#isSame(known - 1, this.#count)) return known - 1
    }
  }

  /** All distributions, one after the other. */
  toArray(): Float64Array {
    return this.#rows.slice(0, this.#count * this.#width)
  }

  #isSame(a: number, b: number): boolean {
    const words = this.#width * 2
    for (let i = 0; i < words; i++) if (this.#words[a * words + i] !== this.#words[b * words + i]) return false
    return true
  }

  #hash(row: number): number {
    const words = this.#width * 2
    let hash = 0x811c9dc5
    for (let i = row * words; i < (row + 1) * words; i++)
      hash = Math.imul(hash ^ this.#words[i]!, 0x01000193) ^ (hash >>> 15)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  #grow(): void {
    const rows = new Float64Array(this.#rows.length * 2)
    rows.set(this.#rows)
    this.#rows = rows
    this.#words = new Uint32Array(rows.buffer)
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    for (let row = 0; row < this.#count; row++) {
      let slot = this.#hash(row) & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = row + 1
    }
    this.#slots = slots
  }
}

// From what `tree_.value` holds to the fractions that scikit-learn adds up.

/**
 * Writes the class fractions of one node into `target`: counts divided by their sum in float64, an all-zero row stays
 * zero (scikit-learn puts 1 for a sum of 0); fractions as they are stored, because dividing them again changes answers.
 */
export function leafFractions(
  values: Float64Array,
  node: number,
  { layout, target }: { layout: PickledForest['valueLayout']; target: Float64Array },
): void {
  const { length } = target
  const start = node * length
  const sum = layout === 'counts' ? numpySum(values, start, length) : 1
  const divisor = sum === 0 ? 1 : sum
  for (let i = 0; i < length; i++) target[i] = values[start + i]! / divisor
}
