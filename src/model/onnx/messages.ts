// Writes the parts of an ONNX file as protocol buffers: nodes, values, constants, and the product over the branches.
import type { Writer } from 'protobufjs/minimal.js'
import type { Hierarchy } from '../bundle/forest.ts'

export type WriteFields = (writer: Writer) => void

// the numbers of onnx-ml.proto
const node = { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 } as const
const attribute = { name: 1, int: 3, text: 4, floats: 7, ints: 8, texts: 9, type: 20 } as const
const attributeType = { int: 2, text: 3, floats: 6, ints: 7, texts: 8 } as const
const tensor = { dims: 1, dataType: 2, floats: 4, longs: 7, name: 8 } as const
/** Fields of GraphProto. */
export const graphField = { node: 1, name: 2, initializer: 5, input: 11, output: 12, valueInfo: 13 } as const
/** Fields of ModelProto. */
export const modelField = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
  functions: 25,
} as const
/** Values of TensorProto.DataType. */
export const elementType = { float: 1, int64: 7, string: 8, double: 11 } as const

/** What `ai.onnx.ml` is called in a node and in the list of operator sets. */
export const mlDomain = 'ai.onnx.ml'

export function writeMessage(writer: Writer, field: number, fields: WriteFields): void {
  writer.uint32((field << 3) | 2).fork()
  fields(writer)
  writer.ldelim()
}

export function writeText(writer: Writer, field: number, value: string): void {
  writer.uint32((field << 3) | 2).string(value)
}

/** One integer field; `value` is safe and not below 0. */
export function writeInteger(writer: Writer, field: number, value: number): void {
  writer.uint32(field << 3).uint64(value)
}

/** A node as a field of a graph; without a domain it is an operator of ONNX itself. */
export function writeNode(
  graph: Writer,
  content: {
    operator: string
    domain?: string
    inputs: readonly string[]
    outputs: readonly string[]
    attributes?: readonly WriteFields[]
  },
): void {
  const { operator, domain, inputs, outputs, attributes = [] } = content
  writeMessage(graph, graphField.node, (writer) => {
    for (const name of inputs) writeText(writer, node.input, name)
    for (const name of outputs) writeText(writer, node.output, name)
    writeText(writer, node.opType, operator)
    for (const fields of attributes) writeMessage(writer, node.attribute, fields)
    if (domain) writeText(writer, node.domain, domain)
  })
}

/** Attributes of a node, each written when its turn comes: those of a large forest are never in memory together. */
export const attributeOf = {
  int: (name: string, value: number): WriteFields =>
    named(name, attributeType.int, (writer) => writeInteger(writer, attribute.int, value)),
  text: (name: string, value: string): WriteFields =>
    named(name, attributeType.text, (writer) => writeText(writer, attribute.text, value)),
  /** @param valueAt not below 0, below 2^32 */
  ints: (name: string, count: number, valueAt: (index: number) => number): WriteFields =>
    named(name, attributeType.ints, (writer) => {
      writeMessage(writer, attribute.ints, (packed) => {
        for (let i = 0; i < count; i++) packed.uint32(valueAt(i))
      })
    }),
  floats: (name: string, count: number, valueAt: (index: number) => number): WriteFields =>
    named(name, attributeType.floats, (writer) => {
      writeMessage(writer, attribute.floats, (packed) => {
        for (let i = 0; i < count; i++) packed.float(valueAt(i))
      })
    }),
  texts: (name: string, count: number, valueAt: (index: number) => string): WriteFields =>
    named(name, attributeType.texts, (writer) => {
      for (let i = 0; i < count; i++) writeText(writer, attribute.texts, valueAt(i))
    }),
} as const

function named(name: string, type: number, value: WriteFields): WriteFields {
  return (writer) => {
    writeText(writer, attribute.name, name)
    value(writer)
    writeInteger(writer, attribute.type, type)
  }
}

/** A constant list as a field of a graph. */
function writeTensor(
  graph: Writer,
  name: string,
  { type, length, values }: { type: number; length: number; values: WriteFields },
): void {
  writeMessage(graph, graphField.initializer, (writer) => {
    writeInteger(writer, tensor.dims, length)
    writeInteger(writer, tensor.dataType, type)
    writeMessage(writer, type === elementType.float ? tensor.floats : tensor.longs, values)
    writeText(writer, tensor.name, name)
  })
}

/** A constant of one float32 as a field of a graph. */
export function writeFloat(graph: Writer, name: string, value: number): void {
  writeTensor(graph, name, { type: elementType.float, length: 1, values: (packed) => void packed.float(value) })
}

/** An input or output of a graph: any number of rows, `width` columns. */
export function writeMatrixValue(
  graph: Writer,
  field: number,
  { name, width, type, note }: { name: string; width: number; type: number; note?: string },
): void {
  writeMessage(graph, field, (writer) => {
    writeText(writer, 1, name)
    writeMessage(writer, 2, (valueType) => {
      writeMessage(valueType, 1, (matrix) => {
        writeInteger(matrix, 1, type)
        writeMessage(matrix, 2, (shape) => {
          writeMessage(shape, 1, (rows) => writeText(rows, 2, 'N'))
          writeMessage(shape, 1, (columns) => writeInteger(columns, 1, width))
        })
      })
    })
    if (note !== undefined) writeText(writer, 3, note)
  })
}

/** One operator set that the graph uses, as a field of a model. */
export function writeOperatorSet(model: Writer, domain: string, version: number): void {
  writeMessage(model, modelField.opsetImport, (writer) => {
    writeText(writer, 1, domain)
    writeInteger(writer, 2, version)
  })
}

// The last nodes of a graph: columns in output order, and the product.

export type FreshName = ReturnType<typeof freshNames>

/**
 * Gives names that no other value of a graph has.
 *
 * @param taken the names that are in the graph already; the fresh ones are added
 */
export function freshNames(taken: Set<string>) {
  return (wanted: string): string => {
    let name = wanted
    for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`
    taken.add(name)
    return name
  }
}

/** Some columns of a matrix in another order; returns the name of the new matrix. */
export function writeColumns(
  graph: Writer,
  { matrix, columns, name }: { matrix: string; columns: readonly number[]; name: string },
  fresh: FreshName,
): string {
  const indices = fresh(`${name}_columns`)
  writeTensor(graph, indices, {
    type: elementType.int64,
    length: columns.length,
    values: (packed) => columns.forEach((column) => packed.uint64(column)),
  })
  const attributes = [attributeOf.int('axis', 1)]
  writeNode(graph, { operator: 'Gather', inputs: [matrix, indices], outputs: [name], attributes })
  return name
}

/**
 * P(class) = P_top(branch) × P_branch(class) over all leaf classes, in output order.
 *
 * @param matrices the names of the levels' probabilities, the top first, columns as in `hierarchy.levels`
 * @param name of the product
 */
export function writeProduct(
  graph: Writer,
  { hierarchy, matrices, name }: { hierarchy: Hierarchy; matrices: readonly string[]; name: string },
  fresh: FreshName,
): void {
  const [top, ...branches] = hierarchy.levels
  const parts = branches.map(({ branch, classes }, index) => {
    const wanted = hierarchy.taxonomy?.[branch!] ?? []
    const ofBranch = { matrix: matrices[0]!, columns: [top!.classes.indexOf(branch!)], name: fresh(`${name}_branch`) }
    const columns = wanted.map((class_) => classes.indexOf(class_))
    const ofClasses = { matrix: matrices[index + 1]!, columns, name: fresh(`${name}_classes`) }
    const part = fresh(`${name}_part`)
    const inputs = [writeColumns(graph, ofBranch, fresh), writeColumns(graph, ofClasses, fresh)]
    writeNode(graph, { operator: 'Mul', inputs, outputs: [part] })
    return part
  })
  const { productClasses } = hierarchy
  const joined = productClasses ? fresh(`${name}_joined`) : name
  writeNode(graph, { operator: 'Concat', inputs: parts, outputs: [joined], attributes: [attributeOf.int('axis', 1)] })
  if (!productClasses) return
  const there = branches.flatMap(({ branch }) => hierarchy.taxonomy?.[branch!] ?? [])
  writeColumns(graph, { matrix: joined, columns: productClasses.map((class_) => there.indexOf(class_)), name }, fresh)
}
