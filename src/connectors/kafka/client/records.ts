// Record batches as a broker sends them → the records that count.
import type { RecordsBatch } from '@platformatic/kafka'

/** One message as it lies in a partition. */
export interface KafkaRecord {
  readonly offset: bigint
  /** milliseconds since 1970 */
  readonly timestamp: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** An aborted transaction within what was fetched, as the broker lists them. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/** Records in order, and where to go on: behind the last batch, whether or not it had a record that counts. */
interface ReadRecords {
  readonly records: readonly KafkaRecord[]
  readonly nextOffset: bigint
}

// bits of a batch's attributes
const hasAppendTime = 1 << 3
const isTransactional = 1 << 4
const isControl = 1 << 5
const abortMarker = 0

/**
 * Leaves out control records, records of aborted transactions, and those before `from` (a broker sends whole batches).
 *
 * The client library does this too, and wrongly: it keeps one aborted range a producer, so that of a producer that aborted
 * twice within one fetch the first transaction is let through. Here the transactions are followed as they lie in the log:
 * one is open from its first offset until its marker, or until the end of what was fetched.
 */
export function committedRecords(
  batches: readonly RecordsBatch[],
  aborted: readonly AbortedTransaction[],
  from: bigint,
): ReadRecords {
  const pending = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const open = new Set<bigint>()
  const records: KafkaRecord[] = []
  let nextOffset = from
  for (const batch of batches) {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    if (lastOffset >= nextOffset) nextOffset = lastOffset + 1n
    while (pending.length > 0 && pending[0]!.firstOffset <= lastOffset) open.add(pending.shift()!.producerId)
    if (batch.attributes & isControl) {
      if (markerOf(batch) === abortMarker) open.delete(batch.producerId)
    } else if (!(batch.attributes & isTransactional && open.has(batch.producerId))) {
      addRecords(batch, from, records)
    }
  }
  return { records, nextOffset }
}

function addRecords(batch: RecordsBatch, from: bigint, into: KafkaRecord[]): void {
  const isAppendTime = (batch.attributes & hasAppendTime) !== 0
  for (const { offsetDelta, timestampDelta, key, value } of batch.records) {
    const offset = batch.firstOffset + BigInt(offsetDelta)
    if (offset < from) continue
    into.push({
      offset,
      timestamp: isAppendTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta,
      key,
      value,
    })
  }
}

/** A marker's key: its version, then 0 for abort and 1 for commit. */
function markerOf(batch: RecordsBatch): number | undefined {
  const key = batch.records[0]?.key
  return key && key.length >= 4 ? key.readInt16BE(2) : undefined
}
