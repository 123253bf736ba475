// Compressed bodies of Arrow IPC: LZ4 and Zstandard, given to the library.
import type * as Arrow from 'apache-arrow'
import { loadLz4Frame } from './lz4-frame.ts'
import { loadZstd } from './zstd.ts'

/** The part of the library that reads. */
export type ArrowLibrary = typeof Arrow

let ready: Promise<ArrowLibrary> | undefined

/** Loads apache-arrow with both codecs, once a process. */
export function loadArrow(): Promise<ArrowLibrary> {
  ready ??= load()
  return ready
}

/** Opens a reader over messages. */
export async function openArrowReader(messages: AsyncIterable<Uint8Array>): Promise<Arrow.RecordBatchReader> {
  const arrow = await loadArrow()
  const reader = await arrow.RecordBatchReader.from(messages)
  return reader.open()
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
