// Bytes → the messages of an Arrow IPC stream, each checked.
import { DataError } from '../../errors.ts'
import { arrowMessageKind, checkArrowMessage, longestMetadata, messageKinds } from './checks.ts'
import { createByteReader, type ByteReader } from '../byte-reader.ts'

/** How a file begins; its stream begins eight bytes later. */
export const arrowFileMagic = 'ARROW1'
/** Says that nothing follows. */
export const endOfStream = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
const featherMagic = 'FEA1'

/**
 * Splits an IPC stream into messages; of a file, the stream inside it. Nothing is read ahead beyond one message. The stream
 * must end with its mark, as writers set it when they are done: without one, it cannot be told from one that was cut off.
 *
 * @returns metadata and bodies in turn, as the library wants to read them, the mark at the end included
 * @throws DataError for what is cut off, damaged or no Arrow at all
 */
export async function* arrowStreamMessages(
  chunks: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = createByteReader(chunks)
  try {
    yield* messages(bytes, name)
  } finally {
    await bytes.close()
  }
}

async function* messages(bytes: ByteReader, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  const isFile = await skipFileMagic(bytes, name)
  const notArrow = isFile
    ? new DataError(`${name} is an Arrow file that can only be read from its end`, {
        hint: 'Name the file itself, or write an IPC stream.',
      })
    : new DataError(`${name} is not Arrow data`)
  let seenSchema = false
  const fail = (what: string): DataError => (seenSchema ? new DataError(`${name} ${what}`) : notArrow)
  for (;;) {
    const prefix = await readPrefix(bytes)
    if (!prefix) throw fail('is cut off: the mark of its end is missing')
    const length = prefix.readInt32LE(prefix.length - 4)
    if (length === 0) break
    if (length < 0 || length > longestMetadata) throw fail('is damaged')
    const metadata = await bytes.read(length)
    if (metadata.length < length) throw fail('is cut off')
    const { kind, bodyLength } = orFail(() => arrowMessageKind(metadata), fail)
    if ((kind === messageKinds.schema) === seenSchema) throw fail('is damaged')
    seenSchema = true
    const body = await bytes.read(bodyLength)
    if (body.length < bodyLength) throw fail('is cut off')
    orFail(() => checkArrowMessage(metadata, body), fail)
    yield Buffer.concat([prefix, metadata])
    if (bodyLength > 0) yield body
  }
  if (!seenSchema) throw notArrow
  // behind the stream in a file comes its footer; behind a stream by itself would come rows that nobody asked for
  if (!isFile && (await bytes.readSome())) throw new DataError(`${name} goes on after the mark of its end`)
  yield endOfStream
}

function orFail<T>(check: () => T, fail: (what: string) => DataError): T {
  try {
    return check()
  } catch {
    throw fail('is damaged')
  }
}

/** The length of the next metadata, with the marker before it that writers set since 2019; undefined at the end. */
async function readPrefix(bytes: ByteReader): Promise<Buffer | undefined> {
  const first = await bytes.read(4)
  if (first.length < 4) return undefined
  if (first.readInt32LE(0) !== -1) return first
  const second = await bytes.read(4)
  return second.length < 4 ? undefined : Buffer.concat([first, second])
}

async function skipFileMagic(bytes: ByteReader, name: string): Promise<boolean> {
  const head = await bytes.read(8)
  const text = head.toString('latin1')
  if (head.length === 0) throw new DataError(`${name} is empty: not Arrow data`)
  if (text.startsWith(featherMagic)) {
    throw new DataError(`${name} is a Feather file of version 1`, {
      hint: 'Write it again as version 2, which is Arrow.',
    })
  }
  const isFile = text.startsWith(arrowFileMagic)
  if (!isFile) bytes.unread(head)
  return isFile
}
