// The pages of one column of a row group, unpacked one after the other: numbers, texts and integers as arrays.
import { unpackSnappy } from '../../formats/compression.ts'
import { type Cursor, readStruct, readVarint, type ThriftStruct } from './compact-thrift.ts'

/** Decompresses a page; throws Error where it does not give `size` bytes. */
export type Unpack = (bytes: Buffer, size: number) => Uint8Array

/** Parquet's physical types, as far as we read them. */
export const physical = { int32: 1, int64: 2, float: 4, double: 5, bytes: 6 } as const

/** A column of a row group: its bytes and what they are. */
export interface PackedColumn {
  readonly bytes: Buffer
  readonly isOptional: boolean
  readonly unpack: Unpack
}

/** Values of a page that are there, packed as `encoding` says. */
interface Page {
  readonly count: number
  /** 1 for each value that is there, 0 for a null; undefined: all are there. Of the next page too, after it was asked for */
  readonly present: Uint8Array | undefined
  readonly presentCount: number
  readonly encoding: number
  readonly values: Buffer
}

const pageKind = { data: 0, dictionary: 2, dataV2: 3 }
const plain = 0
const dictionaryEncodings = new Set([2, 8])
const runLengths = 3

/** More is for DuckDB: values, and bytes, that one page may claim. */
const mostValues = 1 << 22
const mostBytes = 1 << 28

/** How packed values become those of a page. `Values` have room for more than they hold: it is used again for each page. */
export interface ValueKind<Values> {
  readonly room: (count: number) => Values
  /** of `count` values, from the bytes of a page or a dictionary */
  readonly plain: (bytes: Buffer, count: number, into: Values) => void
  /** `of[indices[i]]` for the first `count`; throws RangeError for an index from `size` on */
  readonly pick: (of: Values, size: number, indices: Uint32Array, count: number, into: Values) => void
  /** moves the first values to their rows, with nulls between them */
  readonly spread: (values: Values, count: number, present: Uint8Array, presentCount: number) => void
}

/** Room that all columns use, one after the other. */
export interface SharedRoom {
  levels: Uint8Array
  indices: Uint32Array
}

/**
 * Reads a column page by page, in one row group after the other: its room is used again.
 *
 * @returns `next` answers how many values the next page has, and they; undefined at the end. They are gone when the next page
 *   is asked for. Throws Error, of any class, for what is damaged and for what only DuckDB reads.
 */
export function pagesOf<Values>(kind: ValueKind<Values>, shared: SharedRoom) {
  let column: PackedColumn | undefined
  let cursor: Cursor = { bytes: Buffer.alloc(0), at: 0 }
  let values = kind.room(0)
  let room = 0
  let dictionary = kind.room(0)
  let dictionaryRoom = 0
  /** undefined: the row group has none */
  let size: number | undefined

  function unpacked({ count, present, presentCount, encoding, values: packed }: Page) {
    if (count > room) [values, room] = [kind.room(count), count]
    if (encoding === plain) kind.plain(packed, presentCount, values)
    else if (size !== undefined && dictionaryEncodings.has(encoding)) {
      if (shared.indices.length < presentCount) shared.indices = new Uint32Array(presentCount)
      const indices = shared.indices.subarray(0, presentCount)
      if (presentCount > 0) readRuns(packed, 1, packed.length, packed.readUInt8(0), indices)
      kind.pick(dictionary, size, indices, presentCount, values)
    } else throw new RangeError(`an encoding for DuckDB: ${encoding}`)
    if (present !== undefined) kind.spread(values, count, present, presentCount)
    return { count, values }
  }

  function keepDictionary(bytes: Uint8Array, count: number): void {
    if (count > dictionaryRoom) [dictionary, dictionaryRoom] = [kind.room(count), count]
    kind.plain(asBuffer(bytes), count, dictionary)
    size = count
  }

  return {
    begin(next: PackedColumn): void {
      column = next
      cursor = { bytes: next.bytes, at: 0 }
      size = undefined
    },
    next() {
      while (column && cursor.at < cursor.bytes.length) {
        const header = readStruct(cursor)
        const packed = cursor.bytes.subarray(cursor.at, cursor.at + sizeIn(header, 3))
        cursor.at += packed.length
        if (packed.length !== sizeIn(header, 3)) throw new RangeError('a page that is cut off')
        const kindOfPage = header[1]
        if (kindOfPage === pageKind.data) return unpacked(pageOf(header, packed, column, shared))
        if (kindOfPage === pageKind.dataV2) return unpacked(secondPageOf(header, packed, column, shared))
        // others are indexes
        if (kindOfPage !== pageKind.dictionary) continue
        keepDictionary(column.unpack(packed, sizeIn(header, 2)), checkedCount(structIn(header, 7)[1]))
      }
      return undefined
    },
  }
}

function pageOf(header: ThriftStruct, packed: Buffer, { isOptional, unpack }: PackedColumn, shared: SharedRoom): Page {
  const { 1: values, 2: encoding, 3: levels } = structIn(header, 5)
  const count = checkedCount(values)
  const bytes = asBuffer(unpack(packed, sizeIn(header, 2)))
  if (!isOptional) return { count, present: undefined, presentCount: count, encoding: Number(encoding), values: bytes }
  if (levels !== runLengths) throw new RangeError('levels for DuckDB')
  const start = 4
  const end = start + bytes.readUInt32LE(0)
  return {
    count,
    encoding: Number(encoding),
    ...presence(bytes, [start, end], count, shared),
    values: bytes.subarray(end),
  }
}

function secondPageOf(
  header: ThriftStruct,
  packed: Buffer,
  { isOptional, unpack }: PackedColumn,
  shared: SharedRoom,
): Page {
  const { 1: values, 4: encoding, 5: levels, 6: repetitions, 7: isCompressed } = structIn(header, 8)
  const count = checkedCount(values)
  const length = Number(levels)
  if (repetitions !== 0 || !(length >= 0 && length <= packed.length)) throw new RangeError('levels for DuckDB')
  const rest = packed.subarray(length)
  const plainSize = sizeIn(header, 2) - length
  const bytes = isCompressed === false ? rest : asBuffer(unpack(rest, plainSize))
  const whole = { count, present: undefined, presentCount: count }
  const counted = isOptional ? { count, ...presence(packed, [0, length], count, shared) } : whole
  return { ...counted, encoding: Number(encoding), values: bytes }
}

/** Which of the values are there. */
function presence(bytes: Buffer, [start, end]: readonly [number, number], count: number, shared: SharedRoom) {
  if (end > bytes.length) throw new RangeError('levels beyond the page')
  if (shared.levels.length < count) shared.levels = new Uint8Array(count)
  const levels = shared.levels.subarray(0, count)
  readRuns(bytes, start, end, 1, levels)
  let presentCount = 0
  for (let i = 0; i < count; i++) presentCount += levels[i]!
  return { present: presentCount === count ? undefined : levels, presentCount }
}

/**
 * Parquet's mix of runs and packed bits.
 *
 * @param width bits of a number; 1 for an array of bytes
 * @param into takes as many numbers as it has room for
 */
function readRuns(bytes: Buffer, start: number, end: number, width: number, into: Uint8Array | Uint32Array): void {
  if (width > 24) throw new RangeError('numbers for DuckDB')
  const cursor = { bytes, at: start }
  const mask = 2 ** width - 1
  for (let filled = 0; filled < into.length;) {
    const head = readVarint(cursor)
    const isPacked = head % 2 === 1
    const claimed = Math.floor(head / 2) * (isPacked ? 8 : 1)
    const count = Math.min(claimed, into.length - filled)
    const length = Math.ceil((isPacked ? count * width : width) / 8)
    if (count === 0 || cursor.at + length > end) throw new RangeError('a run beyond its bytes')
    if (!isPacked) into.fill((width === 0 ? 0 : bytes.readUIntLE(cursor.at, length)) & mask, filled, filled + count)
    else if (into instanceof Uint8Array) unpackSingleBits(bytes, cursor.at, into, filled, count)
    else unpackBits(bytes, cursor.at, width, into, filled, count)
    // the last group is written whole, but for writers that leave out its end
    cursor.at += isPacked ? (claimed / 8) * width : length
    filled += count
  }
}

function unpackBits(bytes: Buffer, start: number, width: number, into: Uint32Array, from: number, count: number): void {
  const mask = 2 ** width - 1
  let word = 0
  let bits = 0
  let at = start
  for (let i = from; i < from + count; i++) {
    for (; bits < width; bits += 8) word |= bytes[at++]! << bits
    into[i] = word & mask
    word >>>= width
    bits -= width
  }
}

/** The same for single bits, eight at a time. */
function unpackSingleBits(bytes: Buffer, start: number, into: Uint8Array, from: number, count: number): void {
  const whole = from + count - (count % 8)
  let at = start
  let i = from
  for (; i < whole; i += 8) {
    const byte = bytes[at++]!
    into[i] = byte & 1
    into[i + 1] = (byte >> 1) & 1
    into[i + 2] = (byte >> 2) & 1
    into[i + 3] = (byte >> 3) & 1
    into[i + 4] = (byte >> 4) & 1
    into[i + 5] = (byte >> 5) & 1
    into[i + 6] = (byte >> 6) & 1
    into[i + 7] = byte >> 7
  }
  for (let bit = 0; i < from + count; i++, bit++) into[i] = (bytes[at]! >> bit) & 1
}

function structIn(struct: ThriftStruct, field: number): ThriftStruct {
  const value = struct[field]
  if (typeof value !== 'object' || Buffer.isBuffer(value) || Array.isArray(value))
    throw new RangeError('no such header')
  return value as ThriftStruct
}

function sizeIn(struct: ThriftStruct, field: number): number {
  const value = struct[field]
  if (typeof value !== 'number' || !(value >= 0 && value <= mostBytes)) throw new RangeError('a size that cannot be')
  return value
}

function checkedCount(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= mostValues)) throw new RangeError('a count for DuckDB')
  return value
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** How pages of each codec are unpacked; those of others are for DuckDB. @param zstd as `loadZstd` gives it */
export function unpackers(zstd: (bytes: Uint8Array, size: number) => Uint8Array): ReadonlyMap<number, Unpack> {
  const asTheyAre: Unpack = (bytes) => bytes
  const sized = (unpack: Unpack): Unpack => {
    return (bytes, size) => {
      const plain = unpack(bytes, size)
      if (plain.length !== size) throw new RangeError('a page of another size than its header says')
      return plain
    }
  }
  return new Map([
    [0, sized(asTheyAre)],
    [1, sized(unpackSnappy)],
    [6, sized((bytes, size) => (size === 0 ? new Uint8Array() : zstd(bytes, size)))],
  ])
}
