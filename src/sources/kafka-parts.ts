// The partitions that are ours, each from one assignment to the next.
import { keyOf, type PartitionOffset, type TopicPartition } from '../kafka/offsets.ts'
import type { Part } from './kafka-gather.ts'

/** A partition that is ours. Another assignment of the same partition is another object. */
export interface OwnedPart extends Part {
  /** what the group has committed: reading begins anew from here */
  committed: bigint
}

/** Up to where partitions were read. */
export type Places = ReadonlyMap<OwnedPart, bigint>

/** See createOwnedParts. */
export interface OwnedParts {
  readonly all: readonly OwnedPart[]
  get(partition: TopicPartition): OwnedPart | undefined
  /** whether it is ours still, by the same assignment */
  isCurrent(part: OwnedPart): boolean
  /** whether it is ours, and will not soon be another's */
  isStaying(part: OwnedPart): boolean
  isLeaving(part: OwnedPart): boolean
  add(partition: TopicPartition, offset: bigint): OwnedPart
  /** Another member waits for these. */
  markLeaving(partitions: readonly TopicPartition[]): readonly OwnedPart[]
  remove(partitions: readonly TopicPartition[]): readonly OwnedPart[]
  /** Puts another object in the place of each: nothing that was read before counts any more. Answers those that stay. */
  renew(): readonly OwnedPart[]
  /** What may be committed: of partitions that have been ours all the while. */
  offsetsOf(places: Places): PartitionOffset[]
  /** Remembers what was committed. */
  settle(places: Places): void
}

/** See OwnedParts. */
export function createOwnedParts(): OwnedParts {
  const parts = new Map<string, OwnedPart>()
  const leaving = new Set<OwnedPart>()

  const isCurrent = (part: OwnedPart): boolean => parts.get(keyOf(part)) === part
  const isStaying = (part: OwnedPart): boolean => isCurrent(part) && !leaving.has(part)
  const known = (partitions: readonly TopicPartition[]): OwnedPart[] =>
    partitions.map((partition) => parts.get(keyOf(partition))).filter((part) => part !== undefined)

  function add({ topic, partition }: TopicPartition, offset: bigint): OwnedPart {
    const part: OwnedPart = { topic, partition, next: offset, committed: offset }
    parts.set(keyOf(part), part)
    return part
  }

  return {
    get all() {
      return [...parts.values()]
    },
    get: (partition) => parts.get(keyOf(partition)),
    isCurrent,
    isStaying,
    isLeaving: (part) => leaving.has(part),
    add,
    markLeaving(partitions) {
      const found = known(partitions)
      for (const part of found) leaving.add(part)
      return found
    },
    remove(partitions) {
      const found = known(partitions)
      for (const part of found) {
        parts.delete(keyOf(part))
        leaving.delete(part)
      }
      return found
    },
    renew() {
      const renewed = [...parts.values()].map((part) => {
        const other = add(part, part.committed)
        // whoever gets it next begins anew; here it only must not be taken for what it was
        if (leaving.delete(part)) leaving.add(other)
        return other
      })
      return renewed.filter(isStaying)
    },
    offsetsOf: (places) =>
      [...places]
        .filter(([part]) => isCurrent(part))
        .map(([{ topic, partition }, offset]) => ({ topic, partition, offset })),
    settle(places) {
      for (const [part, offset] of places) if (offset > part.committed) part.committed = offset
    },
  }
}
