// A library's trees → the bundle's: breadth first, children side by side, leaves by number. Checks every node.
import { ModelError } from '../../errors.ts'
import { type CoveredForest, isDistribution } from '../bundle/forest.ts'
import { numpySum } from '../bundle/numpy-sum.ts'

/** A tree as its file has it, in the file's own node order; the root is node 0. −1 in `left` and `right` marks a leaf. */
export interface SourceTree {
  readonly nodeCount: number
  readonly left: ArrayLike<number>
  readonly right: ArrayLike<number>
  readonly feature: ArrayLike<number>
  /** what is not above it goes left */
  readonly threshold: Float64Array
  /** 1 where a missing value goes left; null where missing values never come here */
  readonly missingLeft: ArrayLike<number> | null
  /** weight of the training samples that reached each node */
  readonly cover: ArrayLike<number>
  /** nodeCount × the columns of a leaf */
  readonly values: Float64Array
}

/** The trees of one forest, read one at a time. */
export interface SourceForest<T extends SourceTree = SourceTree> {
  /** the file's name, for messages */
  readonly label: string
  /** names of the columns of a leaf: classes, or one margin */
  readonly classes: readonly string[]
  readonly featureCount: number
  readonly treeCount: number
  /** of all trees together */
  readonly nodeCount: number
  tree(index: number): T
  /**
   * 'margins': leaves add up. Counts or fractions: up to scikit-learn 1.3 `tree_.value` holds counts and a leaf's fractions
   * are its row divided by the row's sum; from 1.4 on it holds the fractions themselves, which are never divided.
   */
  readonly valueLayout: 'counts' | 'fractions' | 'margins'
}

/**
 * Converts a forest.
 *
 * @param source its trees together have no more nodes than its file can hold: the caller has seen to that
 * @param onTree is told the number of trees done, now and then
 * @throws ModelError where a tree is not one: a child out of range, a node reached twice or never, a feature the model
 *   does not have, a threshold that is not a number, a leaf whose fractions do not sum to 1 or whose margin
 *   is not finite
 */
export function convertForest(source: SourceForest, onTree: (done: number) => void = () => undefined): CoveredForest {
  const { classes, nodeCount, treeCount } = source
  const forest: BareForest = {
    classes,
    roots: new Uint32Array(treeCount),
    feature: new Int16Array(nodeCount),
    threshold: new Float64Array(nodeCount),
    left: new Uint32Array(nodeCount),
    leaf: new Uint32Array(nodeCount),
    missingLeft: new Uint8Array(nodeCount),
    cover: new Float64Array(nodeCount),
  }
  const leaves = createLeafTable(classes.length)
  let row = 0
  for (let index = 0; index < treeCount; index++) {
    forest.roots[index] = row
    const tree = source.tree(index)
    convertTree(tree, source, { what: `${source.label}: tree ${index}`, forest, leaves, row })
    row += tree.nodeCount
    if (index % 25 === 24) onTree(index + 1)
  }
  const { missingLeft, ...rest } = forest
  const answer = { ...rest, leaves: leaves.toArray() }
  return missingLeft.includes(1) ? { ...answer, missingLeft } : answer
}

/** The same forest where missing values never reach its trees. */
export function withoutMissingRule(forest: CoveredForest): CoveredForest {
  const { classes, roots, feature, threshold, left, leaf, leaves, cover } = forest
  return { classes, roots, feature, threshold, left, leaf, leaves, cover }
}

type BareForest = Omit<CoveredForest, 'leaves'> & { readonly missingLeft: Uint8Array }
type LeafTable = ReturnType<typeof createLeafTable>

/** @param target `row`: where the tree begins in `forest` */
function convertTree(
  tree: SourceTree,
  source: SourceForest,
  target: { what: string; forest: BareForest; leaves: LeafTable; row: number },
): void {
  const { what, forest, leaves, row } = target
  const order = breadthFirst(tree, what)
  const values = new Float64Array(source.classes.length)
  let next = 1
  for (let place = 0; place < order.length; place++) {
    const node = order[place]!
    const at = row + place
    forest.cover[at] = tree.cover[node]!
    if (tree.left[node] === -1) {
      forest.feature[at] = -1
      leafValues(tree.values, node, { layout: source.valueLayout, target: values })
      checkLeaf(values, source.valueLayout, `${what}: leaf ${node}`)
      forest.leaf[at] = leaves.add(values)
    } else {
      const feature = tree.feature[node]!
      if (!(feature >= 0 && feature < source.featureCount)) {
        throw new ModelError(`${what}: node ${node} asks for feature ${feature} of ${source.featureCount}`)
      }
      const threshold = tree.threshold[node]!
      if (Number.isNaN(threshold)) throw new ModelError(`${what}: the threshold of node ${node} is not a number`)
      forest.feature[at] = feature
      forest.threshold[at] = threshold
      forest.left[at] = row + next
      forest.missingLeft[at] = tree.missingLeft?.[node] === 1 ? 1 : 0
      next += 2
    }
  }
}

function checkLeaf(values: Float64Array, layout: SourceForest['valueLayout'], what: string): void {
  if (layout === 'margins') {
    if (values.every(Number.isFinite)) return
    throw new ModelError(`${what} adds ${values.join(', ')}, which is no finite number`)
  }
  if (!isDistribution(values)) throw new ModelError(`${what}: its fractions do not sum to 1 (${values.join(', ')})`)
}

/** The nodes level by level, the children of one node side by side; every node exactly once. */
function breadthFirst({ nodeCount, left, right }: SourceTree, what: string): Uint32Array {
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

/** Gives every leaf distribution a number, the same number for the same bits, in the order of first appearance. */
export function createLeafTable(width: number) {
  // most leaves share theirs with thousands of others
  const numbers = new Map<string, number>()
  return {
    add(fractions: Float64Array): number {
      // bits, not values: 0 and −0 are two
      const key = Buffer.from(fractions.buffer, fractions.byteOffset, fractions.byteLength).toString('latin1')
      let number = numbers.get(key)
      if (number === undefined) numbers.set(key, (number = numbers.size))
      return number
    },
    /** All distributions, one after the other. */
    toArray(): Float64Array {
      const bytes = Buffer.allocUnsafeSlow(numbers.size * width * 8)
      for (const [key, number] of numbers) bytes.write(key, number * width * 8, 'latin1')
      return new Float64Array(bytes.buffer)
    },
  }
}

// From what `tree_.value` holds to what scikit-learn adds up.

/**
 * Writes the values of one leaf into `target`. Counts are divided by their sum in float64, an all-zero row stays zero
 * (scikit-learn puts 1 for a sum of 0); fractions are as they are stored, because dividing them again changes answers.
 */
export function leafValues(
  values: Float64Array,
  node: number,
  { layout, target }: { layout: SourceForest['valueLayout']; target: Float64Array },
): void {
  const { length } = target
  const start = node * length
  const sum = layout === 'counts' ? numpySum(values, start, length) : 1
  const divisor = sum === 0 ? 1 : sum
  for (let i = 0; i < length; i++) target[i] = values[start + i]! / divisor
}
