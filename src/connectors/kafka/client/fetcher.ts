// Fetches from the partitions it is given, ahead of whoever takes the records, within bounds.
import { DataError } from '../../../errors.ts'
import { createBell } from './bell.ts'
import type { DecodeGuard } from '../spec.ts'
import type { Cluster } from './cluster.ts'
import { serviceFailure } from './failures.ts'
import { type FetchedPartition, fetchOnce, type KafkaRecord } from './fetch-request.ts'
import { listOffsets } from './offsets.ts'
import { keyOf, type TopicPartition } from './partition.ts'

/** Some records of one partition, in order. */
export interface FetchedChunk<Owner> extends TopicPartition {
  /** what the partition was assigned with: tells a current chunk from an earlier one */
  readonly owner: Owner
  readonly records: readonly KafkaRecord[]
  /** where the partition goes on behind them; beyond the last record where there are gaps */
  readonly nextOffset: bigint
  /** the partition goes on somewhere else than behind what was read of it: its earlier offsets mean nothing any more */
  readonly isAnew?: boolean
}

export type Fetcher<Owner> = ReturnType<typeof createFetcher<Owner>>

export interface FetcherOptions {
  /** told when messages are missing: removed by the topic's retention, or with the whole topic */
  readonly onGap?: (partition: TopicPartition, from: bigint, to: bigint) => void
  /** a DataError where offsets are gone because the topic was recreated, or has become shorter */
  readonly needsSameTopic?: boolean
  /**
   * A partition that sends nothing for this long, although its end is not reached, was compacted up to there. A broker that
   * keeps old messages elsewhere sends nothing either, until it has fetched them. Infinity: nobody waits for the end.
   */
  readonly tailPatienceMs?: number
  /** against record batches that cannot be read without harm */
  readonly guard?: DecodeGuard | undefined
}

const usualTailPatienceMs = 30_000
/** timers of Node end at 24 days */
const longestWaitMs = 3_600_000

/** what may lie here untaken, over all partitions and in one of them */
const bufferedBytes = 32 * 1024 * 1024
const leastBufferedBytes = 1024 * 1024
const mostRequestedBytes = 4 * 1024 * 1024

/** A partition that is being fetched, from one assignment to the next. Times are `performance.now()`'s. */
interface PartitionState<Owner> extends TopicPartition {
  readonly owner: Owner
  position: bigint
  end: bigint | undefined
  /** bytes that wait in chunks */
  waiting: number
  isUnderWay: boolean
  topicId: string | undefined
  leader: number
  /** since when it cannot be fetched */
  failingSince: number | undefined
  /** since when answers have had no record although the end is not reached */
  emptySince: number | undefined
  pausedUntil: number
}

/**
 * One request per broker is under way at a time, for those of its partitions that have no chunks waiting: a partition that
 * is slow to be taken is paused, the others go on. A broker that is away is asked again, with pauses, as long as the
 * connection's patience lasts.
 */
export function createFetcher<Owner>(
  cluster: Cluster,
  { onGap, needsSameTopic = false, tailPatienceMs = usualTailPatienceMs, guard }: FetcherOptions = {},
) {
  type State = PartitionState<Owner>
  const states = new Map<string, State>()
  const chunks: { readonly state: State; readonly chunk: FetchedChunk<Owner>; readonly bytes: number }[] = []
  const closing = new AbortController()
  let failure: unknown
  let isWoken = false
  const changed = createBell()
  const arrived = createBell()

  /** Begins at an offset of the topic with this id, or of the one that is found; drops what was fetched before. */
  function assign({ topic, partition }: TopicPartition, position: bigint, owner: Owner, topicId?: string): void {
    const key = keyOf({ topic, partition })
    // begun again by whoever has read it, it is in the topic where it was
    const known = topicId ?? states.get(key)?.topicId
    release({ topic, partition })
    states.set(key, {
      ...{ topic, partition, owner, position, topicId: known, waiting: 0, isUnderWay: false, leader: -1 },
      ...{ end: undefined, failingSince: undefined, emptySince: undefined, pausedUntil: 0 },
    })
    changed.ring()
  }

  /** Ends a partition and drops what was fetched of it. */
  function release(partition: TopicPartition): void {
    const state = states.get(keyOf(partition))
    if (!state) return
    states.delete(keyOf(partition))
    // an answer that is under way belongs to a state that is no longer in the map, and is dropped
    for (let i = chunks.length - 1; i >= 0; i--) if (chunks[i]!.state === state) chunks.splice(i, 1)
    changed.ring()
  }

  const isCurrent = (state: State): boolean => states.get(keyOf(state)) === state

  function fetchable(): State[] {
    const bound = Math.max(bufferedBytes / Math.max(states.size, 1), leastBufferedBytes)
    const now = performance.now()
    const isReady = (state: State): boolean => !state.isUnderWay && state.waiting < bound && state.pausedUntil <= now
    return [...states.values()].filter(isReady)
  }

  /** Starts what can be started, whenever something changed. */
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const ready = fetchable()
      if (ready.length > 0) await startFetches(ready)
      const isPaused = [...states.values()].some(({ pausedUntil }) => pausedUntil > performance.now())
      await changed.wait(isPaused ? 50 : 60_000, closing.signal)
    }
  }

  async function startFetches(ready: readonly State[]): Promise<void> {
    const names = [...new Set(ready.map(({ topic }) => topic))]
    const what = 'asking for the leaders of partitions'
    const topics = await cluster.persist(what, () => cluster.topics(names), { signal: closing.signal })
    const busy = new Set([...states.values()].filter(({ isUnderWay }) => isUnderWay).map(({ leader }) => leader))
    const groups = new Map<number, State[]>()
    for (const state of ready) {
      const info = topics.get(state.topic)
      const leader = info?.partitions[state.partition]?.leader ?? -1
      if (!info || leader < 0) {
        postpone(state, new Error(`partition ${state.partition} of ${state.topic} has no leader`))
        continue
      }
      if (state.topicId !== undefined && state.topicId !== info.id) {
        // recreated: offsets of the earlier topic mean nothing in it
        if (needsSameTopic) return failAt(state)
        if (!(await beginAgain(state))) continue
      }
      state.topicId = info.id
      state.leader = leader
      if (!busy.has(leader)) groups.set(leader, [...(groups.get(leader) ?? []), state])
    }
    for (const [leader, group] of groups) void fetchGroup(leader, group)
  }

  async function fetchGroup(leader: number, group: readonly State[]): Promise<void> {
    for (const state of group) state.isUnderWay = true
    const partitionBytes = Math.min(Math.max(bufferedBytes / states.size, leastBufferedBytes), mostRequestedBytes)
    try {
      const wanted = group.map((state) => ({ ...state, topicId: state.topicId! }))
      const { answers, isQuiet } = await fetchOnce(cluster, leader, wanted, partitionBytes, guard)
      await Promise.all(group.map((state) => take(state, answers.get(keyOf(state)), isQuiet)))
    } catch (thrown) {
      cluster.forget()
      for (const state of group) postpone(state, thrown)
    } finally {
      for (const state of group) state.isUnderWay = false
      changed.ring()
    }
  }

  async function take(state: State, answer: FetchedPartition | undefined, isQuiet: boolean): Promise<void> {
    if (!isCurrent(state)) return
    if (!answer)
      return postpone(state, new Error(`the broker says nothing of partition ${state.partition} of ${state.topic}`))
    if (answer.error === 'OFFSET_OUT_OF_RANGE') return void (await beginAgain(state))
    if (answer.error !== undefined) {
      cluster.forget()
      return postpone(state, answer.failure)
    }
    state.failingSince = undefined
    const { records, nextOffset, end } = answer
    const isMoved = nextOffset > state.position
    const now = performance.now()
    state.emptySince = isQuiet && state.position < end ? (state.emptySince ?? now) : undefined
    // what was there before the end was compacted away, and the next record lies beyond
    const isTailGap = state.emptySince !== undefined && now - state.emptySince >= tailPatienceMs
    if (isTailGap) onGap?.(state, state.position, end)
    state.position = isTailGap ? end : nextOffset
    const isFirst = state.end === undefined
    state.end = end
    if (isMoved || isTailGap || isFirst) add(state, records)
  }

  function add(state: State, records: readonly KafkaRecord[], isAnew = false): void {
    const bytes = records.reduce((sum, { value, key }) => sum + (value?.length ?? 0) + (key?.length ?? 0) + 64, 0)
    state.waiting += bytes
    const { topic, partition, owner, position } = state
    chunks.push({ state, bytes, chunk: { topic, partition, owner, records, nextOffset: position, isAnew } })
    arrived.ring()
  }

  /** @returns false if it has not begun again (yet) */
  async function beginAgain(state: State): Promise<boolean> {
    const [earliest, latest] = await Promise.all([
      listOffsets(cluster, [state], 'earliest'),
      listOffsets(cluster, [state], 'latest'),
    ])
    const first = earliest.get(keyOf(state))
    if (first === undefined || !isCurrent(state)) return false
    if (needsSameTopic && first < state.position) {
      failAt(state)
      return false
    }
    if (first !== state.position) onGap?.(state, state.position, first)
    state.position = first
    state.end = latest.get(keyOf(state))
    add(state, [], true)
    return true
  }

  function postpone(state: State, thrown: unknown): void {
    const now = performance.now()
    state.failingSince ??= now
    state.pausedUntil = now + 200
    if (!isCurrent(state) || now - state.failingSince < cluster.connection.patienceMs) return
    fail(serviceFailure(`fetching ${state.topic}`, cluster.connection, thrown))
  }

  function failAt({ topic, partition, position }: State): void {
    const hint = `The messages from offset ${position} on are gone. Run it again for what is there now.`
    fail(new DataError(`${topic} partition ${partition}: the topic was recreated while it was being read`, { hint }))
  }

  function fail(thrown: unknown): void {
    failure ??= thrown
    arrived.ring()
  }

  /** The oldest chunk; undefined when the time is up or after `wake`. Throws ServiceError when a broker stays away. */
  async function next(waitMs: number): Promise<FetchedChunk<Owner> | undefined> {
    const deadline = performance.now() + waitMs
    for (;;) {
      if (failure !== undefined) throw failure
      const isEarly = isWoken
      isWoken = false
      const oldest = isEarly ? undefined : chunks.shift()
      if (oldest) {
        oldest.state.waiting -= oldest.bytes
        changed.ring()
        return oldest.chunk
      }
      const rest = deadline - performance.now()
      if (isEarly || rest <= 0 || closing.signal.aborted) return undefined
      await arrived.wait(Math.min(rest, longestWaitMs))
    }
  }

  run().catch(fail)
  return {
    assign,
    release,
    next,
    /** Ends the wait for a chunk, or the next one: whoever waits has something else to look at. */
    wake(): void {
      isWoken = true
      arrived.ring()
    },
    /** by partition: the next offset to fetch, and the end as the last answer said it; undefined before the first */
    get partitions() {
      return [...states.values()].map(({ topic, partition, position, end }) => ({ topic, partition, position, end }))
    },
    /** for how long the worst-off partition could not be fetched, in milliseconds */
    get unreachableMs() {
      const now = performance.now()
      return [...states.values()].reduce((most, { failingSince = now }) => Math.max(most, now - failingSince), 0)
    },
    close(): void {
      closing.abort()
      chunks.length = 0
      arrived.ring()
    },
  }
}
