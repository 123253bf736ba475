// Arrow IPC: the file format for files, the stream format on stdout; columns are handed over as they are in memory.
import {
  AsyncByteQueue,
  Data,
  type DataType,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  type TypeMap,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow'
import {
  type ColumnType,
  type ColumnValues,
  type EncoderOptions,
  type FieldNode,
  fieldTree,
  listsOf,
  type TableEncoder,
} from './table-sink.ts'

/** @param form `file` ends with an index of its batches; `stream` can be read while it is written */
export function createArrowEncoder({ fields, facts, write }: EncoderOptions, form: 'file' | 'stream'): TableEncoder {
  const nodes = fieldTree(fields)
  const schema = new Schema(nodes.map(fieldOf), new Map(facts))
  const bytes = new CollectedBytes()
  const writer = form === 'file' ? new RecordBatchFileWriter<TypeMap>() : new RecordBatchStreamWriter<TypeMap>()
  // begun with the schema, so that an output of no rows has one too
  writer.reset(bytes, schema)

  return {
    async add(table) {
      writer.write(new RecordBatch(schema, structOf(nodes, table.columns, table.rowCount)))
      await write(bytes.take())
    },
    async end() {
      writer.finish()
      await write(bytes.take())
    },
  }
}

/** Keeps what the writer writes until it is taken; the library's own queue cannot say when it is empty. */
class CollectedBytes extends AsyncByteQueue {
  #chunks: Uint8Array[] = []

  override write(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
  }

  take(): Uint8Array {
    const chunks = this.#chunks
    this.#chunks = []
    return Buffer.concat(chunks)
  }
}

const types: Readonly<Record<ColumnType, () => DataType>> = {
  string: () => new Utf8(),
  label: () => new Utf8(),
  labels: () => new List(new Field('item', new Utf8(), false)),
  float64: () => new Float64(),
  int32: () => new Int32(),
  uint32: () => new Uint32(),
  int64: () => new Int64(),
  uint64: () => new Uint64(),
}

function fieldOf(node: FieldNode): Field {
  if ('children' in node) return new Field(node.name, new Struct(node.children.map(fieldOf)), false)
  return new Field(node.name, types[node.field.type](), node.field.isNullable)
}

function structOf(nodes: readonly FieldNode[], columns: readonly ColumnValues[], length: number): Data<Struct> {
  const children = nodes.map((node) =>
    'children' in node ? structOf(node.children, columns, length) : columnOf(columns[node.column]!, length),
  )
  return new Data(new Struct(nodes.map(fieldOf)), 0, length, 0, undefined, children)
}

/** The library's buffers in its order: offsets, values, validity. */
function columnOf(column: ColumnValues, length: number): Data {
  const type = types[column.type]()
  switch (column.type) {
    case 'string':
      return new Data(type, 0, length, 0, textsOf(column.values))
    case 'label':
      return new Data(type, 0, length, 0, labelsOf(column.labels, column.codes))
    case 'labels':
      return new Data(type, 0, length, 0, [listOffsets(column, length)], [itemsOf(column)])
    case 'int64':
      if (!column.nulls) return new Data(type, 0, length, 0, [undefined, column.values])
      return new Data(type, 0, length, column.nulls.size, [undefined, column.values, validity(column.nulls, length)])
    case 'float64':
    case 'int32':
    case 'uint32':
    case 'uint64':
      return new Data(type, 0, length, 0, [undefined, column.values])
  }
}

/** Where the list of each row begins among all items, and where the last one ends. */
function listOffsets({ labels, members }: Extract<ColumnValues, { type: 'labels' }>, length: number): Int32Array {
  const offsets = new Int32Array(length + 1)
  members.forEach((is, cell) => (offsets[Math.floor(cell / labels.length) + 1]! += is))
  for (let row = 0; row < length; row++) offsets[row + 1]! += offsets[row]!
  return offsets
}

function itemsOf(column: Extract<ColumnValues, { type: 'labels' }>): Data {
  const items = listsOf(column).flat()
  return new Data(new Utf8(), 0, items.length, 0, textsOf(items))
}

/** A bit a row, least significant first, 0 for null. */
function validity(nulls: ReadonlySet<number>, length: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(length / 8)).fill(0xff)
  for (const row of nulls) bits[row >> 3]! &= ~(1 << (row & 7))
  return bits
}

function textsOf(texts: readonly string[]): [Int32Array, Uint8Array] {
  const offsets = new Int32Array(texts.length + 1)
  for (let row = 0; row < texts.length; row++) offsets[row + 1] = offsets[row]! + Buffer.byteLength(texts[row]!)
  const bytes = Buffer.allocUnsafe(offsets[texts.length]!)
  for (let row = 0; row < texts.length; row++) bytes.write(texts[row]!, offsets[row]!)
  return [offsets, bytes]
}

function labelsOf(labels: readonly string[], codes: Int32Array): [Int32Array, Uint8Array] {
  const encoded = labels.map((label) => Buffer.from(label))
  const offsets = new Int32Array(codes.length + 1)
  for (let row = 0; row < codes.length; row++) offsets[row + 1] = offsets[row]! + encoded[codes[row]!]!.length
  const bytes = new Uint8Array(offsets[codes.length]!)
  for (let row = 0; row < codes.length; row++) bytes.set(encoded[codes[row]!]!, offsets[row])
  return [offsets, bytes]
}
