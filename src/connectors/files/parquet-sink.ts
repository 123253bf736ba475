// Parquet: ZSTD, row groups of about 20,000 rows gathered across batches.
import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer'
import { loadZstd } from '../../formats/compression.ts'
import { writeDoubles } from './double-columns.ts'
import {
  type ColumnType,
  type ColumnValues,
  type EncoderOptions,
  type FieldNode,
  fieldTree,
  listsOf,
  type OutputField,
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

  const doubles = nodes.flatMap((node) => ('field' in node && node.field.type === 'float64' ? [node] : []))
  const others = nodes.filter((node) => !doubles.includes(node as (typeof doubles)[number]))

  async function writeGroup(): Promise<void> {
    if (rowCount === 0) return
    const [tables, rows] = [gathered, rowCount]
    gathered = []
    rowCount = 0
    const valuesOf = (column: number) => tables.map((table) => table.columns[column]!)
    const columns = fields.map((field, c) => (isApart(field) ? [] : columnData(valuesOf(c))))
    // the library makes the row group of what it writes, and the doubles follow in it
    void file.write({ columnData: others.map((node) => columnSource(node, columns, rows)), rowGroupSize: rows })
    const group = file.row_groups.at(-1)!
    const start = bytes.offset
    const values = new Float64Array(rows)
    for (const { name, column } of doubles) {
      joinDoubles(valuesOf(column), values)
      group.columns.push(writeDoubles(bytes, name, values, (page) => zstd.compress(page, zstdLevel)))
    }
    putInOrder(group, nodes, bytes.offset - start)
    await bytes.send()
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
      await bytes.send()
    },
  }
}

/** Written by us: doubles that are not in a struct. */
function isApart({ path, type }: OutputField): boolean {
  return type === 'float64' && path.length === 1
}

/** Columns in the order of the schema, and their sizes in sum. @param added bytes written since the library summed up */
function putInOrder(group: ParquetWriter['row_groups'][number], nodes: readonly FieldNode[], added: number): void {
  const places = new Map(nodes.map(({ name }, place) => [name, place]))
  const placeOf = ({ meta_data: facts }: (typeof group.columns)[number]): number =>
    places.get(facts!.path_in_schema[0]!)!
  group.columns.sort((a, b) => placeOf(a) - placeOf(b))
  group.total_byte_size = group.columns.reduce((sum, column) => sum + column.meta_data!.total_uncompressed_size, 0n)
  group.total_compressed_size = (group.total_compressed_size ?? 0n) + BigInt(added)
}

/** The writer's buffer. */
class StreamedBytes extends ByteWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    super(1 << 20)
    this.#write = write
  }

  async send(): Promise<void> {
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

function joinDoubles(parts: readonly ColumnValues[], into: Float64Array): void {
  let at = 0
  for (const part of parts) {
    if (part.type !== 'float64') continue
    into.set(part.values, at)
    at += part.values.length
  }
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
