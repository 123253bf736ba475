// What members of a group tell each other: which topics they want, what they own, and who gets what.
import type { KafkaLibrary } from './protocol.ts'
import type { TopicPartition } from './offsets.ts'

/** What a member asks for. */
export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  /** in which generation it came to own that; −1 where it does not say */
  readonly generation: number
}

/** topics, user data, partitions owned, their generation (the Java client's ConsumerProtocolSubscription, version 2) */
const subscriptionVersion = 2

/** @see Subscription */
export function encodeSubscription({ Writer }: KafkaLibrary, { topics, owned, generation }: Subscription): Buffer {
  return Writer.create()
    .appendInt16(subscriptionVersion)
    .appendArray([...topics].sort(), (writer, topic) => writer.appendString(topic, false), false, false)
    .appendBytes(Buffer.alloc(0), false)
    .appendArray(
      partitionsByTopic(owned),
      (writer, [topic, partitions]) => {
        writer.appendString(topic, false)
        writer.appendArray(partitions, (inner, partition) => inner.appendInt32(partition), false, false)
      },
      false,
      false,
    )
    .appendInt32(generation).buffer
}

/** Reads what any client may have written; what an older version lacks is empty. */
export function decodeSubscription({ Reader }: KafkaLibrary, bytes: Buffer): Subscription {
  const reader = Reader.from(bytes)
  const version = reader.readInt16()
  const topics = reader.readArray((inner) => inner.readString(false), false, false)
  reader.readNullableBytes(false)
  const owned = version >= 1 ? reader.readArray(readTopic, false, false).flat() : []
  return { topics, owned, generation: version >= 2 ? reader.readInt32() : -1 }
}

/** Who gets what, for one member. */
export function encodeAssignment({ Writer }: KafkaLibrary, partitions: readonly TopicPartition[]): Buffer {
  return Writer.create()
    .appendInt16(0)
    .appendArray(
      partitionsByTopic(partitions),
      (writer, [topic, numbers]) => {
        writer.appendString(topic, false)
        writer.appendArray(numbers, (inner, partition) => inner.appendInt32(partition), false, false)
      },
      false,
      false,
    )
    .appendInt32(0).buffer
}

/** @see encodeAssignment; a member that gets nothing may be sent nothing */
export function decodeAssignment({ Reader }: KafkaLibrary, bytes: Buffer): TopicPartition[] {
  if (bytes.length < 6) return []
  const reader = Reader.from(bytes)
  reader.skip(2)
  return reader.readArray(readTopic, false, false).flat()
}

type Reading = InstanceType<KafkaLibrary['Reader']>

function readTopic(reader: Reading): TopicPartition[] {
  const topic = reader.readString(false)
  return reader.readArray((inner) => ({ topic, partition: inner.readInt32() }), false, false)
}

function partitionsByTopic(partitions: readonly TopicPartition[]): [string, number[]][] {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics]
}
