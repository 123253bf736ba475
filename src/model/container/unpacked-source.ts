// A compressed file → its plain bytes: in memory while they are few, then in a temporary file. Bounded, against bombs.
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LcclfError, messageOf, ModelError, writeFailure } from '../../errors.ts'
import { type Packing, unpack } from '../../formats/unpack.ts'
import { type ByteSource, fileSource, memorySource } from './byte-source.ts'

/** How much a file may unpack to; `ratio`: times its own size, once it has unpacked to `ratioFrom` bytes. */
const usualLimits = { bytes: 8_000_000_000, ratio: 200, ratioFrom: 32_000_000, memory: 64_000_000 }

/** Plain bytes that take room until they are closed. */
export interface UnpackedSource extends ByteSource {
  close(): void
}

/**
 * Unpacks a file whole.
 *
 * @param file its path, its size and how it is compressed
 * @throws ModelError for a damaged file and one that unpacks to more than any model; ServiceError for a full disk
 */
export async function unpackFile(
  file: { readonly path: string; readonly size: number; readonly packing: Packing; readonly label: string },
  limits = usualLimits,
): Promise<UnpackedSource> {
  const { path, size: packed, packing, label } = file
  const tooLarge = (what: string) =>
    new ModelError(`${label}: unpacks to ${what}, more than any model needs`, { hint: 'Nothing of this file is used.' })
  const store = createStore(label, limits.memory)
  // a stream that is ended by it may say that it was aborted, and no more
  let refusal: unknown
  const take = (piece: Uint8Array) => {
    const size = store.add(piece)
    if (size > limits.bytes) throw tooLarge(`more than ${limits.bytes} bytes`)
    if (size > limits.ratioFrom && size > packed * limits.ratio) {
      throw tooLarge(`more than ${limits.ratio} times its own size`)
    }
  }
  try {
    await unpack(packing, createReadStream(path, { highWaterMark: 1 << 20 }), (piece) => {
      try {
        take(piece)
      } catch (error) {
        refusal = error
        throw error
      }
    })
    return store.finish()
  } catch (error) {
    store.discard()
    const cause = refusal ?? error
    if (cause instanceof LcclfError) throw cause
    throw new ModelError(`${label}: is compressed with ${packing}, and damaged or cut off (${messageOf(cause)})`, {
      cause,
      hint: 'Copy or download it again.',
    })
  }
}

/** Takes pieces, the first ones into memory. */
function createStore(label: string, mostInMemory: number) {
  const pieces: Uint8Array[] = []
  let size = 0
  let spill: { descriptor: number; folder: string } | undefined

  const write = (piece: Uint8Array): void => {
    const { descriptor, folder } = spill!
    try {
      for (let done = 0; done < piece.length;) done += writeSync(descriptor, piece, done)
    } catch (error) {
      throw writeFailure(folder, error)
    }
  }
  const discard = (): void => {
    if (!spill) return
    closeSync(spill.descriptor)
    rmSync(spill.folder, { recursive: true, force: true })
    spill = undefined
  }
  return {
    add(piece: Uint8Array): number {
      size += piece.length
      if (!spill && size > mostInMemory) {
        spill = openTemporary()
        for (const earlier of pieces.splice(0)) write(earlier)
      }
      if (spill) write(piece)
      else pieces.push(piece)
      return size
    },
    finish(): UnpackedSource {
      if (!spill) return { ...memorySource(Buffer.concat(pieces)), close: () => undefined }
      return { ...fileSource(spill.descriptor, size, label), close: discard }
    },
    discard,
  }
}

function openTemporary(): { descriptor: number; folder: string } {
  let folder = tmpdir()
  try {
    folder = mkdtempSync(join(folder, 'lcclf-unpacked-'))
    return { descriptor: openSync(join(folder, 'model'), 'wx+', 0o600), folder }
  } catch (error) {
    throw writeFailure(folder, error)
  }
}
