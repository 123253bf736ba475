// An Avro datum → the value of a message: a whole container of its own, or the datum and nothing else.
import { randomBytes } from 'node:crypto'
import { ByteWriter, writeVarint } from '../../formats/byte-writer.ts'

/** Whether a value carries its schema, or its readers must have it from elsewhere. */
export const framings = ['container', 'schemaless'] as const
export type Framing = (typeof framings)[number]

/**
 * Makes values of data. A container is as the original's (seed: fastavro with its defaults): the codec `null` first, then
 * the schema, one block with one record.
 *
 * @param schema its JSON, letter by letter as a header shows it
 * @returns from a datum that may be overwritten later to a value of its own
 */
export function createFraming(schema: string, framing: Framing = 'container'): (datum: Buffer) => Buffer {
  if (framing === 'schemaless') return ownCopy
  const sync = randomBytes(16)
  const header = headerOf(schema, sync)
  return (datum) => framed(header, datum, sync)
}

// not from the shared pool: a small message must not keep eight kilobytes of others alive
function ownCopy(datum: Buffer): Buffer {
  const value = Buffer.allocUnsafeSlow(datum.length)
  datum.copy(value)
  return value
}

function framed(header: Buffer, record: Buffer, sync: Buffer): Buffer {
  const message = Buffer.allocUnsafeSlow(header.length + 11 + record.length + sync.length)
  let at = writeVarint(message, header.copy(message), 1)
  at = writeVarint(message, at, record.length)
  at += record.copy(message, at)
  at += sync.copy(message, at)
  return message.subarray(0, at)
}

function headerOf(schema: string, sync: Buffer): Buffer {
  const header = new ByteWriter(schema.length + 100)
  header.raw(Buffer.from('Obj\x01', 'latin1'))
  header.varint(2)
  for (const word of ['avro.codec', 'null', 'avro.schema', schema]) header.varintText(word)
  header.varint(0)
  header.raw(sync)
  return header.take()
}
