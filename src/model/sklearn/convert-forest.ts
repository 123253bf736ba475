// scikit-learn's trees → the bundle's: breadth first, children side by side, leaves by number. Checks every node.
import { ModelError } from '../../errors.ts'
import { type CoveredForest, isDistribution } from '../bundle/forest.ts'
import { knowsMissingValues } from '../bundle/manifest.ts'
import { numpySum, type PickledForest, type PickledTree } from './pickled-forest.ts'

/**
 * Converts a forest.
 *
 * @param onTree is told the number of trees done, now and then
 * @throws ModelError where a tree is not one: a child out of range, a node reached twice or never, a feature the model
 *   does not have, a threshold that is not a number, a leaf whose fractions do not sum to 1
 */
export function convertForest(
  pickled: PickledForest,
  onTree: (done: number) => void = () => undefined,
): CoveredForest {
  const { classes, nodeCount, treeCount, sklearnVersion } = pickled
  const forest: ForestArrays = {
    classes,
    roots: new Uint32Array(treeCount),
    feature: new Int16Array(nodeCount),
    threshold: new Float64Array(nodeCount),
    left: new Uint32Array(nodeCount),
    leaf: new Uint32Array(nodeCount),
    cover: new Float64Array(nodeCount),
    // before 1.4 a forest takes no missing values, whatever its trees know
    ...(knowsMissingValues(sklearnVersion) ? { missingLeft: new Uint8Array(nodeCount) } : {}),
  }
  const leaves = createLeafTable(classes.length)
  let row = 0
  for (let index = 0; index < treeCount; index++) {
    forest.roots[index] = row
    const tree = pickled.tree(index)
    convertTree(tree, pickled, { what: `${pickled.label}: tree ${index}`, forest, leaves, row })
    row += tree.nodeCount
    if (index % 25 === 24) onTree(index + 1)
  }
  return { ...forest, leaves: leaves.toArray() }
}

type ForestArrays = Omit<CoveredForest, 'leaves'>

type LeafTable = ReturnType<typeof createLeafTable>

/** @param target `row`: where the tree begins in `forest` */
function convertTree(
  tree: PickledTree,
  pickled: PickledForest,
  target: { what: string; forest: ForestArrays; leaves: LeafTable; row: number },
): void {
  const { what, forest, leaves, row } = target
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
      forest.leaf[at] = leaves.add(fractions)
    } else {
      const feature = tree.feature[node]!
      if (!(feature >= 0 && feature < pickled.featureCount)) {
        throw new ModelError(`${what}: node ${node} asks for feature ${feature} of ${pickled.featureCount}`)
      }
      const threshold = tree.threshold[node]!
      if (Number.isNaN(threshold)) throw new ModelError(`${what}: the threshold of node ${node} is not a number`)
      forest.feature[at] = feature
      forest.threshold[at] = threshold
      forest.left[at] = row + next
      if (forest.missingLeft && tree.missingLeft) forest.missingLeft[at] = tree.missingLeft[node]!
      next += 2
    }
  }
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
