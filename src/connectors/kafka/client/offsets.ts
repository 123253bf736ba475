// Offsets: where partitions begin and end, where a time is in them, and what a group has committed.
import type { Cluster } from './cluster.ts'
import { hasProtocolError } from './failures.ts'
import { keyOf, type PartitionOffset, type TopicPartition } from './partition.ts'

/** The offset of each partition, by `keyOf`. */
export type Offsets = ReadonlyMap<string, bigint>

const readCommitted = 1

/**
 * Offsets of partitions: the first one that is kept, the end of what may be read, or the first message not before a time;
 * where there is no message at or after that time, −1. `latest` is the last stable offset: what open transactions have
 * written beyond it cannot be read yet.
 */
export function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  place: 'earliest' | 'latest' | { readonly timestampMs: number },
): Promise<Offsets> {
  const timestamp = place === 'earliest' ? -2n : place === 'latest' ? -1n : BigInt(place.timestampMs)
  return cluster.persist('listing offsets', async () => {
    const found = new Map<string, bigint>()
    const known = await cluster.topics([...new Set(partitions.map(({ topic }) => topic))])
    const byLeader = new Map<number, TopicPartition[]>()
    for (const each of partitions) {
      const leader = known.get(each.topic)?.partitions[each.partition]?.leader ?? -1
      if (leader < 0) throw new Error(`partition ${each.partition} of ${each.topic} has no leader`)
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), each])
    }
    await Promise.all(
      [...byLeader].map(async ([leader, group]) => {
        const asked = { currentLeaderEpoch: -1, timestamp }
        const topics = byTopic(group, ({ partition }) => ({ partitionIndex: partition, ...asked }))
        const answer = await cluster.ask('control', leader, 'listOffsets', [-1, readCommitted, topics])
        for (const { name: topic, partitions: answers } of answer.topics) {
          for (const { partitionIndex: partition, offset } of answers) found.set(keyOf({ topic, partition }), offset)
        }
      }),
    )
    return found
  })
}

/** Items as requests want them: by topic. */
export function byTopic<Item extends TopicPartition, Part>(
  items: readonly Item[],
  part: (item: Item) => Part,
): { name: string; partitions: Part[] }[] {
  const topics = new Map<string, Part[]>()
  for (const item of items) topics.set(item.topic, [...(topics.get(item.topic) ?? []), part(item)])
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
    const byName = byTopic(partitions, ({ partition }) => partition)
    const topics = byName.map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes }))
    const coordinator = await cluster.coordinator('group', groupId)
    const group = { groupId, memberId: null, memberEpoch: -1, topics }
    const { groups } = await cluster.ask('control', coordinator, 'offsetFetch', [[group], true])
    const found = new Map<string, bigint>()
    for (const { name: topic, partitions: answers } of groups.flatMap((one) => one.topics)) {
      for (const { partitionIndex: partition, committedOffset } of answers) {
        if (committedOffset >= 0n) found.set(keyOf({ topic, partition }), committedOffset)
      }
    }
    return found
  }
  // a transaction that nobody ends any more is ended by the broker in its own time
  const patienceMs = Math.max(cluster.connection.patienceMs, 60_000)
  return cluster.persist(`reading the offsets of group ${groupId}`, read, { patienceMs })
}

/** Who commits: a member of a group in one of its generations, or no member at all (generation −1). */
export interface Committer {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
}

/**
 * Errors that say that the member, as it was when it asked, is not the owner any more. Nothing was committed. For a commit
 * that is not the last word: the member may be in another generation by now, and still be the owner.
 */
export const lostMembership = 'ILLEGAL_GENERATION UNKNOWN_MEMBER_ID FENCED_INSTANCE_ID GROUP_ID_NOT_FOUND'.split(' ')

/** Errors of a commit that only the group can resolve. */
export const refusedCommit = [...lostMembership, 'REBALANCE_IN_PROGRESS']

/** Offsets as requests that commit them want them. */
export function offsetTopics(offsets: readonly PartitionOffset[]) {
  return byTopic(offsets, ({ partition, offset }) => ({
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: -1,
    committedMetadata: null,
  }))
}

/** Commits offsets, all or (after an error) perhaps some. Errors of `refusedCommit` are thrown as they are. */
export async function commitOffsets(
  cluster: Cluster,
  { groupId, generation, memberId }: Committer,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const topics = offsetTopics(offsets)
  await cluster.persist(
    `committing offsets of group ${groupId}`,
    async () => {
      const coordinator = await cluster.coordinator('group', groupId)
      await cluster.ask('control', coordinator, 'offsetCommit', [groupId, generation, memberId, null, topics])
    },
    { isFinal: (thrown) => hasProtocolError(thrown, ...refusedCommit) },
  )
}
