// An Avro object container as a message has it: one header, one block, one record.
import { crc32, inflateRawSync } from 'node:zlib'
import { messageOf } from '../../errors.ts'
import { AvroBytesError, AvroCursor } from './cursor.ts'
import { unpackSnappy } from '../snappy.ts'

/** What stands before the blocks of a container. */
export interface ContainerHeader {
  readonly schema: string
  readonly codec: Codec
  /** bytes up to the sync marker: equal headers have equal schemas */
  readonly bytes: Uint8Array
}

/** The codecs a block may be written with. */
type Codec = 'null' | 'deflate' | 'snappy'

/** The first record of a container. */
interface FirstRecord {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** records in its block; the cursor must be at `end` after the first if it is the only one */
  readonly inBlock: number
  /** records in all blocks after the first record */
  readonly further: number
}

const syncLength = 16
/** a message is at most some megabytes: what unpacks to more is no message */
const largestBlock = 64 * 1024 * 1024

/** Whether a value begins as a container does. */
export function isContainer(value: Uint8Array): boolean {
  return value[0] === 0x4f && value[1] === 0x62 && value[2] === 0x6a && value[3] === 1
}

/** @throws AvroBytesError */
export function readContainerHeader(value: Uint8Array): ContainerHeader {
  const cursor = new AvroCursor()
  cursor.reset(value, 4, value.length)
  const metadata = new Map<string, Uint8Array>()
  for (;;) {
    const count = cursor.readInteger()
    if (count === 0) break
    if (count < 0) cursor.skipInteger()
    if (Math.abs(count) > cursor.remaining) throw new AvroBytesError('it ends too early')
    for (let i = Math.abs(count); i > 0; i--) {
      const key = cursor.readText()
      metadata.set(key, cursor.readBytes(cursor.readLength()))
    }
  }
  const schema = metadata.get('avro.schema')
  if (!schema) throw new AvroBytesError('the header has no schema')
  const codec = metadata.get('avro.codec')
  return {
    schema: Buffer.from(schema).toString('utf8'),
    codec: codecOf(codec === undefined ? 'null' : Buffer.from(codec).toString('utf8')),
    // a copy, because it is kept longer than the message
    bytes: Uint8Array.prototype.slice.call(value, 0, cursor.position),
  }
}

/** Finds the first record after a header. @throws AvroBytesError */
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
    if (first) first = { ...first, further: first.further + count }
    else if (count > 0)
      first = { ...unpacked(value, start, start + size, header.codec), inBlock: count, further: count - 1 }
  }
  if (!first) throw new AvroBytesError('it has no record')
  return first
}

function isSync(value: Uint8Array, sync: number, at: number): boolean {
  if (at + syncLength > value.length) throw new AvroBytesError('it ends too early')
  for (let i = 0; i < syncLength; i++) if (value[sync + i] !== value[at + i]) return false
  return true
}

function codecOf(name: string): Codec {
  if (name === 'null' || name === 'deflate' || name === 'snappy') return name
  throw new AvroBytesError(`the codec ${name.slice(0, 20)} is not null, deflate or snappy`)
}

type Unpacked = Pick<FirstRecord, 'bytes' | 'start' | 'end'>

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
