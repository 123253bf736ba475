// Frames between a program and a worker: the length of a header (4 bytes, the least first), the header (JSON), its body.
import { DataError, messageOf } from '../../errors.ts'
import { type ByteReader, createByteReader } from '../../formats/chunks.ts'

/** What a program asks. Its members are checked by whoever answers. */
export interface Request {
  /** comes back with the answer */
  readonly id: string | number
  readonly header: Readonly<Record<string, unknown>>
  readonly body: Buffer
  /** of a body that is too large to be kept, and was passed over */
  readonly omittedBytes?: number
}

const longestHeader = 1024 * 1024
/** More rows are classified in several requests. */
export const longestBody = 512 * 1024 * 1024

/**
 * Reads requests to the end of the bytes.
 *
 * @throws DataError for bytes that are no frame, after which nobody knows where the next one begins
 */
export async function* requestsOf(
  chunks: AsyncIterable<Buffer>,
  limit: number = longestBody,
): AsyncGenerator<Request, void, undefined> {
  const bytes = createByteReader(chunks)
  try {
    for (;;) {
      const length = await bytes.read(4)
      if (length.length === 0) return
      if (length.length < 4) throw brokenOff()
      yield await requestOf(bytes, length.readUInt32LE(0), limit)
    }
  } finally {
    await bytes.close()
  }
}

async function requestOf(bytes: ByteReader, headerLength: number, limit: number): Promise<Request> {
  if (headerLength > longestHeader) {
    throw broken(`a header of ${headerLength} bytes, of which ${longestHeader} are allowed`)
  }
  const text = await bytes.read(headerLength)
  if (text.length < headerLength) throw brokenOff()
  const { id, length, header } = headerOf(text.toString('utf8'))
  if (length > limit) {
    await passOver(bytes, length)
    return { id, header, body: Buffer.alloc(0), omittedBytes: length }
  }
  const body = await bytes.read(length)
  if (body.length < length) throw brokenOff()
  return { id, header, body }
}

function headerOf(text: string) {
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (cause) {
    throw broken(`a header that is no JSON (${messageOf(cause)})`)
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw broken('a header that is no object')
  const { id, bytes = 0, ...others } = header as Record<string, unknown>
  if (typeof id !== 'string' && typeof id !== 'number') throw broken('a header without an id')
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw broken('a header whose bytes are no count')
  return { id, length: bytes as number, header: others }
}

async function passOver(bytes: ByteReader, length: number): Promise<void> {
  let left = length
  while (left > 0) {
    const chunk = await bytes.readSome()
    if (!chunk) throw brokenOff()
    if (chunk.length > left) bytes.unread(chunk.subarray(left))
    left -= chunk.length
  }
}

function broken(what: string): DataError {
  return new DataError(`stdin: ${what}`, {
    hint: 'Only programs speak to lcclf worker: each request is the length of its header (4 bytes), the header, its body.',
  })
}

function brokenOff(): DataError {
  return broken('it ends in the middle of a request')
}

/** The bytes of one answer, in the order in which they are written. */
export function answerFrame(header: Readonly<Record<string, unknown>>, body: readonly Uint8Array[]): Uint8Array[] {
  const bytes = body.reduce((sum, chunk) => sum + chunk.length, 0)
  const text = Buffer.from(JSON.stringify({ ...header, bytes }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return [Buffer.concat([length, text]), ...body]
}
