// Messages → one record batch, as a partition stores it, and the partition that a message goes to.
import { crc32 } from 'node:zlib'
import { varintLength, writeVarint } from '../../../formats/byte-writer.ts'
import type { KafkaLibrary } from './protocol.ts'

export interface BatchMessage {
  readonly key: Uint8Array | null
  /** what the value begins with, where others begin alike */
  readonly head?: Uint8Array | undefined
  /** the value, or the rest of it */
  readonly value: Uint8Array | null
  /** milliseconds since 1970; now if it is not given */
  readonly timestamp?: bigint | undefined
}

/** What a message needs beside key and value, at most. */
const recordSpace = 40
const headLength = 61
const transactionalBit = 1 << 4

/** How much room a message takes in a batch, at most. */
export function messageSpace({ key, head, value }: BatchMessage): number {
  return recordSpace + (key?.length ?? 0) + (head?.length ?? 0) + (value?.length ?? 0)
}

/**
 * Encodes a batch (record format 2) into one buffer: the library's own encoder goes through many small ones and takes five
 * times as long, which is more than classifying the object did.
 *
 * @param producer `firstSequence`: number of the batch's first message among those of this producer for this partition
 * @returns memory that is the caller's until he gives it back (`giveBackBatch`)
 */
export function encodeRecordBatch(
  library: KafkaLibrary,
  messages: readonly BatchMessage[],
  producer: {
    readonly producerId: bigint
    readonly producerEpoch: number
    readonly firstSequence: number
    readonly isTransactional: boolean
  },
): Buffer {
  const now = BigInt(Date.now())
  const first = messages[0]!.timestamp ?? now
  let last = first
  const memory = takeMemory(messages.reduce((sum, message) => sum + messageSpace(message), headLength))
  let at = headLength
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    const { timestamp = now } = message
    if (timestamp > last) last = timestamp
    at = writeRecord(memory, at, message, i, timestamp === first ? 0 : Number(timestamp - first))
  }
  const batch = memory.subarray(0, at)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(producer.isTransactional ? transactionalBit : 0, 21)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(first, 27)
  batch.writeBigInt64BE(last, 35)
  batch.writeBigInt64BE(producer.producerId, 43)
  batch.writeInt16BE(producer.producerEpoch, 51)
  batch.writeInt32BE(producer.firstSequence, 53)
  batch.writeInt32BE(messages.length, 57)
  // the checksum covers everything behind itself; a plain buffer would be copied first
  batch.writeUInt32BE(library.crc32c(library.Writer.create().append(batch.subarray(21)).dynamicBuffer), 17)
  return batch
}

function writeRecord(
  into: Buffer,
  start: number,
  { key, head, value }: BatchMessage,
  place: number,
  sinceFirst: number,
): number {
  const keyLength = key?.length ?? -1
  const valueLength = value === null ? -1 : value.length + (head?.length ?? 0)
  const fields = fieldLength(keyLength) + fieldLength(valueLength)
  let at = writeVarint(into, start, 1 + varintLength(sinceFirst) + varintLength(place) + fields + 1)
  // its attributes
  into[at++] = 0
  at = writeVarint(into, at, sinceFirst)
  at = writeVarint(into, at, place)
  at = writeVarint(into, at, keyLength)
  if (key !== null) {
    into.set(key, at)
    at += keyLength
  }
  at = writeVarint(into, at, valueLength)
  if (value !== null) {
    if (head) into.set(head, at)
    into.set(value, at + valueLength - value.length)
    at += valueLength
  }
  // no headers
  into[at++] = 0
  return at
}

/** @param length −1 for null */
function fieldLength(length: number): number {
  return varintLength(length) + Math.max(length, 0)
}

const usualMemory = 1024 * 1024
/** batches that are larger are as rare as messages that are */
const mostSpare = 8
/** memory of batches that were sent: new memory costs more than what is written into it */
const spare: Buffer[] = []

function takeMemory(length: number): Buffer {
  if (length < usualMemory / 16) return Buffer.allocUnsafe(length)
  if (length > usualMemory) return Buffer.allocUnsafeSlow(length)
  return spare.pop() ?? Buffer.allocUnsafeSlow(usualMemory)
}

/** Nobody reads this batch any more: the next one may be written over it. */
export function giveBackBatch({ buffer }: Buffer): void {
  if (buffer.byteLength === usualMemory && spare.length < mostSpare) spare.push(Buffer.from(buffer))
}

/**
 * The partition of a key as librdkafka chooses it (its default, `consistent_random`), and so as the original did: an
 * object's messages stay on the partition they had, and in order. A message without a key goes to the next in turn.
 */
export function partitionOf(key: Uint8Array | null, partitions: number, turn: number): number {
  return key === null || key.length === 0 ? turn % partitions : crc32(key) % partitions
}
