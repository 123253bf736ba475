// One fetch from one broker: what is asked, and the answer by partition.
import type { RecordsBatch } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { answerIn } from './failures.ts'
import type { TopicPartition } from './offsets.ts'
import type { Answer } from './protocol.ts'
import { DataError } from '../../../errors.ts'

/** A partition to fetch from. */
interface WantedPartition extends TopicPartition {
  readonly topicId: string
  readonly position: bigint
}

/** What came of one of them. */
export interface FetchedPartition extends TopicPartition {
  /** the protocol's name of the error, if there was one */
  readonly error: string | undefined
  readonly failure: unknown
  readonly batches: readonly RecordsBatch[]
  readonly aborted: readonly AbortedTransaction[]
  /** the last stable offset: nothing beyond it can be read yet */
  readonly end: bigint
}

const readCommitted = 1
/** no fetch session: a broker keeps only so many, and this client asks for everything each time */
const noSession = [0, -1] as const
/** how long a broker keeps an answer back while there is nothing to send */
const longestWaitMs = 500
/** beyond that wait */
const answerTimeoutMs = 15_000
const requestBytes = 16 * 1024 * 1024

/** Asks one broker for records of some of its partitions. Errors of single partitions are in the answer. */
export async function fetchOnce(
  cluster: Cluster,
  leader: number,
  wanted: readonly WantedPartition[],
  partitionBytes: number,
): Promise<{ readonly answers: readonly FetchedPartition[]; readonly isThrottled: boolean }> {
  const names = new Map(wanted.map(({ topicId, topic }) => [topicId, topic]))
  const topics = [...names.keys()].map((topicId) => ({
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
  const { answer, thrown } = await answered(
    cluster.ask(
      'fetch',
      leader,
      'fetch',
      [longestWaitMs, 1, requestBytes, readCommitted, ...noSession, topics, [], ''],
      longestWaitMs + answerTimeoutMs,
    ),
  )
  const answers = answer.responses.flatMap(({ topicId, partitions }) =>
    partitions.map((part) => ({
      topic: names.get(topicId) ?? '',
      partition: part.partitionIndex,
      error: part.errorCode === 0 ? undefined : errorName(cluster, part.errorCode),
      failure: thrown,
      batches: part.records ?? [],
      aborted: part.abortedTransactions,
      end: part.lastStableOffset >= 0n ? part.lastStableOffset : part.highWatermark,
    })),
  )
  return { answers, isThrottled: answer.throttleTimeMs > 0 }
}

/** The library throws when a single partition has an error, and keeps the answer in what it throws. */
async function answered(answer: Promise<Answer<'fetch'>>): Promise<{ answer: Answer<'fetch'>; thrown?: unknown }> {
  try {
    return { answer: await answer }
  } catch (thrown) {
    const partial = answerIn<Answer<'fetch'>>(thrown)
    if (partial === undefined || partial.errorCode !== 0) throw thrown
    return { answer: partial, thrown }
  }
}

function errorName({ library }: Cluster, code: number): string {
  return library.protocolErrorsCodesById[code] ?? `error ${code}`
}

// What a fetcher keeps of a partition.

/** A partition that is being fetched, from one assignment to the next. */
export interface PartitionState<Owner> extends TopicPartition {
  readonly owner: Owner
  position: bigint
  end: bigint | undefined
  /** bytes that wait in chunks */
  waiting: number
  isUnderWay: boolean
  topicId: string | undefined
  /** since when it cannot be fetched, in the clock of `performance.now` */
  failingSince: number | undefined
  /** since when answers have no record although the end is not reached, in the same clock */
  emptySince: number | undefined
  pausedUntil: number
}

/** A partition of which nothing is known yet but where to begin, and perhaps in which topic of that name. */
export function newPartitionState<Owner>(
  { topic, partition }: TopicPartition,
  { owner, position, topicId }: Pick<PartitionState<Owner>, 'owner' | 'position' | 'topicId'>,
): PartitionState<Owner> {
  return {
    owner,
    topic,
    partition,
    position,
    end: undefined,
    waiting: 0,
    isUnderWay: false,
    topicId,
    failingSince: undefined,
    emptySince: undefined,
    pausedUntil: 0,
  }
}

/** What to say to whoever needs what was there. */
export function goneFrom({ topic, partition, position }: PartitionState<unknown>): DataError {
  return new DataError(`${topic} partition ${partition}: the topic was made anew while it was read`, {
    hint: `What was there from offset ${position} on is gone. Run it again for what is there now.`,
  })
}

// Record batches as a broker sends them → the records that count.

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
