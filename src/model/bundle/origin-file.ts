// Reads a file once, whole, with its sha256.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { messageOf, ModelError, systemCode } from '../../errors.ts'
import type { FileDigest } from './manifest.ts'

const chunk = 4 * 1024 * 1024

/** A file in memory. */
interface OriginFile {
  readonly bytes: Buffer
  readonly digest: FileDigest
}

/**
 * Reads a whole file; its bytes begin at an address that is a multiple of eight, so that arrays can be views of it.
 *
 * @param onBytes is told how many bytes have been read
 * @param isShared puts it into memory that threads can be given without a copy; onnxruntime does not take such
 * @throws ModelError for a file that cannot be read, or that shrinks meanwhile
 */
export async function readOriginFile(
  path: string,
  onBytes: (done: number, total: number) => void = () => undefined,
  isShared = false,
): Promise<OriginFile> {
  try {
    const file = await open(path, 'r')
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new ModelError(`${path}: is no file`)
      // memory of its own, so that it begins at a multiple of eight
      const bytes = isShared ? Buffer.from(new SharedArrayBuffer(stats.size)) : Buffer.allocUnsafeSlow(stats.size)
      const hash = createHash('sha256')
      const readAt = (start: number) => file.read(bytes, start, Math.min(chunk, bytes.length - start), start)
      let ahead = bytes.length > 0 ? readAt(0) : undefined
      for (let done = 0; ahead;) {
        const { bytesRead } = await ahead
        if (bytesRead === 0) throw new ModelError(`${path}: became shorter while it was read`)
        // the next piece is read while this one is hashed
        ahead = done + bytesRead < bytes.length ? readAt(done + bytesRead) : undefined
        hash.update(bytes.subarray(done, done + bytesRead))
        done += bytesRead
        onBytes(done, bytes.length)
      }
      return { bytes, digest: { file: basename(path), sha256: hash.digest('hex'), size: bytes.length } }
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    throw new ModelError(`${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
}
