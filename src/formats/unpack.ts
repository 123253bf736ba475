// Compressed files of five kinds, recognised by their first bytes → the plain bytes, piece by piece.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createInflate } from 'node:zlib'
import type * as xz from 'xz-decompress'
import { unpackLz4Frame } from './compression.ts'

const packings = ['gzip', 'zlib', 'bzip2', 'xz', 'LZ4'] as const
export type Packing = (typeof packings)[number]

/** What a file that begins like this is compressed with; undefined for one that is none of these. */
export function packingOf(head: Uint8Array): Packing | undefined {
  return packings.find((packing) => isPacked[packing](head))
}

const beginsWith =
  (...magic: number[]) =>
  (head: Uint8Array) =>
    magic.every((byte, index) => head[index] === byte)

const isPacked: Readonly<Record<Packing, (head: Uint8Array) => boolean>> = {
  gzip: beginsWith(0x1f, 0x8b, 0x08),
  // deflate with a window of 32 kB, and the check bits of these two bytes (RFC 1950)
  zlib: ([first = 0, second = 0]) => first === 0x78 && (first * 256 + second) % 31 === 0,
  bzip2: beginsWith(0x42, 0x5a, 0x68),
  xz: beginsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00),
  LZ4: beginsWith(0x04, 0x22, 0x4d, 0x18),
}

/**
 * Unpacks a file.
 *
 * @param pieces of the compressed file; for bzip2 and LZ4 they are held in memory
 * @param write takes the plain bytes; ends it by throwing
 * @throws Error for damaged data, and what `write` throws
 */
export async function unpack(
  packing: Packing,
  pieces: AsyncIterable<Uint8Array>,
  write: (piece: Uint8Array) => void,
): Promise<void> {
  const writeAll = async (plain: AsyncIterable<Uint8Array>) => {
    for await (const piece of plain) write(piece)
  }
  switch (packing) {
    case 'gzip':
      return pipeline(pieces, createGunzip(), writeAll)
    case 'zlib':
      return pipeline(pieces, createInflate(), writeAll)
    case 'xz': {
      // CommonJS, whose names Node does not see
      const { default: library } = (await import('xz-decompress')) as unknown as { default: typeof xz }
      const packed = Readable.toWeb(Readable.from(pieces)) as ReadableStream<Uint8Array>
      return writeAll(new library.XzReadableStream(packed) as unknown as AsyncIterable<Uint8Array>)
    }
    case 'bzip2':
      return unpackBzip2(await gathered(pieces), write)
    case 'LZ4':
      return unpackLz4Frame(await gathered(pieces), write)
  }
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = []
  for await (const piece of pieces) found.push(piece)
  return Buffer.concat(found)
}

const pieceSize = 64 * 1024

async function unpackBzip2(packed: Uint8Array, write: (piece: Uint8Array) => void): Promise<void> {
  const { default: Bunzip } = await import('seek-bzip')
  let at = 0
  let filled = 0
  let piece = new Uint8Array(pieceSize)
  const readByte = () => {
    // the library takes what is missing for bits that are set
    if (at >= packed.length) throw new Error('ends too early')
    return packed[at++]!
  }
  const input = {
    readByte,
    read(target: Uint8Array, start: number, length: number) {
      for (let i = 0; i < length; i++) target[start + i] = readByte()
      return length
    },
    eof: () => at >= packed.length,
  }
  const output = {
    writeByte(byte: number) {
      piece[filled++] = byte
      if (filled === pieceSize) flush()
    },
  }
  const flush = () => {
    write(piece.subarray(0, filled))
    piece = new Uint8Array(pieceSize)
    filled = 0
  }
  Bunzip.decode(input, output, true)
  flush()
}
