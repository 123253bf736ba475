// Avro object containers: as a message has one (one header, one block, one record), and as a file read block by block.
import { crc32, inflateRawSync } from 'node:zlib'
import { DataError, messageOf } from '../../errors.ts'
import type { ByteReader } from '../chunks.ts'
import { unpackSnappy } from '../compression.ts'
import { AvroBytesError, AvroCursor } from './cursor.ts'

/** What stands before the blocks of a container. */
export type ContainerHeader = ReturnType<typeof readContainerHeader>

type Codec = 'null' | 'deflate' | 'snappy'

const syncLength = 16
/** a message is at most some megabytes: what unpacks to more is no message */
const largestBlock = 64 * 1024 * 1024
/** bytes that come of one byte, at most */
const mostUnpacked = { null: 1, deflate: 1032, snappy: 22 } as const
/** a record with an id has at least a byte */
const tooManyRecords = 'a block has more records than bytes'

export function isContainer(value: Uint8Array): boolean {
  return value[0] === 0x4f && value[1] === 0x62 && value[2] === 0x6a && value[3] === 1
}

/** @throws AvroBytesError */
export function readContainerHeader(value: Uint8Array) {
  const cursor = new AvroCursor()
  cursor.reset(value, 4, value.length)
  let schema: Uint8Array | undefined
  let codec: Uint8Array | undefined
  for (;;) {
    const count = cursor.readInteger()
    if (count === 0) break
    if (count < 0) cursor.skipInteger()
    if (Math.abs(count) > cursor.remaining) throw new AvroBytesError('it ends too early')
    for (let i = Math.abs(count); i > 0; i--) {
      const key = cursor.readText()
      const word = cursor.readBytes(cursor.readLength())
      // the others are not kept: there may be millions
      if (key === 'avro.schema') schema = word
      else if (key === 'avro.codec') codec = word
    }
  }
  if (!schema) throw new AvroBytesError('the header has no schema')
  return {
    schema: Buffer.from(schema).toString('utf8'),
    codec: codecOf(codec === undefined ? 'null' : Buffer.from(codec).toString('utf8')),
    /** bytes up to the sync marker: equal headers have equal schemas; a copy, because it is kept longer than the message */
    bytes: Buffer.from(value.subarray(0, cursor.position)),
  }
}

function codecOf(name: string): Codec {
  if (name === 'null' || name === 'deflate' || name === 'snappy') return name
  throw new AvroBytesError(`the codec ${name.slice(0, 20)} is not null, deflate or snappy`)
}

/** Finds the first record after a header; the cursor is left behind the last block. @throws AvroBytesError */
export function firstRecord(value: Uint8Array, header: ContainerHeader, cursor: AvroCursor): FirstRecord {
  const sync = header.bytes.length
  cursor.reset(value, sync, value.length)
  cursor.skip(syncLength)
  let first: FirstRecord | undefined
  while (cursor.remaining > 0) {
    const count = cursor.readInteger()
    if (count < 0) throw new AvroBytesError('a block has a negative number of records')
    const size = cursor.readLength()
    const start = cursor.position
    cursor.skip(size)
    if (!isSync(value, sync, cursor.position)) throw new AvroBytesError('a block does not end with the sync marker')
    cursor.skip(syncLength)
    if (count > size * mostUnpacked[header.codec]) throw new AvroBytesError(tooManyRecords)
    if (first) first.further += count
    else if (count > 0) {
      const { bytes, start: from, end } = unpacked(value, start, start + size, header.codec)
      first = { bytes, start: from, end, inBlock: count, further: count - 1 }
      if (count > first.end - first.start) throw new AvroBytesError(tooManyRecords)
    }
  }
  if (!first) throw new AvroBytesError('it has no record')
  return first
}

interface Unpacked {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

interface FirstRecord extends Unpacked {
  /** records in its block; the cursor must be at `end` after the first if it is the only one */
  readonly inBlock: number
  /** records in all blocks after the first record */
  further: number
}

function isSync(value: Uint8Array, sync: number, at: number): boolean {
  if (at + syncLength > value.length) throw new AvroBytesError('it ends too early')
  for (let i = 0; i < syncLength; i++) if (value[sync + i] !== value[at + i]) return false
  return true
}

function unpacked(value: Uint8Array, start: number, end: number, codec: Codec): Unpacked {
  if (codec === 'null') return { bytes: value, start, end }
  const packed = value.subarray(start, end)
  const bytes = codec === 'deflate' ? inflated(packed) : unsnapped(packed)
  return { bytes, start: 0, end: bytes.length }
}

function inflated(packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: largestBlock })
  } catch (cause) {
    throw new AvroBytesError('the deflate block is broken', { cause })
  }
}

/** Raw snappy with the CRC-32 of what it unpacks to, as Avro has it. */
function unsnapped(packed: Uint8Array): Uint8Array {
  const end = packed.length - 4
  if (end < 1) throw new AvroBytesError('the snappy block is cut off')
  let bytes: Uint8Array
  try {
    bytes = unpackSnappy(packed.subarray(0, end))
  } catch (cause) {
    throw new AvroBytesError(messageOf(cause), { cause })
  }
  const expected = new DataView(packed.buffer, packed.byteOffset + end, 4).getUint32(0)
  if (crc32(bytes) !== expected) throw new AvroBytesError('the checksum of the snappy block is wrong')
  return bytes
}

// As a file: its header, then its blocks one by one.

const longestHeader = 16 * 1024 * 1024
const longestFileBlock = 256 * 1024 * 1024

/** What stands before the first block; `sync` ends every block. */
type AvroFileHeader = Awaited<ReturnType<typeof readAvroFileHeader>>

/** The records of one block. */
export type AvroBlock = NonNullable<Awaited<ReturnType<typeof readAvroBlock>>>

/** @throws DataError for what is no container, is cut off, or has a codec that cannot be read */
export async function readAvroFileHeader(bytes: ByteReader, name: string) {
  let head: Buffer = Buffer.alloc(0)
  for (let length = 1; ; length = head.length * 2) {
    // twice as much at a time: a header is read from its beginning each time
    const more = await readAtLeast(bytes, length - head.length)
    head = Buffer.concat([head, more])
    if (head.length >= 4 && !isContainer(head)) throw new DataError(`${name} is not an Avro object container`)
    try {
      const container = readContainerHeader(head)
      bytes.unread(head.subarray(container.bytes.length))
      const sync = await bytes.read(syncLength)
      if (sync.length < syncLength) throw cutOff(name)
      return { container, sync }
    } catch (cause) {
      if (!(cause instanceof AvroBytesError)) throw cause
      // it may only be incomplete yet
      if (more.length > 0 && head.length < longestHeader) continue
      if (head.length < 4) throw new DataError(`${name} is not an Avro object container`, { cause })
      throw new DataError(`${name}: the header cannot be read: ${cause.message}`, { cause })
    }
  }
}

/** What there is, up to its end, once it is so many bytes. */
async function readAtLeast(bytes: ByteReader, length: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let total = 0
  while (total < length) {
    const more = await bytes.readSome()
    if (!more) break
    parts.push(more)
    total += more.length
  }
  return Buffer.concat(parts)
}

/**
 * The next block; undefined at the end of the file.
 *
 * @throws DataError for a block that is cut off or damaged
 */
export async function readAvroBlock(bytes: ByteReader, { container, sync }: AvroFileHeader, name: string) {
  const count = await readVarint(bytes)
  if (count === undefined) return undefined
  const size = (await readVarint(bytes)) ?? -1
  if (count < 0 || size < 0 || size > longestFileBlock) throw cutOff(name)
  const block = await bytes.read(size + syncLength)
  if (block.length < size + syncLength) throw cutOff(name)
  if (count === 0) return { bytes: block, start: 0, end: 0, count }
  try {
    if (!sync.equals(block.subarray(size))) throw new AvroBytesError('a block does not end with the sync marker')
    const records = unpacked(block, 0, size, container.codec)
    if (count > records.end - records.start) throw new AvroBytesError(tooManyRecords)
    return { ...records, count }
  } catch (cause) {
    if (cause instanceof AvroBytesError) throw new DataError(`${name}: ${cause.message}`, { cause })
    throw cause
  }
}

function cutOff(name: string): DataError {
  return new DataError(`${name}: the file is cut off or damaged`)
}

/** A long; undefined where the file has ended, −1 where it ends in the middle of one. */
async function readVarint(bytes: ByteReader): Promise<number | undefined> {
  const all: number[] = []
  while (all.length < 10) {
    const [next] = await bytes.read(1)
    if (next === undefined) break
    all.push(next)
    if (next >= 0x80) continue
    const cursor = new AvroCursor()
    cursor.reset(Uint8Array.from(all), 0, all.length)
    return cursor.readInteger()
  }
  return all.length === 0 ? undefined : -1
}
