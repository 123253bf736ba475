// Offsets: where partitions begin and end, where a time is in them, and what a group has committed.
import type { Cluster } from './cluster.ts'
import { hasProtocolError } from './failures.ts'
import type { Answer } from './protocol.ts'

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A partition and a place in it. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: bigint
}

/** Offsets by `keyOf`. */
export type Offsets = ReadonlyMap<string, bigint>

/** A partition as a key of maps. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

/** The first offset that is kept, the end of what may be read, or the first message not before a time (in ms). */
type Place = 'earliest' | 'latest' | { readonly timestampMs: number }

const readCommitted = 1

/**
 * Offsets of partitions; where there is no message at or after a time, −1. `latest` is the last stable offset: what open
 * transactions have written beyond it cannot be read yet.
 */
export function listOffsets(cluster: Cluster, partitions: readonly TopicPartition[], place: Place): Promise<Offsets> {
  return cluster.persist('listing offsets', () => listOnce(cluster, partitions, place))
}

async function listOnce(cluster: Cluster, partitions: readonly TopicPartition[], place: Place): Promise<Offsets> {
  const timestamp = place === 'earliest' ? -2n : place === 'latest' ? -1n : BigInt(place.timestampMs)
  const found = new Map<string, bigint>()
  const byLeader = await groupByLeader(cluster, partitions)
  await Promise.all(
    [...byLeader].map(async ([leader, group]) => {
      const topics = byTopic(group, ({ partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: -1,
        timestamp,
      }))
      const answer = await cluster.ask('control', leader, 'listOffsets', [-1, readCommitted, topics])
      for (const { name, partitions: answers } of answer.topics) {
        for (const { partitionIndex, offset } of answers)
          found.set(keyOf({ topic: name, partition: partitionIndex }), offset)
      }
    }),
  )
  return found
}

/** Partitions by the number of the broker that leads them. Throws while one has no leader. */
async function groupByLeader<Item extends TopicPartition>(
  cluster: Cluster,
  items: readonly Item[],
): Promise<Map<number, Item[]>> {
  const topics = await cluster.topics([...new Set(items.map(({ topic }) => topic))])
  const groups = new Map<number, Item[]>()
  for (const item of items) {
    const leader = topics.get(item.topic)?.partitions[item.partition]?.leader ?? -1
    if (leader < 0) throw new Error(`partition ${item.partition} of ${item.topic} has no leader`)
    const group = groups.get(leader)
    if (group) group.push(item)
    else groups.set(leader, [item])
  }
  return groups
}

/** Items as requests want them: by topic. */
export function byTopic<Item extends TopicPartition, Part>(
  items: readonly Item[],
  part: (item: Item) => Part,
): { name: string; partitions: Part[] }[] {
  const topics = new Map<string, Part[]>()
  for (const item of items) {
    const parts = topics.get(item.topic)
    if (parts) parts.push(part(item))
    else topics.set(item.topic, [part(item)])
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

/**
 * What a group has committed; a partition without is not in the answer. Waits for transactions that are about to commit
 * offsets: whoever began from the offset before would do the same messages again.
 */
export function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<Offsets> {
  const read = async (): Promise<Offsets> => {
    const topics = byTopic(partitions, ({ partition }) => partition).map((topic) => ({
      name: topic.name,
      partitionIndexes: topic.partitions,
    }))
    const coordinator = await cluster.coordinator('group', groupId)
    const group = { groupId, memberId: null, memberEpoch: -1, topics }
    const answer = await cluster.ask('control', coordinator, 'offsetFetch', [[group], true])
    return committedIn(answer)
  }
  // a transaction that nobody ends any more is ended by the broker in its own time
  const patienceMs = Math.max(cluster.connection.patienceMs, 60_000)
  return cluster.persist(`reading the offsets of group ${groupId}`, read, { patienceMs })
}

function committedIn(answer: Answer<'offsetFetch'>): Offsets {
  const found = new Map<string, bigint>()
  for (const { topics } of answer.groups) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, committedOffset } of partitions) {
        if (committedOffset >= 0n) found.set(keyOf({ topic: name, partition: partitionIndex }), committedOffset)
      }
    }
  }
  return found
}

/** Who commits: a member of a group in one of its generations, or nobody's member (generation −1). */
export interface Committer {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
}

/**
 * Errors that say that the member, as it was when it asked, is not the owner any more. Nothing was committed. To a commit
 * that is no last word: the member may be in another generation by now, and the owner still.
 */
export const lostMembership = [
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'GROUP_ID_NOT_FOUND',
] as const

/** Errors of a commit that only the group can make something of. */
export const refusedCommit = [...lostMembership, 'REBALANCE_IN_PROGRESS'] as const

/** Commits offsets, all or (after an error) perhaps some. Errors of `refusedCommit` are thrown as they are. */
export async function commitOffsets(
  cluster: Cluster,
  { groupId, generation, memberId }: Committer,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const topics = byTopic(offsets, ({ partition, offset }) => ({
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: -1,
    committedMetadata: null,
  }))
  await cluster.persist(
    `committing offsets of group ${groupId}`,
    async () => {
      const coordinator = await cluster.coordinator('group', groupId)
      await cluster.ask('control', coordinator, 'offsetCommit', [groupId, generation, memberId, null, topics])
    },
    { isFinal: (thrown) => hasProtocolError(thrown, ...refusedCommit) },
  )
}
