// The footer of a Parquet file, looked at before DuckDB: its lists are no longer than the bytes that could hold them.
import { open } from 'node:fs/promises'
import { DataError } from '../../errors.ts'
import { type InputFile, unreadable } from './byte-input.ts'

/** The length of the footer and the magic stand at the end. */
const tailLength = 8
const deepest = 64

/**
 * DuckDB makes room for as many items as a list claims: 6 kB took 8 GB.
 *
 * @throws DataError for a footer that is cut off, or whose counts, lengths or nesting cannot be
 */
export async function checkParquetFooter(file: InputFile): Promise<void> {
  const footer = await readFooter(file)
  try {
    skipStruct({ bytes: footer, at: 0 }, deepest)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new DataError(`${file.name}: cannot be read: its footer is damaged`, { cause })
  }
}

async function readFooter({ path, size, name }: InputFile): Promise<Buffer> {
  if (size < tailLength) throw new DataError(`${name} is not a Parquet file`)
  const handle = await open(path).catch((cause: unknown) => {
    throw unreadable(name, cause)
  })
  try {
    const { buffer: tail } = await handle.read(Buffer.alloc(tailLength), 0, tailLength, size - tailLength)
    const length = tail.readUInt32LE(0)
    if (length > size - tailLength) throw new DataError(`${name}: cannot be read: its footer is longer than the file`)
    return (await handle.read(Buffer.alloc(length), 0, length, size - tailLength - length)).buffer
  } finally {
    await handle.close()
  }
}

// Thrift's compact protocol, passed over.

interface Cursor {
  readonly bytes: Buffer
  at: number
}

function skipStruct(cursor: Cursor, depth: number): void {
  if (depth === 0) throw new RangeError('nested too deep')
  for (;;) {
    const head = cursor.bytes.readUInt8(cursor.at++)
    if (head === 0) return
    if (head >> 4 === 0) readVarint(cursor)
    const type = head & 15
    // a field that is true or false has its value in its type
    if (type > 2) skip(cursor, type, depth)
  }
}

function skip(cursor: Cursor, type: number, depth: number): void {
  switch (type) {
    case 1:
    case 2:
    case 3:
      return advance(cursor, 1)
    case 4:
    case 5:
    case 6:
      return void readVarint(cursor)
    case 7:
      return advance(cursor, 8)
    case 8:
      return advance(cursor, readVarint(cursor))
    case 9:
    case 10:
      return skipList(cursor, depth)
    case 12:
      return skipStruct(cursor, depth - 1)
    default:
      throw new RangeError('a type that no Parquet footer has')
  }
}

function skipList(cursor: Cursor, depth: number): void {
  if (depth === 0) throw new RangeError('nested too deep')
  const head = cursor.bytes.readUInt8(cursor.at++)
  const count = head >> 4 === 15 ? readVarint(cursor) : head >> 4
  // every item takes a byte at least
  if (count > cursor.bytes.length - cursor.at) throw new RangeError('a list beyond the footer')
  for (let i = 0; i < count; i++) skip(cursor, head & 15, depth - 1)
}

function advance(cursor: Cursor, length: number): void {
  cursor.at += length
  if (cursor.at > cursor.bytes.length) throw new RangeError('beyond the footer')
}

function readVarint(cursor: Cursor): number {
  let value = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const next = cursor.bytes.readUInt8(cursor.at++)
    value += (next & 0x7f) * 2 ** shift
    if (next < 0x80) return value
  }
  throw new RangeError('a number that is too long')
}
