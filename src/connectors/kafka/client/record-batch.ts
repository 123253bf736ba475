// Messages → one record batch, as a partition stores it, and the partition that a message goes to.
import { crc32 } from 'node:zlib'
import { ByteWriter, varintLength } from '../../../formats/byte-writer.ts'
import type { KafkaLibrary } from './protocol.ts'

export interface BatchMessage {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** milliseconds since 1970; now if it is not given */
  readonly timestamp?: bigint | undefined
}

/** What a message needs beside key and value, at most. */
const recordSpace = 40
const head = Buffer.alloc(61)
const transactionalBit = 1 << 4

/** How much room a message takes in a batch, at most. */
export function messageSpace({ key, value }: BatchMessage): number {
  return recordSpace + (key?.length ?? 0) + (value?.length ?? 0)
}

/**
 * Encodes a batch (record format 2) into one buffer: the library's own encoder goes through many small ones and takes five
 * times as long, which is more than classifying the object did.
 *
 * @param producer `firstSequence`: number of the batch's first message among those of this producer for this partition
 */
export function encodeRecordBatch(
  { crc32c }: KafkaLibrary,
  messages: readonly BatchMessage[],
  producer: {
    readonly producerId: bigint
    readonly producerEpoch: number
    readonly firstSequence: number
    readonly isTransactional: boolean
  },
): Buffer {
  const now = BigInt(Date.now())
  const times = messages.map(({ timestamp }) => timestamp ?? now)
  const first = times[0]!
  const writer = new ByteWriter(messages.reduce((sum, message) => sum + messageSpace(message), head.length))
  writer.raw(head)
  messages.forEach(({ key, value }, i) => {
    const sinceFirst = Number(times[i]! - first)
    writer.varint(1 + varintLength(sinceFirst) + varintLength(i) + fieldLength(key) + fieldLength(value) + 1)
    writer.byte(0)
    writer.varint(sinceFirst)
    writer.varint(i)
    writer.varintField(key)
    writer.varintField(value)
    writer.varint(0)
  })
  const batch = writer.take()
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(producer.isTransactional ? transactionalBit : 0, 21)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(first, 27)
  const last = times.reduce((latest, time) => (time > latest ? time : latest), first)
  batch.writeBigInt64BE(last, 35)
  batch.writeBigInt64BE(producer.producerId, 43)
  batch.writeInt16BE(producer.producerEpoch, 51)
  batch.writeInt32BE(producer.firstSequence, 53)
  batch.writeInt32BE(messages.length, 57)
  // the checksum covers everything behind itself
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

function fieldLength(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintLength(bytes.length) + bytes.length
}

/**
 * The partition of a key as librdkafka chooses it (its default, `consistent_random`), and so as the original did: an
 * object's messages stay on the partition they had, and in order. A message without a key goes to the next in turn.
 */
export function partitionOf(key: Uint8Array | null, partitions: number, turn: number): number {
  return key === null || key.length === 0 ? turn % partitions : crc32(key) % partitions
}
