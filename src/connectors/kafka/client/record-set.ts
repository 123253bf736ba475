// What a broker sends of a partition → record batches, each within bounds, or the reason why it cannot be read.
import { messageOf, systemCode } from '../../../errors.ts'
import { BytePieces } from './byte-pieces.ts'
import type { KafkaLibrary } from './protocol.ts'

/** A record batch as far as it is needed. */
export interface RecordBatch {
  readonly firstOffset: bigint
  /** a batch has its offsets also where compaction has removed records */
  readonly lastOffset: bigint
  readonly attributes: number
  readonly firstTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: bigint
  readonly records: readonly BatchRecord[]
  /** why none of its records can be read */
  readonly problem?: string
}

interface BatchRecord {
  readonly offsetDelta: number
  readonly timestampDelta: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** Asked before a batch is read; answers why it must not be. */
export type BatchGuard = (firstOffset: bigint) => string | undefined

/** a hundred times what producers put into one, unless they are told otherwise */
const largestUnpacked = 64 * 1024 * 1024
/** of the batches of one partition in one answer: what lies behind is asked for again */
const mostUnpacked = 2 * largestUnpacked
const headLength = 61
const frontLength = 12
const codecBits = 7
/** length, attributes, time, offset, key, value, headers */
const leastRecord = 7

/**
 * Reads the batches in their order. One that is cut off is the last: a broker sends as many bytes as were asked for.
 *
 * @param pieces the bytes as they came
 * @throws Error for bytes of which nothing can be said any more
 */
export function readRecordSet(
  pieces: readonly Buffer[],
  library: KafkaLibrary,
  guard: BatchGuard = () => undefined,
): RecordBatch[] {
  const batches: RecordBatch[] = []
  const bytes = new BytePieces(pieces)
  let unpacked = 0
  while (bytes.remaining >= frontLength && unpacked < mostUnpacked) {
    const front = bytes.take(frontLength)
    const length = front.readInt32BE(8)
    if (length < headLength - frontLength) throw new Error(`the broker sends a record batch of ${length} bytes`)
    if (length > bytes.remaining) break
    const { batch, size } = readBatch(front.readBigInt64BE(0), bytes.split(length), library, guard)
    batches.push(batch)
    unpacked += size
  }
  return batches
}

/** @param bytes behind the front, which has the first offset and their length */
function readBatch(firstOffset: bigint, bytes: BytePieces, library: KafkaLibrary, guard: BatchGuard) {
  let size = frontLength + bytes.remaining
  const head = bytes.take(headLength - frontLength)
  const attributes = head.readInt16BE(9)
  const lastDelta = head.readInt32BE(11)
  const batch = {
    firstOffset,
    lastOffset: firstOffset + BigInt(Math.max(lastDelta, 0)),
    attributes,
    firstTimestamp: head.readBigInt64BE(15),
    maxTimestamp: head.readBigInt64BE(23),
    producerId: head.readBigInt64BE(31),
    records: [],
  }
  try {
    const refusal = guard(firstOffset)
    if (refusal !== undefined) throw new Error(refusal)
    if (head.readInt8(4) !== 2) throw new Error(`its format is ${head.readInt8(4)}, not 2`)
    if (lastDelta < 0) throw new Error('its last offset is before its first')
    const records = unpackedRecords(bytes, attributes & codecBits, library)
    size = records.remaining
    return { batch: { ...batch, records: readRecords(records, head.readInt32BE(45), lastDelta) }, size }
  } catch (error) {
    return { batch: { ...batch, problem: messageOf(error) }, size }
  }
}

function unpackedRecords(
  bytes: BytePieces,
  codec: number,
  { compressionsAlgorithms: known }: KafkaLibrary,
): BytePieces {
  if (codec === 0) return bytes
  const algorithm = Object.values(known).find(({ bitmask }) => bitmask === codec)
  if (!algorithm) throw new Error(`its compression is number ${codec}`)
  const packed = bytes.take(bytes.remaining)
  if (algorithm.bitmask === known.lz4.bitmask && mostOfLz4(packed) > largestUnpacked) throw new Error(tooLarge)
  const unpacked = unpackedBy(algorithm, packed)
  if (unpacked.length > largestUnpacked) throw new Error(tooLarge)
  return new BytePieces([unpacked])
}

function unpackedBy(algorithm: { decompressSync(bytes: Buffer): Buffer }, packed: Buffer): Buffer {
  try {
    return algorithm.decompressSync(packed)
  } catch (cause) {
    const isTooLarge = systemCode(cause) === 'ERR_BUFFER_TOO_LARGE'
    throw new Error(isTooLarge ? tooLarge : `it cannot be unpacked: ${messageOf(cause)}`, { cause })
  }
}

const tooLarge = `it unpacks to more than ${largestUnpacked} bytes`

/** What an LZ4 frame unpacks to at most: the library's reader has no bound. */
function mostOfLz4(frame: Buffer): number {
  const blockSize = 1 << (8 + 2 * ((frame[5]! >> 4) & 7))
  const [hasBlockSums, hasSize] = [frame[4]! & 0x10, frame[4]! & 0x08]
  let blocks = 0
  for (let at = hasSize ? 15 : 7; at + 4 <= frame.length; blocks++) {
    const length = frame.readUInt32LE(at) & 0x7fffffff
    if (length === 0) break
    at += 4 + length + (hasBlockSums ? 4 : 0)
  }
  // the last one may be small
  return Math.max(0, blocks - 1) * blockSize
}

function readRecords(bytes: BytePieces, count: number, lastDelta: number): BatchRecord[] {
  if (count < 0 || count > bytes.remaining / leastRecord) throw new Error('it has more records than bytes')
  const records: BatchRecord[] = []
  // one record
  let record: Buffer
  let at = 0

  const nextByte = (): number => {
    if (at >= record.length) throw new Error(cutOff)
    return record[at++]!
  }
  const firstByte = (): number => {
    if (bytes.remaining === 0) throw new Error(cutOff)
    return bytes.byte()
  }

  function field(): Buffer | null {
    const length = varint(nextByte)
    if (length === -1) return null
    if (length < 0 || length > record.length - at) throw new Error(cutOff)
    return record.subarray(at, (at += length))
  }

  let before = -1
  for (let i = 0; i < count; i++) {
    const length = varint(firstByte)
    if (length < 0 || length > bytes.remaining) throw new Error(cutOff)
    record = bytes.take(length)
    // its attributes have no meaning yet
    at = 1
    const timestampDelta = varint(nextByte)
    const offsetDelta = varint(nextByte)
    if (offsetDelta <= before || offsetDelta > lastDelta) throw new Error('its records are out of order')
    before = offsetDelta
    // headers are not read
    records.push({ timestampDelta: BigInt(timestampDelta), offsetDelta, key: field(), value: field() })
  }
  return records
}

function varint(nextByte: () => number): number {
  let value = 0
  let scale = 1
  for (let length = 0; length < 7; length++) {
    const next = nextByte()
    value += (next & 0x7f) * scale
    if (next < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    scale *= 128
  }
  throw new Error('a number in it has no end')
}

const cutOff = 'a record in it is cut off'
