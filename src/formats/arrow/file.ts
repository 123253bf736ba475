// An Arrow IPC file → its messages as a stream, each checked. The order is that of the footer.
import { DataError } from '../../errors.ts'
import {
  arrowMessageKind,
  checkArrowMessage,
  checkArrowSchema,
  flatRoot,
  type FlatVector,
  messageKinds,
  viewOf,
} from './checks.ts'
import { arrowFileMagic, endOfStream } from './stream.ts'

/** A file that can be read anywhere. */
interface RandomAccess {
  readonly size: number
  /** fewer bytes only at the end; in memory of their own */
  read(position: number, length: number): Promise<Buffer>
}

/** Where a message is. */
interface Block {
  readonly offset: number
  readonly metadataLength: number
  readonly bodyLength: number
}

const trailerLength = 4 + arrowFileMagic.length
/** Bytes of one Block struct in the footer. */
const blockSize = 24

/**
 * The messages of a file: its schema, its dictionaries, its record batches. Some writers (polars) put the schema into the
 * footer only, so that the stream inside the file cannot be read by itself.
 *
 * @throws DataError for a file that is cut off or damaged
 */
export async function* arrowFileMessages(
  file: RandomAccess,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const footer = await readFooter(file, name)
  try {
    const root = flatRoot(viewOf(footer))
    const schema = root.table(1)
    if (!schema) throw new RangeError('a footer without a schema')
    checkArrowSchema(schema)
    yield schemaMessage(footer, schema.start)
    for (const [slot, kind] of [[2, messageKinds.dictionary] as const, [3, messageKinds.batch] as const]) {
      const blocks = root.vector(slot, blockSize)
      for (let i = 0; i < (blocks?.length ?? 0); i++) yield* blockMessages(file, blockAt(footer, blocks!, i), kind)
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

function blockAt(footer: Buffer, blocks: FlatVector, i: number): Block {
  const at = blocks.at(i)
  return {
    offset: Number(footer.readBigInt64LE(at)),
    metadataLength: footer.readInt32LE(at + 8),
    bodyLength: Number(footer.readBigInt64LE(at + 16)),
  }
}

async function* blockMessages(
  file: RandomAccess,
  { offset, metadataLength, bodyLength }: Block,
  kind: number,
): AsyncGenerator<Uint8Array, void, undefined> {
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
