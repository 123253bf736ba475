// Topics as a stream: our share of the partitions, as a member of a consumer group.
import { connectCluster, type Cluster } from '../kafka/cluster.ts'
import { createFetcher } from '../kafka/fetcher.ts'
import { shownBrokers } from '../kafka/connection.ts'
import { hasProtocolError, serviceFailure } from '../kafka/failures.ts'
import { joinGroup, type GroupEvents, type GroupMembership } from '../kafka/group.ts'
import { pause } from '../kafka/pause.ts'
import {
  commitOffsets,
  committedOffsets,
  keyOf,
  listOffsets,
  refusedCommit,
  type Committer,
  type Offsets,
  type PartitionOffset,
  type TopicPartition,
} from '../kafka/offsets.ts'
import { createSchemaRegistry } from '../kafka/schema-registry.ts'
import { selectTopics, type TopicSelection } from '../kafka/topic-names.ts'
import { gatherBatches, type GatheringState } from './kafka-gather.ts'
import { createOutstanding } from './kafka-outstanding.ts'
import { createOwnedParts, type OwnedPart, type Places } from './kafka-parts.ts'
import { createRowGatherer, messageSchema } from './kafka-rows.ts'
import { gapNotice } from './kafka-snapshot.ts'
import type { KafkaSourceSpec, KafkaSubscription, StreamStatus } from './kafka-spec.ts'
import type { Delivery, ReadOptions, Source } from './source.ts'

/** A live source. */
export interface KafkaStream extends Source {
  status(): StreamStatus
}

/**
 * Commits what a delivery has read together with what it brought forth.
 *
 * @returns false if nothing of either is visible, because the partitions are no longer ours
 */
export type CommitWithOutputs = (offsets: readonly PartitionOffset[], committer: Committer) => Promise<boolean>

/** What the owner of a stream may add. */
export interface KafkaLiveOptions {
  /** exactly-once: commits in place of the source */
  readonly commitWithOutputs?: CommitWithOutputs | undefined
  /** exactly-once: told that outputs of a delivery must not become visible */
  readonly discardOutputs?: (() => void) | undefined
}

/** whoever has just started wants to know soon that nobody answers */
const openPatienceMs = 15_000
/** how long a member without partitions waits for its share of what others have to give back first */
const idleMs = 15_000
/** how long a commit waits for a rebalance to end: others may take their time, and be silent for a session beyond it */
const rebalancePatienceMs = 180_000
/** how long at the end, when others are to get the partitions soon */
const endPatienceMs = 3000
const refusedPauseMs = 100

/**
 * Opens a stream. Nothing is joined before `deliveries`. A delivery's acknowledgement commits its offsets, synchronously,
 * and only those of partitions that have been ours all the while; the others are read again by whoever owns them now.
 *
 * @throws ServiceError for brokers that do not answer
 */
export async function openKafkaLive(
  spec: KafkaSourceSpec,
  subscription: KafkaSubscription,
  options: ReadOptions,
  { commitWithOutputs, discardOutputs }: KafkaLiveOptions = {},
): Promise<KafkaStream> {
  const selection = selectTopics(spec.topics)
  const cluster = await connectCluster(spec.connection, 'lcclf')
  const registry = spec.registry && createSchemaRegistry(spec.registry)
  const gatherer = createRowGatherer(options, registry, spec.stopsAtBadMessage)
  const notices: string[] = []
  const fetcher = createFetcher<OwnedPart>(cluster, {
    onGap: (partition, from, to) => notices.push(gapNotice(partition, from, to)),
  })
  const parts = createOwnedParts()
  const outstanding = createOutstanding<OwnedPart>()
  const gathering: GatheringState<OwnedPart> = { places: new Map(), chunk: undefined, decodeMs: 0 }
  let group: GroupMembership | undefined
  let failure: unknown
  let drainTo: Offsets | undefined
  let hasShare = false
  /** since when there are more members than partitions */
  let shareSince: number | undefined

  const events: GroupEvents = {
    async onAssigned(partitions) {
      if (parts.all.length > 0 || partitions.length > 0) shareSince = undefined
      else shareSince ??= performance.now()
      if (partitions.length === 0) return
      const [committed, earliest] = await Promise.all([
        committedOffsets(cluster, subscription.groupId, partitions),
        listOffsets(cluster, partitions, 'earliest'),
      ])
      // it may have taken long enough to lose them again
      for (const partition of partitions.filter((each) => group?.owns(each) === true)) {
        // a group without offsets begins with the earliest message
        begin(parts.add(partition, committed.get(keyOf(partition)) ?? earliest.get(keyOf(partition)) ?? 0n))
      }
      hasShare = true
      fetcher.wake()
    },
    async onRevoked(partitions) {
      for (const part of parts.markLeaving(partitions)) fetcher.release(part)
      // what is gathered of them goes out at once, and is then waited for
      fetcher.wake()
      await outstanding.untilNone((part) => parts.isLeaving(part) && parts.isCurrent(part), isUrgent)
      drop(partitions)
    },
    onLost(partitions) {
      drop(partitions)
      fetcher.wake()
      outstanding.check()
    },
    onFailure(thrown) {
      failure ??= thrown
      fetcher.wake()
    },
  }

  function begin(part: OwnedPart): void {
    fetcher.assign(part, part.next, part)
  }

  function drop(partitions: readonly TopicPartition[]): void {
    for (const part of parts.remove(partitions)) fetcher.release(part)
  }

  /** Another member waits for what is gathered. */
  function isUrgent(): boolean {
    return [...gathering.places.keys()].some(parts.isLeaving)
  }

  async function* deliveries(signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
    if (subscription.isDraining) drainTo = await endsNow(cluster, selection)
    group = joinGroup(cluster, { ...subscription, selection, events })
    const batches = gatherBatches<OwnedPart>(
      {
        fetcher,
        gatherer,
        batchWaitMs: subscription.batchWaitMs,
        signal,
        isCurrent: parts.isStaying,
        isWanted: () => true,
        onPlace: () => undefined,
        isFinished,
        isUrgent: () => failure !== undefined || isUrgent() || isReadToEnd(),
      },
      gathering,
    )
    for await (const { rows, places } of batches) {
      if (failure !== undefined) throw failure
      if (rows.read === 0 && outstanding.size > 0) {
        // nothing to write: the next delivery takes the places along
        for (const [part, place] of places) if (parts.isStaying(part)) gathering.places.set(part, place)
        outstanding.check()
        continue
      }
      const token = outstanding.add(places)
      const ack = async (): Promise<void> => {
        try {
          await acknowledge(places, rows.read > 0, signal)
        } finally {
          outstanding.remove(token)
          // it may have been the last one
          if (drainTo) fetcher.wake()
        }
      }
      if (rows.read === 0) await ack()
      else yield { ...rows, duplicates: 0, ack }
    }
    if (failure !== undefined) throw failure
  }

  /** Everything that was there at the start is delivered, of the partitions that are ours. */
  function isFinished(): boolean {
    if (failure !== undefined) return true
    if (!drainTo) return false
    if (!hasShare) return shareSince !== undefined && performance.now() - shareSince > idleMs
    // what is committed with its outputs may be refused, and is then read again
    return parts.all.every((part) => endOf(part) <= (commitWithOutputs ? part.committed : part.next))
  }

  function endOf(part: OwnedPart): bigint {
    return drainTo?.get(keyOf(part)) ?? 0n
  }

  /** The last messages need not wait for others. */
  function isReadToEnd(): boolean {
    return drainTo !== undefined && !gatherer.isEmpty && parts.all.every((part) => part.next >= endOf(part))
  }

  /**
   * Commits, and repeats that while the partitions are ours: a refusal does not say that they are lost. In a rebalance the
   * broker may be a generation ahead of us, whose answer to our join is under way; or behind us, because it was killed
   * before a generation was shared out, forgets it, and counts it anew. The group finds out, and drops what is lost.
   */
  async function acknowledge(places: Places, hasRows: boolean, signal: AbortSignal): Promise<void> {
    if (commitWithOutputs && hasRows) return acknowledgeWithOutputs(places, commitWithOutputs)
    const started = performance.now()
    for (;;) {
      const offsets = parts.offsetsOf(places)
      // whoever owns them now reads them again
      if (offsets.length === 0) return
      try {
        await commitOffsets(cluster, group!.committer, offsets)
        return parts.settle(places)
      } catch (thrown) {
        if (!hasProtocolError(thrown, ...refusedCommit)) throw thrown
        if (failure !== undefined) throw failure
        const waited = performance.now() - started
        // we leave the group: what is not committed is read again
        if (signal.aborted && waited > endPatienceMs) return
        const what = `committing offsets of group ${subscription.groupId}`
        if (waited > rebalancePatienceMs) throw serviceFailure(what, shownBrokers(spec.connection), thrown)
      }
      await pause(refusedPauseMs)
    }
  }

  /** All or nothing: a delivery with a partition that is not ours any more is not made visible, and is read again. */
  async function acknowledgeWithOutputs(places: Places, commit: CommitWithOutputs): Promise<void> {
    const offsets = parts.offsetsOf(places)
    if (offsets.length < places.size) discardOutputs?.()
    else if (await commit(offsets, group!.committer)) return parts.settle(places)
    if (![...places.keys()].some(parts.isCurrent)) return
    beginAllAnew()
    // while the group rebalances it is refused again, and each time leaves an aborted transaction behind
    await pause(refusedPauseMs)
  }

  /** What was read since the last commit is forgotten, deliveries under way included: none of them is current any more. */
  function beginAllAnew(): void {
    gatherer.take()
    gathering.places.clear()
    gathering.chunk = undefined
    for (const part of parts.renew()) begin(part)
    outstanding.check()
  }

  try {
    await cluster.persist('reaching the brokers', () => cluster.topics([], { fresh: true }), {
      patienceMs: Math.min(spec.connection.patienceMs, openPatienceMs),
    })
  } catch (error) {
    fetcher.close()
    await cluster.close()
    throw error
  }

  return {
    identity: { address: spec.address },
    schema: messageSchema,
    replayable: false,
    deliveries,
    status: () => ({
      partitions: fetcher.partitions.map(({ topic, partition, end }) => {
        const committed = parts.get({ topic, partition })?.committed ?? 0n
        return { topic, partition, committed, lag: end === undefined ? undefined : end - committed }
      }),
      furtherRecords: gatherer.furtherRecords,
      decodeMs: gathering.decodeMs,
      unreachableMs: fetcher.unreachableMs,
      takeNotices: () => notices.splice(0),
    }),
    async close() {
      await group?.leave()
      fetcher.close()
      await cluster.close()
    },
  }
}

/** Where all partitions of all topics end now. */
async function endsNow(cluster: Cluster, selection: TopicSelection): Promise<Offsets> {
  const asked = selection.hasPatterns ? null : selection.names
  const topics = await cluster.persist('asking for the topics', () => cluster.topics(asked, { fresh: true }))
  const partitions = [...topics.values()]
    .filter(({ name }) => selection.matches(name))
    .flatMap(({ name, partitions: all }) => all.map((_, partition) => ({ topic: name, partition })))
  return listOffsets(cluster, partitions, 'latest')
}
