// Deliveries kept in a temporary file until they are wanted again.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { ServiceError, messageOf } from '../errors.ts'
import type { Delivery } from './source.ts'

/** First all are written, then all are read. */
export interface DeliverySpool {
  write(delivery: Delivery): Promise<void>
  /** what was written, in order; acknowledging one acknowledges the original */
  deliveries(): AsyncGenerator<Delivery, void, undefined>
  /** Removes the file; harmless twice. */
  close(): Promise<void>
}

const lengthBytes = 4

/** @throws ServiceError where the folder for temporary files cannot be written, or is full later on */
export async function createDeliverySpool(): Promise<DeliverySpool> {
  const folder = await orFail(() => mkdtemp(join(tmpdir(), 'lcclf-spool-')))
  const file = await orFail(() => open(join(folder, 'rows'), 'w+'))
  const acks: Delivery['ack'][] = []
  let isClosed = false
  return {
    async write({ ack, ...rows }) {
      const bytes = serialize(rows)
      const length = Buffer.alloc(lengthBytes)
      length.writeUInt32LE(bytes.length)
      await orFail(() => file.appendFile(Buffer.concat([length, bytes])))
      acks.push(ack)
    },
    async *deliveries() {
      let position = 0
      for (const ack of acks) {
        const length = Buffer.alloc(lengthBytes)
        await orFail(() => file.read(length, 0, lengthBytes, position))
        const bytes = Buffer.alloc(length.readUInt32LE())
        await orFail(() => file.read(bytes, 0, bytes.length, position + lengthBytes))
        position += lengthBytes + bytes.length
        yield { ...(deserialize(bytes) as Omit<Delivery, 'ack'>), ack }
      }
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await file.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function orFail<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    throw new ServiceError(`the temporary folder ${tmpdir()} cannot be used: ${messageOf(cause)}`, {
      cause,
      hint: 'Rows that cannot be read twice are kept there for --duplicates newest; TMPDIR names another folder.',
    })
  }
}
