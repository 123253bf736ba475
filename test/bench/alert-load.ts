// Alerts for benchmarks: the recorded ones, each under an oid of its own.
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import type { OutgoingMessage } from '../../src/connectors/kafka/client/delivery.ts'
import { createFetcher } from '../../src/connectors/kafka/client/fetcher.ts'
import { listOffsets } from '../../src/connectors/kafka/client/offsets.ts'
import { keyOf, type TopicPartition } from '../../src/connectors/kafka/client/partition.ts'
import { openOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import { connectionTo } from '../support/kafka-client.ts'
import type { TestKafka } from '../support/kafka.ts'
import { oidsOf } from '../support/postgres-batches.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'

const recorded = seedRun('input').map((value) => {
  const { oid } = plainAlert(value)
  return { value, oid, place: value.indexOf(oid) }
})
const atOnce = 1000

/** The alerts from `start` to `start + count`, 11 kB each, as different objects. */
export function alertsOf(topic: string, count: number, start = 0): OutgoingMessage[] {
  return oidsOf(count, start).map((oid, i) => {
    const { value, oid: known, place } = recorded[(start + i) % recorded.length]!
    // of one length, so that nothing else of the message moves
    if (oid.length !== known.length) throw new Error(`${oid} cannot stand in the place of ${known}`)
    const own = Buffer.from(value)
    own.write(oid, place)
    return { topic, key: Buffer.from(oid), value: own }
  })
}

/** Puts alerts into a topic. */
export async function produceAlerts(server: string, topic: string, count: number): Promise<void> {
  const outlet = await openOutlet(connectionTo({ server }), topic)
  for (let sent = 0; sent < count; sent += atOnce) {
    await outlet.send(alertsOf(topic, Math.min(atOnce, count - sent), sent))
  }
  await outlet.close()
}

/** Whoever reads a topic from its end on. */
export interface TopicReader {
  /** when the next message arrived, in the clock of `performance.now` */
  next(): Promise<number>
  close(): Promise<void>
}

/** Begins where the topic ends now. */
export async function followTopic(kafka: Pick<TestKafka, 'server'>, topic: string): Promise<TopicReader> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-bench')
  const fetcher = createFetcher<TopicPartition>(cluster)
  const info = (await cluster.topics([topic], { fresh: true })).get(topic)
  const partitions = (info?.partitions ?? []).map((_, partition) => ({ topic, partition }))
  const ends = await listOffsets(cluster, partitions, 'latest')
  for (const partition of partitions) fetcher.assign(partition, ends.get(keyOf(partition)) ?? 0n, partition)
  return {
    async next() {
      for (;;) {
        const chunk = await fetcher.next(30_000)
        if (!chunk) throw new Error(`nothing arrives in ${topic}`)
        if (chunk.records.length > 0) return performance.now()
      }
    },
    async close() {
      fetcher.close()
      await cluster.close()
    },
  }
}
