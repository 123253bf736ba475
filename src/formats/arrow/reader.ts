// Arrow IPC files and streams → their messages, each checked, and the library's reader over them.
import { createRequire } from 'node:module'
import type * as Arrow from 'apache-arrow'
import { DataError } from '../../errors.ts'
import { type ByteReader, createByteReader } from '../chunks.ts'
import { loadLz4Frame, loadZstd } from '../compression.ts'
import {
  arrowMessageKind,
  checkArrowMessage,
  checkArrowSchema,
  flatRoot,
  longestMetadata,
  messageKinds,
  viewOf,
} from './checks.ts'

export type ArrowLibrary = typeof Arrow

export type ArrowReader = Arrow.RecordBatchReader

type Messages = AsyncGenerator<Uint8Array, void, undefined>

/**
 * The library in its one-file form: loading it takes a third of the time of its 200 modules, and opening a bundle is
 * part of every run's start.
 */
export function loadArrow(): ArrowLibrary {
  return createRequire(import.meta.url)('apache-arrow/Arrow.esnext.min') as ArrowLibrary
}

let ready: Promise<ArrowLibrary> | undefined

/** The library with both codecs, once a process. */
async function withCodecs(): Promise<ArrowLibrary> {
  const arrow = loadArrow()
  const [lz4, zstd] = await Promise.all([loadLz4Frame(), loadZstd()])
  const { compressionRegistry, CompressionType } = arrow
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (bytes) => lz4(bytes, plainSize(bytes)) })
  compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstd.decompress(bytes, plainSize(bytes)) })
  return arrow
}

/** The size after decompression: the eight bytes before the compressed ones, which the library keeps to itself. */
function plainSize(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset - 8, 8).getBigInt64(0, true))
}

/** Opens a reader over messages; `close` ends it together with what it reads from (which it does not end by itself). */
export async function openArrowReader(messages: Messages): Promise<{ reader: ArrowReader; close(): Promise<void> }> {
  ready ??= withCodecs()
  const arrow = await ready
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

/** How a file begins; its stream begins eight bytes later. */
export const arrowFileMagic = 'ARROW1'
/** Says that nothing follows. */
const endOfStream = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
const featherMagic = 'FEA1'

/**
 * Splits an IPC stream into messages; of a file, the stream inside it. Nothing is read ahead beyond one message. The stream
 * must end with its mark, as writers set it when they are done: without one, it cannot be told from one that was cut off.
 *
 * @returns metadata and bodies in turn, as the library wants to read them, the mark at the end included
 * @throws DataError for what is cut off, damaged or no Arrow at all
 */
export async function* arrowStreamMessages(chunks: AsyncIterable<Buffer>, name: string): Messages {
  const bytes = createByteReader(chunks)
  try {
    yield* messages(bytes, name)
  } finally {
    await bytes.close()
  }
}

async function* messages(bytes: ByteReader, name: string): Messages {
  const isFile = await skipFileMagic(bytes, name)
  let seenSchema = false
  const fail = (what: string): DataError => {
    if (seenSchema) return new DataError(`${name} ${what}`)
    if (!isFile) return new DataError(`${name} is not Arrow data`)
    const hint = 'Name the file itself, or write an IPC stream.'
    return new DataError(`${name} is an Arrow file that can only be read from its end`, { hint })
  }
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
  if (!seenSchema) throw fail('is damaged')
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
    const hint = 'Write it again as version 2, which is Arrow.'
    throw new DataError(`${name} is a Feather file of version 1`, { hint })
  }
  const isFile = text.startsWith(arrowFileMagic)
  if (!isFile) bytes.unread(head)
  return isFile
}

/** A file that can be read anywhere. */
interface RandomAccess {
  readonly size: number
  /** fewer bytes only at the end; in memory of their own */
  read(position: number, length: number): Promise<Buffer>
}

const trailerLength = 4 + arrowFileMagic.length
/** Bytes of one Block struct in the footer. */
const blockSize = 24

/**
 * The messages of a file in the order of its footer: its schema, its dictionaries, its record batches. Some writers
 * (polars) put the schema into the footer only, so that the stream inside the file cannot be read by itself.
 *
 * @throws DataError for a file that is cut off or damaged
 */
export async function* arrowFileMessages(file: RandomAccess, name: string): Messages {
  const footer = await readFooter(file, name)
  try {
    const root = flatRoot(viewOf(footer))
    const schema = root.table(1)
    if (!schema) throw new RangeError('a footer without a schema')
    checkArrowSchema(schema)
    yield schemaMessage(footer, schema.start)
    for (const [slot, kind] of [[2, messageKinds.dictionary] as const, [3, messageKinds.batch] as const]) {
      for (const block of root.vector(slot, blockSize)) yield* blockMessages(file, footer, block, kind)
    }
  } catch (cause) {
    if (cause instanceof RangeError) throw new DataError(`${name} is damaged`, { cause })
    throw cause
  }
  yield endOfStream
}

async function readFooter(file: RandomAccess, name: string): Promise<Buffer> {
  const trailer = await file.read(Math.max(0, file.size - trailerLength), trailerLength)
  const hasMagic = trailer.length === trailerLength && trailer.toString('latin1', 4) === arrowFileMagic
  const length = hasMagic ? trailer.readInt32LE(0) : 0
  if (length <= 0 || length > file.size - trailerLength) {
    throw new DataError(`${name} is cut off: it has the beginning of an Arrow file but not its end`)
  }
  return file.read(file.size - trailerLength - length, length)
}

/** @param at where in the footer the block is described */
async function* blockMessages(file: RandomAccess, footer: Buffer, at: number, kind: number): Messages {
  const offset = Number(footer.readBigInt64LE(at))
  const metadataLength = footer.readInt32LE(at + 8)
  const bodyLength = Number(footer.readBigInt64LE(at + 16))
  const isInside =
    offset >= 0 && metadataLength >= 8 && bodyLength >= 0 && offset + metadataLength + bodyLength <= file.size
  if (!isInside) throw new RangeError('a block beyond the file')
  const head = await file.read(offset, metadataLength)
  const prefixLength = head.readInt32LE(0) === -1 ? 8 : 4
  const length = head.readInt32LE(prefixLength - 4)
  if (length <= 0 || prefixLength + length > head.length) throw new RangeError('a block of another length')
  const metadata = head.subarray(prefixLength, prefixLength + length)
  const message = arrowMessageKind(metadata)
  if (message.kind !== kind || message.bodyLength > bodyLength) throw new RangeError('a block of another kind')
  const body = await file.read(offset + metadataLength, message.bodyLength)
  checkArrowMessage(metadata, body)
  yield head.subarray(0, prefixLength + length)
  if (body.length > 0) yield body
}

/** Bytes put before the footer's, a multiple of eight so that everything behind stays where it must be. */
const messageLength = 32
const metadataVersion5 = 4

/**
 * A schema message made of the footer: a FlatBuffer holds offsets, not addresses, so that a Message table put before it can
 * point to the schema inside it.
 *
 * @param schemaStart where in the footer the table Schema is
 */
function schemaMessage(footer: Buffer, schemaStart: number): Uint8Array {
  const message = Buffer.alloc(8 + messageLength)
  const root = message.subarray(8)
  const [vtable, table] = [4, 16]
  root.writeUInt32LE(table, 0)
  // the vtable: its size, the table's size, and where version, kind and header are in the table
  for (const [i, value] of [10, 12, 8, 10, 4].entries()) root.writeUInt16LE(value, vtable + 2 * i)
  root.writeInt32LE(table - vtable, table)
  root.writeUInt32LE(messageLength + schemaStart - (table + 4), table + 4)
  root.writeInt16LE(metadataVersion5, table + 8)
  root.writeUInt8(messageKinds.schema, table + 10)
  message.writeInt32LE(-1, 0)
  message.writeInt32LE(messageLength + footer.length, 4)
  return Buffer.concat([message, footer])
}
