// The partitions that are ours, each from one assignment to the next, and their deliveries that are not acknowledged yet.
import { keyOf, type PartitionOffset, type TopicPartition } from './client/partition.ts'
import type { Part } from './gather.ts'

/** A partition that is ours. Another assignment of the same partition is another object. */
export interface OwnedPart extends Part {
  /** what the group has committed: reading begins again from here */
  committed: bigint
  /** how often it was begun again while it was ours: an earlier place means nothing for what is there now */
  beginnings: number
}

/** Up to where a partition was read for a delivery. */
export type ReadPlace = { readonly part: OwnedPart; readonly offset: bigint; readonly beginnings: number }

export function createOwnedParts() {
  const parts = new Map<string, OwnedPart>()
  const leaving = new Set<OwnedPart>()

  /** whether it is still ours, by the same assignment */
  const isCurrent = (part: OwnedPart): boolean => parts.get(keyOf(part)) === part
  /** whether it is ours, and will not soon be another member's */
  const isStaying = (part: OwnedPart): boolean => isCurrent(part) && !leaving.has(part)
  const isSame = ({ part, beginnings }: ReadPlace): boolean => isCurrent(part) && part.beginnings === beginnings
  const known = (partitions: readonly TopicPartition[]): OwnedPart[] =>
    partitions.map((partition) => parts.get(keyOf(partition))).filter((part) => part !== undefined)

  function add({ topic, partition }: TopicPartition, offset: bigint): OwnedPart {
    const part: OwnedPart = { topic, partition, next: offset, committed: offset, beginnings: 0 }
    parts.set(keyOf(part), part)
    return part
  }

  return {
    get all(): readonly OwnedPart[] {
      return [...parts.values()]
    },
    get: (partition: TopicPartition): OwnedPart | undefined => parts.get(keyOf(partition)),
    isCurrent,
    isStaying,
    isLeaving: (part: OwnedPart): boolean => leaving.has(part),
    add,
    /** Another member waits for these. */
    markLeaving(partitions: readonly TopicPartition[]): readonly OwnedPart[] {
      const found = known(partitions)
      for (const part of found) leaving.add(part)
      return found
    },
    remove(partitions: readonly TopicPartition[]): readonly OwnedPart[] {
      const found = known(partitions)
      for (const part of found) {
        parts.delete(keyOf(part))
        leaving.delete(part)
      }
      return found
    },
    /** Replaces each by a new object: nothing that was read before counts any more. Answers those that stay. */
    renew(): readonly OwnedPart[] {
      const renewed = [...parts.values()].map((part) => {
        const other = add(part, part.committed)
        // whoever gets it next begins again; here it only must not be taken for what it was
        if (leaving.delete(part)) leaving.add(other)
        return other
      })
      return renewed.filter(isStaying)
    },
    /** Its topic was recreated, or has lost what was next: reading begins again at `part.next`, and not before. */
    beginAnew(part: OwnedPart): void {
      part.beginnings++
      part.committed = part.next
    },
    placesOf: (places: ReadonlyMap<OwnedPart, bigint>): readonly ReadPlace[] =>
      [...places].map(([part, offset]) => ({ part, offset, beginnings: part.beginnings })),
    /** whether all of them have been ours all the while */
    ownsAll: (places: readonly ReadPlace[]): boolean => places.every(({ part }) => isCurrent(part)),
    /** What may be committed: of partitions that have been ours all the while, and are what they were. */
    offsetsOf: (places: readonly ReadPlace[]): PartitionOffset[] =>
      places.filter(isSame).map(({ part: { topic, partition }, offset }) => ({ topic, partition, offset })),
    /** Remembers what was committed. Deliveries are acknowledged in their order: the last one says where it stands. */
    settle(places: readonly ReadPlace[]): void {
      for (const place of places) if (isSame(place)) place.part.committed = place.offset
    },
  }
}

/** Deliveries that are not acknowledged yet, and who waits for them. */
export function createOutstanding<Part>() {
  const deliveries = new Map<object, readonly Part[]>()
  const waiters = new Set<() => void>()
  /** Something changed that may end a wait. */
  const check = (): void => {
    for (const recheck of [...waiters]) recheck()
  }
  return {
    get size(): number {
      return deliveries.size
    },
    /** A delivery has gone out; answers what to remove it by. */
    add(places: ReadonlyMap<Part, unknown>): object {
      const token = {}
      deliveries.set(token, [...places.keys()])
      return token
    },
    /** A delivery was acknowledged, or never will be. */
    remove(token: object): void {
      deliveries.delete(token)
      check()
    },
    check,
    /** Resolves when no delivery has such a part, and `isElsewhere` says no. */
    untilNone(isAwaited: (part: Part) => boolean, isElsewhere: () => boolean = () => false): Promise<void> {
      return new Promise((resolve) => {
        const recheck = (): void => {
          if (isElsewhere() || [...deliveries.values()].some((parts) => parts.some(isAwaited))) return
          waiters.delete(recheck)
          resolve()
        }
        waiters.add(recheck)
        recheck()
      })
    },
  }
}
