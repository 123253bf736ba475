// Apache Arrow, loaded where it is needed, and its reader of IPC with both codecs: LZ4 and Zstandard.
import { createRequire } from 'node:module'
import type * as Arrow from 'apache-arrow'
import { loadZstd } from '../zstd.ts'

export type ArrowLibrary = typeof Arrow

/**
 * The library in its one-file form: loading it takes a third of the time of its 200 modules, and opening a bundle is
 * part of every run's start.
 */
export function loadArrow(): ArrowLibrary {
  return createRequire(import.meta.url)('apache-arrow/Arrow.esnext.min') as ArrowLibrary
}

let ready: Promise<ArrowLibrary> | undefined

/** Opens a reader over messages; closing it ends them too, which the library does not do by itself. */
export async function openArrowReader(messages: AsyncGenerator<Uint8Array, void, undefined>) {
  ready ??= withCodecs()
  const arrow = await ready
  try {
    const reader = await (await arrow.RecordBatchReader.from(messages)).open()
    return {
      reader,
      async close(): Promise<void> {
        await messages.return()
        await reader.cancel()
      },
    }
  } catch (error) {
    await messages.return()
    throw error
  }
}

async function withCodecs(): Promise<ArrowLibrary> {
  const arrow = loadArrow()
  const [lz4, zstd] = await Promise.all([loadLz4Frame(), loadZstd()])
  const { compressionRegistry, CompressionType } = arrow
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (bytes) => lz4(bytes, plainSize(bytes)) })
  compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstd.decompress(bytes, plainSize(bytes)) })
  return arrow
}

/** The size after decompression: the eight bytes before the compressed ones, which the library keeps to itself. */
function plainSize(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset - 8, 8).getBigInt64(0, true))
}

// LZ4 frames in memory, block by block; lz4js's own reader of frames trusts the sizes in them.

/** @throws Error for damaged data, or data that does not give `size` bytes */
type DecompressLz4Frame = (frame: Uint8Array, size: number) => Uint8Array

const magic = 0x184d2204
const versionMask = 0xc0
const version = 0x40
const blockChecksumFlag = 0x10
const contentSizeFlag = 0x08
const dictionaryFlag = 0x01
const storedFlag = 0x80000000

/** Loads the decompressor. */
async function loadLz4Frame(): Promise<DecompressLz4Frame> {
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
