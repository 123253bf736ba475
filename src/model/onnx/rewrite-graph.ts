// Somebody's graph → a bundle's: float32 in, one matrix of probabilities out for each level, the product first.
import { Writer } from 'protobufjs/minimal.js'
import { ModelError } from '../../errors.ts'
import { type Manifest, taxonomyOf } from '../bundle/manifest.ts'
import { isZipMap } from './classes.ts'
import { type OnnxDocument, textOf } from './document.ts'
import type { OnnxLevel } from './levels.ts'
import { elementType, graphField, modelField, writeMatrixValue, writeMessage, writeOperatorSet } from './messages.ts'
import { metadataPrefix, writeMetadata } from './metadata.ts'
import { freshNames, writeColumns, writeProduct } from './product.ts'

/** What the new graph says of itself. */
type GraphManifest = Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy' | 'features' | 'preprocessing'>

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
  const fresh = freshNames(namesIn(document))
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
  writeMetadata(
    model,
    manifest,
    outputs.map(({ classes }, index) => ({ output: names[index]!, classes })),
  )
  return model.finish()
}

/** Every value that the graph knows, and those of its constants and inputs. */
function namesIn({ nodes, constants, inputs, outputs }: OnnxDocument): Set<string> {
  return new Set([
    ...nodes.flatMap((node) => [...node.inputs, ...node.outputs]),
    ...[...constants, ...inputs, ...outputs].map(({ name }) => name),
  ])
}
