// How the values of a Parquet page become arrays: numbers as float64 with NaN for null, integers, texts.
import { physical } from './parquet-pages.ts'

/** What the values of a column become, some at a time: they go into an array from a place on. */
export interface ValueKind<Values> {
  readonly room: (count: number) => Values
  /** the next `count` values from `at` on, one behind the other; answers where the one after them begins */
  readonly plain: (bytes: Buffer, at: number, count: number, into: Values, from: number) => number
  /** `of[indices[i]]` for the first `count`; throws RangeError for an index from `size` on */
  readonly pick: (of: Values, size: number, indices: Uint32Array, count: number, into: Values, from: number) => void
  /** moves the first `presentCount` of `count` values to their rows, with nulls between them */
  readonly spread: (values: Values, from: number, count: number, present: Uint32Array, presentCount: number) => void
}

/** Numbers of each physical type, as DuckDB casts them to DOUBLE. */
export function numberKind(type: number): ValueKind<Float64Array> {
  return {
    room: (count) => new Float64Array(count),
    plain: (bytes, at, count, into, from) => plainNumbers(type, bytes, at, count, into, from),
    pick(of, size, indices, count, into, from) {
      for (let i = 0; i < count; i++) {
        const index = indices[i]!
        if (index >= size) throw new RangeError('an index beyond the dictionary')
        into[from + i] = of[index]!
      }
    },
    spread(values, from, count, present, presentCount) {
      // from the end: nothing is overwritten before it has moved; in front of the first null all stay where they are
      for (let to = count - 1, left = presentCount - 1; to > left; to--) {
        values[from + to] = present[to] === 1 ? values[from + left--]! : NaN
      }
    },
  }
}

function plainNumbers(
  type: number,
  bytes: Buffer,
  at: number,
  count: number,
  into: Float64Array,
  from: number,
): number {
  const size = type === physical.float || type === physical.int32 ? 4 : 8
  const packed = valuesAt(bytes, at, count, size)
  switch (type) {
    case physical.double:
      new Uint8Array(into.buffer, into.byteOffset + from * 8).set(packed)
      break
    case physical.float:
      into.set(new Float32Array(aligned(packed)), from)
      break
    case physical.int32:
      into.set(new Int32Array(aligned(packed)), from)
      break
    case physical.int64:
      // the upper half is exact: the sum is rounded once
      for (let i = 0; i < count; i++)
        into[from + i] = packed.readInt32LE(8 * i + 4) * 2 ** 32 + packed.readUInt32LE(8 * i)
      break
    default:
      throw new RangeError('a type for DuckDB')
  }
  return at + packed.length
}

function valuesAt(bytes: Buffer, at: number, count: number, size: number): Buffer {
  const end = at + count * size
  if (end > bytes.length) throw new RangeError('fewer values than the page says')
  return bytes.subarray(at, end)
}

/** Memory of its own, so that it begins where an array of numbers may begin. */
function aligned(bytes: Buffer): ArrayBuffer {
  return Uint8Array.from(bytes).buffer
}

/** @param read the value at a place, and where the next one begins */
function itemKind(read: (bytes: Buffer, at: number) => readonly [item: unknown, next: number]): ValueKind<unknown[]> {
  return {
    room: () => [],
    plain(bytes, at, count, into, from) {
      let next = at
      for (let i = 0; i < count; i++) [into[from + i], next] = read(bytes, next)
      return next
    },
    pick(of, size, indices, count, into, from) {
      for (let i = 0; i < count; i++) {
        const index = indices[i]!
        if (index >= size) throw new RangeError('an index beyond the dictionary')
        into[from + i] = of[index]
      }
    },
    spread(values, from, count, present, presentCount) {
      for (let to = count - 1, left = presentCount - 1; to > left; to--) {
        values[from + to] = present[to] === 1 ? values[from + left--] : null
      }
    },
  }
}

function textAt(bytes: Buffer, at: number): readonly [string, number] {
  const start = at + 4
  const end = start + bytes.readUInt32LE(at)
  if (end > bytes.length) throw new RangeError('a text beyond the page')
  const text = bytes.toString('utf8', start, end)
  // what may be no UTF-8 is for DuckDB to refuse
  if (text.includes('\uFFFD')) throw new RangeError('a text for DuckDB')
  return [text, end]
}

/** Ids of each physical type: text as it is, int32 as numbers, int64 as bigints. */
export const idKinds: ReadonlyMap<number, ValueKind<unknown[]>> = new Map([
  [physical.bytes, itemKind(textAt)],
  [physical.int32, itemKind((bytes, at) => [bytes.readInt32LE(at), at + 4])],
  [physical.int64, itemKind((bytes, at) => [bytes.readBigInt64LE(at), at + 8])],
])
