// How the partitions of a group are shared out. Pure: the leader of the group computes, everybody obeys.
import { keyOf, type TopicPartition } from './offsets.ts'
import type { KafkaLibrary } from './protocol.ts'

/** A member of the group and what it asks for. */
export interface Member extends Subscription {
  readonly memberId: string
}

/** Partitions by member. */
export type Assignments = ReadonlyMap<string, readonly TopicPartition[]>

/** Number of partitions by topic. */
export type PartitionCounts = ReadonlyMap<string, number>

/**
 * As even as can be, with as few moves as can be. A partition that moves is given to nobody in this round: its owner must
 * have let go of it before another begins (the Java client's `cooperative-sticky` does the same).
 */
export function assignCooperatively(members: readonly Member[], counts: PartitionCounts): Assignments {
  const owners = ownersOf(members, counts)
  const target = assignSticky(members, counts, owners)
  const held = (memberId: string, partition: TopicPartition): boolean => {
    const owner = owners.get(keyOf(partition))
    return owner === undefined || owner === memberId
  }
  return new Map(
    [...target].map(([memberId, partitions]) => [
      memberId,
      partitions.filter((partition) => held(memberId, partition)),
    ]),
  )
}

/** Who owns what now. Of two that claim the same, the one of the later generation; if that does not say, nobody. */
function ownersOf(members: readonly Member[], counts: PartitionCounts): Map<string, string> {
  const claims = new Map<string, { readonly memberId: string; readonly generation: number }[]>()
  for (const { memberId, owned, topics, generation } of members) {
    for (const partition of owned) {
      if (!topics.includes(partition.topic) || partition.partition >= (counts.get(partition.topic) ?? 0)) continue
      const key = keyOf(partition)
      claims.set(key, [...(claims.get(key) ?? []), { memberId, generation }])
    }
  }
  const owners = new Map<string, string>()
  for (const [key, claimants] of claims) {
    const latest = Math.max(...claimants.map(({ generation }) => generation))
    const [owner, ...others] = claimants.filter(({ generation }) => generation === latest)
    if (owner && others.length === 0) owners.set(key, owner.memberId)
  }
  return owners
}

function assignSticky(
  members: readonly Member[],
  counts: PartitionCounts,
  owners: ReadonlyMap<string, string>,
): Map<string, TopicPartition[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const partitions = partitionsOf(sorted, counts)
  const shares = new Map(sorted.map(({ memberId }) => [memberId, [] as TopicPartition[]]))
  const wanting = (topic: string): readonly Member[] => sorted.filter(({ topics }) => topics.includes(topic))
  const least = Math.floor(partitions.length / Math.max(sorted.length, 1))
  const free: TopicPartition[] = []
  // one more than the least share for as many members as there are partitions over
  let over = partitions.length - least * sorted.length
  for (const partition of partitions) {
    const share = shares.get(owners.get(keyOf(partition)) ?? '')
    if (!share || share.length > least || (share.length === least && over === 0)) free.push(partition)
    else if (share.push(partition) > least) over--
  }
  for (const partition of free) {
    const candidates = wanting(partition.topic).map(({ memberId }) => shares.get(memberId)!)
    const smallest = candidates.reduce(
      (least, share) => (share.length < least.length ? share : least),
      candidates[0] ?? [],
    )
    smallest.push(partition)
  }
  return shares
}

/** The first of the two ways that clients of old share: the partitions of each topic in runs, by the order of members. */
export function assignRange(members: readonly Member[], counts: PartitionCounts): Assignments {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const shares = new Map(sorted.map(({ memberId }) => [memberId, [] as TopicPartition[]]))
  for (const [topic, count] of counts) {
    const wanting = sorted.filter(({ topics }) => topics.includes(topic))
    if (wanting.length === 0) continue
    const share = Math.floor(count / wanting.length)
    const over = count % wanting.length
    let next = 0
    wanting.forEach(({ memberId }, place) => {
      const end = next + share + (place < over ? 1 : 0)
      for (; next < end; next++) shares.get(memberId)!.push({ topic, partition: next })
    })
  }
  return shares
}

function partitionsOf(members: readonly Member[], counts: PartitionCounts): TopicPartition[] {
  const wanted = new Set(members.flatMap(({ topics }) => topics))
  return [...counts]
    .filter(([topic]) => wanted.has(topic))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })))
}

// What members of a group tell each other: which topics they want, what they own, and who gets what.

/** What a member asks for. */
interface Subscription {
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
