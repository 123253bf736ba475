// A bundle of forests → one ONNX graph for the whole hierarchy.
import { Writer } from 'protobufjs/minimal.js'
import { ModelError } from '../../errors.ts'
import { writeForest } from './forest-nodes.ts'
import {
  elementType,
  graphField,
  mlDomain,
  modelField,
  writeInteger,
  writeMatrixValue,
  writeMessage,
  writeOperatorSet,
  writeText,
} from './messages.ts'
import { writeMetadata } from './metadata.ts'
import { freshNames, writeProduct } from './product.ts'
import type { Bundle } from '../bundle/read-bundle.ts'
import { taxonomyOf } from '../bundle/manifest.ts'

/** Raised whenever the same forests give another graph: graphs made before are then made again. */
export const graphVersion = 1

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
  const outputs = taxonomyOf(manifest).levels.map(({ classifierName, classes }) => ({
    output: classifierName,
    classes,
  }))
  const model = Writer.create()
  writeInteger(model, modelField.irVersion, 7)
  writeText(model, modelField.producerName, 'lcclf')
  writeOperatorSet(model, '', 13)
  writeOperatorSet(model, mlDomain, 1)
  writeMetadata(model, manifest, outputs)
  writeMessage(model, modelField.graph, (graph) => {
    const input = 'features'
    const fresh = freshNames(new Set([input, ...outputs.map(({ output }) => output)]))
    const names = outputs.map(({ output }) => output)
    // of a model of one level the only output is its forest's; else the product comes first
    const matrices = taxonomy === null ? names : names.slice(1)
    writeText(graph, graphField.name, `${name}_${version}`)
    writeMatrixValue(graph, graphField.input, { name: input, width: features.length, type: elementType.float })
    forests.forEach((forest, index) => writeForest(graph, { forest, input, output: matrices[index]! }, fresh))
    if (taxonomy !== null) writeProduct(graph, { hierarchy: manifest, matrices, name: names[0]! }, fresh)
    for (const { output, classes } of outputs) {
      const note = `probabilities of ${classes.join(', ')}`
      writeMatrixValue(graph, graphField.output, {
        name: output,
        width: classes.length,
        type: elementType.float,
        note,
      })
    }
  })
  if (model.pos <= mostBytes) return model.finish(true)
  throw new ModelError(`${name} ${version}: is too large for an ONNX file, which may have 2 GB`, {
    hint: 'Use it as a bundle, with --engine forest.',
  })
}
