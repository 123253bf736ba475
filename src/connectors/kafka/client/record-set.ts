// What a broker sends of a partition → record batches, each within bounds, or the reason why it cannot be read.
import { messageOf, systemCode } from '../../../errors.ts'
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
 * @throws Error for bytes of which nothing can be said any more
 */
export function readRecordSet(
  bytes: Buffer,
  library: KafkaLibrary,
  guard: BatchGuard = () => undefined,
): RecordBatch[] {
  const batches: RecordBatch[] = []
  let unpacked = 0
  for (let at = 0; at + frontLength <= bytes.length && unpacked < mostUnpacked;) {
    const length = bytes.readInt32BE(at + 8)
    if (length < headLength - frontLength) throw new Error(`the broker sends a record batch of ${length} bytes`)
    const end = at + frontLength + length
    if (end > bytes.length) break
    const { batch, size } = readBatch(bytes.subarray(at, end), library, guard)
    batches.push(batch)
    unpacked += size
    at = end
  }
  return batches
}

function readBatch(bytes: Buffer, library: KafkaLibrary, guard: BatchGuard) {
  const firstOffset = bytes.readBigInt64BE(0)
  const attributes = bytes.readInt16BE(21)
  const lastDelta = bytes.readInt32BE(23)
  const batch = {
    firstOffset,
    lastOffset: firstOffset + BigInt(Math.max(lastDelta, 0)),
    attributes,
    firstTimestamp: bytes.readBigInt64BE(27),
    maxTimestamp: bytes.readBigInt64BE(35),
    producerId: bytes.readBigInt64BE(43),
    records: [],
  }
  let size = bytes.length
  try {
    const refusal = guard(firstOffset)
    if (refusal !== undefined) throw new Error(refusal)
    if (bytes.readInt8(16) !== 2) throw new Error(`its format is ${bytes.readInt8(16)}, not 2`)
    if (lastDelta < 0) throw new Error('its last offset is before its first')
    const records = unpackedRecords(bytes.subarray(headLength), attributes & codecBits, library)
    size = records.length
    return { batch: { ...batch, records: readRecords(records, bytes.readInt32BE(57), lastDelta) }, size }
  } catch (error) {
    return { batch: { ...batch, problem: messageOf(error) }, size }
  }
}

function unpackedRecords(packed: Buffer, codec: number, { compressionsAlgorithms: known }: KafkaLibrary): Buffer {
  if (codec === 0) return packed
  const algorithm = Object.values(known).find(({ bitmask }) => bitmask === codec)
  if (!algorithm) throw new Error(`its compression is number ${codec}`)
  if (algorithm.bitmask === known.lz4.bitmask && mostOfLz4(packed) > largestUnpacked) throw new Error(tooLarge)
  const unpacked = unpackedBy(algorithm, packed)
  if (unpacked.length > largestUnpacked) throw new Error(tooLarge)
  return unpacked
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

function readRecords(bytes: Buffer, count: number, lastDelta: number): BatchRecord[] {
  if (count < 0 || count > bytes.length / leastRecord) throw new Error('it has more records than bytes')
  const records: BatchRecord[] = []
  let at = 0
  let end = bytes.length

  function varint(): number {
    let value = 0
    let scale = 1
    for (let length = 0; length < 7; length++) {
      if (at >= end) throw new Error(cutOff)
      const next = bytes[at++]!
      value += (next & 0x7f) * scale
      if (next < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    throw new Error('a number in it has no end')
  }

  function field(): Buffer | null {
    const length = varint()
    if (length === -1) return null
    if (length < 0 || length > end - at) throw new Error(cutOff)
    return bytes.subarray(at, (at += length))
  }

  let before = -1
  for (let i = 0; i < count; i++) {
    end = bytes.length
    const length = varint()
    if (length < 0 || length > end - at) throw new Error(cutOff)
    end = at + length
    // its attributes have no meaning yet
    at++
    const timestampDelta = varint()
    const offsetDelta = varint()
    if (offsetDelta <= before || offsetDelta > lastDelta) throw new Error('its records are out of order')
    before = offsetDelta
    records.push({ timestampDelta: BigInt(timestampDelta), offsetDelta, key: field(), value: field() })
    // headers are not read
    at = end
  }
  return records
}

const cutOff = 'a record in it is cut off'
