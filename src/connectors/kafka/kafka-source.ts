// Kafka as a source: what is in topics now, or what comes, as a member of a consumer group.
import { setTimeout as pause } from 'node:timers/promises'
import { gapNotice, openKafkaSnapshot } from './snapshot.ts'
import type { DecodeGuard, KafkaSourceSpec, KafkaSubscription, StreamStatus } from './spec.ts'
import type { Delivery, ReadOptions, Source } from '../../pipeline/source.ts'
import { type Cluster, connectCluster } from './client/cluster.ts'
import { hasProtocolError, serviceFailure } from './client/failures.ts'
import { createFetcher } from './client/fetcher.ts'
import { type GroupEvents, type GroupMembership, joinGroup } from './client/group.ts'
import { commitOffsets, committedOffsets, listOffsets, refusedCommit } from './client/offsets.ts'
import { keyOf } from './client/partition.ts'
import type { Committer } from './client/offsets.ts'
import type { PartitionOffset, TopicPartition } from './client/partition.ts'
import { gatherBatches, type GatheringState } from './gather.ts'
import { createOutstanding, createOwnedParts, type OwnedPart, type ReadPlace } from './owned-partitions.ts'
import { createRowGatherer, messageSchema } from './rows.ts'
import { createSchemaRegistry } from './schema-registry.ts'
import { partitionsOf, selectTopics, type TopicSelection } from './topics.ts'
import { openValueSchema } from './value-schema.ts'

/**
 * Opens topics, in the way that the spec says.
 *
 * @param outputs exactly-once: commits what was read, in place of the source
 * @param guard against single messages
 * @throws UsageError for a schema of values that cannot be used, before anything else; DataError for a topic that does not
 *   exist (snapshots only: a group waits for it), ServiceError for brokers
 */
export function openKafkaSource(
  spec: KafkaSourceSpec,
  options: ReadOptions,
  outputs?: OutputCommitter,
  guard?: DecodeGuard,
): Promise<KafkaStream> {
  const { reading } = spec
  if (reading.kind === 'snapshot') return openKafkaSnapshot(spec, reading, options, guard)
  return openKafkaLive(spec, reading, options, outputs, guard)
}

// Topics as a stream: our share of the partitions, as a member of a consumer group.

export interface KafkaStream extends Source {
  deliveries(signal: AbortSignal): AsyncIterable<KafkaDelivery>
  status(): StreamStatus
}

/** A delivery whose acknowledgement may not commit it. */
export interface KafkaDelivery extends Delivery {
  /** undefined before the acknowledgement; without it every one counts as committed */
  readonly outcome?: () => Outcome | undefined
}

/**
 * The result of an acknowledgement. `written`: the outputs have it, and whoever owns the partitions now reads it again;
 * `taken back`: nothing of it is visible, and it is read again.
 */
export type Outcome = 'committed' | 'written' | 'taken back'

/** Exactly-once: commits, in place of the source, what a delivery has read together with its outputs. */
export interface OutputCommitter {
  /** False if nothing of either is visible, because the partitions are no longer ours. */
  commit(offsets: readonly PartitionOffset[], committer: Committer): Promise<boolean>
  /** Outputs of a delivery must not become visible. */
  discard(): void
}

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
async function openKafkaLive(
  spec: KafkaSourceSpec,
  subscription: KafkaSubscription,
  options: ReadOptions,
  outputs: OutputCommitter | undefined,
  guard: DecodeGuard | undefined,
): Promise<KafkaStream> {
  const selection = selectTopics(spec.topics)
  const valueSchema = openValueSchema(spec.schemas, options)
  const cluster = await connectCluster(spec.connection)
  const registry = spec.registry && createSchemaRegistry(spec.registry)
  const { stopsAtBadMessage } = spec
  const notices: string[] = []
  const onNotice = (notice: string): void => void notices.push(notice)
  const gatherer = createRowGatherer(options, { registry, valueSchema, stopsAtBadMessage, guard, onNotice })
  const fetcher = createFetcher<OwnedPart>(cluster, {
    guard,
    onGap: (partition, from, to) => onNotice(gapNotice(partition, from, to)),
    ...(subscription.isDraining ? {} : { tailPatienceMs: Infinity }),
  })
  const parts = createOwnedParts()
  const outstanding = createOutstanding<OwnedPart>()
  const gathering: GatheringState<OwnedPart> = { places: new Map(), chunk: undefined, decodeMs: 0 }
  let group: GroupMembership | undefined
  let failure: unknown
  let drain: Awaited<ReturnType<typeof openDrain>> | undefined

  const events: GroupEvents = {
    async onAssigned(partitions) {
      drain?.onShare(parts.all.length > 0 || partitions.length > 0)
      if (partitions.length === 0) return
      const [committed, earliest] = await Promise.all([
        committedOffsets(cluster, subscription.groupId, partitions),
        listOffsets(cluster, partitions, 'earliest'),
      ])
      // a group without offsets begins with the earliest message
      const startOf = (partition: TopicPartition): bigint =>
        committed.get(keyOf(partition)) ?? earliest.get(keyOf(partition)) ?? 0n
      const starts = partitions.map(({ topic, partition }) => ({
        topic,
        partition,
        offset: startOf({ topic, partition }),
      }))
      // every share may be that of a member that has just ended
      notices.push(...((await guard?.look(starts)) ?? []))
      // it may have taken long enough to lose them again
      const ours = partitions.filter((each) => group?.owns(each) === true)
      for (const partition of ours) begin(parts.add(partition, startOf(partition)))
      fetcher.wake()
    },
    async onRevoked(partitions) {
      for (const part of parts.markLeaving(partitions)) fetcher.release(part)
      // what is gathered from them goes out at once, and is then waited for
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
  const isUrgent = (): boolean => [...gathering.places.keys()].some(parts.isLeaving)

  async function* deliveries(signal: AbortSignal): AsyncGenerator<KafkaDelivery, void, undefined> {
    if (subscription.isDraining) drain = await openDrain(cluster, selection, () => fetcher.wake())
    group = joinGroup(cluster, { ...subscription, selection, events })
    const batches = gatherBatches<OwnedPart>(
      {
        fetcher,
        gatherer,
        batchWaitMs: subscription.batchWaitMs,
        signal,
        isCurrent: parts.isStaying,
        onAnew,
        isFinished,
        isUrgent: () => failure !== undefined || isUrgent() || isReadToEnd(),
        beforeStop: () => untilCommitted(signal),
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
      const read = parts.placesOf(places)
      let outcome: Outcome | undefined
      const ack = async (): Promise<void> => {
        try {
          outcome = await acknowledge(read, rows.read > 0, signal)
        } finally {
          outstanding.remove(token)
          // it may have been the last one
          if (drain) fetcher.wake()
        }
      }
      if (rows.read === 0) await ack()
      else yield { ...rows, duplicates: 0, ack, outcome: () => outcome }
    }
    if (failure !== undefined) throw failure
  }

  /** Everything that was there at the start is delivered, of the partitions that are ours. */
  function isFinished(): boolean {
    if (failure !== undefined) return true
    // what is committed with its outputs may be refused, and is then read again
    return drain?.isOver(parts.all, ({ committed, next }) => (outputs ? committed : next)) === true
  }

  /** The last messages need not wait for others. */
  function isReadToEnd(): boolean {
    return !gatherer.isEmpty && drain?.isReached(parts.all, ({ next }) => next) === true
  }

  /** Its topic was recreated, or has lost what was next: a drain ends where it ends now, if that is before. */
  function onAnew(part: OwnedPart): void {
    parts.beginAnew(part)
    const found = fetcher.partitions.find((each) => keyOf(each) === keyOf(part))
    drain?.shorten(part, found?.end ?? part.next)
  }

  /** What comes before a bad message is done before it ends everything, also where it is refused first. */
  async function untilCommitted(signal: AbortSignal): Promise<void> {
    if (!outputs) return
    signal.addEventListener('abort', outstanding.check)
    await outstanding.untilNone(() => !signal.aborted)
    signal.removeEventListener('abort', outstanding.check)
  }

  /**
   * Commits, and repeats that while the partitions are ours: a refusal does not mean that they are lost. In a rebalance the
   * broker may be a generation ahead of us, and its answer to our join under way; or behind us, because it was killed
   * before a generation was shared out, has forgotten it, and counts it again. The group finds out, and drops what is lost.
   */
  async function acknowledge(places: readonly ReadPlace[], hasRows: boolean, signal: AbortSignal): Promise<Outcome> {
    if (outputs && hasRows) return acknowledgeWithOutputs(places, outputs)
    const started = performance.now()
    // not p-retry: every attempt commits what is ours by then, and the patience is shorter once the signal has come
    for (;;) {
      const offsets = parts.offsetsOf(places)
      // whoever owns them now reads them again
      if (offsets.length === 0) return parts.ownsAll(places) ? 'committed' : 'written'
      try {
        await commitOffsets(cluster, group!.committer, offsets)
        parts.settle(places)
        return 'committed'
      } catch (thrown) {
        if (!hasProtocolError(thrown, ...refusedCommit)) throw thrown
        if (failure !== undefined) throw failure
        const waited = performance.now() - started
        // we leave the group: what is not committed is read again
        if (signal.aborted && waited > endPatienceMs) return 'written'
        const what = `committing offsets of group ${subscription.groupId}`
        if (waited > rebalancePatienceMs) throw serviceFailure(what, spec.connection, thrown)
      }
      await pause(refusedPauseMs)
    }
  }

  /** All or nothing: a delivery with a partition that is not ours any more is not made visible, and is read again. */
  async function acknowledgeWithOutputs(places: readonly ReadPlace[], transaction: OutputCommitter): Promise<Outcome> {
    if (!parts.ownsAll(places)) transaction.discard()
    else if (await transaction.commit(parts.offsetsOf(places), group!.committer)) {
      parts.settle(places)
      return 'committed'
    }
    if (places.some(({ part }) => parts.isCurrent(part))) {
      beginAllAgain()
      // while the group rebalances it is refused again, and each time leaves an aborted transaction behind
      await pause(refusedPauseMs)
    }
    return 'taken back'
  }

  /** What was read since the last commit is forgotten, deliveries under way included: none of them is current any more. */
  function beginAllAgain(): void {
    gatherer.forget()
    gathering.places.clear()
    gathering.chunk = undefined
    for (const part of parts.renew()) begin(part)
    outstanding.check()
  }

  async function close(): Promise<void> {
    await group?.leave()
    fetcher.close()
    await cluster.close()
  }

  try {
    await cluster.firstTopics([])
  } catch (error) {
    await close()
    throw error
  }

  return {
    identity: { address: spec.address },
    schema: messageSchema(options),
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
    close,
  }
}

/** how long a member without partitions waits for its share of what others have to give back first */
const idleMs = 15_000

/**
 * How far a member of a group reads that ends when everything is read that was there at the start: looks where all
 * partitions of all topics end now.
 *
 * @param wake called when `isOver` may answer otherwise although nothing has come
 */
async function openDrain(cluster: Cluster, selection: TopicSelection, wake: () => void) {
  const asked = selection.hasPatterns ? null : selection.names
  const topics = await cluster.persist('asking for the topics', () => cluster.topics(asked, { fresh: true }))
  const chosen = [...topics.values()].filter(({ name }) => selection.matches(name))
  const ends = new Map(await listOffsets(cluster, partitionsOf(chosen), 'latest'))
  const endOf = (part: OwnedPart): bigint => ends.get(keyOf(part)) ?? 0n
  /** since when there have been more members than partitions */
  let idleSince: number | undefined

  /** whether nothing is left of these, our partitions; `place` is how far each one counts as read */
  const isReached = (parts: readonly OwnedPart[], place: (part: OwnedPart) => bigint): boolean =>
    parts.every((part) => place(part) >= endOf(part))

  return {
    /** The group has shared out the partitions, perhaps none of them to us. */
    onShare(hasPartitions: boolean): void {
      if (hasPartitions) idleSince = undefined
      else if (idleSince === undefined) {
        idleSince = performance.now()
        setTimeout(wake, idleMs + 10).unref()
      }
    },
    /** What was there may be gone, and the partition ends here now: it is read no further. */
    shorten(part: OwnedPart, end: bigint): void {
      if (end < endOf(part)) ends.set(keyOf(part), end)
    },
    isReached,
    /** whether nothing more comes; without partitions when the group has had none for us for a while */
    isOver(parts: readonly OwnedPart[], place: (part: OwnedPart) => bigint): boolean {
      // between two rounds of the group none is ours either
      if (parts.length === 0) return idleSince !== undefined && performance.now() - idleSince > idleMs
      return isReached(parts, place)
    },
  }
}
