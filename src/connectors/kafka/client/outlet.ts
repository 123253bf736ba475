// Where messages go: a producer of its own, or a transaction that somebody else commits.
import { ServiceError, UsageError } from '../../../errors.ts'
import { type Cluster, connectCluster } from './cluster.ts'
import { type KafkaConnection, shownBrokers } from './connection.ts'
import { deliver, type OutgoingMessage, type ProducerSession, SessionLostError, type TakeTooLarge } from './delivery.ts'
import type { Committer, PartitionOffset } from './offsets.ts'
import { type Compression, messageSpace } from './record-batch.ts'
import { existingTopics } from '../topics.ts'
import { createTransactions, type TransactionOptions } from './transaction.ts'
import { serviceFailure } from './failures.ts'
import { pause } from './bell.ts'

/** Takes messages. */
export interface MessageOutlet {
  /**
   * Resolves when they are as safe as this outlet makes them, but for those that `onTooLarge` has taken. One call at a time.
   *
   * @throws ServiceError, also for a message that is larger than its topic allows and that nobody takes
   */
  send(messages: readonly OutgoingMessage[], onTooLarge?: TakeTooLarge): Promise<void>
  /** for how long no broker has answered anything, in milliseconds */
  readonly unreachableMs: number
}

/** An outlet with connections of its own. */
interface OpenOutlet extends MessageOutlet {
  close(): Promise<void>
}

/** whoever has just started wants to know soon that nobody answers */
const openPatienceMs = 15_000

/**
 * A producer (idempotent, acknowledged by all in-sync replicas) for a topic that exists then.
 *
 * @throws ServiceError
 */
export async function openOutlet(connection: KafkaConnection, topic: string): Promise<OpenOutlet> {
  const cluster = await connectTo(connection, topic)
  const producer = createProducer(cluster)
  return {
    send: (messages, onTooLarge) => producer.send(messages, onTooLarge),
    get unreachableMs() {
      return cluster.unreachableMs
    },
    close: () => cluster.close(),
  }
}

/** Checks early what would fail late. */
async function connectTo(connection: KafkaConnection, topic: string | undefined): Promise<Cluster> {
  const cluster = await connectCluster(connection, 'lcclf')
  try {
    const patienceMs = Math.min(connection.patienceMs, openPatienceMs)
    await cluster.persist('reaching the brokers', () => cluster.topics([], { fresh: true }), { patienceMs })
    if (topic !== undefined) await existingTopics(cluster, [topic])
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

/** Exactly-once: outputs are kept until their inputs' offsets are committed, in one transaction with them. */
export interface TransactionalOutlet extends MessageOutlet {
  /** Commits what was sent since the last commit together with the offsets; false if nothing of it is visible. */
  commit(offsets: readonly PartitionOffset[], committer: Committer): Promise<boolean>
  /** Forgets what was sent since the last commit. */
  discard(): void
  close(): Promise<void>
}

/**
 * Opens the outlet of an exactly-once stream.
 *
 * @param connection of the input; every output must be on the same cluster, because a transaction is
 * @param topics that are written to, found or made now
 */
export async function openTransactionalOutlet(
  connection: KafkaConnection,
  transactionalId: string,
  topics: readonly string[],
  options: TransactionOptions = {},
): Promise<TransactionalOutlet> {
  const cluster = await connectTo(connection, undefined)
  try {
    if (topics.length > 0) await existingTopics(cluster, topics)
  } catch (error) {
    await cluster.close()
    throw error
  }
  const sizes = createKnownSizes()
  const transactions = createTransactions(cluster, transactionalId, { ...options, onTooLarge: sizes.learn })
  let kept: OutgoingMessage[] = []
  return {
    get unreachableMs() {
      return cluster.unreachableMs
    },
    send(messages, onTooLarge) {
      for (const message of messages) {
        if (!sizes.isTooLarge(message)) kept.push(message)
        else if (onTooLarge) onTooLarge(message)
        else return Promise.reject(new ServiceError(`a message is larger than topic ${message.topic} allows`))
      }
      return Promise.resolve()
    },
    async commit(offsets, committer) {
      const messages = kept
      kept = []
      return (await transactions.run({ messages, offsets, committer })) === 'committed'
    },
    discard() {
      kept = []
    },
    close: () => cluster.close(),
  }
}

/** a topic may be allowed more while we run */
const knownForMs = 600_000

/**
 * Sizes that a topic refused. What a transaction holds is sent when it is committed, and then it is too late to put a dead
 * letter in the place of an output: the transaction is given up, its inputs are read again, and this time it is known.
 */
function createKnownSizes(): { learn: TakeTooLarge; isTooLarge(message: OutgoingMessage): boolean } {
  const refused = new Map<string, { readonly bytes: number; readonly until: number }>()
  const known = (topic: string): number => {
    const { bytes, until } = refused.get(topic) ?? { bytes: Infinity, until: Infinity }
    return performance.now() < until ? bytes : Infinity
  }
  return {
    learn(message) {
      const bytes = Math.min(known(message.topic), messageSpace(message))
      refused.set(message.topic, { bytes, until: performance.now() + knownForMs })
    },
    isTooLarge: (message) => messageSpace(message) >= known(message.topic),
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
      const cluster = await connectTo(connection, undefined)
      try {
        return await cluster.id()
      } finally {
        await cluster.close()
      }
    }),
  )
  if (new Set(ids).size > 1) {
    throw new UsageError('exactly-once needs input, output and dead letters on one Kafka cluster', {
      hint: 'Use --delivery at-least-once for outputs elsewhere.',
    })
  }
}

// An idempotent producer: what it has acknowledged is in the log, on all in-sync replicas.

/** See createProducer. */
interface Producer {
  /**
   * Resolves when all messages are on all in-sync replicas, but for those that `onTooLarge` has taken; without it one that
   * is too large is a ServiceError. One call at a time.
   */
  send(messages: readonly OutgoingMessage[], onTooLarge?: TakeTooLarge): Promise<void>
}

/** a topic that is made anew again and again is not waited for */
const mostSessions = 10
const longestPauseMs = 1000

/**
 * A producer outside of transactions. When its session is lost (a topic was made anew, a broker forgot it), it goes on in
 * a new one with what was not acknowledged: those messages may then be there twice, none is missing.
 */
export function createProducer(cluster: Cluster, compression: Compression = 'none'): Producer {
  let session: ProducerSession | undefined
  return {
    async send(messages, onTooLarge) {
      let unsent = messages
      for (let sessions = 1; unsent.length > 0; sessions++) {
        try {
          session ??= await openSession(cluster)
          await deliver(cluster, session, unsent, { compression, onTooLarge })
          return
        } catch (thrown) {
          // whatever went wrong: how far the session came is not known, and a wrong sequence number would lose messages
          session = undefined
          if (!(thrown instanceof SessionLostError)) throw thrown
          const what = `a producer's session was lost ${sessions} times`
          if (sessions === mostSessions) throw serviceFailure(what, shownBrokers(cluster.connection), thrown)
          unsent = thrown.unsent
        }
        await pause(Math.min(20 * 2 ** sessions, longestPauseMs))
      }
    },
  }
}

async function openSession(cluster: Cluster): Promise<ProducerSession> {
  const { producerId, producerEpoch } = await cluster.persist('opening a producer', () =>
    cluster.ask('produce', 'any', 'initProducerId', [null, 60_000, -1n, -1]),
  )
  return { producerId, producerEpoch, transactionalId: null, sequences: new Map(), topicIds: new Map() }
}
