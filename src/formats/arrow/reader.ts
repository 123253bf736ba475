// Arrow IPC files and streams → their schema and the record batches of the columns that are needed.
import type { Data, Vector } from 'apache-arrow'
import { DataError, LcclfError } from '../../errors.ts'
import { type ByteReader, createByteReader } from '../chunks.ts'
import { loadLz4Frame, loadZstd } from '../compression.ts'
import { flatRoot, type FlatTable } from './flat-table.ts'
import { type ArrowLibrary, loadArrow } from './library.ts'
import { type Codecs, decodeColumn, rawBatch } from './record-batch.ts'
import { type ArrowField, arrowSchema, type ArrowSchema } from './schema.ts'

/** One message of an IPC stream; its header is the table that its kind says. */
interface Message {
  readonly kind: number
  readonly header: FlatTable
  readonly version: number
  readonly body: Uint8Array
}

export type ArrowReader = Awaited<ReturnType<typeof openArrowReader>>

export type ArrowMessages = AsyncGenerator<Message, void, undefined>

/** Rows of some columns. */
export interface ArrowBatch {
  readonly rowCount: number
  /** one for each field that was asked for */
  readonly columns: readonly Vector[]
}

let codecs: Promise<Codecs> | undefined

async function loadCodecs(): Promise<Codecs> {
  const [lz4, zstd] = await Promise.all([loadLz4Frame(), loadZstd()])
  return [lz4, (bytes, size) => zstd.decompress(bytes, size)]
}

/** Numbers of the union MessageHeader in Arrow's Message.fbs. */
const kinds = { schema: 1, dictionary: 2, batch: 3 } as const

/**
 * Reads the schema; the batches follow when they are asked for, of the fields that are asked for. The library is given
 * values, never messages: its own reader trusts every count and place in them.
 *
 * @throws DataError for messages that do not fit together
 */
export async function openArrowReader(messages: ArrowMessages, name: string) {
  codecs ??= loadCodecs()
  const loaded = await codecs
  const arrow = loadArrow()
  try {
    const first = await messages.next()
    if (first.done === true || first.value.kind !== kinds.schema) throw new DataError(`${name} is damaged`)
    const { header, version } = first.value
    const schema = orDamaged(name, () => arrowSchema(header, version, arrow))
    return {
      fields: schema.fields,
      batches: (wanted: readonly ArrowField[]) => batchesOf(messages, schema, wanted, { arrow, codecs: loaded, name }),
      async close(): Promise<void> {
        await messages.return()
      },
    }
  } catch (error) {
    await messages.return()
    throw error
  }
}

async function* batchesOf(
  messages: ArrowMessages,
  schema: ArrowSchema,
  wanted: readonly ArrowField[],
  { arrow, codecs, name }: { arrow: ArrowLibrary; codecs: Codecs; name: string },
): AsyncGenerator<ArrowBatch, void, undefined> {
  const dictionaries = createDictionaries(arrow, wanted, codecs)
  for await (const { kind, header, body } of messages) {
    if (kind === kinds.dictionary) orDamaged(name, () => dictionaries.add(header, body))
    if (kind !== kinds.batch) continue
    yield orDamaged(name, () => {
      const batch = rawBatch(header, body, schema.end, codecs)
      const columns = wanted.map(
        (field) => new arrow.Vector([decodeColumn(arrow, field, batch, dictionaries.valuesOf)]) as Vector,
      )
      return { rowCount: batch.rowCount, columns }
    })
  }
}

/** The dictionaries of the columns that are needed. A later one of the same id replaces it or goes on with it. */
function createDictionaries(arrow: ArrowLibrary, wanted: readonly ArrowField[], codecs: Codecs) {
  const fields = wanted.flatMap(encodedParts)
  const parts = new Map<ArrowField, Data[]>()
  const vectors = new Map<ArrowField, Vector>()

  function valuesOf(field: ArrowField): Vector {
    const known = vectors.get(field)
    if (known) return known
    const data = parts.get(field)
    if (!data) throw new RangeError('a column without its dictionary')
    // a value that many rows have is made once
    const vector = new arrow.Vector(data).memoize() as Vector
    vectors.set(field, vector)
    return vector
  }

  return {
    valuesOf,
    add(header: FlatTable, body: Uint8Array): void {
      const id = header.long(0)
      const data = header.table(1)
      if (!data) throw new RangeError('a dictionary without data')
      for (const field of fields.filter(({ dictionary }) => dictionary!.id === id)) {
        const { values, end } = field.dictionary!
        const column = decodeColumn(arrow, values, rawBatch(data, body, end, codecs), valuesOf)
        const before = header.byte(2) !== 0 ? parts.get(field) : undefined
        if (before) before.push(column)
        else parts.set(field, [column])
        vectors.delete(field)
      }
    },
  }
}

function encodedParts(field: ArrowField): ArrowField[] {
  if (!field.dictionary) return field.children.flatMap(encodedParts)
  // what is in a dictionary may hold places in another, which comes before it
  return [...encodedParts(field.dictionary.values), field]
}

function orDamaged<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof LcclfError) throw cause
    throw new DataError(`${name} is damaged`, { cause })
  }
}

// Framing: where a message begins and ends.

/** How a file begins; its stream begins eight bytes later. */
export const arrowFileMagic = 'ARROW1'
const featherMagic = 'FEA1'
/** Longer metadata are none. */
const longestMetadata = 64 * 1024 * 1024
const longestBody = 2 ** 32

/** @returns how long the body is, and the message once it is there */
function readMetadata(metadata: Buffer) {
  const message = flatRoot(metadata)
  const bodyLength = Number(message.long(3))
  if (bodyLength < 0 || bodyLength > longestBody) throw new RangeError('a body of impossible length')
  const kind = message.byte(1)
  const header = message.table(2)
  const isKnown = kind === kinds.schema || kind === kinds.dictionary || kind === kinds.batch
  if (!header || !isKnown) throw new RangeError('an unknown message')
  return { bodyLength, message: { kind, header, version: message.short(0) } }
}

/**
 * Splits an IPC stream into messages; of a file, the stream inside it. Nothing is read ahead beyond one message. The stream
 * must end with its mark, as writers set it when they are done: without one, it cannot be told from one that was cut off.
 *
 * @throws DataError for what is cut off, damaged or no Arrow at all
 */
export async function* arrowStreamMessages(chunks: AsyncIterable<Buffer>, name: string): ArrowMessages {
  const bytes = createByteReader(chunks)
  try {
    yield* streamMessages(bytes, name)
  } finally {
    await bytes.close()
  }
}

async function* streamMessages(bytes: ByteReader, name: string): ArrowMessages {
  const isFile = await skipFileMagic(bytes, name)
  let seenSchema = false
  const fail = (what: string, cause?: unknown): DataError => {
    if (seenSchema) return new DataError(`${name} ${what}`, { cause })
    if (!isFile) return new DataError(`${name} is not Arrow data`, { cause })
    const hint = 'Name the file itself, or write an IPC stream.'
    return new DataError(`${name} is an Arrow file that can only be read from its end`, { hint })
  }
  for (;;) {
    const length = await readLength(bytes)
    if (length === undefined) throw fail('is cut off: the mark of its end is missing')
    if (length === 0) break
    if (length < 0 || length > longestMetadata) throw fail('is damaged')
    const metadata = await bytes.read(length)
    if (metadata.length < length) throw fail('is cut off')
    let read: ReturnType<typeof readMetadata>
    try {
      read = readMetadata(metadata)
    } catch (cause) {
      throw fail('is damaged', cause)
    }
    const { message, bodyLength } = read
    if ((message.kind === kinds.schema) === seenSchema) throw fail('is damaged')
    seenSchema = true
    const body = await bytes.read(bodyLength)
    if (body.length < bodyLength) throw fail('is cut off')
    yield { ...message, body }
  }
  if (!seenSchema) throw fail('is damaged')
  // behind the stream in a file comes its footer; behind a stream by itself would come rows that nobody asked for
  if (!isFile && (await bytes.readSome())) throw new DataError(`${name} goes on after the mark of its end`)
}

/** The length of the next metadata, with a mark before it that writers set since 2019; undefined at the end. */
async function readLength(bytes: ByteReader): Promise<number | undefined> {
  const first = await bytes.read(4)
  if (first.length < 4) return undefined
  if (first.readInt32LE(0) !== -1) return first.readInt32LE(0)
  const second = await bytes.read(4)
  return second.length < 4 ? undefined : second.readInt32LE(0)
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
export async function* arrowFileMessages(file: RandomAccess, name: string): ArrowMessages {
  const trailer = await file.read(Math.max(0, file.size - trailerLength), trailerLength)
  const length = footerLength(trailer, file.size, name)
  const footer = await file.read(file.size - trailerLength - length, length)
  try {
    const { schema, blocks } = readFooter(footer, file.size)
    yield schema
    for (const block of blocks) {
      const { message, bodyLength } = readBlock(await file.read(block.offset, block.metadataLength), block)
      yield { ...message, body: await file.read(block.offset + block.metadataLength, bodyLength) }
    }
  } catch (cause) {
    if (cause instanceof RangeError) throw new DataError(`${name} is damaged`, { cause })
    throw cause
  }
}

/**
 * A file that is in memory, uncompressed and without dictionaries: all its columns, as views of its bytes.
 *
 * @throws DataError for one that is damaged, or another kind of file
 */
export function readArrowFile(bytes: Buffer, name: string) {
  const arrow = loadArrow()
  const length = footerLength(bytes.subarray(-trailerLength), bytes.length, name)
  return orDamaged(name, () => {
    const place = bytes.length - trailerLength - length
    const { schema, blocks } = readFooter(bytes.subarray(place, place + length), bytes.length)
    const { fields, end } = arrowSchema(schema.header, schema.version, arrow)
    const batches = Array.from(blocks, (block) => {
      const start = block.offset + block.metadataLength
      const { message, bodyLength } = readBlock(bytes.subarray(block.offset, start), block)
      const batch = rawBatch(message.header, bytes.subarray(start, start + bodyLength), end, [
        isCompressed,
        isCompressed,
      ])
      const columns = fields.map((field) => decodeColumn(arrow, field, batch, isEncoded))
      return { rowCount: batch.rowCount, columns }
    })
    return { fields, batches }
  })
}

function isCompressed(): never {
  throw new RangeError('compressed data')
}

function isEncoded(): never {
  throw new RangeError('a dictionary')
}

function footerLength(trailer: Buffer, size: number, name: string): number {
  const hasMagic = trailer.length === trailerLength && trailer.toString('latin1', 4) === arrowFileMagic
  const length = hasMagic ? trailer.readInt32LE(0) : 0
  if (length <= 0 || length > size - trailerLength) {
    throw new DataError(`${name} is cut off: it has the beginning of an Arrow file but not its end`)
  }
  if (length > longestMetadata) throw new DataError(`${name} is damaged`)
  return length
}

type Block = ReturnType<typeof blocksOf> extends Generator<infer One> ? One : never

function readFooter(footer: Buffer, size: number) {
  const root = flatRoot(footer)
  const header = root.table(1)
  if (!header) throw new RangeError('a footer without a schema')
  const schema: Message = { kind: kinds.schema, header, version: root.short(0), body: Buffer.alloc(0) }
  return { schema, blocks: blocksOf(root, size) }
}

/** Where the dictionaries and the batches are: each inside the file, and no more than it has room for. */
function* blocksOf(footer: FlatTable, size: number) {
  let bytesLeft = size
  for (const [slot, kind] of [[2, kinds.dictionary] as const, [3, kinds.batch] as const]) {
    const blocks = footer.vector(slot, blockSize)
    for (let i = 0; i < blocks.length; i++) {
      const offset = Number(blocks.long(i))
      const metadataLength = blocks.int(i, 8)
      const bodyLength = Number(blocks.long(i, 16))
      const isInside =
        offset >= 0 && metadataLength >= 8 && bodyLength >= 0 && offset + metadataLength + bodyLength <= size
      if (!isInside || metadataLength > longestMetadata) throw new RangeError('a block beyond the file')
      // each block has bytes of its own: a footer that names one again and again makes many rows of few
      bytesLeft -= metadataLength + bodyLength
      if (bytesLeft < 0) throw new RangeError('more blocks than the file can hold')
      yield { kind, offset, metadataLength, bodyLength }
    }
  }
}

function readBlock(head: Buffer, { kind, bodyLength }: Block): ReturnType<typeof readMetadata> {
  const prefixLength = head.readInt32LE(0) === -1 ? 8 : 4
  const length = head.readInt32LE(prefixLength - 4)
  if (length <= 0 || prefixLength + length > head.length) throw new RangeError('a block of another length')
  const read = readMetadata(head.subarray(prefixLength, prefixLength + length))
  if (read.message.kind !== kind || read.bodyLength > bodyLength) throw new RangeError('a block of another kind')
  return read
}
