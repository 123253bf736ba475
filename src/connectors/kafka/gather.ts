// Chunks of many partitions → batches by count or time. One loop for snapshots and for live consumers.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KafkaRecord } from './client/fetch-request.ts'
import type { FetchedChunk, Fetcher } from './client/fetcher.ts'
import type { TopicPartition } from './client/partition.ts'
import type { GatheredRows, RowGatherer } from './rows.ts'

/** messages that take long to decode must not keep heartbeats and signals from their turn */
const longestTurnMs = 100

/** A partition that is being read, from one assignment to its end; `next`: after the last message that was gathered. */
export type Part = TopicPartition & { next: bigint }

/** What the two kinds of reading decide differently. */
interface Gathering<Owner extends Part> {
  readonly fetcher: Fetcher<Owner>
  readonly gatherer: RowGatherer
  /** a batch is delivered after this, full or not */
  readonly batchWaitMs: number
  readonly signal: AbortSignal
  /** false for a partition that is not ours any more, or that has begun again: its chunk is dropped */
  isCurrent(part: Owner): boolean
  /** false for a message that is not wanted */
  isWanted?(part: Owner, record: KafkaRecord): boolean
  /** called when a partition goes on at `part.next`, and earlier offsets mean nothing any more */
  onAnew?(part: Owner): void
  /** called when a partition was read up to `part.next` */
  onPlace?(part: Owner): void
  /** nothing more will come */
  isFinished(): boolean
  /** what is gathered must go out now, whatever the time */
  isUrgent?(): boolean
  /** waited for before a bad message ends everything: what is before it may be read again, and then the end is off */
  beforeStop?(): Promise<void>
}

/** Where a gathering stands; whoever begins everything again clears it. */
export interface GatheringState<Owner extends Part> {
  readonly places: Map<Owner, bigint>
  chunk: FetchedChunk<Owner> | undefined
  /** milliseconds spent decoding so far */
  decodeMs: number
}

/**
 * Batches until nothing more comes or the signal: then what is half gathered is dropped, and will be read again. Each has
 * its rows, and up to where each partition was read for them. Where only places have moved (aborted transactions, messages
 * that are not wanted), a batch has no rows.
 *
 * @throws DataError at a bad message that ends everything, after what was before it
 */
export async function* gatherBatches<Owner extends Part>(
  gathering: Gathering<Owner>,
  state: GatheringState<Owner>,
): AsyncGenerator<{ readonly rows: GatheredRows; readonly places: ReadonlyMap<Owner, bigint> }, void, undefined> {
  const { gatherer, signal, fetcher } = gathering
  const stop = (): void => fetcher.wake()
  signal.addEventListener('abort', stop)
  try {
    while (!signal.aborted) {
      await fill()
      if (signal.aborted) return
      const isLast = gathering.isFinished() || gatherer.isExhausted
      if (!gatherer.isEmpty || state.places.size > 0) {
        const places = new Map(state.places)
        state.places.clear()
        yield { rows: gatherer.take(), places }
      }
      if (gatherer.stoppedAt) await gathering.beforeStop?.()
      if (signal.aborted) return
      if (gatherer.stoppedAt) throw gatherer.stoppedAt
      if (isLast) return
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }

  async function fill(): Promise<void> {
    const deadline = performance.now() + gathering.batchWaitMs
    while (!gatherer.isFull && !gatherer.isExhausted && !signal.aborted && !gathering.isFinished()) {
      if (gathering.isUrgent?.() === true || gatherer.stoppedAt) return
      if (state.chunk) {
        await takeFrom(state.chunk)
        continue
      }
      const rest = deadline - performance.now()
      if (rest <= 0) return
      state.chunk = await fetcher.next(rest)
    }
  }

  /** Takes as many records of the chunk as there is room for; the rest stays in the state. */
  async function takeFrom(chunk: FetchedChunk<Owner>): Promise<void> {
    const part = chunk.owner
    state.chunk = undefined
    if (!gathering.isCurrent(part)) return
    const started = performance.now()
    let place = 0
    let turnAt = started
    for (; place < chunk.records.length && !gatherer.isFull && !gatherer.isExhausted; place++) {
      if (performance.now() - turnAt > longestTurnMs) {
        gatherer.rest()
        await nextTurn()
        turnAt = performance.now()
        if (signal.aborted || !gathering.isCurrent(part)) break
      }
      const record = chunk.records[place]!
      if (gathering.isWanted?.(part, record) !== false) {
        const added = gatherer.add(part, record)
        if (added) await added
        if (gatherer.stoppedAt) break
      }
      part.next = record.offset + 1n
      // taken away meanwhile: the rest is another member's, but what is gathered must not go out without its place
      if (!gathering.isCurrent(part)) break
    }
    gatherer.rest()
    state.decodeMs += performance.now() - started
    if (place >= chunk.records.length) part.next = chunk.nextOffset
    else if (gathering.isCurrent(part)) state.chunk = { ...chunk, records: chunk.records.slice(place) }
    if (chunk.isAnew === true) gathering.onAnew?.(part)
    state.places.set(part, part.next)
    gathering.onPlace?.(part)
  }
}
