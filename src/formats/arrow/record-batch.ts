// A record batch → the columns that are asked for, every count and place checked against the bytes that are there.
import type { Data, DataType, Dictionary, FixedSizeList, Vector } from 'apache-arrow'
import type { FlatTable } from './flat-table.ts'
import type { ArrowLibrary } from './library.ts'
import type { ArrowField, ArrowSchema } from './schema.ts'

/** Decompresses one buffer to exactly `size` bytes, or throws. */
export type Decompress = (bytes: Uint8Array, size: number) => Uint8Array

/** Both codecs, by their numbers in CompressionType of Message.fbs. */
export type Codecs = readonly [lz4: Decompress, zstd: Decompress]

/** Values of a dictionary-encoded column, as they stand when its batch is read. */
export type DictionaryOf = (field: ArrowField) => Vector

const mostRows = 2n ** 31n - 1n
/** A row has an id, which costs more than this of any file that anybody made for its rows. */
const mostRowsAByte = 64
const freeRows = 65_536
/** Data of light curves are two to three times smaller when they are compressed; columns that hold one value, more. */
const mostRatio = 64
const freeUnpacked = 2 ** 28
const mostUnpacked = 2 ** 32

type RawBatch = ReturnType<typeof rawBatch>

/**
 * The header of a record batch with its body, of which nothing is decoded yet.
 *
 * @param header the table RecordBatch of Message.fbs
 * @param end how many nodes, buffers and views the columns have together
 * @throws RangeError for counts that do not fit the schema or the body
 */
export function rawBatch(header: FlatTable, body: Uint8Array, end: ArrowSchema['end'], codecs: Codecs) {
  const nodes = header.vector(1, 16)
  const buffers = header.vector(2, 16)
  const views = header.vector(4, 8)
  const rowCount = countOf(header.long(0))
  if (rowCount > freeRows + mostRowsAByte * body.length) throw new RangeError('more rows than the data can hold')
  if (nodes.length < end.node || views.length < end.view) throw new RangeError('fewer columns than in the schema')
  // by view: buffers that all views before it have
  const furtherBuffers = [0]
  for (let i = 0; i < end.view; i++) furtherBuffers.push(furtherBuffers[i]! + countOf(views.long(i)))
  if (buffers.length < end.buffer + furtherBuffers.at(-1)!) throw new RangeError('fewer buffers than in the schema')
  const decompress = decompression(header.table(3), codecs)
  const limit = Math.min(mostUnpacked, Math.max(freeUnpacked, mostRatio * body.length))
  let packed = 0
  let unpacked = 0

  function unpack(bytes: Uint8Array, decode: Decompress): Uint8Array {
    if (bytes.length < 8) throw new RangeError('a compressed buffer without its length')
    const size = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true)
    if (size === -1n) return bytes.subarray(8)
    if (size < 0n || size > limit) throw new RangeError('a buffer of impossible size')
    packed += bytes.length
    unpacked += Number(size)
    // the same compressed bytes as many columns are no file of a writer
    if (packed > body.length || unpacked > limit) throw new RangeError('columns that unpack to more than they can hold')
    return size === 0n ? bytes.subarray(8, 8) : decode(bytes.subarray(8), Number(size))
  }

  return {
    rowCount,
    /** `nullCount`: −1 where nobody has counted */
    node(index: number): { length: number; nullCount: number } {
      const length = countOf(nodes.long(index))
      const nullCount = Number(nodes.long(index, 8))
      if (nullCount < -1 || nullCount > length) throw new RangeError('more nulls than rows')
      return { length, nullCount }
    },
    /** how many buffers the view has beyond its first two */
    furtherOf: (view: number): number => furtherBuffers[view + 1]! - furtherBuffers[view]!,
    /** plain bytes of a field's buffer */
    buffer({ buffer, view }: ArrowField['place'], index: number): Uint8Array {
      const place = buffer + furtherBuffers[view]! + index
      const [offset, length] = [Number(buffers.long(place)), Number(buffers.long(place, 8))]
      if (offset < 0 || length < 0 || offset + length > body.length) throw new RangeError('a buffer beyond the body')
      const bytes = body.subarray(offset, offset + length)
      return decompress && length > 0 ? unpack(bytes, decompress) : bytes
    },
  }
}

function countOf(value: bigint): number {
  if (value < 0n || value > mostRows) throw new RangeError('an impossible count')
  return Number(value)
}

function decompression(compression: FlatTable | undefined, codecs: Codecs): Decompress | undefined {
  if (!compression) return undefined
  const codec = codecs[compression.byte(0)]
  if (!codec || compression.byte(1) !== 0) throw new RangeError('an unknown compression')
  return codec
}

/**
 * Decodes a column, or a part of one, into the library's form of it.
 *
 * @param field one that has a type
 * @throws RangeError where the batch does not hold all that the column needs
 */
export function decodeColumn(
  arrow: ArrowLibrary,
  field: ArrowField,
  batch: RawBatch,
  dictionaryOf: DictionaryOf,
): Data {
  return decode(field, true)

  function decode(part: ArrowField, isColumn: boolean): Data {
    const { length, nullCount } = batch.node(part.place.node)
    if (isColumn && length !== batch.rowCount) throw new RangeError('a column of another length than its batch')
    const type = part.type!
    if (arrow.DataType.isNull(type)) return arrow.makeData({ type, length, nullCount: length } as never)
    const bitmap = nullCount === 0 ? nothing : batch.buffer(part.place, 0)
    const hasNulls = nullCount > 0 || bitmap.length > 0
    const nullBitmap = hasNulls ? exactly(bitmap, Math.ceil(length / 8)) : undefined
    const parts = partsOf(part, type, length, nullBitmap)
    const counted = { nullCount: hasNulls ? nullCount : 0, nullBitmap }
    const data = arrow.makeData({ type, length, ...counted, ...parts } as never) as Data
    if (data.dictionary) checkIndices(data, data.dictionary.length)
    return data
  }

  function partsOf(part: ArrowField, type: DataType, length: number, nulls: Uint8Array | undefined): object {
    const { DataType: Is } = arrow
    const buffer = (index: number): Uint8Array => batch.buffer(part.place, index)
    if (part.dictionary) {
      const { indices } = type as Dictionary
      const data = exactly(buffer(1), (length * indices.bitWidth) / 8)
      return { data, dictionary: dictionaryOf(part) }
    }
    if (Is.isUtf8View(type) || Is.isBinaryView(type)) return viewsOf(part, length, nulls)
    if (Is.isFixedSizeList(type)) return { child: childOf(part, length * (type as FixedSizeList).listSize) }
    const isLarge = Is.isLargeUtf8(type) || Is.isLargeBinary(type) || Is.isLargeList(type)
    if (isLarge || Is.isUtf8(type) || Is.isBinary(type) || Is.isList(type)) {
      const valueOffsets = offsetsOf(buffer(1), length, isLarge)
      const used = Number(valueOffsets[length] ?? 0)
      if (part.children.length > 0) return { valueOffsets, child: childOf(part, used) }
      return { valueOffsets, data: exactly(buffer(2), used) }
    }
    return { data: exactly(buffer(1), Math.ceil((length * bitWidth(arrow, type)) / 8)) }
  }

  /** the only child, of which so many items are needed */
  function childOf({ children: [child] }: ArrowField, needed: number): Data {
    const data = decode(child!, false)
    if (data.length < needed) throw new RangeError('a list that goes on beyond its items')
    return data
  }

  function viewsOf({ place }: ArrowField, length: number, nulls: Uint8Array | undefined): object {
    const views = exactly(batch.buffer(place, 1), length * 16)
    const count = batch.furtherOf(place.view)
    const variadicBuffers = Array.from({ length: count }, (_, i) => batch.buffer(place, 2 + i))
    checkViews(views, variadicBuffers, nulls)
    return { views, variadicBuffers }
  }
}

const nothing = new Uint8Array(0)

function exactly(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length < length) throw new RangeError('a column that is shorter than its rows')
  return bytes.subarray(0, length)
}

function bitWidth({ DataType: Is, Precision }: ArrowLibrary, type: DataType): number {
  if (Is.isBool(type)) return 1
  if (Is.isInt(type) || Is.isDecimal(type)) return type.bitWidth
  if (Is.isFloat(type)) return type.precision === Precision.HALF ? 16 : type.precision === Precision.SINGLE ? 32 : 64
  throw new RangeError('a type that is not read')
}

/** @param nulls a bit a row, 0 for null; none where no row is */
function isNull(nulls: Uint8Array | undefined, row: number): boolean {
  return nulls !== undefined && nulls.length > 0 && (nulls[row >> 3]! & (1 << (row & 7))) === 0
}

/** A place beyond the dictionary would be read as null. */
function checkIndices({ values, nullBitmap, length }: Data, size: number): void {
  const indices = values as ArrayLike<number | bigint>
  for (let row = 0; row < length; row++) {
    if (!isNull(nullBitmap, row) && !(indices[row]! >= 0 && indices[row]! < size))
      throw new RangeError('a place beyond its dictionary')
  }
}

/** Offsets that begin at 0 or later and never go back. Writers leave them out where there are no rows. */
function offsetsOf(bytes: Uint8Array, length: number, isLarge: boolean): Int32Array | BigInt64Array {
  const Offsets = isLarge ? BigInt64Array : Int32Array
  if (length === 0) return new Offsets(1)
  const needed = exactly(bytes, (length + 1) * Offsets.BYTES_PER_ELEMENT)
  const isAligned = needed.byteOffset % Offsets.BYTES_PER_ELEMENT === 0
  const aligned = isAligned ? needed : needed.slice()
  const offsets = new Offsets(aligned.buffer as ArrayBuffer, aligned.byteOffset, length + 1)
  let before: number | bigint = 0
  for (const offset of offsets) {
    if (offset < before || offset > mostRows) throw new RangeError('offsets that go back')
    before = offset
  }
  return offsets
}

/** Texts of up to twelve bytes lie in the view itself; of a longer one the view says in which buffer, and where. */
function checkViews(views: Uint8Array, buffers: readonly Uint8Array[], nulls: Uint8Array | undefined): void {
  const view = new DataView(views.buffer, views.byteOffset, views.byteLength)
  let total = 0
  for (let at = 0; at < views.length; at += 16) {
    const length = view.getInt32(at, true)
    if ((length >= 0 && length <= 12) || isNull(nulls, at / 16)) continue
    const [index, offset] = [view.getInt32(at + 8, true), view.getInt32(at + 12, true)]
    const size = buffers[index]?.length ?? -1
    total += length
    const isInside = length > 0 && offset >= 0 && offset + length <= size
    if (!isInside || total > mostUnpacked) throw new RangeError('a text beyond its buffer')
  }
}
