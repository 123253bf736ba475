// scikit-learn's trees → the bundle's: breadth first, children side by side, leaves by number. Checks every node.
import { ModelError } from '../../errors.ts'
import type { Forest } from '../bundle/forest-2.ts'
import { isDistribution, leafFractions } from './leaf-fractions.ts'
import { LeafTable } from './leaf-table.ts'
import type { PickledForest, PickledTree } from './pickled-forest.ts'

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
