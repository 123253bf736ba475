// Bytes that are read where they are needed: a file's, or memory's.
import { readSync } from 'node:fs'
import { ModelError, messageOf, systemCode } from '../../errors.ts'

export interface ByteSource {
  readonly size: number
  /** Exactly these bytes, which must be there. Of a file a copy that begins at a multiple of eight; of memory a view. */
  read(start: number, length: number): Buffer
}

export function memorySource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: (start, length) => bytes.subarray(start, start + length) }
}

/**
 * An open file of a known size.
 *
 * @param label the file's name, for messages
 */
export function fileSource(descriptor: number, size: number, label: string): ByteSource {
  return {
    size,
    read(start, length) {
      const bytes = Buffer.allocUnsafeSlow(length)
      for (let done = 0; done < length;) {
        const count = readPiece(descriptor, bytes, { done, position: start + done, label })
        if (count === 0) throw new ModelError(`${label}: became shorter while it was read`)
        done += count
      }
      return bytes
    },
  }
}

function readPiece(
  descriptor: number,
  bytes: Buffer,
  { done, position, label }: { done: number; position: number; label: string },
): number {
  try {
    return readSync(descriptor, bytes, done, bytes.length - done, position)
  } catch (cause) {
    throw new ModelError(`${label}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
}

/** A long run of bytes that nobody may ever ask for: where it lies. */
export class ByteSlice {
  readonly length: number
  readonly #source: ByteSource
  readonly #start: number

  constructor(source: ByteSource, start: number, length: number) {
    this.#source = source
    this.#start = start
    this.length = length
  }

  read(): Uint8Array {
    return this.#source.read(this.#start, this.length)
  }
}
