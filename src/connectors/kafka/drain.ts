// How far a member of a group reads that ends when everything is read that was there at the start.
import type { Cluster } from './client/cluster.ts'
import { keyOf, listOffsets } from './client/offsets.ts'
import type { TopicSelection } from './topics.ts'
import type { OwnedPart } from './owned-partitions.ts'

/** See openDrain. */
export interface Drain {
  /** The group has shared out the partitions; whether there was one for us. */
  onShare(hasPartitions: boolean): void
  /** What was there may be gone, and the partition ends here now: it is read no further. */
  shorten(part: OwnedPart, end: bigint): void
  /** whether nothing is left of these, our partitions; `place` is how far each one counts as read */
  isReached(parts: readonly OwnedPart[], place: (part: OwnedPart) => bigint): boolean
  /** whether nothing more comes; without partitions when the group has had none for us for a while */
  isOver(parts: readonly OwnedPart[], place: (part: OwnedPart) => bigint): boolean
}

/** how long a member without partitions waits for its share of what others have to give back first */
const idleMs = 15_000

/**
 * Looks where all partitions of all topics end now.
 *
 * @param wake called when `isOver` may answer otherwise although nothing has come
 */
export async function openDrain(cluster: Cluster, selection: TopicSelection, wake: () => void): Promise<Drain> {
  const asked = selection.hasPatterns ? null : selection.names
  const topics = await cluster.persist('asking for the topics', () => cluster.topics(asked, { fresh: true }))
  const partitions = [...topics.values()]
    .filter(({ name }) => selection.matches(name))
    .flatMap(({ name, partitions: all }) => all.map((_, partition) => ({ topic: name, partition })))
  const ends = new Map(await listOffsets(cluster, partitions, 'latest'))
  /** since when there are more members than partitions */
  let idleSince: number | undefined

  const isReached: Drain['isReached'] = (parts, place) =>
    parts.every((part) => place(part) >= (ends.get(keyOf(part)) ?? 0n))

  return {
    onShare(hasPartitions) {
      if (hasPartitions) idleSince = undefined
      else if (idleSince === undefined) {
        idleSince = performance.now()
        setTimeout(wake, idleMs + 10).unref()
      }
    },
    shorten(part, end) {
      if (end < (ends.get(keyOf(part)) ?? 0n)) ends.set(keyOf(part), end)
    },
    isReached,
    isOver(parts, place) {
      // between two rounds of the group none is ours either
      if (parts.length === 0) return idleSince !== undefined && performance.now() - idleSince > idleMs
      return isReached(parts, place)
    },
  }
}
