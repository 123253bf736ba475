// A bundle of forests or a booster → one ONNX graph for the whole hierarchy, which answers as they do, as far as float32 can.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Writer } from 'protobufjs/minimal.js'
import { ModelError } from '../../errors.ts'
import { writeWholeFile } from '../../whole-file.ts'
import type { Forest } from '../bundle/forest.ts'
import { taxonomyOf } from '../bundle/manifest.ts'
import type { Bundle } from '../bundle/read-bundle.ts'
import type { Sum } from '../bundle/sums.ts'
import {
  attributeOf,
  elementType,
  type FreshName,
  freshNames,
  graphField,
  mlDomain,
  modelField,
  type WriteFields,
  writeFloat,
  writeInteger,
  writeMatrixValue,
  writeMessage,
  writeNode,
  writeOperatorSet,
  writeProduct,
  writeText,
} from './messages.ts'
import { writeMetadata } from './metadata.ts'

/** Raised whenever the same forests give another graph: graphs made before are then made again. */
const graphVersion = 2

/** protobuf's own limit; onnxruntime reads no more */
const mostBytes = 2 ** 31 - 1

/** What a graph is made of. */
type Graphed = Pick<Bundle, 'manifest' | 'parts' | 'forests'>

/**
 * The graph: input `features`, float32 [N, features], already preprocessed; one output for each level of the taxonomy,
 * float32 [N, classes], in its order and under its classifier_name: the product first.
 *
 * The full-size model (1.7 million nodes) is 60 MB. Written in one pass, so at most a copy or two of that is in memory.
 *
 * @throws ModelError for a model too large for an ONNX file
 */
export function graphOfForests({ manifest, parts, forests }: Graphed): Uint8Array {
  const { features, taxonomy, name, version } = manifest
  const { levels } = taxonomyOf(manifest)
  const names = levels.map(({ classifierName }) => classifierName)
  // of a model of one level the only output is its forest's; else the product comes first
  const matrices = taxonomy === null ? names : names.slice(1)
  const model = Writer.create()
  writeInteger(model, modelField.irVersion, 7)
  writeText(model, modelField.producerName, 'lcclf')
  writeOperatorSet(model, '', 13)
  writeOperatorSet(model, mlDomain, 1)
  writeMetadata(model, manifest, names)
  writeMessage(model, modelField.graph, (graph) => {
    const input = 'features'
    const fresh = freshNames(new Set([input, ...names]))
    writeText(graph, graphField.name, `${name}_${version}`)
    writeMatrixValue(graph, graphField.input, { name: input, width: features.length, type: elementType.float })
    forests.forEach((forest, index) => {
      const { sum } = parts[index]!
      const values = { forest, input, output: matrices[index]! }
      if (sum === null) writeForest(graph, values, fresh)
      else writeBooster(graph, { ...values, sum }, fresh)
    })
    if (taxonomy !== null) writeProduct(graph, { hierarchy: manifest, matrices, name: names[0]! }, fresh)
    for (const { classifierName, classes } of levels) {
      const note = `probabilities of ${classes.join(', ')}`
      const value = { name: classifierName, width: classes.length, type: elementType.float, note }
      writeMatrixValue(graph, graphField.output, value)
    }
  })
  if (model.pos <= mostBytes) return model.finish(true)
  throw new ModelError(`${name} ${version}: too large for an ONNX file, which is limited to 2 GB`, {
    hint: 'Use it as a bundle, with --engine forest.',
  })
}

/**
 * The graph of a bundle of forests: from the cache, or made and put there. The name in the cache is the bundle's sha256,
 * so a changed bundle has another; nothing is written into the bundle, which may be read-only.
 *
 * @param cacheFolder is made where it is missing; where it cannot be written, the graph is made for this run alone
 * @param again to make it even if it is there
 * @returns the path of the file, or its bytes where there is no place to keep it; and whether it was made just now
 * @throws ModelError for a model too large for an ONNX file
 */
export async function forestGraph(
  bundle: Graphed & Pick<Bundle, 'sha256'>,
  cacheFolder: string,
  { again = false } = {},
): Promise<{ graph: string | Uint8Array; isFresh: boolean }> {
  const path = join(cacheFolder, `${bundle.sha256}-graph${graphVersion}.onnx`)
  if (!again && existsSync(path)) return { graph: path, isFresh: false }
  const bytes = graphOfForests(bundle)
  try {
    await writeWholeFile(path, bytes)
  } catch {
    // no home, no room, no permission: the run does not depend on it
    return { graph: bytes, isFresh: true }
  }
  return { graph: path, isFresh: true }
}

// One forest as nodes of a graph.

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

/** Trees of a graph, the matrix that they read, and the name of what they give. */
interface GraphedTrees {
  readonly forest: Forest
  readonly input: string
  readonly output: string
}

/** Writes probabilities: the mean of the leaves' fractions, columns in the order of `forest.classes`. */
function writeForest(graph: Writer, { forest, input, output }: GraphedTrees, fresh: FreshName): void {
  const { classes, roots } = forest
  const sum = fresh(`${output}_sum`)
  const trees = fresh(`${output}_trees`)
  // sums of the coarse parts stay below 2^24 units
  const unit = 2 ** (Math.ceil(Math.log2(roots.length)) - 24)
  writeTrees(graph, { forest, input, output: sum, width: classes.length, weights: leafWeights(forest, unit) }, fresh)
  writeFloat(graph, trees, roots.length)
  writeNode(graph, { operator: 'Div', inputs: [sum, trees], outputs: [output] })
}

/** Writes probabilities: what the link makes of the sums of leaves. */
function writeBooster(graph: Writer, { forest, input, output, sum }: GraphedTrees & { sum: Sum }, fresh: FreshName) {
  const { base, targets, link } = sum
  const margins = fresh(`${output}_margins`)
  const unit = 2 ** (Math.ceil(Math.log2(largestSum(forest, sum) || 1)) - 23)
  writeTrees(
    graph,
    { forest, input, output: margins, width: base.length, weights: leafWeights(forest, unit), base, unit, targets },
    fresh,
  )
  const inputs = [margins]
  if (link.scale !== undefined) {
    const scale = fresh(`${output}_scale`)
    writeFloat(graph, scale, link.scale)
    const scaled = fresh(`${output}_scaled`)
    writeNode(graph, { operator: 'Mul', inputs: [margins, scale], outputs: [scaled] })
    inputs[0] = scaled
  }
  if (base.length > 1) {
    const isSoftmax = link.kind !== 'sigmoid'
    const attributes = isSoftmax ? [attributeOf.int('axis', 1)] : []
    writeNode(graph, { operator: isSoftmax ? 'Softmax' : 'Sigmoid', inputs, outputs: [output], attributes })
    return
  }
  const [one, first, second] = [fresh(`${output}_one`), fresh(`${output}_first`), fresh(`${output}_second`)]
  writeFloat(graph, one, 1)
  writeNode(graph, { operator: 'Sigmoid', inputs, outputs: [second] })
  writeNode(graph, { operator: 'Sub', inputs: [one, second], outputs: [first] })
  const attributes = [attributeOf.int('axis', 1)]
  writeNode(graph, { operator: 'Concat', inputs: [first, second], outputs: [output], attributes })
}

/** No margin's sum of leaves is larger, on the way to it either. */
function largestSum({ roots, feature, leaf, leaves }: Forest, { base, targets }: Sum): number {
  const sums = base.map(Math.abs)
  roots.forEach((root, tree) => {
    let largest = 0
    for (let node = root; node < (roots[tree + 1] ?? feature.length); node++) {
      if (feature[node]! < 0) largest = Math.max(largest, Math.abs(leaves[leaf[node]!]!))
    }
    sums[targets[tree]!]! += largest
  })
  return Math.max(...sums)
}

/**
 * Writes trees as a TreeEnsembleRegressor whose targets are the columns, twice. float32 has 24 bits, so each leaf value is
 * given in two parts: a multiple of 2^-k, small enough that float32 adds the trees' without rounding, and the rest. Then no
 * sum depends on the order of the trees or on threads, classes that tie in float64 still tie, and the answer is a rounding
 * or two from the true one, whatever the number of trees. Most leaves of a forest are pure and have no rest.
 *
 * (TreeEnsembleClassifier would add an output of labels and rules of its own for two classes; the newer TreeEnsemble
 * allows one weight a leaf only.)
 *
 * @param output name of the matrix of sums
 */
function writeTrees(graph: Writer, trees: WrittenTrees, fresh: FreshName): void {
  const { forest, input, output, width, base, unit } = trees
  const [both, coarse, rest] = [fresh(`${output}_both`), fresh(`${output}_coarse`), fresh(`${output}_rest`)]
  const bases = base && unit ? base.map((value) => inTwo(value, unit)) : []
  const baseValues = [...bases.map((two) => two.coarse), ...bases.map((two) => two.rest)]
  writeNode(graph, {
    operator: 'TreeEnsembleRegressor',
    domain: mlDomain,
    inputs: [input],
    outputs: [both],
    attributes: [
      attributeOf.int('n_targets', width * 2),
      attributeOf.text('aggregate_function', 'SUM'),
      attributeOf.text('post_transform', 'NONE'),
      ...(base ? [attributeOf.floats('base_values', width * 2, (index) => baseValues[index]!)] : []),
      ...nodeAttributes(forest),
      ...leafAttributes(trees),
    ],
  })
  // two outputs, two equal parts
  const split = [attributeOf.int('axis', 1)]
  writeNode(graph, { operator: 'Split', inputs: [both], outputs: [coarse, rest], attributes: split })
  writeNode(graph, { operator: 'Add', inputs: [coarse, rest], outputs: [output] })
}

function nodeAttributes({ roots, feature, threshold, left, missingLeft }: Forest): WriteFields[] {
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
    ...(missingLeft ? [attributeOf.ints('nodes_missing_value_tracks_true', count, (node) => missingLeft[node]!)] : []),
  ]
}

function treeNumbers(roots: Uint32Array, count: number): Uint32Array {
  const treeOf = new Uint32Array(count)
  roots.forEach((root, tree) => treeOf.fill(tree, root, roots[tree + 1] ?? count))
  return treeOf
}

/** What a leaf adds to which target. */
interface LeafWeight {
  readonly target: number
  readonly weight: number
}

/** Trees, and where their leaves add what. */
interface WrittenTrees extends GraphedTrees {
  /** columns of the output */
  readonly width: number
  /** of each distinct leaf: what it adds to its own columns, the coarse parts first, then as many rests */
  readonly weights: readonly (readonly LeafWeight[])[]
  /** of a booster: where each column begins, and of what its coarse parts are multiples */
  readonly base?: readonly number[]
  readonly unit?: number
  /** of a booster: the column of each tree, whose leaves have one value */
  readonly targets?: readonly number[]
}

function leafAttributes({ forest, width, weights: distributions, targets: columns }: WrittenTrees): WriteFields[] {
  const { roots, feature, leaf, classes } = forest
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
    const column = columns?.[treeOf[node]!] ?? 0
    for (const { target, weight } of distributions[leaf[node]!]!) {
      nodes[next] = node
      // a rest stands behind all coarse parts, a tree's own columns behind those before them
      targets[next] = column + (target < classes.length ? target : width + target - classes.length)
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

/** A number as a multiple of a unit, and the rest. */
function inTwo(value: number, unit: number): { coarse: number; rest: number } {
  const coarse = Math.round(value / unit) * unit
  return { coarse, rest: Math.fround(value - coarse) }
}

/** What each distinct leaf adds to which target; never nothing, because a leaf must have a weight. */
function leafWeights({ classes, leaves }: Forest, unit: number): LeafWeight[][] {
  const width = classes.length
  return Array.from({ length: leaves.length / width }, (_, row) => {
    const weights: LeafWeight[] = []
    for (let target = 0; target < width; target++) {
      const { coarse, rest } = inTwo(leaves[row * width + target]!, unit)
      if (coarse !== 0) weights.push({ target, weight: coarse })
      if (rest !== 0) weights.push({ target: width + target, weight: rest })
    }
    return weights.length > 0 ? weights : [{ target: 0, weight: 0 }]
  })
}
