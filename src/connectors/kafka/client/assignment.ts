// How the partitions of a group are shared out, and what its members tell each other about it. Pure.
import { byTopic } from './offsets.ts'
import { keyOf, type TopicPartition } from './partition.ts'
import type { KafkaLibrary } from './protocol.ts'

/** A member of the group and what it asks for. */
export type Member = Subscription & { readonly memberId: string }

interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  /** the generation in which it came to own them; −1 if it does not say */
  readonly generation: number
}

/** Partitions by member. */
export type Assignments = ReadonlyMap<string, readonly TopicPartition[]>

/** Numbers of partitions by topic. */
export type PartitionCounts = ReadonlyMap<string, number>

/**
 * As even as possible, with as few moves as possible. A partition that moves is given to nobody in this round: its owner
 * must have let go of it before another begins (the Java client's `cooperative-sticky` does the same).
 */
export function assignCooperatively(members: readonly Member[], counts: PartitionCounts): Assignments {
  const owners = ownersOf(members, counts)
  const shares = assignSticky(members, counts, owners)
  for (const [memberId, partitions] of shares) {
    const isFree = (partition: TopicPartition): boolean => (owners.get(keyOf(partition)) ?? memberId) === memberId
    shares.set(memberId, partitions.filter(isFree))
  }
  return shares
}

/** Who owns what now. If two claim the same, the one of the later generation; if that does not decide it, nobody. */
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
  const { sorted, shares } = emptyShares(members)
  const wanted = new Set(members.flatMap(({ topics }) => topics))
  const partitions = [...counts]
    .filter(([topic]) => wanted.has(topic))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })))
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
    const wanting = sorted.filter(({ topics }) => topics.includes(partition.topic))
    const candidates = wanting.map(({ memberId }) => shares.get(memberId)!)
    candidates.reduce((least, share) => (share.length < least.length ? share : least)).push(partition)
  }
  return shares
}

/** The older clients' way of sharing: each topic's partitions in runs, by the order of members. */
export function assignRange(members: readonly Member[], counts: PartitionCounts): Assignments {
  const { sorted, shares } = emptyShares(members)
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

function emptyShares(members: readonly Member[]) {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  return { sorted, shares: new Map(sorted.map(({ memberId }) => [memberId, [] as TopicPartition[]])) }
}

/** topics, user data, partitions owned, their generation (the Java client's ConsumerProtocolSubscription, version 2) */
const subscriptionVersion = 2

/** What a member says when it joins. */
export function encodeSubscription(library: KafkaLibrary, { topics, owned, generation }: Subscription): Buffer {
  const writer = library.Writer.create()
    .appendInt16(subscriptionVersion)
    .appendArray([...topics].sort(), (inner, topic) => inner.appendString(topic, false), false, false)
    .appendBytes(Buffer.alloc(0), false)
  return appendPartitions(writer, owned).appendInt32(generation).buffer
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

/** What one member gets. */
export function encodeAssignment(library: KafkaLibrary, partitions: readonly TopicPartition[]): Buffer {
  return appendPartitions(library.Writer.create().appendInt16(0), partitions).appendInt32(0).buffer
}

/** @see encodeAssignment; a member that gets nothing may be sent nothing */
export function decodeAssignment({ Reader }: KafkaLibrary, bytes: Buffer): TopicPartition[] {
  if (bytes.length < 6) return []
  const reader = Reader.from(bytes)
  reader.skip(2)
  return reader.readArray(readTopic, false, false).flat()
}

function readTopic(reader: InstanceType<KafkaLibrary['Reader']>): TopicPartition[] {
  const topic = reader.readString(false)
  return reader.readArray((inner) => ({ topic, partition: inner.readInt32() }), false, false)
}

function appendPartitions(writer: InstanceType<KafkaLibrary['Writer']>, partitions: readonly TopicPartition[]) {
  const topics = byTopic(partitions, ({ partition }) => partition)
  return writer.appendArray(
    topics,
    (outer, { name, partitions: numbers }) => {
      outer.appendString(name, false)
      outer.appendArray(numbers, (inner, partition) => inner.appendInt32(partition), false, false)
    },
    false,
    false,
  )
}
