// Snappy blocks, as Avro containers hold them.
import { snappyUncompress } from 'hyparquet'

/** nothing we read has larger blocks: what claims to be larger is broken */
const largestBlock = 64 * 1024 * 1024

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
