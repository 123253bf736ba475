// An ONNX file as its parts: nodes, inputs, outputs; numbers stay the bytes they are, because they can be gigabytes.
import { Reader } from 'protobufjs/minimal.js'
import { messageOf, ModelError } from '../../errors.ts'
import { elementType, graphField, modelField } from './messages.ts'
import type { GraphValue } from './runner.ts'

interface Field {
  readonly number: number
  /** the field as it lies in the file, its tag included */
  readonly raw: Uint8Array
  /** what it holds, where it is a text, a message or a packed list; else empty */
  readonly content: Uint8Array
  /** what it holds, where it is an integer */
  readonly integer: number | null
}

export interface OnnxNode {
  readonly raw: Uint8Array
  readonly operator: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** AttributeProto messages */
  readonly attributes: readonly Uint8Array[]
}

export interface OnnxDocument {
  readonly producer: { readonly name: string; readonly version: string | null }
  /** operator set → version; the operators of ONNX itself are under the empty name */
  readonly operatorSets: ReadonlyMap<string, number>
  readonly metadata: ReadonlyMap<string, string>
  readonly nodes: readonly OnnxNode[]
  /** TensorProto messages */
  readonly constants: readonly { readonly name: string; readonly content: Uint8Array }[]
  /** without those that are constants */
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  /** fields of the model but its graph */
  readonly modelFields: readonly Field[]
  /** fields of the graph but its nodes and outputs */
  readonly graphFields: readonly Field[]
}

/**
 * Reads an ONNX file, without running or believing anything in it.
 *
 * @param where the file, for messages
 * @throws ModelError for a file that is not an ONNX file, or a damaged one
 */
export function readDocument(bytes: Uint8Array, where: string): OnnxDocument {
  try {
    const document = readModel(bytes)
    if (document) return document
  } catch (cause) {
    throw new ModelError(`${where}: not a whole ONNX file`, { cause })
  }
  throw new ModelError(`${where}: not an ONNX file (it holds no graph)`)
}

function readModel(bytes: Uint8Array): OnnxDocument | null {
  const modelFields = [...fieldsOf(bytes)]
  const said = (number: number) => modelFields.filter((field) => field.number === number).map(({ content }) => content)
  const [graph, ...others] = said(modelField.graph)
  if (!graph || others.length > 0) return null
  const graphFields = [...fieldsOf(graph)]
  const contents = (number: number) => graphFields.filter((field) => field.number === number)
  const constants = contents(graphField.initializer).map(({ content }) => ({ name: textOf(content, 8), content }))
  const names = new Set(constants.map(({ name }) => name))
  return {
    producer: {
      name: textIn(modelFields, modelField.producerName),
      version: textIn(modelFields, modelField.producerVersion) || null,
    },
    operatorSets: new Map(said(modelField.opsetImport).map((pair) => [textOf(pair, 1), integerOf(pair, 2)])),
    metadata: new Map(said(modelField.metadata).map((pair) => [textOf(pair, 1), textOf(pair, 2)])),
    nodes: contents(graphField.node).map(readNode),
    constants,
    // before IR version 4 every constant was an input too
    inputs: contents(graphField.input)
      .map(({ content }) => readValue(content))
      .filter(({ name }) => !names.has(name)),
    outputs: contents(graphField.output).map(({ content }) => readValue(content)),
    modelFields: modelFields.filter(({ number }) => number !== modelField.graph),
    graphFields: graphFields.filter(({ number }) => number !== graphField.node && number !== graphField.output),
  }
}

/**
 * The fields of a message, one after the other, so that a search can stop at what it looks for.
 *
 * @throws ModelError where the bytes are not a message
 */
function fieldsOf(message: Uint8Array): Generator<Field> {
  return readAll(message, (reader) => {
    const start = reader.pos
    const tag = reader.uint32()
    const number = tag >>> 3
    let content: Uint8Array = nothing
    let integer: number | null = null
    if ((tag & 7) === 2) {
      const length = reader.uint32()
      reader.skip(length)
      content = message.subarray(reader.pos - length, reader.pos)
    } else if ((tag & 7) === 0) {
      integer = Number(reader.int64())
    } else {
      reader.skipType(tag & 7, 0, number)
    }
    return { number, raw: message.subarray(start, reader.pos), content, integer }
  })
}

const nothing = new Uint8Array(0)

/**
 * Values that stand one after the other to the end.
 *
 * @throws ModelError where the last is cut off
 */
function* readAll<Value>(content: Uint8Array, read: (reader: Reader) => Value): Generator<Value> {
  // the plain reader: that of Buffers copies
  const reader = new Reader(content)
  while (reader.pos < reader.len) {
    let value: Value
    try {
      value = read(reader)
    } catch (cause) {
      throw new ModelError(`the ONNX file is damaged (${messageOf(cause)})`, { cause })
    }
    yield value
  }
}

const decoder = new TextDecoder()
export const decodeText = (content: Uint8Array): string => decoder.decode(content)

/** The first text under a number; empty where there is none. */
export function textOf(message: Uint8Array, number: number): string {
  for (const field of fieldsOf(message)) if (field.number === number) return decodeText(field.content)
  return ''
}

/** The first integer under a number; 0 where there is none. */
export function integerOf(message: Uint8Array, number: number): number {
  for (const field of fieldsOf(message)) if (field.number === number) return field.integer ?? 0
  return 0
}

function textIn(fields: readonly Field[], number: number): string {
  const field = fields.find((candidate) => candidate.number === number)
  return field ? decodeText(field.content) : ''
}

function readNode({ raw, content }: Field): OnnxNode {
  const fields = [...fieldsOf(content)]
  const contents = (number: number) => fields.filter((field) => field.number === number).map((field) => field.content)
  return {
    raw,
    operator: textIn(fields, 4),
    domain: textIn(fields, 7),
    inputs: contents(1).map(decodeText),
    outputs: contents(2).map(decodeText),
    attributes: contents(5),
  }
}

function readValue(message: Uint8Array): GraphValue {
  const name = textOf(message, 1)
  const [kind] = contentsOf(message, 2).flatMap((type) => [...fieldsOf(type)])
  if (kind?.number !== 1) return { name, type: kind?.number === 4 ? 'sequence' : 'no tensor', shape: null }
  const element = integerOf(kind.content, 1)
  const [shape] = contentsOf(kind.content, 2)
  const type = element === elementType.float ? 'float32' : element === elementType.double ? 'float64' : 'other tensor'
  return { name, type, shape: shape ? readShape(shape) : null }
}

function readShape(message: Uint8Array): (number | string)[] {
  return contentsOf(message, 1).map((dimension) => {
    const [field] = fieldsOf(dimension)
    if (field?.number === 1 && (field.integer ?? 0) > 0) return field.integer!
    // 0 and −1 are how some writers say that any number may stand here
    return field?.number === 2 ? decodeText(field.content) : ''
  })
}

/** Every text, message or list under a number. */
export function contentsOf(message: Uint8Array, number: number): Uint8Array[] {
  return [...fieldsOf(message)].filter((field) => field.number === number).map(({ content }) => content)
}

export function attributeNamed(node: OnnxNode, name: string): Uint8Array | undefined {
  return node.attributes.find((attribute) => textOf(attribute, 1) === name)
}

/** A list of numbers, packed or one by one. */
export function numbersOf<Value>(
  message: Uint8Array | undefined,
  number: number,
  read: (packed: Reader) => Value,
): Value[] {
  if (message === undefined) return []
  return [...fieldsOf(message)]
    .filter((field) => field.number === number)
    .flatMap(({ content, raw }) => {
      // one by one, the value follows the tag, which is one byte for numbers below 16
      const values = content.length > 0 ? content : raw.subarray(1)
      return [...readAll(values, read)]
    })
}
