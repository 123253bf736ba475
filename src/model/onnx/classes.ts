// What an ONNX graph says of its classes: the names of the columns of a matrix of probabilities.
import { contentsOf, decodeText, fieldsOf, integerOf, readAll, textOf } from './document.ts'
import type { OnnxDocument, OnnxNode } from './document.ts'
import { elementType, mlDomain } from './messages.ts'

/** Names of columns, in their order. */
export interface ColumnNames {
  readonly names: readonly string[]
  /** whether the model was trained on numbers, so that these are no names of classes */
  readonly areNumbers: boolean
}

const labelAttributes = ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints']
/** operators that leave columns where they are */
const passing = new Set(['Identity', 'Cast', 'Normalizer', 'Reshape', 'Softmax', 'Sigmoid', 'Clip', 'Dropout'])

/**
 * The names of a matrix's columns: the labels of the ZipMap that reads it or of the classifier that made it, or, as
 * scikit-learn's converter writes most classifiers, the constant that the label is taken from.
 *
 * @returns null where the graph does not say
 */
export function columnNamesOf(document: OnnxDocument, matrix: string): ColumnNames | null {
  const { nodes } = document
  const reader = nodes.find((node) => isZipMap(node) && node.inputs[0] === matrix)
  const maker = makerOf(nodes, matrix)
  return (reader && labelsOf(reader)) ?? (maker && labelsOf(maker)) ?? labelConstant(document)
}

/** skl2onnx's last node: a matrix → a list of maps, one a row, which onnxruntime-node cannot return. */
export function isZipMap({ operator, domain }: OnnxNode): boolean {
  return operator === 'ZipMap' && domain === mlDomain
}

function makerOf(nodes: readonly OnnxNode[], matrix: string): OnnxNode | undefined {
  let value: string | undefined = matrix
  // a graph has no cycles, but a file may say so
  for (let steps = 0; steps <= nodes.length; steps++) {
    const maker = nodes.find(({ outputs }) => outputs.includes(value!))
    if (!maker || !passing.has(maker.operator)) return maker
    value = maker.inputs[0]
  }
  return undefined
}

function labelsOf(node: OnnxNode): ColumnNames | null {
  if (node.domain !== mlDomain) return null
  for (const name of labelAttributes) {
    const attribute = attributeNamed(node, name)
    if (attribute === undefined) continue
    const texts = contentsOf(attribute, 9).map(decodeText)
    if (texts.length > 0) return { names: texts, areNumbers: false }
    const numbers = integersOf(attribute, 8)
    if (numbers.length > 0) return { names: numbers, areNumbers: true }
  }
  return null
}

/** An attribute of a node by its name. */
export function attributeNamed(node: OnnxNode, name: string): Uint8Array | undefined {
  return node.attributes.find((attribute) => textOf(attribute, 1) === name)
}

/** A list of integers, packed or one by one; as texts, because int64 is wider than a number. */
function integersOf(message: Uint8Array, number: number): string[] {
  const values: string[] = []
  for (const field of fieldsOf(message)) {
    if (field.number !== number) continue
    if (field.integer !== null) values.push(String(field.integer))
    for (const value of readAll(field.content, (packed) => packed.int64().toString())) values.push(value)
  }
  return values
}

/** The classes that the label is looked up in, where there is exactly one such list. */
function labelConstant({ nodes, constants }: OnnxDocument): ColumnNames | null {
  const extracted = nodes.filter(({ operator }) => operator === 'ArrayFeatureExtractor').map(({ inputs }) => inputs[0])
  const lists = constants
    .filter(({ name }) => extracted.includes(name))
    .map(({ content }) => constantLabels(content))
    .filter((labels) => labels !== null)
  return lists.length === 1 ? lists[0]! : null
}

function constantLabels(tensor: Uint8Array): ColumnNames | null {
  const type = integerOf(tensor, 2)
  if (type === elementType.string) return { names: contentsOf(tensor, 6).map(decodeText), areNumbers: false }
  if (type !== elementType.int64) return null
  const [raw] = contentsOf(tensor, 9)
  if (raw === undefined || raw.length === 0) return { names: integersOf(tensor, 7), areNumbers: true }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length - (raw.length % 8))
  const names = Array.from({ length: view.byteLength / 8 }, (_, i) => String(view.getBigInt64(i * 8, true)))
  return { names, areNumbers: true }
}
