// Kafka as a source: one address, two ways to read it.
import { openKafkaLive, type KafkaLiveOptions, type KafkaStream } from './live.ts'
import { openKafkaSnapshot } from './snapshot.ts'
import type { KafkaSourceSpec } from './spec.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/**
 * Opens topics: what is in them now, or what comes, as a member of a group.
 *
 * @throws DataError for a topic that does not exist (snapshots only: a group waits for it), ServiceError for brokers
 */
export function openKafkaSource(
  spec: KafkaSourceSpec,
  options: ReadOptions,
  live: KafkaLiveOptions = {},
): Promise<KafkaStream> {
  const { reading } = spec
  switch (reading.kind) {
    case 'snapshot':
      return openKafkaSnapshot(spec, reading, options)
    case 'group':
      return openKafkaLive(spec, reading, options, live)
  }
}
