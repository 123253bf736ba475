// A client of its own for tests: what goes into topics, and what is in them.
import { Producer } from '@platformatic/kafka'
import { connectCluster } from '../../src/kafka/cluster.ts'
import type { KafkaConnection } from '../../src/kafka/connection.ts'
import { createFetcher } from '../../src/kafka/fetcher.ts'
import { committedOffsets, keyOf, listOffsets, type TopicPartition } from '../../src/kafka/offsets.ts'
import type { KafkaRecord } from '../../src/kafka/records.ts'
import type { TestKafka } from './kafka.ts'

/** A message for a test's topic. */
export interface TestMessage {
  readonly key?: string
  readonly value: Uint8Array | string | null
  readonly partition?: number
  readonly timestamp?: bigint
}

/** A message as it was read. */
export type ReadMessage = TopicPartition & KafkaRecord

/** The settings of a connection to a test's broker. */
export function connectionTo({ server }: Pick<TestKafka, 'server'>, patienceMs = 20_000): KafkaConnection {
  return { brokers: [server], patienceMs }
}

/** Produces with the client library's own producer; messages without a partition are spread by their keys. */
export async function produce(
  kafka: Pick<TestKafka, 'server'>,
  topic: string,
  messages: readonly TestMessage[],
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
      await producer.send({ messages: some })
    }
  } finally {
    await producer.close()
  }
}

/** Everything that is in a topic now, for a reader of committed messages; by partition and offset. */
export async function readTopic(kafka: Pick<TestKafka, 'server'>, topic: string): Promise<ReadMessage[]> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-test')
  const fetcher = createFetcher<TopicPartition>(cluster)
  try {
    const info = (await cluster.topics([topic], { fresh: true })).get(topic)
    const partitions = (info?.partitions ?? []).map((_, partition) => ({ topic, partition }))
    const ends = await listOffsets(cluster, partitions, 'latest')
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
