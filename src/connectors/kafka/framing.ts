// An Avro datum → the value of a message: a whole container of its own, or the datum and nothing else.
import { randomBytes } from 'node:crypto'
import { ByteWriter, varintLength, writeVarint } from '../../formats/byte-writer.ts'

/** Whether a value carries its schema, or its readers must have it from elsewhere. */
export const framings = ['container', 'schemaless'] as const
export type Framing = (typeof framings)[number]

/** A value in two parts, so that what all values of a schema begin with need not be copied for each. */
export interface FramedValue {
  /** what the value begins with: of all values the same bytes */
  readonly head: Buffer | undefined
  /** the rest; side by side in memory with others of its batch */
  readonly value: Buffer
}

/**
 * Makes values of data. A container is as the original's (seed: fastavro with its defaults): the codec `null` first, then
 * the schema, one block with one record.
 *
 * @param schema its JSON, letter by letter as a header shows it
 * @returns from a datum that may be overwritten later to a value of its own
 */
export function createFraming(schema: string, framing: Framing = 'container'): (datum: Buffer) => FramedValue {
  const reserve = createBlocks()
  if (framing === 'schemaless') {
    return (datum) => {
      const value = reserve(datum.length)
      value.set(datum)
      return { head: undefined, value }
    }
  }
  const sync = randomBytes(16)
  const head = headerOf(schema, sync)
  return (datum) => {
    const value = reserve(varintLength(datum.length) + datum.length + sync.length)
    const start = writeVarint(value, 0, datum.length)
    value.set(datum, start)
    value.set(sync, start + datum.length)
    return { head, value }
  }
}

/** some dozens of messages: what one of them keeps alive while it waits */
const blockBytes = 64 * 1024

/** Memory for many small values: each would cost more by itself than the bytes in it. */
function createBlocks(): (length: number) => Buffer {
  let block = Buffer.alloc(0)
  let at = 0
  return (length) => {
    if (length > blockBytes / 8) return Buffer.allocUnsafeSlow(length)
    if (at + length > block.length) {
      block = Buffer.allocUnsafeSlow(blockBytes)
      at = 0
    }
    return block.subarray(at, (at += length))
  }
}

/** Up to the one block's number of records. */
function headerOf(schema: string, sync: Buffer): Buffer {
  const header = new ByteWriter(schema.length + 100)
  header.raw(Buffer.from('Obj\x01', 'latin1'))
  header.varint(2)
  for (const word of ['avro.codec', 'null', 'avro.schema', schema]) header.varintText(word)
  header.varint(0)
  header.raw(sync)
  header.varint(1)
  return header.take()
}
