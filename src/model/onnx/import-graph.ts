// From somebody's ONNX file to a bundle: the graph is rewritten to float32 in, one matrix of probabilities out a level.
import { basename } from 'node:path'
import { Writer } from 'protobufjs/minimal.js'
import { alercePreprocessing, type Preprocessing } from '../../pipeline/preprocess.ts'
import { ModelError, UsageError } from '../../errors.ts'
import { identityOf, taxonomyOf } from '../bundle/manifest.ts'
import { readDigested } from '../bundle/read-bundle.ts'
import { checkBundlePlace, type ImportedModel, type ImportOptions, writeBundle } from '../bundle/write-bundle.ts'
import { type OnnxDocument, readDocument, textOf } from './document.ts'
import { makeOnnxGolden, splitsOf } from './golden.ts'
import { findOnnxLevels, isZipMap, type OnnxLevel, type OnnxTaxonomy } from './levels.ts'
import {
  elementType,
  freshNames,
  graphField,
  modelField,
  writeColumns,
  writeMatrixValue,
  writeMessage,
  writeOperatorSet,
  writeProduct,
} from './messages.ts'
import { type GraphManifest, metadataPrefix, readMetadata, writeMetadata } from './metadata.ts'
import { openOnnxRunner } from './runner.ts'

/** What to import, and where to. */
export interface OnnxImportOptions extends ImportOptions {
  /** the ONNX file */
  readonly source: string
  /** names of the features in the order of the columns; may be missing for a graph that lcclf exported */
  readonly features?: readonly string[] | undefined
  readonly taxonomy?: OnnxTaxonomy | undefined
  /** what happens to a feature before the graph sees it; the survey's rules by default */
  readonly preprocessing?: Preprocessing
  /** what becomes of a missing value, in place of what these rules say */
  readonly missing?: number | undefined
  /** in place of what the graph says, or of the usual */
  readonly classifierName?: string | undefined
}

/**
 * Imports an ONNX classifier: float32 [rows, features] in, probabilities out, with or without skl2onnx's ZipMap. What its
 * outputs and columns mean: see `findOnnxLevels`.
 *
 * @throws ModelError for a file that is not an ONNX classifier, and where the golden answers are not reproduced within 1e-6;
 *   UsageError for an `out` that exists, an impossible taxonomy, or names that are needed; ServiceError where the bundle
 *   cannot be written, or there is no onnxruntime for this machine
 */
export async function importOnnx(options: OnnxImportOptions): Promise<ImportedModel> {
  const { source, name, version, onProgress } = options
  identityOf(name, version, options.classifierName)
  await checkBundlePlace(options)
  const label = basename(source)
  const { bytes, digest } = await readDigested(source, {
    onBytes: (done, total) => onProgress?.({ step: `read ${label}`, done, total }),
  })
  const document = readDocument(bytes, label)
  const known = readMetadata(document, label)
  const found = findOnnxLevels(document, options.taxonomy, label)
  const { classifierName = known.classifierName, missing } = options
  const rules = options.preprocessing ?? known.preprocessing ?? alercePreprocessing
  // a taxonomy that was asked for has an order of its own
  const isKnownOrder = options.taxonomy === undefined && found.taxonomy !== null
  const productClasses = isKnownOrder ? known.productClasses : undefined
  const content = {
    ...identityOf(name, version, classifierName),
    formatVersion: formatOf({ ...rules, missing: missing ?? rules.missing }, productClasses),
    kind: 'onnx' as const,
    taxonomy: found.taxonomy,
    ...(productClasses ? { productClasses } : {}),
    levels: found.levels.map(({ name: level, branch, classes }) => ({
      name: level,
      branch,
      classes,
      trees: 0,
      nodes: 0,
    })),
    features: chooseFeatures(document, options.features ?? known.features, label),
    preprocessing: missing === undefined ? rules : { ...rules, missing },
    trainedBy: { library: `ONNX by ${document.producer.name || 'unknown'}`, version: document.producer.version },
  }
  const graph = rewriteGraph(document, { manifest: content, levels: found.levels }, label)
  onProgress?.({ step: 'golden answers', done: 0, total: 1 })
  const runner = await openOnnxRunner(graph, { threads: 1, label })
  try {
    const { features, preprocessing } = content
    const model = { features, preprocessing, taxonomy: taxonomyOf(content), splits: splitsOf(document), label }
    const proof = await makeOnnxGolden(runner, model, options.goldenDir)
    const manifest = { ...content, origin: [digest] }
    return await writeBundle({ manifest, forests: [], graph, proof }, options, found.warnings)
  } finally {
    await runner.close()
  }
}

/** The first format has no order of its own for the product, and three numbers for rules. */
function formatOf(rules: Preprocessing, productClasses: unknown): 1 | 2 {
  const areThree = Number.isFinite(rules.missing) && Number.isFinite(rules.hugeAbove) && Object.keys(rules).length === 3
  return areThree && productClasses === undefined ? 1 : 2
}

function chooseFeatures(
  { inputs }: OnnxDocument,
  names: readonly string[] | null | undefined,
  label: string,
): readonly string[] {
  const columns = inputs.length === 1 ? inputs[0]!.shape?.[1] : undefined
  const hint = 'Give the names in the order of training with --features FILE (a JSON list).'
  if (!names) {
    const count = typeof columns === 'number' ? `its ${columns} features are` : 'its features are'
    throw new UsageError(`${label}: does not say what ${count} called`, { hint })
  }
  if (new Set(names).size !== names.length) throw new ModelError('the list of features names one twice')
  if (typeof columns === 'number' && columns !== names.length) {
    throw new ModelError(`${label}: takes ${columns} features, the list has ${names.length} names`, { hint })
  }
  return names
}

/**
 * Rewrites a graph: every ZipMap is cut off (onnxruntime-node cannot return its maps), labels and other outputs are
 * dropped, columns are put in output order, and for a hierarchy the product is computed from the levels, whatever the graph
 * called by that name. All else stays as it lies in the file, byte for byte.
 *
 * @param levels in the order of `manifest.levels`
 * @throws ModelError where the weights are in other files
 */
export function rewriteGraph(
  document: OnnxDocument,
  { manifest, levels }: { manifest: GraphManifest; levels: readonly OnnxLevel[] },
  where: string,
): Uint8Array {
  const { nodes, constants, modelFields, graphFields, operatorSets } = document
  if (constants.some(({ content }) => textOf(content, 13) !== '')) {
    throw new ModelError(`${where}: its weights are in another file`, {
      hint: 'Save the model in one file: onnx.save_model(model, path, save_as_external_data=False).',
    })
  }
  const { levels: outputs } = taxonomyOf(manifest)
  const values = [...constants, ...document.inputs, ...document.outputs].map(({ name }) => name)
  const fresh = freshNames(new Set([...nodes.flatMap((node) => [...node.inputs, ...node.outputs]), ...values]))
  const names: string[] = []
  const model = Writer.create()
  writeMessage(model, modelField.graph, (graph) => {
    for (const { raw } of graphFields) graph.raw(raw)
    for (const node of nodes) if (!isZipMap(node)) graph.raw(node.raw)
    const matrices = levels.map(({ matrix, columns }, index) => {
      if (columns === null) return matrix
      const { classifierName } = outputs[outputs.length - levels.length + index]!
      return writeColumns(graph, { matrix, columns, name: fresh(classifierName) }, fresh)
    })
    if (manifest.taxonomy !== null) {
      const name = fresh(manifest.classifierName)
      writeProduct(graph, { hierarchy: manifest, matrices, name }, fresh)
      names.push(name)
    }
    names.push(...matrices)
    outputs.forEach(({ classes }, index) => {
      const type = levels.some((level) => level.type === 'float64') ? elementType.double : elementType.float
      writeMatrixValue(graph, graphField.output, { name: names[index]!, width: classes.length, type })
    })
  })
  for (const { number, content, raw } of modelFields) {
    // what it said of itself may no longer be true
    if (number !== modelField.metadata || !textOf(content, 1).startsWith(metadataPrefix)) model.raw(raw)
  }
  if (!operatorSets.has('')) writeOperatorSet(model, '', 13)
  writeMetadata(model, manifest, names)
  return model.finish()
}
