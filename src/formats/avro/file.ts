// An Avro object container as a file: its header, then its blocks one by one.
import { DataError } from '../../errors.ts'
import type { ByteReader } from '../byte-reader.ts'
import { firstRecord, isContainer, readContainerHeader, type ContainerHeader } from './container.ts'
import { AvroBytesError, AvroCursor } from './cursor.ts'

/** The records of one block, unpacked. */
export interface AvroBlock {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly count: number
}

/** What stands before the first block. */
export interface AvroFileHeader {
  readonly container: ContainerHeader
  /** ends every block */
  readonly sync: Buffer
}

const syncLength = 16
const longestHeader = 16 * 1024 * 1024
const longestBlock = 256 * 1024 * 1024

/** @throws DataError for what is no container, is cut off, or has a codec that cannot be read */
export async function readAvroFileHeader(bytes: ByteReader, name: string): Promise<AvroFileHeader> {
  let head: Buffer = Buffer.alloc(0)
  for (;;) {
    const more = await bytes.readSome()
    if (more) head = Buffer.concat([head, more])
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
      if (more && head.length < longestHeader) continue
      if (head.length < 4) throw new DataError(`${name} is not an Avro object container`, { cause })
      throw new DataError(`${name}: the header cannot be read: ${cause.message}`, { cause })
    }
  }
}

/**
 * The next block; undefined at the end of the file.
 *
 * @throws DataError for a block that is cut off or damaged
 */
export async function readAvroBlock(
  bytes: ByteReader,
  { container, sync }: AvroFileHeader,
  name: string,
): Promise<AvroBlock | undefined> {
  const count = await readVarint(bytes)
  if (!count) return undefined
  const size = await readVarint(bytes)
  if (!size || count.value < 0 || size.value < 0 || size.value > longestBlock) throw cutOff(name)
  const rest = await bytes.read(size.value + syncLength)
  if (rest.length < size.value + syncLength) throw cutOff(name)
  // a container of its own, so that there is one reader of blocks
  const block = Buffer.concat([container.bytes, sync, count.bytes, size.bytes, rest])
  try {
    if (count.value === 0) return { bytes: block, start: 0, end: 0, count: 0 }
    const { bytes: unpacked, start, end, inBlock } = firstRecord(block, container, new AvroCursor())
    // a record with an id has at least a byte
    if (inBlock > end - start) throw new AvroBytesError('a block has more records than bytes')
    return { bytes: unpacked, start, end, count: inBlock }
  } catch (cause) {
    if (cause instanceof AvroBytesError) throw new DataError(`${name}: ${cause.message}`, { cause })
    throw cause
  }
}

function cutOff(name: string): DataError {
  return new DataError(`${name}: the file is cut off or damaged`)
}

/** A long of a few bytes; undefined where the file has ended. */
async function readVarint(bytes: ByteReader): Promise<{ value: number; bytes: Buffer } | undefined> {
  let all: Buffer = Buffer.alloc(0)
  for (let length = 0; length < 10; length++) {
    const next = await bytes.read(1)
    if (next.length === 0) break
    all = Buffer.concat([all, next])
    if (next[0]! < 0x80) {
      const cursor = new AvroCursor()
      cursor.reset(all, 0, all.length)
      return { value: cursor.readInteger(), bytes: all }
    }
  }
  return all.length === 0 ? undefined : { value: -1, bytes: all }
}
