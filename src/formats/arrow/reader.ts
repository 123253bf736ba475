// Compressed bodies of Arrow IPC: LZ4 and Zstandard, given to the library.
import type * as Arrow from 'apache-arrow'
import { loadLz4Frame } from './lz4-frame.ts'
import { loadZstd } from '../zstd.ts'

/** The part of the library that reads. */
export type ArrowLibrary = typeof Arrow

let ready: Promise<ArrowLibrary> | undefined

/** Loads apache-arrow with both codecs, once a process. */
export function loadArrow(): Promise<ArrowLibrary> {
  ready ??= load()
  return ready
}

/** A reader, and the way to end it together with what it reads from (which it does not end by itself). */
export interface OpenArrowReader {
  readonly reader: Arrow.RecordBatchReader
  close(): Promise<void>
}

/** Opens a reader over messages. */
export async function openArrowReader(messages: AsyncGenerator<Uint8Array, void, undefined>): Promise<OpenArrowReader> {
  const arrow = await loadArrow()
  try {
    const reader = await (await arrow.RecordBatchReader.from(messages)).open()
    return {
      reader,
      async close() {
        await messages.return()
        await reader.cancel()
      },
    }
  } catch (error) {
    await messages.return()
    throw error
  }
}

async function load(): Promise<ArrowLibrary> {
  const [arrow, lz4, zstd] = await Promise.all([import('apache-arrow'), loadLz4Frame(), loadZstd()])
  const { compressionRegistry, CompressionType } = arrow
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (bytes) => lz4(bytes, plainSize(bytes)) })
  compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstd.decompress(bytes, plainSize(bytes)) })
  return arrow
}

/** The size after decompression: the eight bytes before the compressed ones, which the library keeps to itself. */
function plainSize(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset - 8, 8).getBigInt64(0, true))
}
