// Topics as a bounded input: what is there when the run begins, or what has timestamps within bounds.
import { DataError } from '../../errors.ts'
import type { Delivery, ReadOptions } from '../../pipeline/source.ts'
import { type Cluster, connectCluster } from './client/cluster.ts'
import { createFetcher, type Fetcher } from './client/fetcher.ts'
import { commitOffsets, listOffsets, type Offsets } from './client/offsets.ts'
import { keyOf, type TopicPartition } from './client/partition.ts'
import { gatherBatches, type GatheringState, type Part } from './gather.ts'
import { createRowGatherer, messageSchema } from './rows.ts'
import { createSchemaRegistry } from './schema-registry.ts'
import type { DecodeGuard, KafkaSnapshot, KafkaSourceSpec, StreamStatus } from './spec.ts'
import { partitionsOf, selectTopics } from './topics.ts'
import { openValueSchema } from './value-schema.ts'

/** A partition and what of it is read. */
interface SnapshotPart extends Part {
  /** a recreated topic is another one */
  readonly topicId: string
  readonly start: bigint
  /** exclusive; undefined: without end */
  readonly end: bigint | undefined
  committed: bigint
}

/**
 * Messages may lie out of their order in time: a producer that sends again, or several of them. Beyond the first message
 * after the window, stragglers are searched for as far as this.
 */
const stragglerMs = 24 * 3600 * 1000

/**
 * Opens a snapshot: every partition, from its beginning or the first message of the window to where it ends now. What an
 * open transaction has written is not there yet.
 *
 * @throws UsageError for a schema of values that cannot be used, DataError for a topic that does not exist, ServiceError for
 *   brokers that do not answer
 */
export async function openKafkaSnapshot(
  spec: KafkaSourceSpec,
  reading: KafkaSnapshot,
  options: ReadOptions,
  guard?: DecodeGuard,
) {
  const valueSchema = openValueSchema(spec.schemas, options)
  const cluster = await connectCluster(spec.connection)
  const registry = spec.registry && createSchemaRegistry(spec.registry)
  let fetcher: Fetcher<SnapshotPart> | undefined
  let parts: SnapshotPart[] = []
  let state: GatheringState<SnapshotPart> = { places: new Map(), chunk: undefined, decodeMs: 0 }
  let furtherRecords = 0
  const notices: string[] = []
  const onNotice = (notice: string): void => void notices.push(notice)
  let bounds: Bounds
  try {
    bounds = await findBounds(cluster, spec, reading)
    const starts = bounds.map(({ topic, partition, start }) => ({ topic, partition, offset: start }))
    notices.push(...((await guard?.look(starts)) ?? []))
  } catch (error) {
    await cluster.close()
    throw error
  }

  async function* deliveries(signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
    const { stopsAtBadMessage } = spec
    const gatherer = createRowGatherer(options, { registry, valueSchema, stopsAtBadMessage, guard, onNotice })
    const opened = createFetcher<SnapshotPart>(cluster, {
      guard,
      onGap: (part, from, to) => onNotice(gapNotice(part, from, to)),
      // without an end to reach it goes on with what is there
      ...(bounds.every(({ end }) => end === undefined) ? { tailPatienceMs: Infinity } : { needsSameTopic: true }),
    })
    fetcher = opened
    parts = bounds.map((bound) => ({ ...bound, next: bound.start, committed: bound.start }))
    const open = new Set(parts.filter(isOpen))
    for (const part of open) opened.assign(part, part.start, part, part.topicId)
    state = { places: new Map(), chunk: undefined, decodeMs: 0 }
    const { deliver, pass } = createAcknowledgements(acknowledge)
    const batches = gatherBatches<SnapshotPart>(
      {
        fetcher: opened,
        gatherer,
        batchWaitMs: reading.batchWaitMs ?? Infinity,
        signal,
        isCurrent: (part) => open.has(part),
        isWanted: ({ end }, { offset, timestamp }) =>
          (end === undefined || offset < end) && isWithin(reading, timestamp),
        onPlace(part) {
          if (isOpen(part)) return
          open.delete(part)
          opened.release(part)
        },
        isFinished: () => open.size === 0,
      },
      state,
    )
    try {
      for await (const { rows, places } of batches) {
        furtherRecords = gatherer.furtherRecords
        if (rows.read > 0) yield { ...rows, duplicates: 0, ack: deliver(places) }
        else await pass(places)
      }
    } finally {
      opened.close()
    }
  }

  async function acknowledge(places: Places<SnapshotPart>): Promise<void> {
    const offsets = [...places].map(([{ topic, partition, end }, offset]) => {
      return { topic, partition, offset: atMost(offset, end) }
    })
    if (reading.commitFor !== undefined) {
      // without being a member: the broker takes that only while the group has none
      await commitOffsets(cluster, { groupId: reading.commitFor, generation: -1, memberId: '' }, offsets)
    }
    for (const [part, offset] of places) part.committed = offset
  }

  const offsets = bounds.map((part) => [keyOf(part), [`${part.start}`, `${part.end ?? 'open'}`]] as const)
  return {
    identity: { address: spec.address, offsets: Object.fromEntries(offsets) },
    schema: messageSchema(options),
    replayable: reading.isEndless !== true,
    fractionRead: () => fractionOf(parts),
    notes: () => [...notices],
    deliveries,
    status: (): StreamStatus => ({
      partitions: parts.map(({ topic, partition, committed, end }) => {
        return { topic, partition, committed, lag: end && end - committed }
      }),
      furtherRecords,
      decodeMs: state.decodeMs,
      unreachableMs: fetcher?.unreachableMs ?? 0,
      takeNotices: () => notices.splice(0),
    }),
    async close() {
      fetcher?.close()
      await cluster.close()
    },
  }
}

type Bounds = readonly Pick<SnapshotPart, 'topic' | 'partition' | 'topicId' | 'start' | 'end'>[]

async function findBounds(
  cluster: Cluster,
  { topics: words, address }: KafkaSourceSpec,
  { since, until, isEndless }: KafkaSnapshot,
): Promise<Bounds> {
  const selection = selectTopics(words)
  const topics = await cluster.firstTopics(selection.hasPatterns ? null : selection.names)
  const missing = selection.names.filter((name) => !topics.has(name))
  const chosen = [...topics.values()].filter(({ name }) => selection.matches(name))
  if (missing.length > 0 || chosen.length === 0) {
    throw new DataError(`${address}: there is no topic ${missing.join(', ') || selection.shown}`)
  }
  const partitions = partitionsOf(chosen.sort((a, b) => (a.name < b.name ? -1 : 1)))
  const after = (timestampMs: number | undefined): Promise<Offsets> =>
    timestampMs === undefined ? Promise.resolve(new Map()) : listOffsets(cluster, partitions, { timestampMs })
  const [earliest, latest] = await Promise.all([
    listOffsets(cluster, partitions, 'earliest'),
    listOffsets(cluster, partitions, 'latest'),
  ])
  // only now: what has come before the end must not be missed
  const [starts, ends] = await Promise.all([after(since), after(until === undefined ? undefined : until + stragglerMs)])
  return partitions.map((partition) => {
    const key = keyOf(partition)
    const end = latest.get(key) ?? 0n
    const first = earliest.get(key) ?? 0n
    // −1: no message is that late
    const placeOf = (found = -1n): bigint => (found < 0n ? end : found)
    const start = since === undefined ? first : placeOf(starts.get(key))
    const isOpenEnd = isEndless === true && until === undefined
    return {
      ...partition,
      topicId: topics.get(partition.topic)!.id,
      start: start < first ? first : start,
      end: isOpenEnd ? undefined : atMost(placeOf(ends.get(key)), end),
    }
  })
}

function atMost(offset: bigint, end: bigint | undefined): bigint {
  return end !== undefined && offset > end ? end : offset
}

function isOpen({ next, end }: { readonly next: bigint; readonly end: bigint | undefined }): boolean {
  return end === undefined || next < end
}

function isWithin({ since, until }: KafkaSnapshot, timestamp: bigint): boolean {
  return (since === undefined || timestamp >= BigInt(since)) && (until === undefined || timestamp < BigInt(until))
}

function fractionOf(parts: readonly SnapshotPart[]): number {
  let read = 0n
  let all = 0n
  for (const { start, next, end } of parts) {
    if (end === undefined || end <= start) continue
    all += end - start
    read += atMost(next, end) - start
  }
  return all === 0n ? 1 : Number(read) / Number(all)
}

/** What to tell when messages are missing. */
export function gapNotice({ topic, partition }: TopicPartition, from: bigint, to: bigint): string {
  return `${topic} partition ${partition}: offset ${from} is gone, reading goes on at ${to}`
}

type Places<Part> = ReadonlyMap<Part, bigint>

/**
 * Acknowledges deliveries, and what has no rows only behind those that have: whoever begins at a place that was
 * acknowledged must find everything before it in the outputs, also where that place lies behind unwanted messages.
 *
 * @param acknowledge called for places in their order; a delivery whose call fails stays unacknowledged
 */
export function createAcknowledgements<Part>(acknowledge: (places: Places<Part>) => Promise<void>) {
  let unacknowledged = 0
  const passed = new Map<Part, bigint>()

  return {
    /** A delivery goes out; answers what acknowledges it. */
    deliver(places: Places<Part>): () => Promise<void> {
      const upTo = new Map([...passed, ...places])
      passed.clear()
      unacknowledged++
      return async () => {
        await acknowledge(upTo)
        unacknowledged--
        if (unacknowledged > 0 || passed.size === 0) return
        const rest = new Map(passed)
        passed.clear()
        await acknowledge(rest)
      }
    },
    /** Nothing of this is wanted. Acknowledged now, or with the last of the deliveries that are not acknowledged yet. */
    async pass(places: Places<Part>): Promise<void> {
      if (unacknowledged === 0) return acknowledge(places)
      for (const [part, offset] of places) passed.set(part, offset)
    },
  }
}
