// Messages → one record batch, as a partition stores it.
import { crc32 } from 'node:zlib'
import type { KafkaLibrary } from './protocol.ts'

/** A message for a partition. */
export interface BatchMessage {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** milliseconds since 1970; now where it is not given */
  readonly timestamp?: bigint | undefined
}

/** Who produces, and how. */
interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** number of the batch's first message among those of this producer for this partition */
  readonly firstSequence: number
  readonly isTransactional: boolean
  readonly compression: Compression
}

/** Codecs that brokers and the client library share. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4'

/** What a message needs beside key and value, at most. */
const recordSpace = 40
const headLength = 61
const transactionalBit = 1 << 4

/** How much room a message takes in a batch, at most. */
export function messageSpace({ key, value }: BatchMessage): number {
  return recordSpace + (key?.length ?? 0) + (value?.length ?? 0)
}

/**
 * Encodes a batch (record format 2) into one buffer: the library's own encoder goes through many small ones and takes five
 * times as long, which is more than classifying the object did.
 */
export function encodeRecordBatch(
  { crc32c, compressionsAlgorithms }: KafkaLibrary,
  messages: readonly BatchMessage[],
  producer: BatchProducer,
): Buffer {
  const now = BigInt(Date.now())
  const times = messages.map(({ timestamp }) => timestamp ?? now)
  const first = times[0]!
  const encoded = encodeRecords(messages, times, headLength)
  const batch = producer.compression === 'none' ? encoded : compressed(encoded)
  const largest = times.reduce((latest, time) => (time > latest ? time : latest), first)
  const compressionBits = compressionsAlgorithms[producer.compression].bitmask
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE((producer.isTransactional ? transactionalBit : 0) | compressionBits, 21)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(first, 27)
  batch.writeBigInt64BE(largest, 35)
  batch.writeBigInt64BE(producer.producerId, 43)
  batch.writeInt16BE(producer.producerEpoch, 51)
  batch.writeInt32BE(producer.firstSequence, 53)
  batch.writeInt32BE(messages.length, 57)
  // the checksum is of everything behind itself
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch

  function compressed(plain: Buffer): Buffer {
    const records = compressionsAlgorithms[producer.compression].compressSync(plain.subarray(headLength))
    return Buffer.concat([plain.subarray(0, headLength), records])
  }
}

function encodeRecords(messages: readonly BatchMessage[], times: readonly bigint[], head: number): Buffer {
  const space = Buffer.allocUnsafe(head + messages.reduce((sum, message) => sum + messageSpace(message), 0))
  const first = times[0]!
  let at = head
  messages.forEach((message, i) => {
    const body = bodyLength(message, Number(times[i]! - first), i)
    at = writeVarint(space, at, body)
    space[at++] = 0
    at = writeVarint(space, at, Number(times[i]! - first))
    at = writeVarint(space, at, i)
    at = writeBytes(space, at, message.key)
    at = writeBytes(space, at, message.value)
    at = writeVarint(space, at, 0)
  })
  return space.subarray(0, at)
}

function bodyLength({ key, value }: BatchMessage, time: number, place: number): number {
  return 1 + varintLength(time) + varintLength(place) + bytesLength(key) + bytesLength(value) + 1
}

function bytesLength(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintLength(bytes.length) + bytes.length
}

function writeBytes(into: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(into, at, -1)
  const start = writeVarint(into, at, bytes.length)
  into.set(bytes, start)
  return start + bytes.length
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = zigzag(value); rest > 0x7f; rest = Math.floor(rest / 128)) length++
  return length
}

function writeVarint(into: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  while (rest > 0x7f) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  into[at++] = rest
  return at
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

// Which partition a message goes to.

/**
 * The partition of a key as librdkafka chooses it (its default, `consistent_random`), and so as the original did: an
 * object's messages stay on the partition they had, and in order. A message without a key goes to the next in turn.
 */
export function partitionOf(key: Uint8Array | null, partitions: number, turn: number): number {
  return key === null || key.length === 0 ? turn % partitions : crc32(key) % partitions
}
