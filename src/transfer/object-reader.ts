// What can be read at an address: objects by name, from any byte on. The same for http(s), s3 and folders.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { messageOf, ServiceError, systemCode, UsageError } from '../errors.ts'
import { redactedText } from '../formats/shown-text.ts'

/** Which part of an object is wanted. */
export interface ReadRequest {
  /** the first byte wanted */
  readonly from: number
  /** the version that the bytes before `from` belong to; if the object has changed, it comes from its beginning */
  readonly etag: string | null
  readonly signal: AbortSignal | undefined
}

export interface OpenedObject {
  readonly kind: 'object'
  /** where `body` begins: `from`, or 0 where the object changed or its server does not support ranges */
  readonly from: number
  /** bytes of the whole object; null where its server does not say */
  readonly size: number | null
  /** names this version of the object; null where its server gives none */
  readonly etag: string | null
  /** in hex, where the server gives one; it is checked */
  readonly md5: string | null
  readonly body: Readable
}

/** An object that is not available; no error, because some files are optional. */
export interface AbsentObject {
  readonly kind: 'absent'
  /** e.g. `not found (404)` */
  readonly why: string
}

/** Reads objects below one address. */
export interface ObjectReader {
  /** without user, password and query: for messages and records */
  readonly address: string
  /**
   * @param name below the address; '' for the address itself
   * @throws TransientError for what may succeed the next time; ServiceError for what will not
   */
  open(name: string, request: ReadRequest): Promise<OpenedObject | AbsentObject>
  /** the address of an object, for messages */
  nameOf(name: string): string
  close(): void
}

/** Reads below a folder of this machine, or the one file that the path names. */
export function fileReader(typed: string): ObjectReader {
  const path = resolve(typed)
  const pathOf = (name: string): string => (name === '' ? path : join(path, name))
  return {
    address: path,
    nameOf: pathOf,
    async open(name, request) {
      const file = pathOf(name)
      try {
        const { size, mtimeMs, ino } = await stat(file)
        const etag = `"${size}-${mtimeMs}-${ino}"`
        const from = request.etag === etag ? request.from : 0
        return { kind: 'object', from, size, etag, md5: null, body: createReadStream(file, { start: from }) }
      } catch (cause) {
        const code = systemCode(cause)
        if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent', why: 'not found' }
        throw new ServiceError(`${file}: cannot be read (${code ?? messageOf(cause)})`, { cause })
      }
    },
    close: () => undefined,
  }
}

/**
 * The path of `file:/folder/` or `file:///folder/`, with escapes (`%20`) decoded.
 *
 * @throws UsageError for a file address of another machine, or one that is invalid
 */
export function pathOfFileAddress(address: string, hint: string): string {
  try {
    const path = address.replace(/^file:/i, '')
    return fileURLToPath(path.startsWith('/') ? `file:${path}` : `file:///${path}`)
  } catch (cause) {
    throw new UsageError(`${redactedText(address)}: not a valid file address`, { cause, hint })
  }
}
