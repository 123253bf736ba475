// Where messages go: a producer of its own, or a transaction that somebody else commits.
import { UsageError } from '../errors.ts'
import { connectCluster, type Cluster } from './cluster.ts'
import type { KafkaConnection } from './connection.ts'
import type { OutgoingMessage } from './delivery.ts'
import type { Committer, PartitionOffset } from './offsets.ts'
import { createProducer } from './producer.ts'
import { existingTopics } from './topics.ts'
import { createTransactions, type TransactionOptions } from './transaction.ts'

/** Takes messages. */
export interface MessageOutlet {
  /** Resolves when they are as safe as this outlet makes them. One call at a time. */
  send(messages: readonly OutgoingMessage[]): Promise<void>
}

/** An outlet with connections of its own. */
export interface OpenOutlet extends MessageOutlet {
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
  return { send: (messages) => producer.send(messages), close: () => cluster.close() }
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
  const transactions = createTransactions(cluster, transactionalId, options)
  let kept: OutgoingMessage[] = []
  return {
    send(messages) {
      kept.push(...messages)
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
