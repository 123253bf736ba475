// Where messages go: a producer of its own, or a transaction that somebody else commits.
import pRetry from 'p-retry'
import { ServiceError, UsageError } from '../../../errors.ts'
import { existingTopics } from '../topics.ts'
import { type Cluster, connectCluster } from './cluster.ts'
import type { KafkaConnection } from './connection-settings.ts'
import { deliver, openSession, SessionLostError } from './delivery.ts'
import type { OutgoingMessage, ProducerSession, TakeTooLarge } from './delivery.ts'
import { serviceFailure } from './failures.ts'
import type { Committer } from './offsets.ts'
import type { PartitionOffset } from './partition.ts'
import { messageSpace } from './record-batch.ts'
import { createTransactions } from './transaction.ts'

export interface MessageOutlet {
  /**
   * Resolves when they are as safe as this outlet makes them, but for those that `onTooLarge` has taken. One call at a time.
   *
   * @throws ServiceError, also for a message that is larger than its topic allows and that nobody takes
   */
  send(messages: readonly OutgoingMessage[], onTooLarge?: TakeTooLarge): Promise<void>
  /** Whether its topic has refused one of this size lately: for those of whom all must be sent or none. */
  readonly isTooLarge: (message: OutgoingMessage) => boolean
  /** how long no broker has answered anything, in milliseconds */
  readonly unreachableMs: number
  close(): Promise<void>
}

/**
 * A producer (idempotent, acknowledged by all in-sync replicas) for a topic that exists then.
 *
 * @throws ServiceError
 */
export async function openOutlet(connection: KafkaConnection, topic: string): Promise<MessageOutlet> {
  const cluster = await connectTo(connection, [topic])
  return {
    ...createProducer(cluster),
    get unreachableMs() {
      return cluster.unreachableMs
    },
    close: () => cluster.close(),
  }
}

/** Checks early what would fail late. */
async function connectTo(connection: KafkaConnection, topics: readonly string[]): Promise<Cluster> {
  const cluster = await connectCluster(connection)
  try {
    await cluster.firstTopics([])
    if (topics.length > 0) await existingTopics(cluster, topics)
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

/** a topic that is recreated again and again is not waited for */
const mostSessions = 10

/**
 * A producer outside of transactions: what it has acknowledged is in the log, on all in-sync replicas. When its session is
 * lost (a topic was recreated, a broker forgot it), it goes on in a new one with what was not acknowledged: those messages
 * may then be there twice, none is missing.
 */
export function createProducer(cluster: Cluster): Pick<MessageOutlet, 'send' | 'isTooLarge'> {
  const sizes = createKnownSizes()
  let session: ProducerSession | undefined
  return {
    isTooLarge: sizes.isTooLarge,
    async send(messages, takeTooLarge) {
      let unsent = messages
      const onTooLarge = takeTooLarge && tellingFirst(sizes.learn, takeTooLarge)
      const sendRest = async (): Promise<void> => {
        if (unsent.length === 0) return
        session ??= await openSession(cluster, null, 60_000)
        await deliver(cluster, session, unsent, { onTooLarge })
      }
      try {
        await pRetry(sendRest, {
          retries: mostSessions - 1,
          minTimeout: 40,
          maxTimeout: 1000,
          onFailedAttempt({ error }) {
            // whatever went wrong: how far the session came is unknown, and a wrong sequence number would lose messages
            session = undefined
            if (error instanceof SessionLostError) unsent = error.unsent
          },
          shouldRetry: ({ error }) => error instanceof SessionLostError,
        })
      } catch (thrown) {
        if (!(thrown instanceof SessionLostError)) throw thrown
        throw serviceFailure(`a producer's session was lost ${mostSessions} times`, cluster.connection, thrown)
      }
    },
  }
}

export type TransactionalOutlet = Awaited<ReturnType<typeof openTransactionalOutlet>>

/**
 * Opens the outlet of an exactly-once stream: outputs are kept until their inputs' offsets are committed, in one
 * transaction with them.
 *
 * @param connection of the input; every output must be on the same cluster, because a transaction is
 * @param topics that are written to, found or created now
 */
export async function openTransactionalOutlet(
  connection: KafkaConnection,
  transactionalId: string,
  topics: readonly string[],
  options: { readonly timeoutMs?: number } = {},
) {
  const cluster = await connectTo(connection, topics)
  const sizes = createKnownSizes()
  const transactions = createTransactions(cluster, transactionalId, { ...options, onTooLarge: sizes.learn })
  let kept: OutgoingMessage[] = []
  return {
    get unreachableMs() {
      return cluster.unreachableMs
    },
    isTooLarge: sizes.isTooLarge,
    /** @see MessageOutlet */
    send(messages: readonly OutgoingMessage[], onTooLarge?: TakeTooLarge): Promise<void> {
      for (const message of messages) {
        if (!sizes.isTooLarge(message)) kept.push(message)
        else if (onTooLarge) onTooLarge(message)
        else return Promise.reject(new ServiceError(`a message is larger than topic ${message.topic} allows`))
      }
      return Promise.resolve()
    },
    /** Commits what was sent since the last commit together with the offsets; false if nothing of it is visible. */
    async commit(offsets: readonly PartitionOffset[], committer: Committer): Promise<boolean> {
      const messages = kept
      kept = []
      return (await transactions.run({ messages, offsets, committer })) === 'committed'
    },
    /** Forgets what was sent since the last commit. */
    discard(): void {
      kept = []
    },
    close: () => cluster.close(),
  }
}

function tellingFirst(learn: TakeTooLarge, take: TakeTooLarge): TakeTooLarge {
  return (message) => {
    learn(message)
    take(message)
  }
}

/** a topic may be allowed more while we run */
const knownForMs = 600_000

/**
 * Sizes that a topic refused. What a transaction holds is sent when it is committed, and then it is too late to put a dead
 * letter in the place of an output: the transaction is aborted, its inputs are read again, and this time it is known.
 */
function createKnownSizes() {
  const refused = new Map<string, { readonly bytes: number; readonly until: number }>()
  const known = (topic: string): number => {
    const { bytes, until } = refused.get(topic) ?? { bytes: Infinity, until: Infinity }
    return performance.now() < until ? bytes : Infinity
  }
  return {
    learn(message: OutgoingMessage): void {
      const bytes = Math.min(known(message.topic), messageSpace(message))
      refused.set(message.topic, { bytes, until: performance.now() + knownForMs })
    },
    isTooLarge: (message: OutgoingMessage): boolean => messageSpace(message) >= known(message.topic),
  }
}

/**
 * A transaction is within one cluster.
 *
 * @throws UsageError if an output is on another cluster than the input
 */
export async function requireOneCluster(connections: readonly KafkaConnection[]): Promise<void> {
  const ids = await Promise.all(
    connections.map(async (connection) => {
      const cluster = await connectTo(connection, [])
      return cluster.id().finally(() => cluster.close())
    }),
  )
  if (new Set(ids).size > 1) {
    const hint = 'Use --delivery at-least-once for outputs elsewhere.'
    throw new UsageError('exactly-once needs input, output and dead letters on one Kafka cluster', { hint })
  }
}
