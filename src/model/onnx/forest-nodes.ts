// One forest as nodes of an ONNX graph that answer as the forest does, as far as float32 can.
import type { Writer } from 'protobufjs/minimal.js'
import type { Forest } from '../bundle/forest.ts'
import { attributeOf, mlDomain, type WriteFields, writeFloat, writeNode } from './messages.ts'
import type { FreshName } from './product.ts'

/**
 * The largest float32 that is not above a threshold: float32(x) ≤ threshold exactly where x ≤ this, so no row changes
 * sides. Beyond the range of float32 that is its largest finite value, or −∞.
 */
export function roundDownToFloat32(threshold: number): number {
  const nearest = Math.fround(threshold)
  if (!(nearest > threshold)) return nearest
  if (nearest === 0) return -(2 ** -149)
  const floats = Float32Array.of(nearest)
  const bits = new Int32Array(floats.buffer)
  bits[0]! += nearest > 0 ? -1 : 1
  return floats[0]!
}

/**
 * Writes a forest as a TreeEnsembleRegressor whose targets are the classes, twice. float32 has 24 bits, so each leaf
 * fraction is given in two parts: a multiple of 2^-k, small enough that float32 adds the trees' without rounding, and the
 * rest. Then no sum depends on the order of the trees or on threads, classes that tie in float64 still tie, and the answer
 * is a rounding or two from the true one, whatever the number of trees. Most leaves are pure and have no rest.
 *
 * (TreeEnsembleClassifier would add an output of labels and rules of its own for two classes; the newer TreeEnsemble
 * allows one weight a leaf only.)
 *
 * @param output name of the matrix of probabilities, columns in the order of `forest.classes`
 */
export function writeForest(
  graph: Writer,
  { forest, input, output }: { forest: Forest; input: string; output: string },
  fresh: FreshName,
): void {
  const { classes, roots } = forest
  const [both, coarse, rest, sum, trees] = ['both', 'coarse', 'rest', 'sum', 'trees'].map((part) =>
    fresh(`${output}_${part}`),
  ) as [string, string, string, string, string]
  writeNode(graph, {
    operator: 'TreeEnsembleRegressor',
    domain: mlDomain,
    inputs: [input],
    outputs: [both],
    attributes: [
      attributeOf.int('n_targets', classes.length * 2),
      attributeOf.text('aggregate_function', 'SUM'),
      attributeOf.text('post_transform', 'NONE'),
      ...nodeAttributes(forest),
      ...leafAttributes(forest),
    ],
  })
  // two outputs, two equal parts
  const split = [attributeOf.int('axis', 1)]
  writeNode(graph, { operator: 'Split', inputs: [both], outputs: [coarse, rest], attributes: split })
  writeNode(graph, { operator: 'Add', inputs: [coarse, rest], outputs: [sum] })
  writeFloat(graph, trees, roots.length)
  writeNode(graph, { operator: 'Div', inputs: [sum, trees], outputs: [output] })
}

function nodeAttributes({ roots, feature, threshold, left }: Forest): WriteFields[] {
  const count = feature.length
  const treeOf = treeNumbers(roots, count)
  const placeOf = (node: number) => node - roots[treeOf[node]!]!
  const isLeaf = (node: number) => feature[node]! < 0
  return [
    attributeOf.ints('nodes_treeids', count, (node) => treeOf[node]!),
    attributeOf.ints('nodes_nodeids', count, placeOf),
    attributeOf.ints('nodes_featureids', count, (node) => (isLeaf(node) ? 0 : feature[node]!)),
    attributeOf.texts('nodes_modes', count, (node) => (isLeaf(node) ? 'LEAF' : 'BRANCH_LEQ')),
    attributeOf.floats('nodes_values', count, (node) => (isLeaf(node) ? 0 : roundDownToFloat32(threshold[node]!))),
    attributeOf.ints('nodes_truenodeids', count, (node) => (isLeaf(node) ? 0 : placeOf(left[node]!))),
    attributeOf.ints('nodes_falsenodeids', count, (node) => (isLeaf(node) ? 0 : placeOf(left[node]!) + 1)),
  ]
}

function treeNumbers(roots: Uint32Array, count: number): Uint32Array {
  const treeOf = new Uint32Array(count)
  roots.forEach((root, tree) => treeOf.fill(tree, root, roots[tree + 1] ?? count))
  return treeOf
}

function leafAttributes(forest: Forest): WriteFields[] {
  const { roots, feature, leaf } = forest
  const distributions = leafWeights(forest)
  const treeOf = treeNumbers(roots, feature.length)
  let count = 0
  for (let node = 0; node < feature.length; node++) {
    if (feature[node]! < 0) count += distributions[leaf[node]!]!.length
  }
  const nodes = new Uint32Array(count)
  const targets = new Uint32Array(count)
  const weights = new Float32Array(count)
  let next = 0
  for (let node = 0; node < feature.length; node++) {
    if (feature[node]! >= 0) continue
    for (const { target, weight } of distributions[leaf[node]!]!) {
      nodes[next] = node
      targets[next] = target
      weights[next++] = weight
    }
  }
  return [
    attributeOf.ints('target_treeids', count, (index) => treeOf[nodes[index]!]!),
    attributeOf.ints('target_nodeids', count, (index) => nodes[index]! - roots[treeOf[nodes[index]!]!]!),
    attributeOf.ints('target_ids', count, (index) => targets[index]!),
    attributeOf.floats('target_weights', count, (index) => weights[index]!),
  ]
}

interface LeafWeight {
  readonly target: number
  readonly weight: number
}

/** What each distinct leaf distribution adds to which target; never nothing, because a leaf must have a weight. */
function leafWeights({ classes, roots, leaves }: Forest): LeafWeight[][] {
  const width = classes.length
  // sums of the coarse parts stay below 2^24 units
  const unit = 2 ** (Math.ceil(Math.log2(roots.length)) - 24)
  return Array.from({ length: leaves.length / width }, (_, row) => {
    const weights: LeafWeight[] = []
    for (let target = 0; target < width; target++) {
      const fraction = leaves[row * width + target]!
      const coarse = Math.round(fraction / unit) * unit
      const rest = Math.fround(fraction - coarse)
      if (coarse !== 0) weights.push({ target, weight: coarse })
      if (rest !== 0) weights.push({ target: width + target, weight: rest })
    }
    return weights.length > 0 ? weights : [{ target: 0, weight: 0 }]
  })
}
