// The partitions that are ours, each from one assignment to the next.
import { keyOf, type PartitionOffset, type TopicPartition } from './client/offsets.ts'
import type { Part } from './gather.ts'

/** A partition that is ours. Another assignment of the same partition is another object. */
export interface OwnedPart extends Part {
  /** what the group has committed: reading begins anew from here */
  committed: bigint
  /** how often it was begun anew while it was ours: a place from before is none of what is there now */
  beginnings: number
}

/** Up to where a partition was read for a delivery. */
export interface ReadPlace {
  readonly part: OwnedPart
  readonly offset: bigint
  readonly beginnings: number
}

/** See createOwnedParts. */
interface OwnedParts {
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
  /** Its topic was made anew, or has lost what was next: whatever begins anew begins at `part.next`, and not before. */
  beginAnew(part: OwnedPart): void
  placesOf(places: ReadonlyMap<OwnedPart, bigint>): readonly ReadPlace[]
  /** whether all of them have been ours all the while */
  ownsAll(places: readonly ReadPlace[]): boolean
  /** What may be committed: of partitions that have been ours all the while, and are what they were. */
  offsetsOf(places: readonly ReadPlace[]): PartitionOffset[]
  /** Remembers what was committed. Deliveries are acknowledged in their order: the last one says where it stands. */
  settle(places: readonly ReadPlace[]): void
}

/** See OwnedParts. */
export function createOwnedParts(): OwnedParts {
  const parts = new Map<string, OwnedPart>()
  const leaving = new Set<OwnedPart>()

  const isCurrent = (part: OwnedPart): boolean => parts.get(keyOf(part)) === part
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
    beginAnew(part) {
      part.beginnings++
      part.committed = part.next
    },
    placesOf: (places) => [...places].map(([part, offset]) => ({ part, offset, beginnings: part.beginnings })),
    ownsAll: (places) => places.every(({ part }) => isCurrent(part)),
    offsetsOf: (places) =>
      places.filter(isSame).map(({ part: { topic, partition }, offset }) => ({ topic, partition, offset })),
    settle(places) {
      for (const place of places) if (isSame(place)) place.part.committed = place.offset
    },
  }
}

/** See Outstanding. */
export function createOutstanding<Part>(): Outstanding<Part> {
  const deliveries = new Map<object, readonly Part[]>()
  const waiters = new Set<() => void>()
  const check = (): void => {
    for (const recheck of [...waiters]) recheck()
  }
  return {
    get size() {
      return deliveries.size
    },
    add(places) {
      const token = {}
      deliveries.set(token, [...places.keys()])
      return token
    },
    remove(token) {
      deliveries.delete(token)
      check()
    },
    check,
    untilNone(isAwaited, isElsewhere) {
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

/** See createOutstanding. */
export interface Outstanding<Part> {
  readonly size: number
  /** A delivery has gone out; answers what to remove it by. */
  add(places: ReadonlyMap<Part, unknown>): object
  /** A delivery was acknowledged, or never will be. */
  remove(token: object): void
  /** Something else changed that may end a wait. */
  check(): void
  /** Resolves when no delivery has such a part, and `isElsewhere` says no. */
  untilNone(isAwaited: (part: Part) => boolean, isElsewhere: () => boolean): Promise<void>
}
