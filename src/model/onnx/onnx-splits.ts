// The thresholds of the trees in an ONNX graph: where two inputs, one bit apart, get different answers.
import type { Reader } from 'protobufjs/minimal.js'
import type { Forest } from '../bundle/forest-2.ts'
import { attributeNamed } from './classes.ts'
import { fieldsOf, readAll } from './document.ts'
import type { OnnxDocument, OnnxNode } from './document.ts'

/** What golden inputs are drawn from. */
export type Splits = Pick<Forest, 'feature' | 'threshold'>

/** The splits of every tree ensemble that asks the graph's own features; none where the model is something else. */
export function splitsOf({ nodes, inputs }: OnnxDocument): Splits[] {
  const asking = nodes.filter((node) => node.operator.startsWith('TreeEnsemble') && node.inputs[0] === inputs[0]?.name)
  return asking.map(readSplits).filter(({ feature }) => feature.length > 0)
}

function readSplits(node: OnnxNode): Splits {
  const features = numbersOf(attributeNamed(node, 'nodes_featureids'), 8, (packed) => packed.int32())
  const values = numbersOf(attributeNamed(node, 'nodes_values'), 7, (packed) => packed.float())
  // leaves ask for feature 0 and have the value 0
  const isSplit = (index: number) => (features[index] ?? 0) !== 0 || (values[index] ?? 0) !== 0
  const kept = Array.from(features.keys()).filter((index) => isSplit(index) && index < values.length)
  return {
    feature: Int16Array.from(kept, (index) => features[index]!),
    threshold: Float64Array.from(kept, (index) => values[index]!),
  }
}

/** A list of numbers, packed or one by one. */
function numbersOf(message: Uint8Array | undefined, number: number, read: (packed: Reader) => number): number[] {
  const values: number[] = []
  for (const field of message === undefined ? [] : fieldsOf(message)) {
    if (field.number !== number) continue
    // one by one, the value follows the tag, which is one byte for numbers below 16
    const content = field.content.length > 0 ? field.content : field.raw.subarray(1)
    for (const value of readAll(content, read)) values.push(value)
  }
  return values
}
