// Fetches from the partitions it is given, ahead of whoever takes the records, within bounds.
import { createBell } from './bell.ts'
import type { Cluster } from './cluster.ts'
import { serviceFailure } from './failures.ts'
import { shownBrokers } from './connection.ts'
import {
  committedRecords,
  type FetchedPartition,
  fetchOnce,
  goneFrom,
  type KafkaRecord,
  newPartitionState,
  type PartitionState,
} from './fetch-request.ts'
import { keyOf, listOffsets, type TopicPartition } from './offsets.ts'

/** Some records of one partition, in order. */
export interface FetchedChunk<Owner> extends TopicPartition {
  /** what the partition was assigned with: tells a chunk of now from one of before */
  readonly owner: Owner
  readonly records: readonly KafkaRecord[]
  /** where the partition goes on behind them; beyond the last record where there are gaps */
  readonly nextOffset: bigint
  /** the partition goes on at another place than behind what was read of it: its offsets before mean nothing any more */
  readonly isAnew?: boolean
}

/** What is known of a partition that is being fetched. */
interface PartitionProgress extends TopicPartition {
  /** next offset to fetch */
  readonly position: bigint
  /** end of what may be read, as the last answer said; undefined before the first */
  readonly end: bigint | undefined
}

/** See createFetcher. */
export interface Fetcher<Owner> {
  /**
   * Begins at an offset; begins anew where the partition was there already, and drops what was fetched of it. The offset is
   * one of the topic with this id, or of the one that is found.
   */
  assign(partition: TopicPartition, offset: bigint, owner: Owner, topicId?: string): void
  /** Ends a partition and drops what was fetched of it. */
  release(partition: TopicPartition): void
  /** The oldest chunk; undefined when the time is over or after `wake`. Throws ServiceError when a broker stays away. */
  next(waitMs: number): Promise<FetchedChunk<Owner> | undefined>
  /** Ends the wait for a chunk, or the next one: whoever waits has something else to look at. */
  wake(): void
  readonly partitions: readonly PartitionProgress[]
  /** for how long the partition that is worst off cannot be fetched, in milliseconds */
  readonly unreachableMs: number
  close(): void
}

/** See createFetcher. */
export interface FetcherOptions {
  /** told when messages are missing: removed by the topic's retention, or with the whole topic */
  readonly onGap?: (partition: TopicPartition, from: bigint, to: bigint) => void
  /** a DataError where offsets are not there any more because the topic was made anew, or has become shorter */
  readonly needsSameTopic?: boolean
  /**
   * A partition that sends nothing for this long, although its end is not reached, was compacted up to there. A broker that
   * keeps old messages elsewhere sends nothing either, until it has fetched them. Infinity: nobody waits for the end.
   */
  readonly tailPatienceMs?: number
}

const usualTailPatienceMs = 30_000

/** timers of Node end at 24 days */
const longestWaitMs = 3_600_000

/** what may lie here untaken, over all partitions and in one of them */
const bufferedBytes = 32 * 1024 * 1024
const leastBufferedBytes = 1024 * 1024
const mostRequestedBytes = 4 * 1024 * 1024

interface WaitingChunk<Owner> {
  readonly state: PartitionState<Owner>
  readonly chunk: FetchedChunk<Owner>
  readonly bytes: number
}

/**
 * One request a broker is under way at a time, for those of its partitions whose chunks do not wait: a partition that is
 * slow to be taken is paused, the others go on. A broker that is away is asked again, with pauses, as long as the
 * connection's patience lasts.
 */
export function createFetcher<Owner>(
  cluster: Cluster,
  { onGap, needsSameTopic = false, tailPatienceMs = usualTailPatienceMs }: FetcherOptions = {},
): Fetcher<Owner> {
  type State = PartitionState<Owner>
  const states = new Map<string, State>()
  const chunks: WaitingChunk<Owner>[] = []
  const closing = new AbortController()
  let failure: unknown
  let isWoken = false
  const changed = createBell()
  const arrived = createBell()

  function assign(partition: TopicPartition, offset: bigint, owner: Owner, topicId?: string): void {
    const key = keyOf(partition)
    // begun anew by whoever has read it, it is in the topic where it was
    const known = topicId ?? states.get(key)?.topicId
    release(partition)
    states.set(key, newPartitionState(partition, { owner, position: offset, topicId: known }))
    changed.ring()
  }

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
    return [...states.values()].filter(
      (state) => !state.isUnderWay && state.waiting < bound && state.pausedUntil <= now,
    )
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
    const topics = await cluster.persist(
      'asking for the leaders of partitions',
      () => cluster.topics([...new Set(ready.map(({ topic }) => topic))]),
      { signal: closing.signal },
    )
    const busy = new Set([...states.values()].filter(({ isUnderWay }) => isUnderWay).map(leaderOf))
    const groups = new Map<number, State[]>()
    for (const state of ready) {
      const info = topics.get(state.topic)
      const leader = info?.partitions[state.partition]?.leader ?? -1
      if (!info || leader < 0) {
        postpone(state, new Error(`partition ${state.partition} of ${state.topic} has no leader`))
        continue
      }
      if (state.topicId !== undefined && state.topicId !== info.id) {
        // made anew: offsets of the topic before mean nothing in it
        if (needsSameTopic) return fail(goneFrom(state))
        if (!(await beginAgain(state))) continue
      }
      state.topicId = info.id
      leaders.set(state, leader)
      if (!busy.has(leader)) groups.set(leader, [...(groups.get(leader) ?? []), state])
    }
    for (const [leader, group] of groups) void fetchGroup(leader, group)
  }

  const leaders = new WeakMap<State, number>()
  const leaderOf = (state: State): number | undefined => leaders.get(state)

  async function fetchGroup(leader: number, group: readonly State[]): Promise<void> {
    for (const state of group) state.isUnderWay = true
    const partitionBytes = Math.min(Math.max(bufferedBytes / states.size, leastBufferedBytes), mostRequestedBytes)
    try {
      const wanted = group.map((state) => ({ ...state, topicId: state.topicId! }))
      const { answers, isThrottled } = await fetchOnce(cluster, leader, wanted, partitionBytes)
      // an answer that is full of others' records, or held back by a quota, says nothing of what is not in it
      const isQuiet = !isThrottled && answers.every(({ batches }) => batches.length === 0)
      await Promise.all(
        group.map((state) =>
          take(
            state,
            answers.find((answer) => isSame(answer, state)),
            isQuiet,
          ),
        ),
      )
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
    const { records, nextOffset } = committedRecords(answer.batches, answer.aborted, state.position)
    const isMoved = nextOffset > state.position
    const now = performance.now()
    state.emptySince = isQuiet && state.position < answer.end ? (state.emptySince ?? now) : undefined
    // what was there before the end was compacted away, and the next record lies beyond
    const isTailGap = state.emptySince !== undefined && now - state.emptySince >= tailPatienceMs
    if (isTailGap) onGap?.(state, state.position, answer.end)
    state.position = isTailGap ? answer.end : nextOffset
    const isFirst = state.end === undefined
    state.end = answer.end
    if (isMoved || isTailGap || isFirst) add(state, records)
  }

  function add(state: State, records: readonly KafkaRecord[], isAnew = false): void {
    const bytes = records.reduce((sum, { value, key }) => sum + (value?.length ?? 0) + (key?.length ?? 0) + 64, 0)
    state.waiting += bytes
    const { topic, partition, owner, position } = state
    chunks.push({ state, bytes, chunk: { topic, partition, owner, records, nextOffset: position, isAnew } })
    arrived.ring()
  }

  /** @returns false if it is not begun again (yet) */
  async function beginAgain(state: State): Promise<boolean> {
    const [earliest, latest] = await Promise.all([
      listOffsets(cluster, [state], 'earliest'),
      listOffsets(cluster, [state], 'latest'),
    ])
    const first = earliest.get(keyOf(state))
    if (first === undefined || !isCurrent(state)) return false
    if (needsSameTopic && first < state.position) {
      fail(goneFrom(state))
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
    fail(serviceFailure(`fetching ${state.topic}`, shownBrokers(cluster.connection), thrown))
  }

  function fail(thrown: unknown): void {
    failure ??= thrown
    arrived.ring()
  }

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

  function wake(): void {
    isWoken = true
    arrived.ring()
  }

  run().catch((thrown: unknown) => fail(thrown))
  return {
    assign,
    release,
    next,
    wake,
    get partitions() {
      return [...states.values()].map(({ topic, partition, position, end }) => ({ topic, partition, position, end }))
    },
    get unreachableMs() {
      const now = performance.now()
      return [...states.values()].reduce((most, { failingSince = now }) => Math.max(most, now - failingSince), 0)
    },
    close() {
      closing.abort()
      chunks.length = 0
      arrived.ring()
    },
  }
}

function isSame(a: TopicPartition, b: TopicPartition): boolean {
  return a.partition === b.partition && a.topic === b.topic
}
