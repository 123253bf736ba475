// One fetch from one broker: what is asked, and of the answer the records that count, by partition.
import type { DecodeGuard } from '../spec.ts'
import type { Cluster } from './cluster.ts'
import { type RecordBatch, readRecordSet } from './record-set.ts'
import { keyOf, type TopicPartition } from './partition.ts'

/** One message as it lies in a partition. */
export interface KafkaRecord {
  readonly offset: bigint
  /** milliseconds since 1970 */
  readonly timestamp: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** it stands for all messages of a batch that cannot be read, and this is why */
  readonly problem?: string
}

/** The answer for one partition. */
export interface FetchedPartition {
  /** the protocol's name of the error, if there was one */
  readonly error: string | undefined
  readonly failure: unknown
  readonly records: readonly KafkaRecord[]
  /** where to go on: behind the last batch, whether or not it had a record that counts */
  readonly nextOffset: bigint
  /** the last stable offset: nothing beyond it can be read yet */
  readonly end: bigint
}

const readCommitted = 1
/** no fetch session: a broker keeps only so many, and this client asks for everything each time */
const noSession = [0, -1] as const
/** how long a broker holds an answer back while there is nothing to send */
const longestWaitMs = 500
const answerTimeoutMs = 15_000 + longestWaitMs
const requestBytes = 16 * 1024 * 1024

/**
 * Asks one broker for records of some of its partitions. Errors of single partitions are in the answers, which are by
 * `keyOf`. `isQuiet`: the broker sent nothing although nothing kept it from sending.
 */
export async function fetchOnce(
  cluster: Cluster,
  leader: number,
  wanted: readonly (TopicPartition & { readonly topicId: string; readonly position: bigint })[],
  partitionBytes: number,
  guard?: DecodeGuard,
): Promise<{ readonly answers: ReadonlyMap<string, FetchedPartition>; readonly isQuiet: boolean }> {
  const topicIds = [...new Set(wanted.map(({ topicId }) => topicId))]
  const topics = topicIds.map((topicId) => ({
    topicId,
    partitions: wanted
      .filter((partition) => partition.topicId === topicId)
      .map(({ partition, position }) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: position,
        lastFetchedEpoch: -1,
        partitionMaxBytes: Math.floor(partitionBytes),
      })),
  }))
  const limits = [longestWaitMs, 1, requestBytes, readCommitted] as const
  const request = cluster.ask('fetch', leader, 'fetch', [...limits, ...noSession, topics, [], ''], answerTimeoutMs)
  const answer = await request
  if (answer.errorCode !== 0) throw new cluster.library.ProtocolError(answer.errorCode, null)
  const parts = new Map(
    answer.responses.flatMap(({ topicId, partitions }) =>
      partitions.map((part) => [`${topicId}:${part.partitionIndex}`, part] as const),
    ),
  )
  const answers = new Map<string, FetchedPartition>()
  for (const one of wanted) {
    const part = parts.get(`${one.topicId}:${one.partition}`)
    if (!part) continue
    const { errorCode, records, abortedTransactions, lastStableOffset, highWatermark } = part
    answers.set(keyOf(one), {
      error: errorCode === 0 ? undefined : (cluster.library.protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`),
      failure: errorCode === 0 ? undefined : new cluster.library.ProtocolError(errorCode, null),
      ...committedRecords(batchesOf(records, one, cluster, guard), abortedTransactions, one.position),
      end: lastStableOffset >= 0n ? lastStableOffset : highWatermark,
    })
  }
  // an answer that is full of others' records, or held back by a quota, says nothing about what is not in it
  const isEmpty = [...parts.values()].every(({ records }) => records.length === 0)
  return { answers, isQuiet: answer.throttleTimeMs === 0 && isEmpty }
}

function batchesOf(
  records: readonly Buffer[],
  { topic, partition }: TopicPartition,
  cluster: Cluster,
  guard?: DecodeGuard,
) {
  try {
    return readRecordSet(records, cluster.library, (offset) => {
      const batch = { topic, partition, offset, isBatch: true }
      const refusal = guard?.refusal(batch)
      if (refusal === undefined) guard?.enter(batch)
      return refusal
    })
  } finally {
    guard?.leave()
  }
}

// bits of a batch's attributes
const hasAppendTime = 1 << 3
const isTransactional = 1 << 4
const isControl = 1 << 5

/**
 * Leaves out control records, records of aborted transactions, and those before `from` (a broker sends whole batches).
 *
 * The client library gets this wrong: it keeps one aborted range per producer, so that if a producer aborted twice within
 * one fetch, the first transaction is let through. Here the transactions are followed as they lie in the log: one is open
 * from its first offset until its marker, or until the end of what was fetched.
 *
 * @param aborted the aborted transactions within what was fetched, as the broker lists them
 */
export function committedRecords(
  batches: readonly RecordBatch[],
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[],
  from: bigint,
): Pick<FetchedPartition, 'records' | 'nextOffset'> {
  const pending = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const open = new Set<bigint>()
  const records: KafkaRecord[] = []
  let nextOffset = from
  for (const batch of batches) {
    const { lastOffset } = batch
    if (lastOffset >= nextOffset) nextOffset = lastOffset + 1n
    while (pending.length > 0 && pending[0]!.firstOffset <= lastOffset) open.add(pending.shift()!.producerId)
    if (batch.attributes & isControl) {
      // a marker's key: its version, then 0 for abort and 1 for commit
      const key = batch.records[0]?.key
      if (key && key.length >= 4 && key.readInt16BE(2) === 0) open.delete(batch.producerId)
    } else if (!(batch.attributes & isTransactional && open.has(batch.producerId))) {
      addRecords(batch, from, records)
    }
  }
  return { records, nextOffset }
}

function addRecords(batch: RecordBatch, from: bigint, into: KafkaRecord[]): void {
  if (batch.problem !== undefined) {
    const { firstOffset, lastOffset } = batch
    const timestamp = BigInt.asUintN(48, batch.maxTimestamp) === batch.maxTimestamp ? batch.maxTimestamp : 0n
    const problem = `offsets ${firstOffset} to ${lastOffset}: ${batch.problem}`
    // its place is the last one, so that the next is behind it
    if (lastOffset >= from) into.push({ offset: lastOffset, timestamp, key: null, value: null, problem })
    return
  }
  const isAppendTime = (batch.attributes & hasAppendTime) !== 0
  for (const { offsetDelta, timestampDelta, key, value } of batch.records) {
    const offset = batch.firstOffset + BigInt(offsetDelta)
    if (offset < from) continue
    const timestamp = isAppendTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta
    into.push({ offset, timestamp, key, value })
  }
}
