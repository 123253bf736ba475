// Arrow IPC: the file format for files, the stream format on stdout; columns are handed over as they are in memory.
import {
  AsyncByteQueue,
  type Data,
  type DataType,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
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
import { type ColumnType, type ColumnValues, type FieldNode, fieldTree } from './layouts/output-table.ts'
import type { EncoderOptions, TableEncoder } from './table-sink.ts'

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
      const children = nodes.map((node) => dataOf(node, table.columns, table.rowCount))
      const type = new Struct(schema.fields)
      const data = makeData({ type, length: table.rowCount, nullCount: 0, children })
      writer.write(new RecordBatch(schema, data))
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

function fieldOf(node: FieldNode): Field {
  if ('children' in node) return new Field(node.name, new Struct(node.children.map(fieldOf)), false)
  return new Field(node.name, typeOf(node.field.type), node.field.isNullable)
}

function typeOf(type: ColumnType): DataType {
  switch (type) {
    case 'string':
    case 'label':
      return new Utf8()
    case 'float64':
      return new Float64()
    case 'int32':
      return new Int32()
    case 'uint32':
      return new Uint32()
    case 'int64':
      return new Int64()
    case 'uint64':
      return new Uint64()
  }
}

function dataOf(node: FieldNode, columns: readonly ColumnValues[], length: number): Data {
  if (!('children' in node)) return columnOf(columns[node.column]!, length)
  const children = node.children.map((child) => dataOf(child, columns, length))
  return makeData({ type: new Struct(node.children.map(fieldOf)), length, nullCount: 0, children })
}

function columnOf(column: ColumnValues, length: number): Data {
  switch (column.type) {
    case 'string':
      return utf8Of(column.values)
    case 'label':
      return utf8OfLabels(column.labels, column.codes)
    case 'float64':
      return makeData({ type: new Float64(), length, nullCount: 0, data: column.values })
    case 'int32':
      return makeData({ type: new Int32(), length, nullCount: 0, data: column.values })
    case 'uint32':
      return makeData({ type: new Uint32(), length, nullCount: 0, data: column.values })
    case 'uint64':
      return makeData({ type: new Uint64(), length, nullCount: 0, data: column.values })
    case 'int64': {
      const { values: data, nulls } = column
      if (!nulls) return makeData({ type: new Int64(), length, nullCount: 0, data })
      return makeData({ type: new Int64(), length, nullCount: nulls.size, nullBitmap: validity(nulls, length), data })
    }
  }
}

/** A bit a row, least significant first, 0 for null. */
function validity(nulls: ReadonlySet<number>, length: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(length / 8)).fill(0xff)
  for (const row of nulls) bits[row >> 3]! &= ~(1 << (row & 7))
  return bits
}

function utf8Of(texts: readonly string[]): Data {
  const valueOffsets = new Int32Array(texts.length + 1)
  for (let row = 0; row < texts.length; row++)
    valueOffsets[row + 1] = valueOffsets[row]! + Buffer.byteLength(texts[row]!)
  const data = Buffer.allocUnsafe(valueOffsets[texts.length]!)
  for (let row = 0; row < texts.length; row++) data.write(texts[row]!, valueOffsets[row]!)
  return makeData({ type: new Utf8(), length: texts.length, nullCount: 0, valueOffsets, data })
}

function utf8OfLabels(labels: readonly string[], codes: Int32Array): Data {
  const encoded = labels.map((label) => Buffer.from(label))
  const valueOffsets = new Int32Array(codes.length + 1)
  for (let row = 0; row < codes.length; row++) valueOffsets[row + 1] = valueOffsets[row]! + encoded[codes[row]!]!.length
  const data = new Uint8Array(valueOffsets[codes.length]!)
  for (let row = 0; row < codes.length; row++) data.set(encoded[codes[row]!]!, valueOffsets[row])
  return makeData({ type: new Utf8(), length: codes.length, nullCount: 0, valueOffsets, data })
}
