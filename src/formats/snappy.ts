// Snappy: single blocks, and the frames of several that Kafka's Java clients write.
import { snappyUncompress } from 'hyparquet'

/** nothing we read has larger blocks: what claims to be larger is broken */
const largestBlock = 64 * 1024 * 1024
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
    return length
  }
  throw new RangeError('the snappy block has no length')
}
