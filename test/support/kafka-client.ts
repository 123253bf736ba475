// A client of its own for tests: what goes into topics, and what is in them.
import { Admin, FetchIsolationLevels, ListOffsetTimestamps, Producer } from '@platformatic/kafka'
import { type Cluster, connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import type { KafkaConnection } from '../../src/connectors/kafka/client/connection-settings.ts'
import { createFetcher } from '../../src/connectors/kafka/client/fetcher.ts'
import { byTopic, committedOffsets, listOffsets, type Offsets } from '../../src/connectors/kafka/client/offsets.ts'
import { keyOf, type TopicPartition } from '../../src/connectors/kafka/client/partition.ts'
import type { KafkaRecord } from '../../src/connectors/kafka/client/fetch-request.ts'
import type { TestKafka } from './kafka.ts'
import { until } from './until.ts'

/** A message for a test's topic. */
export interface TestMessage {
  readonly key?: string
  readonly value: Uint8Array | string | null
  readonly partition?: number
  readonly timestamp?: bigint
}

/** A message as it was read. */
export type ReadMessage = TopicPartition & KafkaRecord

/** The value of a message that is sent in two parts. */
export function wholeValue({
  head,
  value,
}: {
  readonly head?: Uint8Array | undefined
  readonly value: Uint8Array | null
}): Buffer {
  return Buffer.concat([head ?? Buffer.alloc(0), value!])
}

/** The settings of a connection to a test's broker. */
export function connectionTo({ server }: Pick<TestKafka, 'server'>, patienceMs = 20_000): KafkaConnection {
  return { brokers: [server], patienceMs }
}

/** Produces with the client library's own producer; messages without a partition are spread by their keys. */
export async function produce(
  kafka: Pick<TestKafka, 'server'>,
  topic: string,
  messages: readonly TestMessage[],
  { compression = 'none' }: { readonly compression?: 'none' | 'gzip' } = {},
): Promise<void> {
  const producer = new Producer({
    clientId: 'lcclf-test',
    bootstrapBrokers: [kafka.server],
    idempotent: true,
    retries: 50,
    retryDelay: 100,
  })
  try {
    for (let at = 0; at < messages.length; at += 50) {
      const some = messages.slice(at, at + 50).map(({ key, value, partition, timestamp }) => ({
        topic,
        ...(key === undefined ? {} : { key: Buffer.from(key) }),
        value: (typeof value === 'string' ? Buffer.from(value) : value) as Buffer,
        ...(partition === undefined ? {} : { partition }),
        ...(timestamp === undefined ? {} : { timestamp }),
      }))
      await producer.send({ messages: some, compression })
    }
  } finally {
    await producer.close()
  }
}

/**
 * Everything that is in a topic, for a reader of committed messages; by partition and offset. Waits until no transaction
 * is open there: the markers of one come after the answer to its end, and one that a killed process left open hides what
 * others have committed behind it until the broker aborts it.
 */
export async function readTopic(kafka: Pick<TestKafka, 'server'>, topic: string): Promise<ReadMessage[]> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-test')
  const fetcher = createFetcher<TopicPartition>(cluster)
  try {
    const info = (await cluster.topics([topic], { fresh: true })).get(topic)
    const partitions = (info?.partitions ?? []).map((_, partition) => ({ topic, partition }))
    const ends = await endsWithoutTransactions(kafka, cluster, partitions)
    const open = new Set(partitions.filter((partition) => ends.get(keyOf(partition))! > 0n))
    for (const partition of open) fetcher.assign(partition, 0n, partition)
    const read: ReadMessage[] = []
    while (open.size > 0) {
      const chunk = await fetcher.next(30_000)
      if (!chunk) throw new Error(`${topic} cannot be read to its end`)
      read.push(...chunk.records.map((record) => ({ topic, partition: chunk.partition, ...record })))
      if (chunk.nextOffset >= ends.get(keyOf(chunk))!) open.delete(chunk.owner)
    }
    return read.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
  } finally {
    fetcher.close()
    await cluster.close()
  }
}

/** the longest of a killed stream's transaction (15 s), the broker's own next look (10 s), and a busy machine */
const openTransactionMs = 60_000

async function endsWithoutTransactions(
  { server }: Pick<TestKafka, 'server'>,
  cluster: Cluster,
  partitions: readonly TopicPartition[],
): Promise<Offsets> {
  if (partitions.length === 0) return new Map()
  const admin = new Admin({ clientId: 'lcclf-test', bootstrapBrokers: [server], retries: 5, retryDelay: 200 })
  const requests = byTopic(partitions, ({ partition }) => ({
    partitionIndex: partition,
    timestamp: ListOffsetTimestamps.LATEST,
  }))
  let ends: Offsets = new Map()
  try {
    await until(async () => {
      ends = await listOffsets(cluster, partitions, 'latest')
      const isolationLevel = FetchIsolationLevels.READ_UNCOMMITTED
      const written = await admin.listOffsets({ topics: requests, isolationLevel })
      return written.every((topic) =>
        topic.partitions.every(
          ({ partitionIndex, offset }) => ends.get(keyOf({ topic: topic.name, partition: partitionIndex })) === offset,
        ),
      )
    }, openTransactionMs)
    return ends
  } finally {
    await admin.close()
  }
}

/** What a group has committed for a topic, by partition; −1 for none. */
export async function committedIn(kafka: Pick<TestKafka, 'server'>, groupId: string, topic: string): Promise<bigint[]> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-test')
  try {
    const info = (await cluster.topics([topic], { fresh: true })).get(topic)
    const partitions = (info?.partitions ?? []).map((_, partition) => ({ topic, partition }))
    const committed = await committedOffsets(cluster, groupId, partitions)
    return partitions.map((partition) => committed.get(keyOf(partition)) ?? -1n)
  } finally {
    await cluster.close()
  }
}

/** Where the partitions of a topic end now, for a reader of committed messages. */
export async function endsOf(kafka: Pick<TestKafka, 'server'>, topic: string): Promise<bigint[]> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-test')
  try {
    const info = (await cluster.topics([topic], { fresh: true })).get(topic)
    const partitions = (info?.partitions ?? []).map((_, partition) => ({ topic, partition }))
    const ends = await listOffsets(cluster, partitions, 'latest')
    return partitions.map((partition) => ends.get(keyOf(partition)) ?? 0n)
  } finally {
    await cluster.close()
  }
}
