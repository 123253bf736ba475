// Parquet: ZSTD, row groups of about 20,000 rows gathered across batches.
import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer'
import { loadZstd } from '../../formats/compression.ts'
import {
  type ColumnType,
  type ColumnValues,
  type EncoderOptions,
  type FieldNode,
  fieldTree,
  listsOf,
  type OutputTable,
  type TableEncoder,
} from './table-sink.ts'

const rowsPerGroup = 20_000
// structs pass through an object a row: a fifth of the rows takes the same memory
const nestedRowsPerGroup = 10_000
// keeps a model of hundreds of classes within the memory of the survey's own: 20,000 rows × 38 columns
const cellsPerGroup = 800_000
// probabilities gain nothing from a higher one
const zstdLevel = 1

export async function createParquetEncoder({ fields, facts, write }: EncoderOptions): Promise<TableEncoder> {
  const nodes = fieldTree(fields)
  const bytes = new StreamedBytes(write)
  const zstd = await loadZstd()
  const file = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'schema', num_children: nodes.length }, ...nodes.flatMap(schemaElements)],
    codec: 'ZSTD',
    compressors: { ZSTD: (page) => zstd.compress(page, zstdLevel) },
    kvMetadata: [...facts].map(([key, value]) => ({ key, value })),
    createdBy: 'lcclf',
  })
  const most = nodes.some((node) => 'children' in node) ? nestedRowsPerGroup : rowsPerGroup
  const target = Math.max(1000, Math.min(most, Math.floor(cellsPerGroup / fields.length)))
  let gathered: OutputTable[] = []
  let rowCount = 0

  async function writeGroup(): Promise<void> {
    if (rowCount === 0) return
    const columns = fields.map((_, c) => columnData(gathered.map((table) => table.columns[c]!)))
    const group = { columnData: nodes.map((node) => columnSource(node, columns, rowCount)), rowGroupSize: rowCount }
    gathered = []
    rowCount = 0
    await file.write(group)
  }

  return {
    async add(table) {
      gathered.push(table)
      rowCount += table.rowCount
      if (rowCount >= target) await writeGroup()
    },
    async end() {
      await writeGroup()
      await file.finish()
      await bytes.flush()
    },
  }
}

/** The writer's buffer; the library calls `flush` after each row group. */
class StreamedBytes extends ByteWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    super(1 << 20)
    this.#write = write
  }

  async flush(): Promise<void> {
    await this.#write(this.getBytes())
    this.index = 0
  }
}

function schemaElements(node: FieldNode): SchemaElement[] {
  if ('children' in node)
    return [
      { name: node.name, repetition_type: 'REQUIRED', num_children: node.children.length },
      ...node.children.flatMap(schemaElements),
    ]
  const { type, isNullable } = node.field
  if (type === 'labels')
    return [
      { name: node.name, repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'REQUIRED', ...leafElements.label },
    ]
  return [{ name: node.name, repetition_type: isNullable ? 'OPTIONAL' : 'REQUIRED', ...leafElements[type] }]
}

/** The leaves of the schema as hyparquet-writer takes them. */
const leafElements: Readonly<Record<Exclude<ColumnType, 'labels'>, Omit<SchemaElement, 'name' | 'repetition_type'>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  label: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  float64: { type: 'DOUBLE' },
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  // the converted type alone: hyparquet-writer 0.17 writes the logical type's bit width as an i32 where an i8 belongs,
  // and pyarrow then cannot read the file at all
  uint32: { type: 'INT32', converted_type: 'UINT_32' },
  uint64: { type: 'INT64', converted_type: 'UINT_64' },
}

type Data = ColumnSource['data']

/** One column of several tables, as the library takes it. */
function columnData(parts: readonly ColumnValues[]): Data {
  if (parts[0]?.type === 'float64') {
    return joinedDoubles(parts.flatMap((part) => (part.type === 'float64' ? [part.values] : [])))
  }
  return parts.flatMap((part): unknown[] => {
    switch (part.type) {
      case 'label':
        return Array.from(part.codes, (code) => part.labels[code])
      case 'labels':
        return listsOf(part)
      case 'int64':
        return Array.from(part.values, (value, row) => (part.nulls?.has(row) ? null : value))
      case 'string':
      case 'float64':
      case 'int32':
      case 'uint32':
      case 'uint64':
        return Array.from<unknown>(part.values)
    }
  })
}

function joinedDoubles(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function columnSource(node: FieldNode, columns: readonly Data[], rowCount: number): ColumnSource {
  const { name } = node
  if ('children' in node) return { name, data: structs(node.children, columns, rowCount), encoding: 'PLAIN' }
  const data = columns[node.column]!
  // ids repeat in the long layout only: the library sees for itself
  if (node.field.type === 'string') return { name, data }
  // numbers never have a dictionary: the library's takes 0 and −0 for one value
  return { name, data, encoding: node.field.type === 'label' ? 'RLE_DICTIONARY' : 'PLAIN' }
}

/** The library takes a struct as one object a row. */
function structs(nodes: readonly FieldNode[], columns: readonly Data[], rowCount: number): object[] {
  const children = nodes.map((node): readonly [string, ArrayLike<unknown>] => [
    node.name,
    'children' in node ? structs(node.children, columns, rowCount) : columns[node.column]!,
  ])
  return Array.from({ length: rowCount }, (_, row) =>
    Object.fromEntries(children.map(([name, values]) => [name, values[row]])),
  )
}
