// Outputs and the offsets of their inputs in one Kafka transaction.
import pRetry from 'p-retry'
import { ServiceError } from '../../../errors.ts'
import type { Cluster } from './cluster.ts'
import { deliver, openSession, sessionErrors, SessionLostError } from './delivery.ts'
import type { OutgoingMessage, ProducerSession, TakeTooLarge } from './delivery.ts'
import { hasProtocolError, reasonOf } from './failures.ts'
import { byTopic, committedOffsets, lostMembership, offsetTopics } from './offsets.ts'
import { keyOf } from './partition.ts'
import type { Committer } from './offsets.ts'
import type { PartitionOffset, TopicPartition } from './partition.ts'

/** One batch: its outputs, and up to where its inputs were read. */
interface TransactionWork {
  readonly messages: readonly OutgoingMessage[]
  readonly offsets: readonly PartitionOffset[]
  readonly committer: Committer
}

/** a transaction that nobody ends is aborted after this, and its partitions' next owner waits for that */
const usualTimeoutMs = 15_000
const mostAttempts = 10

/**
 * A producer of transactions. The broker takes offsets only from the present generation of the group, so that a member
 * that lost its partitions cannot commit what their new owner does again (the messages go with the offsets, or not).
 *
 * @param transactionalId nobody else's: whoever uses the same one ends this producer
 * @param options `onTooLarge`: told of messages that are larger than their topic allows; without it they are an error
 */
export function createTransactions(
  cluster: Cluster,
  transactionalId: string,
  options: { readonly timeoutMs?: number; readonly onTooLarge?: TakeTooLarge } = {},
) {
  const { timeoutMs = usualTimeoutMs, onTooLarge } = options
  let session: ProducerSession | undefined

  /**
   * Does the work in one transaction. `refused`: the member does not own the partitions any more, or a message was too
   * large; nothing of it is there for anyone who reads committed messages only.
   */
  async function run(work: TransactionWork): Promise<'committed' | 'refused'> {
    let mayBeCommitted = false
    const attempt = async (): Promise<'committed' | 'refused'> => {
      if (!session) {
        session = await openSession(cluster, transactionalId, timeoutMs)
        if (mayBeCommitted && (await isCommitted(cluster, work))) return 'committed'
        mayBeCommitted = false
      }
      try {
        if (!(await fill(session, work))) return await abort()
      } catch (thrown) {
        if (hasProtocolError(thrown, ...lostMembership)) return await abort()
        throw thrown
      }
      mayBeCommitted = true
      await end(session, true)
      return 'committed'
    }
    const isLost = (thrown: unknown): boolean =>
      thrown instanceof SessionLostError || hasProtocolError(thrown, ...sessionErrors)
    try {
      return await pRetry(attempt, {
        retries: mostAttempts - 1,
        minTimeout: 40,
        maxTimeout: 1000,
        onFailedAttempt: () => void (session = undefined),
        shouldRetry: ({ error }) => isLost(error),
      })
    } catch (cause) {
      if (!isLost(cause)) throw cause
      const where = `(Kafka at ${cluster.connection.brokers.join(',')})`
      const hint = `The broker ends one that is not committed within ${timeoutMs / 1000} s. A smaller --batch-size takes less time.`
      throw new ServiceError(`a transaction was lost ${mostAttempts} times: ${reasonOf(cause)} ${where}`, {
        cause,
        hint,
      })
    }
  }

  /** @returns false if messages were too large, each of which is told */
  async function fill(open: ProducerSession, { messages, offsets, committer }: TransactionWork): Promise<boolean> {
    const onPartitions = (partitions: readonly TopicPartition[]): Promise<void> => addPartitions(open, partitions)
    let isWhole = true
    const leaveOut = (message: OutgoingMessage): void => {
      isWhole = false
      onTooLarge!(message)
    }
    if (messages.length > 0) {
      await deliver(cluster, open, messages, { onPartitions, onTooLarge: onTooLarge && leaveOut })
    }
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
    const who = [transactionalId, groupId, producerId, producerEpoch, generation, memberId, null] as const
    await cluster.persist(
      `committing offsets of group ${groupId} in a transaction`,
      async () => {
        const coordinator = await cluster.coordinator('group', groupId)
        await cluster.ask('produce', coordinator, 'txnOffsetCommit', [...who, offsetTopics(offsets)])
      },
      { isFinal: (thrown) => hasProtocolError(thrown, ...lostMembership, ...sessionErrors) },
    )
  }

  async function end({ producerId, producerEpoch }: ProducerSession, isCommit: boolean): Promise<void> {
    await coordinated('ending a transaction', (coordinator) =>
      cluster.ask('produce', coordinator, 'endTxn', [transactionalId, producerId, producerEpoch, isCommit]),
    )
  }

  /** What cannot be aborted now is aborted by the next session, or by the broker after a while. */
  async function abort(): Promise<'refused'> {
    const open = session!
    session = undefined
    await end(open, false).then(
      () => (session = open),
      () => undefined,
    )
    return 'refused'
  }

  function coordinated<T>(what: string, request: (coordinator: number) => Promise<T>): Promise<T> {
    return cluster.persist(what, async () => request(await cluster.coordinator('transaction', transactionalId)), {
      // the transaction before may still be ending
      firstDelayMs: 5,
      isFinal: (thrown) => hasProtocolError(thrown, ...sessionErrors),
    })
  }

  return { run }
}

/** The end of a transaction was not acknowledged: the group's offsets say whether it was committed. */
async function isCommitted(cluster: Cluster, { offsets, committer }: TransactionWork): Promise<boolean> {
  const committed = await committedOffsets(cluster, committer.groupId, offsets)
  return offsets.every((partition) => committed.get(keyOf(partition)) === partition.offset)
}
