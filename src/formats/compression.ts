// Zstandard, LZ4 and snappy in memory, with every size checked before memory is taken for it.
import { snappyUncompress } from 'hyparquet'
import type * as lz4 from 'lz4js'

// Zstandard: Node's own zlib has it only from 22.15 on.

let zstdModule: ReturnType<typeof initZstd> | undefined

/** Loads the WebAssembly module, once a process. It takes and gives whole frames. */
export function loadZstd(): ReturnType<typeof initZstd> {
  zstdModule ??= initZstd()
  return zstdModule
}

async function initZstd() {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return {
    compress: (bytes: Uint8Array, level: number): Uint8Array => zstd.compress(bytes, level),
    /** @throws Error for damaged data, or data that does not give `size` bytes */
    decompress(bytes: Uint8Array, size: number): Uint8Array {
      // the module writes as many bytes as the frame claims to where it could not allocate them
      const isOfSize = (declaredSize(bytes) ?? size) === size
      const plain = isOfSize ? zstd.decompress(bytes, { defaultHeapSize: size }) : undefined
      if (plain?.length !== size) throw new Error('a zstd frame of another size than expected')
      return plain
    },
    /** for frames that may not say their size; @throws Error for damaged data, or data of more than `limit` bytes */
    decompressUpTo(bytes: Uint8Array, limit: number): Uint8Array {
      if ((declaredSize(bytes) ?? 0) > limit) throw new Error('a zstd frame that is too large')
      return zstd.decompress(bytes, { defaultHeapSize: limit })
    },
  }
}

const zstdMagic = 0xfd2fb528

/** The content size in a frame's header (RFC 8878, 3.1.1.1); undefined where the frame does not say. */
function declaredSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getUint32(0, true) !== zstdMagic) throw new Error('not a zstd frame')
  const descriptor = view.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeFlag = descriptor >> 6
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  switch (sizeFlag) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : undefined
    case 1:
      return view.getUint16(at, true) + 256
    case 2:
      return view.getUint32(at, true)
    default:
      return Number(view.getBigUint64(at, true))
  }
}

// LZ4 frames, block by block: lz4js's own reader of frames trusts the sizes in them.

const lz4Magic = 0x184d2204
const blockChecksumFlag = 0x10
const contentSizeFlag = 0x08
const contentChecksumFlag = 0x04
const dictionaryFlag = 0x01
const storedFlag = 0x80000000
/** how far back a block may refer */
const lz4History = 64 * 1024

/** Loads the decompressor, which throws Error for damaged data, or data that does not give `size` bytes. */
export async function loadLz4Frame(): Promise<(frame: Uint8Array, size: number) => Uint8Array> {
  const { decompressBlock } = await import('lz4js')
  return (frame, size) => {
    const plain = new Uint8Array(size)
    let written = 0
    eachLz4Block(frame, decompressBlock, (block) => {
      if (written + block.length > size) throw new Error('an LZ4 frame of another size than expected')
      plain.set(block, written)
      written += block.length
    })
    if (written !== size) throw new Error('an LZ4 frame of another size than expected')
    return plain
  }
}

/** Unpacks frames of any size, one after the other, giving a piece at a time. Throws Error for damaged data. */
export async function unpackLz4Frame(frames: Uint8Array, write: (piece: Uint8Array) => void): Promise<void> {
  const { decompressBlock } = await import('lz4js')
  for (let at = 0; at < frames.length;) {
    at += eachLz4Block(frames.subarray(at), decompressBlock, (block) => write(block.slice()))
  }
}

/**
 * Unpacks the blocks of one frame, each into the same room behind the last of what came before it.
 *
 * @param take may use the block until it returns
 * @returns the length of the frame
 */
function eachLz4Block(
  frame: Uint8Array,
  decompressBlock: typeof lz4.decompressBlock,
  take: (block: Uint8Array) => void,
): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const flags = frame[4] ?? 0
  if (frame.length < 7 || view.getUint32(0, true) !== lz4Magic || flags >> 6 !== 1) {
    throw new Error('not an LZ4 frame')
  }
  if ((flags & dictionaryFlag) !== 0) throw new Error('an LZ4 frame with a dictionary of its own')
  const largest = 2 ** (8 + 2 * ((frame[5]! >> 4) & 7))
  if (largest < 2 ** 16) throw new Error('an LZ4 frame with blocks of no known size')
  const room = new Uint8Array(lz4History + largest)
  let start = 0
  let at = (flags & contentSizeFlag) === 0 ? 7 : 15
  for (;;) {
    if (at + 4 > frame.length) throw new Error('an LZ4 frame that is cut off')
    const word = view.getUint32(at, true)
    at += 4
    if (word === 0) return at + ((flags & contentChecksumFlag) === 0 ? 0 : 4)
    const length = word & ~storedFlag
    const next = at + length
    if (length < 0 || next > frame.length) throw new Error('an LZ4 frame that is cut off')
    const isStored = (word & storedFlag) !== 0
    if (isStored && length <= largest) room.set(frame.subarray(at, next), start)
    const end = isStored ? start + length : decompressBlock(frame, room, at, length, start)
    if (!(end <= start + largest)) throw new Error('an LZ4 block that is larger than its frame says')
    take(room.subarray(start, end))
    const kept = Math.min(end, lz4History)
    room.copyWithin(0, end - kept, end)
    start = kept
    at = (flags & blockChecksumFlag) === 0 ? next : next + 4
  }
}

// Snappy: single blocks, and the frames of several that Kafka's Java clients write.

/** nothing we read has larger blocks: what claims to be larger is broken */
const largestBlock = 64 * 1024 * 1024
const mostUnpacked = 22
/** 0x82 SNAPPY 0, then two versions of four bytes */
const frameMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const frameHeader = 16

/** Unpacks one block. Throws RangeError for one that is broken. */
export function unpackSnappy(block: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(unpackedLength(block))
  if (bytes.length === 0) return bytes
  try {
    snappyUncompress(block, bytes)
  } catch (cause) {
    throw new RangeError('the snappy block is broken', { cause })
  }
  return bytes
}

/** Unpacks what may be a frame (xerial's, in Kafka's batches) or a single block. */
export function unpackSnappyFrame(packed: Uint8Array): Uint8Array {
  if (!frameMagic.equals(packed.subarray(0, frameMagic.length))) return unpackSnappy(packed)
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const blocks: Uint8Array[] = []
  for (let at = frameHeader; at + 4 <= packed.length;) {
    const length = view.getInt32(at)
    at += 4
    if (length < 0 || length > packed.length - at) throw new RangeError('the snappy frame is broken')
    blocks.push(unpackSnappy(packed.subarray(at, at + length)))
    at += length
  }
  return Buffer.concat(blocks)
}

/** The varint that a block begins with. */
function unpackedLength(block: Uint8Array): number {
  let length = 0
  for (let i = 0; i < 5 && i < block.length; i++) {
    const next = block[i]!
    length += (next & 0x7f) * 2 ** (7 * i)
    if (next >= 0x80) continue
    if (length > largestBlock) throw new RangeError('the snappy block is too large')
    // a copy of 64 bytes takes three: whoever claims more is not given the memory
    if (length > block.length * mostUnpacked) throw new RangeError('the snappy block is broken')
    return length
  }
  throw new RangeError('the snappy block has no length')
}
