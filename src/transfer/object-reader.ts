// What can be read at an address: objects by name, from any byte on. The same for http(s), s3 and folders.
import type { Readable } from 'node:stream'

/** Which part of an object is wanted. */
export interface ReadRequest {
  /** the first byte wanted */
  readonly from: number
  /** the version that the bytes before `from` belong to; if the object is another by now, it comes from its beginning */
  readonly etag: string | null
  readonly signal: AbortSignal | undefined
}

/** An object that is being read. */
export interface OpenedObject {
  readonly kind: 'object'
  /** where `body` begins: `from`, or 0 where the object changed or its server knows no ranges */
  readonly from: number
  /** bytes of the whole object; null where its server does not say */
  readonly size: number | null
  /** names this version of the object; null where its server gives none */
  readonly etag: string | null
  /** in hex, where the server says it; for what it is worth, it is checked */
  readonly md5: string | null
  readonly body: Readable
}

/** An object that cannot be had. Asking for files that may or may not be there makes this no error. */
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
   * @throws TransientError for what may go better the next time; ServiceError for what will not
   */
  open(name: string, request: ReadRequest): Promise<OpenedObject | AbsentObject>
  /** the address of an object, for messages */
  nameOf(name: string): string
  close(): void
}
