// Thrift's compact protocol, in which Parquet files say what is in them. No list is longer than the bytes that could hold it.

export interface Cursor {
  readonly bytes: Buffer
  at: number
}

type ThriftValue = number | boolean | Buffer | readonly ThriftValue[] | ThriftStruct

/** Values by the numbers of their fields. */
export interface ThriftStruct {
  readonly [field: number]: ThriftValue | undefined
}

const deepest = 64

/** @throws RangeError for what is cut off, nested too deep, or claims more items than there are bytes */
export function readStruct(cursor: Cursor, depth = deepest): ThriftStruct {
  if (depth === 0) throw new RangeError('nested too deep')
  const struct: Record<number, ThriftValue> = {}
  for (let field = 0; ;) {
    const head = cursor.bytes.readUInt8(cursor.at++)
    if (head === 0) return struct
    field = head >> 4 === 0 ? unfolded(readVarint(cursor)) : field + (head >> 4)
    const type = head & 15
    // a field that is true or false has its value in its type
    struct[field] = type <= 2 ? type === 1 : readValue(cursor, type, depth)
  }
}

function readValue(cursor: Cursor, type: number, depth: number): ThriftValue {
  switch (type) {
    case 1:
    case 2:
    case 3:
      return cursor.bytes.readUInt8(cursor.at++)
    case 4:
    case 5:
    case 6:
      return unfolded(readVarint(cursor))
    case 7:
      return readBytes(cursor, 8).readDoubleLE()
    case 8:
      return readBytes(cursor, readVarint(cursor))
    case 9:
    case 10:
      return readList(cursor, depth)
    case 12:
      return readStruct(cursor, depth - 1)
    default:
      throw new RangeError('a type that Parquet does not have')
  }
}

function readList(cursor: Cursor, depth: number): ThriftValue[] {
  if (depth === 0) throw new RangeError('nested too deep')
  const head = cursor.bytes.readUInt8(cursor.at++)
  const count = head >> 4 === 15 ? readVarint(cursor) : head >> 4
  // every item takes a byte at least
  if (count > cursor.bytes.length - cursor.at) throw new RangeError('a list beyond its bytes')
  return Array.from({ length: count }, () => readValue(cursor, head & 15, depth - 1))
}

function readBytes(cursor: Cursor, length: number): Buffer {
  const start = cursor.at
  cursor.at += length
  if (cursor.at > cursor.bytes.length) throw new RangeError('beyond the bytes')
  return cursor.bytes.subarray(start, cursor.at)
}

/** Up to 2^53 it is exact. */
export function readVarint(cursor: Cursor): number {
  let value = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const next = cursor.bytes.readUInt8(cursor.at++)
    value += (next & 0x7f) * 2 ** shift
    if (next < 0x80) return value
  }
  throw new RangeError('a number that is too long')
}

/** Even numbers are positive, odd ones negative. */
function unfolded(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
