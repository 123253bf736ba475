// The pages of one column of a row group, unpacked one after the other.
import { unpackSnappy } from '../../formats/compression.ts'
import { type Cursor, readStruct, type ThriftStruct } from './compact-thrift.ts'

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

/** A page, unpacked. */
export interface Page {
  /** values, nulls among them */
  readonly count: number
  /** bytes that say which of the values are there; undefined: all of them */
  readonly levels: { readonly bytes: Buffer; readonly range: readonly [from: number, to: number] } | undefined
  readonly encoding: number
  /** the values that are there, packed as `encoding` says */
  readonly values: Buffer
}

/** The values that others give the places of. */
export interface DictionaryPage {
  readonly count: number
  readonly values: Buffer
}

const pageKind = { data: 0, dictionary: 2, dataV2: 3 }
const runLengths = 3

/** More is for DuckDB: values, and bytes, that one page may claim. */
const mostValues = 1 << 22
const mostBytes = 1 << 28

/**
 * The pages of a column in one row group.
 *
 * @param onDictionary is given the dictionary before the first page that needs it
 * @returns `next` answers the next page; undefined at the end. Throws Error, of any class, for what is damaged and for what
 *   only DuckDB reads.
 */
export function pagesOf(column: PackedColumn, onDictionary: (dictionary: DictionaryPage) => void) {
  const cursor: Cursor = { bytes: column.bytes, at: 0 }
  return {
    next(): Page | undefined {
      while (cursor.at < cursor.bytes.length) {
        const header = readStruct(cursor)
        const packed = cursor.bytes.subarray(cursor.at, cursor.at + sizeIn(header, 3))
        cursor.at += packed.length
        if (packed.length !== sizeIn(header, 3)) throw new RangeError('a page that is cut off')
        const kindOfPage = header[1]
        if (kindOfPage === pageKind.data) return pageOf(header, packed, column)
        if (kindOfPage === pageKind.dataV2) return secondPageOf(header, packed, column)
        // others are indexes
        if (kindOfPage !== pageKind.dictionary) continue
        const values = asBuffer(column.unpack(packed, sizeIn(header, 2)))
        onDictionary({ count: checkedCount(structIn(header, 7)[1]), values })
      }
      return undefined
    },
  }
}

function pageOf(header: ThriftStruct, packed: Buffer, { isOptional, unpack }: PackedColumn): Page {
  const { 1: values, 2: encoding, 3: levels } = structIn(header, 5)
  const known = { count: checkedCount(values), encoding: Number(encoding) }
  const bytes = asBuffer(unpack(packed, sizeIn(header, 2)))
  if (!isOptional) return { ...known, levels: undefined, values: bytes }
  if (levels !== runLengths) throw new RangeError('levels for DuckDB')
  const start = 4
  const end = start + bytes.readUInt32LE(0)
  return { ...known, levels: { bytes, range: [start, end] }, values: bytes.subarray(end) }
}

function secondPageOf(header: ThriftStruct, packed: Buffer, { isOptional, unpack }: PackedColumn): Page {
  const { 1: values, 4: encoding, 5: levels, 6: repetitions, 7: isCompressed } = structIn(header, 8)
  const length = Number(levels)
  if (repetitions !== 0 || !(length >= 0 && length <= packed.length)) throw new RangeError('levels for DuckDB')
  const rest = packed.subarray(length)
  return {
    count: checkedCount(values),
    levels: isOptional ? { bytes: packed, range: [0, length] } : undefined,
    encoding: Number(encoding),
    values: isCompressed === false ? rest : asBuffer(unpack(rest, sizeIn(header, 2) - length)),
  }
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
