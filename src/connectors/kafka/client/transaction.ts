// Outputs and the offsets of their inputs in one Kafka transaction.
import { ServiceError } from '../../../errors.ts'
import type { Cluster } from './cluster.ts'
import { deliver, type OutgoingMessage, type ProducerSession, SessionLostError, type TakeTooLarge } from './delivery.ts'
import { shownBrokers } from './connection.ts'
import { hasProtocolError, reasonOf } from './failures.ts'
import {
  byTopic,
  committedOffsets,
  type Committer,
  keyOf,
  lostMembership,
  type PartitionOffset,
  type TopicPartition,
} from './offsets.ts'
import { pause } from './bell.ts'
import type { Compression } from './record-batch.ts'

/** One batch: what it brought forth, and up to where it has read. */
interface TransactionWork {
  readonly messages: readonly OutgoingMessage[]
  readonly offsets: readonly PartitionOffset[]
  readonly committer: Committer
}

/** See createTransactions. */
interface Transactions {
  /**
   * Does the work in one transaction. `refused`: the member does not own the partitions any more, or a message was too
   * large; nothing of it is there for whoever reads committed messages only.
   */
  run(work: TransactionWork): Promise<'committed' | 'refused'>
}

/** See createTransactions. */
export interface TransactionOptions {
  readonly compression?: Compression
  readonly timeoutMs?: number
  /** told of messages that are larger than their topic allows; without it they are an error */
  readonly onTooLarge?: TakeTooLarge
}

/** a transaction that nobody ends is aborted after this, and its partitions' next owner waits for that */
const usualTimeoutMs = 15_000
const mostAttempts = 10
const longestPauseMs = 1000
const concurrent = { firstDelayMs: 5 }

const fenced = [
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
  'UNKNOWN_PRODUCER_ID',
] as const

/**
 * A producer of transactions. The broker takes offsets only from the present generation of the group, so that a member
 * that lost its partitions cannot commit what their new owner does again (the messages go with the offsets, or not).
 *
 * @param transactionalId nobody else's: whoever uses the same one ends this producer
 */
export function createTransactions(
  cluster: Cluster,
  transactionalId: string,
  { compression = 'none', timeoutMs = usualTimeoutMs, onTooLarge }: TransactionOptions = {},
): Transactions {
  let session: ProducerSession | undefined

  async function run(work: TransactionWork): Promise<'committed' | 'refused'> {
    let mayBeCommitted = false
    for (let attempt = 1; ; attempt++) {
      try {
        if (!session) {
          // this ends what the session before left open, one way or the other
          session = await openSession(cluster, transactionalId, timeoutMs)
          if (mayBeCommitted && (await isCommitted(cluster, work))) return 'committed'
          mayBeCommitted = false
        }
        if (!(await fill(session, work))) {
          await abort()
          return 'refused'
        }
        mayBeCommitted = true
        await end(session, true)
        return 'committed'
      } catch (thrown) {
        if (!mayBeCommitted && hasProtocolError(thrown, ...lostMembership)) {
          await abort()
          return 'refused'
        }
        session = undefined
        const mayRepeat = thrown instanceof SessionLostError || hasProtocolError(thrown, ...fenced)
        if (!mayRepeat) throw thrown
        if (attempt === mostAttempts) throw lostTooOften(thrown)
      }
      await pause(Math.min(20 * 2 ** attempt, longestPauseMs))
    }
  }

  function lostTooOften(cause: unknown): ServiceError {
    const where = `(Kafka at ${shownBrokers(cluster.connection)})`
    return new ServiceError(`a transaction was lost ${mostAttempts} times: ${reasonOf(cause)} ${where}`, {
      cause,
      hint: `The broker ends one that is not committed within ${timeoutMs / 1000} s. A smaller --batch-size takes less time.`,
    })
  }

  /** @returns false if messages were too large, each of which is told */
  async function fill(open: ProducerSession, { messages, offsets, committer }: TransactionWork): Promise<boolean> {
    const onPartitions = (partitions: readonly TopicPartition[]): Promise<void> => addPartitions(open, partitions)
    let isWhole = true
    const leaveOut = (message: OutgoingMessage): void => {
      isWhole = false
      onTooLarge!(message)
    }
    const options = { compression, onPartitions, onTooLarge: onTooLarge && leaveOut }
    if (messages.length > 0) await deliver(cluster, open, messages, options)
    if (isWhole && offsets.length > 0) await addOffsets(open, offsets, committer)
    return isWhole
  }

  async function addPartitions(
    { producerId, producerEpoch }: ProducerSession,
    partitions: readonly TopicPartition[],
  ): Promise<void> {
    const topics = byTopic(partitions, ({ partition }) => partition)
    const transaction = { transactionalId, producerId, producerEpoch, topics, verifyOnly: false }
    await coordinated('adding partitions to a transaction', (coordinator) =>
      cluster.ask('produce', coordinator, 'addPartitionsToTxn', [[transaction]]),
    )
  }

  async function addOffsets(
    { producerId, producerEpoch }: ProducerSession,
    offsets: readonly PartitionOffset[],
    { groupId, generation, memberId }: Committer,
  ): Promise<void> {
    await coordinated('adding offsets to a transaction', (coordinator) =>
      cluster.ask('produce', coordinator, 'addOffsetsToTxn', [transactionalId, producerId, producerEpoch, groupId]),
    )
    const topics = byTopic(offsets, ({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: null,
    }))
    await cluster.persist(
      `committing offsets of group ${groupId} in a transaction`,
      async () => {
        const coordinator = await cluster.coordinator('group', groupId)
        const who = [transactionalId, groupId, producerId, producerEpoch, generation, memberId, null] as const
        await cluster.ask('produce', coordinator, 'txnOffsetCommit', [...who, topics])
      },
      { isFinal: (thrown) => hasProtocolError(thrown, ...lostMembership, ...fenced) },
    )
  }

  async function end({ producerId, producerEpoch }: ProducerSession, isCommit: boolean): Promise<void> {
    await coordinated('ending a transaction', (coordinator) =>
      cluster.ask('produce', coordinator, 'endTxn', [transactionalId, producerId, producerEpoch, isCommit]),
    )
  }

  /** What cannot be aborted now is by the next session, or by the broker after a while. */
  async function abort(): Promise<void> {
    const open = session
    session = undefined
    if (!open) return
    try {
      await end(open, false)
      session = open
    } catch {
      // see above
    }
  }

  async function coordinated<T>(what: string, request: (coordinator: number) => Promise<T>): Promise<T> {
    return cluster.persist(what, async () => request(await cluster.coordinator('transaction', transactionalId)), {
      ...concurrent,
      isFinal: (thrown) => hasProtocolError(thrown, ...fenced),
    })
  }

  return { run }
}

async function openSession(cluster: Cluster, transactionalId: string, timeoutMs: number): Promise<ProducerSession> {
  const { producerId, producerEpoch } = await cluster.persist(
    'opening a producer of transactions',
    async () => {
      const coordinator = await cluster.coordinator('transaction', transactionalId)
      return cluster.ask('produce', coordinator, 'initProducerId', [transactionalId, timeoutMs, -1n, -1])
    },
    concurrent,
  )
  return { producerId, producerEpoch, transactionalId, sequences: new Map(), topicIds: new Map() }
}

/** The end of a transaction was not acknowledged: the group's offsets say whether it came to pass. */
async function isCommitted(cluster: Cluster, { offsets, committer }: TransactionWork): Promise<boolean> {
  const committed = await committedOffsets(cluster, committer.groupId, offsets)
  return offsets.every((partition) => committed.get(keyOf(partition)) === partition.offset)
}
