// The trees of an XGBoost booster: x < threshold goes left, in float32; each tree has a leaf value in place of a threshold.
import { ModelError } from '../../errors.ts'
import type { SourceForest, SourceTree } from '../sklearn/convert-forest.ts'
import { Members } from './booster-members.ts'

/** A tree with its thresholds as they are in the file. */
export interface XgboostTree extends SourceTree {
  readonly missingLeft: ArrayLike<number>
}

/**
 * Reads trees.
 *
 * @returns `source` as the file has them, `converted` with thresholds that say x <= threshold
 * @throws ModelError for what is not a tree, and for categorical splits and leaves of several values
 */
export function readTrees(
  documents: readonly unknown[],
  { label, featureCount, count }: { label: string; featureCount: number; count: number },
): { source: SourceForest<XgboostTree>; converted: SourceForest } {
  if (documents.length < count)
    throw new ModelError(`${label}: has ${documents.length} trees, where ${count} are needed`)
  const trees = documents.slice(0, count).map((tree, index) => readTree(tree, `${label}: tree ${index}`))
  const source = {
    label,
    classes: ['margin'],
    featureCount,
    treeCount: count,
    nodeCount: trees.reduce((sum, { nodeCount }) => sum + nodeCount, 0),
    valueLayout: 'margins' as const,
    tree: (index: number) => trees[index]!,
  }
  return { source, converted: { ...source, tree: (index) => withThresholds(trees[index]!) } }
}

function readTree(document: unknown, what: string): XgboostTree {
  const members = new Members(document, what)
  const parameters = members.object('tree_param')
  const nodeCount = parameters.count('num_nodes')
  if (members.numbers('left_children').length !== nodeCount || nodeCount === 0) {
    throw new ModelError(`${what}: its number of nodes is not ${nodeCount}`)
  }
  if (parameters.get('size_leaf_vector') !== undefined && parameters.count('size_leaf_vector') > 1) {
    throw unsupported(what, 'leaves of several values')
  }
  const kinds = members.get('split_type') === undefined ? [] : Array.from(members.numbers('split_type', nodeCount))
  const categorical = members.get('categories_nodes') === undefined ? [] : members.numbers('categories_nodes')
  if (kinds.some((kind) => kind !== 0) || categorical.length > 0) throw unsupported(what, 'categorical splits')
  const conditions = Float64Array.from(members.numbers('split_conditions', nodeCount), Math.fround)
  if (conditions.includes(-Infinity)) {
    throw new ModelError(`${what} has a threshold of -Infinity, which a bundle cannot hold exactly`)
  }
  const tree = {
    nodeCount,
    left: members.numbers('left_children', nodeCount),
    right: members.numbers('right_children', nodeCount),
    feature: members.numbers('split_indices', nodeCount),
    threshold: conditions,
    missingLeft: members.numbers('default_left', nodeCount),
    cover: members.numbers('sum_hessian', nodeCount),
    values: conditions,
  }
  const deleted = parameters.get('num_deleted') === undefined ? 0 : parameters.count('num_deleted')
  return deleted === 0 ? tree : withoutDeleted(tree, what)
}

function unsupported(what: string, has: string): ModelError {
  return new ModelError(`${what} has ${has}, which a bundle cannot hold exactly`, {
    hint: 'Convert it to ONNX (onnxmltools) and import that file, or train without.',
  })
}

/** The tree without the nodes that pruning took away: they stay in the file, but nothing leads to them. */
function withoutDeleted(tree: XgboostTree, what: string): XgboostTree {
  const { nodeCount, left, right } = tree
  const places = new Map([[0, 0]])
  const kept = [0]
  for (let place = 0; place < kept.length; place++) {
    const node = kept[place]!
    if (left[node] === -1) continue
    for (const child of [left[node]!, right[node]!]) {
      if (!(child > 0 && child < nodeCount) || places.has(child)) {
        throw new ModelError(`${what}: node ${node} has the child ${child}, which is no node of its own`)
      }
      places.set(child, kept.length)
      kept.push(child)
    }
  }
  const pick = (list: ArrayLike<number>) => Float64Array.from(kept, (node) => list[node]!)
  const childrenOf = (list: ArrayLike<number>) => Int32Array.from(kept, (node) => places.get(list[node]!) ?? -1)
  const conditions = pick(tree.threshold)
  return {
    nodeCount: kept.length,
    left: childrenOf(left),
    right: childrenOf(right),
    feature: pick(tree.feature),
    threshold: conditions,
    missingLeft: pick(tree.missingLeft),
    cover: pick(tree.cover),
    values: conditions,
  }
}

function withThresholds(tree: XgboostTree): SourceTree {
  return {
    ...tree,
    threshold: tree.threshold.map(floatBelow),
    missingLeft: Uint8Array.from(tree.missingLeft, Number),
  }
}

const float = new Float32Array(1)
const floatBits = new Int32Array(float.buffer)

/** The greatest float32 below a float32: what is not above it is what is below the other. */
function floatBelow(value: number): number {
  if (value === -Infinity || Number.isNaN(value)) return value
  float[0] = value
  if (value === 0) return -(2 ** -149)
  floatBits[0]! += value > 0 ? -1 : 1
  return float[0]
}

/** XGBoost's comparison; a missing value goes where its node says. */
export function xgboostGoesLeft(
  { threshold, missingLeft }: Pick<XgboostTree, 'threshold' | 'missingLeft'>,
  node: number,
  value: number,
): boolean {
  return Number.isNaN(value) ? Boolean(missingLeft[node]) : value < threshold[node]!
}
