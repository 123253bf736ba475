// An Arrow schema → its fields: what type each has, and where its parts lie in a record batch.
import type { DataType } from 'apache-arrow'
import type { FlatTable } from './flat-table.ts'
import type { ArrowLibrary } from './library.ts'

/** Where in a record batch a field begins: its first node, its first buffer, its first count of further buffers. */
interface FieldPlace {
  readonly node: number
  /** not counting the further buffers of the views before it, of which every batch has its own number */
  readonly buffer: number
  readonly view: number
}

/** A column, or a part of one. Nothing else of the schema is read: its metadata may be anything. */
export interface ArrowField {
  readonly name: string
  /** undefined for what is not read (and for structs, whose children are) */
  readonly type: DataType | undefined
  readonly typeName: string
  readonly place: FieldPlace
  readonly children: readonly ArrowField[]
  /** where the column holds places in a dictionary: what is in it, in batches of its own */
  readonly dictionary: { readonly id: bigint; readonly values: ArrowField; readonly end: FieldPlace } | undefined
}

/** The columns of a file or stream, and how much its record batches must hold. */
export interface ArrowSchema {
  readonly fields: readonly ArrowField[]
  readonly end: FieldPlace
}

const mostFields = 100_000
const deepestField = 64
/** bytes of all names together; a shared one counts each time */
const longestNames = 16 * 1024 * 1024

const metadataVersion5 = 4

/**
 * Reads the table Schema of Arrow's Schema.fbs.
 *
 * @param version of the metadata: before version 5 (4 as a number) unions had one buffer more
 * @throws RangeError for a schema that is damaged, too deep or too large to be one, or big-endian
 */
export function arrowSchema(schema: FlatTable, version: number, arrow: ArrowLibrary): ArrowSchema {
  if (schema.short(0) !== 0) throw new RangeError('big-endian data')
  let fieldsLeft = mostFields
  let namesLeft = longestNames

  function fieldsOf(tables: ReturnType<FlatTable['tables']>, count: Counter, depth: number): ArrowField[] {
    const fields: ArrowField[] = []
    for (let i = 0; i < tables.length; i++) fields.push(fieldOf(tables.at(i), count, depth))
    return fields
  }

  function fieldOf(table: FlatTable, count: Counter, depth: number): ArrowField {
    if (--fieldsLeft < 0 || depth === 0) throw new RangeError('more fields than there can be')
    const name = table.text(0, namesLeft)
    namesLeft -= Buffer.byteLength(name)
    const encoding = table.table(4)
    if (!encoding) return plainField(name, table, count, depth)
    const end: Counter = { node: 0, buffer: 0, view: 0 }
    const values = plainField(name, table, end, depth)
    const place = { ...count }
    count.node += 1
    count.buffer += 2
    const indices = encoding.table(1)
    const index = indices ? new arrow.Int(signed(indices), bits(indices.int(0))) : new arrow.Int32()
    const type = values.type && new arrow.Dictionary(values.type, index as never, 0)
    const dictionary = { id: encoding.long(0), values, end }
    return { name, type, typeName: values.typeName, place, children: [], dictionary }
  }

  function plainField(name: string, table: FlatTable, count: Counter, depth: number): ArrowField {
    const kind = typeKinds[table.byte(2)]
    if (!kind) throw new RangeError('an unknown type')
    const parameters = table.table(3)
    const place = { ...count }
    count.node += 1
    count.buffer += kind.buffers
    if (kind.name === 'Utf8View' || kind.name === 'BinaryView') count.view += 1
    if (kind.name === 'Union') {
      const isDense = (parameters?.short(0) ?? 0) === 1
      count.buffer += (isDense ? 1 : 0) + (version < metadataVersion5 ? 1 : 0)
    }
    const children = fieldsOf(table.tables(5), count, depth - 1)
    const type = libraryType(arrow, kind.name, parameters, children)
    const typeName = type ? String(type) : kind.name + unitText(kind.name, parameters)
    return { name, type, typeName, place, children, dictionary: undefined }
  }

  const end: Counter = { node: 0, buffer: 0, view: 0 }
  return { fields: fieldsOf(schema.tables(1), end, deepestField), end }
}

type Counter = { -readonly [part in keyof FieldPlace]: number }

/** By their numbers in the union Type of Schema.fbs: the name, and the buffers that a column of it has in every batch. */
const typeKinds = [
  undefined,
  kindOf('Null', 0),
  kindOf('Int', 2),
  kindOf('Float', 2),
  kindOf('Binary', 3),
  kindOf('Utf8', 3),
  kindOf('Bool', 2),
  kindOf('Decimal', 2),
  kindOf('Date', 2),
  kindOf('Time', 2),
  kindOf('Timestamp', 2),
  kindOf('Interval', 2),
  kindOf('List', 2),
  kindOf('Struct', 1),
  // the buffer of type ids
  kindOf('Union', 1),
  kindOf('FixedSizeBinary', 2),
  kindOf('FixedSizeList', 1),
  kindOf('Map', 2),
  kindOf('Duration', 2),
  kindOf('LargeBinary', 3),
  kindOf('LargeUtf8', 3),
  kindOf('LargeList', 2),
  kindOf('RunEndEncoded', 0),
  kindOf('BinaryView', 2),
  kindOf('Utf8View', 2),
  kindOf('ListView', 3),
  kindOf('LargeListView', 3),
]

function kindOf<Name extends string>(name: Name, buffers: number) {
  return { name, buffers }
}

type KindName = NonNullable<(typeof typeKinds)[number]>['name']

function libraryType(
  arrow: ArrowLibrary,
  name: KindName,
  parameters: FlatTable | undefined,
  children: readonly ArrowField[],
): DataType | undefined {
  const item = children.length === 1 && children[0]!.type ? new arrow.Field('item', children[0]!.type, true) : undefined
  switch (name) {
    case 'Null':
    case 'Binary':
    case 'Utf8':
    case 'Bool':
    case 'LargeBinary':
    case 'LargeUtf8':
    case 'BinaryView':
    case 'Utf8View':
      return new arrow[name]()
    case 'Int':
      return parameters && new arrow.Int(signed(parameters), bits(parameters.int(0)))
    case 'Float':
      return new arrow.Float(precisionOf(parameters?.short(0) ?? 0))
    case 'Decimal':
      return parameters && new arrow.Decimal(parameters.int(1), parameters.int(0), decimalBits(parameters.int(2, 128)))
    case 'List':
    case 'LargeList':
      return item && new arrow[name](item)
    case 'FixedSizeList': {
      const size = parameters?.int(0) ?? 0
      if (size < 0) throw new RangeError('a list of impossible size')
      return item && new arrow.FixedSizeList(size, item)
    }
    // structs are read as their children; nothing that is needed has one of the others
    case 'Struct':
    case 'Date':
    case 'Time':
    case 'Timestamp':
    case 'Interval':
    case 'Duration':
    case 'Union':
    case 'Map':
    case 'FixedSizeBinary':
    case 'RunEndEncoded':
    case 'ListView':
    case 'LargeListView':
      return undefined
  }
}

function signed(int: FlatTable): boolean {
  return int.byte(1) !== 0
}

function bits(width: number): 8 | 16 | 32 | 64 {
  if (width === 8 || width === 16 || width === 32 || width === 64) return width
  throw new RangeError('an integer of impossible width')
}

function decimalBits(width: number): number {
  if (width === 32 || width === 64 || width === 128 || width === 256) return width
  throw new RangeError('a decimal of impossible width')
}

function precisionOf(precision: number): 0 | 1 | 2 {
  if (precision === 0 || precision === 1 || precision === 2) return precision
  throw new RangeError('a float of impossible precision')
}

const timeUnits = ['SECOND', 'MILLISECOND', 'MICROSECOND', 'NANOSECOND']

function unitText(name: KindName, parameters: FlatTable | undefined): string {
  return name === 'Timestamp' ? `<${timeUnits[parameters?.short(0) ?? 0] ?? '?'}>` : ''
}
