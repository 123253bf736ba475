// A bundle of forests → one ONNX graph for the whole hierarchy, which answers as they do, as far as float32 can.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Writer } from 'protobufjs/minimal.js'
import { ModelError } from '../../errors.ts'
import { writeWholeFile } from '../../whole-file.ts'
import type { Forest } from '../bundle/forest.ts'
import { taxonomyOf } from '../bundle/manifest.ts'
import type { Bundle } from '../bundle/read-bundle.ts'
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
const graphVersion = 1

/** protobuf's own limit; onnxruntime reads no more */
const mostBytes = 2 ** 31 - 1

/**
 * The graph: input `features`, float32 [N, features], already preprocessed; one output for each level of the taxonomy,
 * float32 [N, classes], in its order and under its classifier_name: the product first.
 *
 * The full-size model (1.7 million nodes) is 60 MB. Written in one pass, so at most a copy or two of that is in memory.
 *
 * @throws ModelError for a model too large for an ONNX file
 */
export function graphOfForests({ manifest, forests }: Pick<Bundle, 'manifest' | 'forests'>): Uint8Array {
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
    forests.forEach((forest, index) => writeForest(graph, { forest, input, output: matrices[index]! }, fresh))
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
  bundle: Pick<Bundle, 'manifest' | 'forests' | 'sha256'>,
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
function writeForest(
  graph: Writer,
  { forest, input, output }: { forest: Forest; input: string; output: string },
  fresh: FreshName,
): void {
  const { classes, roots } = forest
  const part = (name: string) => fresh(`${output}_${name}`)
  const [both, coarse, rest, sum, trees] = [part('both'), part('coarse'), part('rest'), part('sum'), part('trees')]
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

/** What each distinct leaf distribution adds to which target; never nothing, because a leaf must have a weight. */
function leafWeights({ classes, roots, leaves }: Forest): { target: number; weight: number }[][] {
  const width = classes.length
  // sums of the coarse parts stay below 2^24 units
  const unit = 2 ** (Math.ceil(Math.log2(roots.length)) - 24)
  return Array.from({ length: leaves.length / width }, (_, row) => {
    const weights: { target: number; weight: number }[] = []
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
