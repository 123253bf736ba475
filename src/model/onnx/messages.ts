// Writes the messages of an ONNX file: nodes, values and constants as protocol buffers.
import type { Writer } from 'protobufjs/minimal.js'

/** Writes the fields of one message. */
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

/** One message as a field of another. */
export function writeMessage(writer: Writer, field: number, fields: WriteFields): void {
  writer.uint32((field << 3) | 2).fork()
  fields(writer)
  writer.ldelim()
}

/** One text field. */
export function writeText(writer: Writer, field: number, value: string): void {
  writer.uint32((field << 3) | 2).string(value)
}

/** One integer field; `value` is safe and not below 0. */
export function writeInteger(writer: Writer, field: number, value: number): void {
  writer.uint32(field << 3).uint64(value)
}

/** An operator of a graph. */
interface NodeText {
  readonly operator: string
  /** empty for the operators of ONNX itself */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: readonly WriteFields[]
}

/** A node as a field of a graph. */
export function writeNode(graph: Writer, { operator, domain, inputs, outputs, attributes = [] }: NodeText): void {
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
  int: (name: string, value: number): WriteFields => {
    return named(name, attributeType.int, (writer) => writeInteger(writer, attribute.int, value))
  },
  text: (name: string, value: string): WriteFields => {
    return named(name, attributeType.text, (writer) => writeText(writer, attribute.text, value))
  },
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

/** A constant list of int64 as a field of a graph. */
export function writeIntegers(graph: Writer, name: string, values: readonly number[]): void {
  writeMessage(graph, graphField.initializer, (writer) => {
    writeInteger(writer, tensor.dims, values.length)
    writeInteger(writer, tensor.dataType, elementType.int64)
    writeMessage(writer, tensor.longs, (packed) => {
      for (const value of values) packed.uint64(value)
    })
    writeText(writer, tensor.name, name)
  })
}

/** A constant of one float32 as a field of a graph. */
export function writeFloat(graph: Writer, name: string, value: number): void {
  writeMessage(graph, graphField.initializer, (writer) => {
    writeInteger(writer, tensor.dims, 1)
    writeInteger(writer, tensor.dataType, elementType.float)
    writeMessage(writer, tensor.floats, (packed) => {
      packed.float(value)
    })
    writeText(writer, tensor.name, name)
  })
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

/** Something said about the model, as a field of it. */
export function writeMetadataEntry(model: Writer, key: string, value: string): void {
  writeMessage(model, modelField.metadata, (writer) => {
    writeText(writer, 1, key)
    writeText(writer, 2, value)
  })
}
