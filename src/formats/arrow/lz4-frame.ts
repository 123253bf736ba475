// LZ4 frames in memory, block by block; lz4js's own reader of frames trusts the sizes in them.

/** @throws Error for damaged data, or data that does not give `size` bytes */
export type DecompressLz4Frame = (frame: Uint8Array, size: number) => Uint8Array

const magic = 0x184d2204
const versionMask = 0xc0
const version = 0x40
const blockChecksumFlag = 0x10
const contentSizeFlag = 0x08
const dictionaryFlag = 0x01
const storedFlag = 0x80000000

/** Loads the decompressor. */
export async function loadLz4Frame(): Promise<DecompressLz4Frame> {
  const { decompressBlock } = await import('lz4js')
  return (frame, size) => {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
    const flags = frame[4] ?? 0
    if (frame.length < 7 || view.getUint32(0, true) !== magic || (flags & versionMask) !== version) {
      throw new Error('not an LZ4 frame')
    }
    if ((flags & dictionaryFlag) !== 0) throw new Error('an LZ4 frame with a dictionary of its own')
    const plain = new Uint8Array(size)
    let written = 0
    let at = (flags & contentSizeFlag) === 0 ? 7 : 15
    for (;;) {
      if (at + 4 > frame.length) throw new Error('an LZ4 frame that is cut off')
      const word = view.getUint32(at, true)
      at += 4
      if (word === 0) break
      const length = word & ~storedFlag
      const end = at + length
      if (length < 0 || end > frame.length) throw new Error('an LZ4 frame that is cut off')
      if ((word & storedFlag) === 0) {
        written = decompressBlock(frame, plain, at, length, written)
      } else {
        if (written + length > size) break
        plain.set(frame.subarray(at, end), written)
        written += length
      }
      at = (flags & blockChecksumFlag) === 0 ? end : end + 4
    }
    if (written !== size) throw new Error('an LZ4 frame of another size than expected')
    return plain
  }
}
