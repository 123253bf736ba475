// How the values of a Parquet page become arrays: numbers as float64 with NaN for null, integers, texts.
import { physical, type ValueKind } from './parquet-pages.ts'

/** Numbers of each physical type, as DuckDB casts them to DOUBLE. */
export function numberKind(type: number): ValueKind<Float64Array> {
  return {
    room: (count) => new Float64Array(count),
    plain: (bytes, count, into) => plainNumbers(type, bytes, count, into),
    pick(of, size, indices, count, into) {
      for (let i = 0; i < count; i++) {
        const index = indices[i]!
        if (index >= size) throw new RangeError('an index beyond the dictionary')
        into[i] = of[index]!
      }
    },
    spread(values, count, present, presentCount) {
      // from the end: nothing is overwritten before it has moved; in front of the first null all stay where they are
      for (let to = count - 1, from = presentCount - 1; to > from; to--) {
        values[to] = present[to] === 1 ? values[from--]! : NaN
      }
    },
  }
}

function plainNumbers(type: number, bytes: Buffer, count: number, into: Float64Array): void {
  switch (type) {
    case physical.double:
      return new Uint8Array(into.buffer, into.byteOffset).set(checked(bytes, count * 8))
    case physical.float:
      return into.set(new Float32Array(copied(bytes, count * 4)))
    case physical.int32:
      return into.set(new Int32Array(copied(bytes, count * 4)))
    case physical.int64:
      // the upper half is exact: the sum is rounded once
      checked(bytes, count * 8)
      for (let i = 0; i < count; i++) into[i] = bytes.readInt32LE(8 * i + 4) * 2 ** 32 + bytes.readUInt32LE(8 * i)
      return
    default:
      throw new RangeError('a type for DuckDB')
  }
}

function checked(bytes: Buffer, length: number): Buffer {
  if (length > bytes.length) throw new RangeError('fewer values than the page says')
  return bytes.subarray(0, length)
}

/** Memory of its own, so that it begins where an array of numbers may begin. */
function copied(bytes: Buffer, length: number): ArrayBuffer {
  const copy = new Uint8Array(length)
  copy.set(checked(bytes, length))
  return copy.buffer
}

/** @param plain one value after the other, from a page of so many */
function itemKind(plain: (bytes: Buffer, count: number, take: (item: unknown) => void) => void): ValueKind<unknown[]> {
  return {
    room: () => [],
    plain(bytes, count, into) {
      let at = 0
      plain(bytes, count, (item) => (into[at++] = item))
    },
    pick(of, size, indices, count, into) {
      for (let i = 0; i < count; i++) {
        const index = indices[i]!
        if (index >= size) throw new RangeError('an index beyond the dictionary')
        into[i] = of[index]
      }
    },
    spread(values, count, present, presentCount) {
      const packed = values.slice(0, presentCount)
      for (let i = 0, from = 0; i < count; i++) values[i] = present[i] === 1 ? packed[from++] : null
    },
  }
}

const texts = itemKind((bytes, count, take) => {
  for (let i = 0, at = 0; i < count; i++) {
    const start = at + 4
    at = start + bytes.readUInt32LE(at)
    if (at > bytes.length) throw new RangeError('a text beyond the page')
    const text = bytes.toString('utf8', start, at)
    // what may be no UTF-8 is for DuckDB to refuse
    if (text.includes('\uFFFD')) throw new RangeError('a text for DuckDB')
    take(text)
  }
})

/** Ids of each physical type: text as it is, int32 as numbers, int64 as bigints. */
export const idKinds: ReadonlyMap<number, ValueKind<unknown[]>> = new Map([
  [physical.bytes, texts],
  [physical.int32, itemKind((bytes, count, take) => new Int32Array(copied(bytes, count * 4)).forEach(take))],
  [physical.int64, itemKind((bytes, count, take) => new BigInt64Array(copied(bytes, count * 8)).forEach(take))],
])
