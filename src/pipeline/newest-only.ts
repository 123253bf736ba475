// `--duplicates newest`: of each object the row with the largest candid, the others counted.
import type { FeatureBatch, Reject } from './batch.ts'
import { createDeliverySpool, type DeliverySpool } from './delivery-spool.ts'
import type { Delivery, ReadOptions, Source } from './source.ts'

/**
 * Passes on, of the rows of a source that are not rejected, the newest of each object at its own place: the one with the
 * largest candid; of equal candids the later row; any candid is newer than none. The others are counted as duplicates.
 *
 * Two passes: the first decides, the second delivers. What cannot be read twice is kept in a temporary file on the way.
 * In memory is one entry an object during the first pass, one bit a row during the second.
 *
 * @param options as the source was opened with: the rows are charged to the allowance once
 */
export function newestOnly(source: Source, options: Pick<ReadOptions, 'allowance' | 'batchSize'>): Source {
  let isDeciding = true

  async function* deliveries(signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
    isDeciding = true
    const spool = source.replayable ? undefined : await createDeliverySpool()
    try {
      const remaining = options.allowance.remaining
      const newest = await decide(source.deliveries(signal), spool)
      if (signal.aborted) return
      isDeciding = false
      if (!spool) options.allowance.remaining = remaining
      yield* gather(spool ? spool.deliveries() : source.deliveries(signal), newest, options.batchSize, signal)
    } finally {
      await spool?.close()
    }
  }

  const { fractionRead } = source
  return {
    identity: source.identity,
    schema: source.schema,
    replayable: source.replayable,
    ...(fractionRead ? { fractionRead: () => fractionRead() / 2 + (isDeciding ? 0 : 0.5) } : {}),
    deliveries,
    close: () => source.close(),
  }
}

/** The first pass. */
async function decide(deliveries: AsyncIterable<Delivery>, spool: DeliverySpool | undefined): Promise<NewestRows> {
  const deciding = createNewestRows()
  for await (const delivery of deliveries) {
    const { oids, candids } = delivery.batch
    for (let i = 0; i < oids.length; i++) deciding.see(oids[i]!, candids[i]!)
    await spool?.write(delivery)
  }
  return deciding.decide()
}

/** Rows kept so far for the next delivery. */
interface Gathering {
  readonly oids: string[]
  readonly candids: (bigint | null)[]
  matrix: Float32Array<ArrayBuffer>
  width: number
  readonly rejected: Reject[]
  readonly acks: (() => Promise<void>)[]
  duplicates: number
}

const mostRejectsHeld = 10_000

/** The second pass: batches of the newest rows, as full as the source's. */
async function* gather(
  deliveries: AsyncIterable<Delivery>,
  newest: NewestRows,
  batchSize: number,
  signal: AbortSignal,
): AsyncGenerator<Delivery, void, undefined> {
  let row = 0
  let gathering = newGathering()
  for await (const { batch, rejected, duplicates, ack } of deliveries) {
    for (let i = 0; i < batch.rowCount; i++, row++) {
      if (!newest.has(row)) {
        gathering.duplicates++
        continue
      }
      // only now, so that the last delivery of all has rows for the last acknowledgement to come with
      if (gathering.oids.length === batchSize) {
        yield finished(gathering)
        gathering = newGathering()
      }
      keep(gathering, batch, i, batchSize)
    }
    gathering.duplicates += duplicates
    for (const reject of rejected) gathering.rejected.push(reject)
    gathering.acks.push(ack)
    if (gathering.rejected.length >= mostRejectsHeld) {
      yield finished(gathering)
      gathering = newGathering()
    }
    if (signal.aborted) break
  }
  const last = finished(gathering)
  if (last.read > 0) yield last
}

function newGathering(): Gathering {
  return { oids: [], candids: [], matrix: new Float32Array(0), width: 0, rejected: [], acks: [], duplicates: 0 }
}

function keep(into: Gathering, batch: FeatureBatch, i: number, batchSize: number): void {
  const width = batch.matrix.length / batch.rowCount
  if (into.oids.length === 0) {
    into.matrix = new Float32Array(batchSize * width)
    into.width = width
  }
  into.matrix.set(batch.matrix.subarray(i * width, (i + 1) * width), into.oids.length * width)
  into.oids.push(batch.oids[i]!)
  into.candids.push(batch.candids[i]!)
}

function finished({ oids, candids, matrix, width, rejected, acks, duplicates }: Gathering): Delivery {
  const rowCount = oids.length
  return {
    batch: { rowCount, oids, candids, matrix: matrix.subarray(0, rowCount * width) },
    read: rowCount + rejected.length + duplicates,
    rejected,
    duplicates,
    async ack() {
      for (const ack of acks) await ack()
    },
  }
}

// Which row of each object is the newest.

/** The rows that were chosen. */
interface NewestRows {
  /** @param row its number among all rows seen, from 0 */
  has(row: number): boolean
}

/** Sees each row once, in order. */
interface NewestRowsDecision {
  see(oid: string, candid: bigint | null): void
  /** Nothing may be seen after this. */
  decide(): NewestRows
}

/** See NewestRowsDecision. Numbers are kept in typed arrays: an object costs its id and some 60 bytes. */
function createNewestRows(): NewestRowsDecision {
  const slots = new Map<string, number>()
  let candids = new BigInt64Array(1024)
  let hasCandid = new Uint8Array(1024)
  let rows = new Float64Array(1024)
  let rowCount = 0

  function grow(): void {
    const length = rows.length * 2
    const [oldCandids, oldHasCandid, oldRows] = [candids, hasCandid, rows]
    candids = new BigInt64Array(length)
    candids.set(oldCandids)
    hasCandid = new Uint8Array(length)
    hasCandid.set(oldHasCandid)
    rows = new Float64Array(length)
    rows.set(oldRows)
  }

  function put(slot: number, candid: bigint | null, row: number): void {
    candids[slot] = candid ?? 0n
    hasCandid[slot] = candid === null ? 0 : 1
    rows[slot] = row
  }

  return {
    see(oid, candid) {
      const row = rowCount++
      const slot = slots.get(oid)
      if (slot === undefined) {
        const next = slots.size
        if (next === rows.length) grow()
        slots.set(oid, next)
        put(next, candid, row)
        return
      }
      const isNewer = candid === null ? hasCandid[slot] === 0 : hasCandid[slot] === 0 || candid >= candids[slot]!
      if (isNewer) put(slot, candid, row)
    },
    decide() {
      const bits = new Uint8Array(Math.ceil(rowCount / 8))
      for (let slot = 0; slot < slots.size; slot++) {
        const row = rows[slot]!
        bits[Math.floor(row / 8)]! |= 1 << (row % 8)
      }
      slots.clear()
      return { has: (row) => (bits[Math.floor(row / 8)]! & (1 << (row % 8))) !== 0 }
    },
  }
}
