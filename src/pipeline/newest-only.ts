// `--duplicates newest`: of each object the row with the largest candid, the others counted.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { messageOf, ServiceError } from '../errors.ts'
import { mostRejectsHeld } from './batch-assembler.ts'
import type { FeatureBatch, Reject } from './batch.ts'
import type { FeatureMatrix } from './preprocess.ts'
import { isNewer } from './row-ids.ts'
import type { Delivery, ReadOptions, Source } from './source.ts'

/**
 * Passes on, of the rows of a source that are not rejected, the newest of each object (see `isNewer`) at its own place.
 * The others are counted as duplicates.
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
      const newest = createNewestRows()
      for await (const delivery of source.deliveries(signal)) {
        const { oids, candids } = delivery.batch
        for (let i = 0; i < oids.length; i++) newest.see(oids[i]!, candids[i]!)
        await spool?.write(delivery)
      }
      if (signal.aborted) return
      const isNewest = newest.decide()
      isDeciding = false
      if (!spool) options.allowance.remaining = remaining
      yield* gather(spool ? spool.deliveries() : source.deliveries(signal), isNewest, options.batchSize, signal)
    } finally {
      await spool?.close()
    }
  }

  const { identity, schema, replayable, fractionRead, notes } = source
  return {
    identity,
    schema,
    replayable,
    ...(fractionRead ? { fractionRead: () => fractionRead() / 2 + (isDeciding ? 0 : 0.5) } : {}),
    ...(notes ? { notes } : {}),
    deliveries,
    close: () => source.close(),
  }
}

/** The second pass: batches of the newest rows, as full as the source's. */
async function* gather(
  deliveries: AsyncIterable<Delivery>,
  isNewest: (row: number) => boolean,
  batchSize: number,
  signal: AbortSignal,
): AsyncGenerator<Delivery, void, undefined> {
  let row = 0
  let gathering = createGathering(batchSize)
  for await (const { batch, rejected, duplicates, ack } of deliveries) {
    for (let i = 0; i < batch.rowCount; i++, row++) {
      if (!isNewest(row)) {
        gathering.duplicates++
        continue
      }
      // only now, so that the last delivery of all has rows for the last acknowledgement to come with
      if (gathering.oids.length === batchSize) {
        yield gathering.finished()
        gathering = createGathering(batchSize)
      }
      gathering.keep(batch, i)
    }
    gathering.duplicates += duplicates
    for (const reject of rejected) gathering.rejected.push(reject)
    gathering.acks.push(ack)
    if (gathering.rejected.length >= mostRejectsHeld) {
      yield gathering.finished()
      gathering = createGathering(batchSize)
    }
    if (signal.aborted) break
  }
  const last = gathering.finished()
  if (last.read > 0) yield last
}

function createGathering(batchSize: number) {
  const oids: string[] = []
  const candids: (bigint | null)[] = []
  const mjds: number[] = []
  const rejected: Reject[] = []
  const acks: Delivery['ack'][] = []
  let matrix: FeatureMatrix = new Float32Array(0)
  let names: readonly string[] | undefined
  const echoed: number[] = []
  return {
    oids,
    rejected,
    acks,
    duplicates: 0,
    keep(batch: FeatureBatch, i: number): void {
      const width = batch.matrix.length / batch.rowCount
      if (oids.length === 0) matrix = new (batch.matrix.constructor as Float32ArrayConstructor)(batchSize * width)
      matrix.set(batch.matrix.subarray(i * width, (i + 1) * width), oids.length * width)
      oids.push(batch.oids[i]!)
      candids.push(batch.candids[i]!)
      if (batch.mjds) mjds.push(batch.mjds[i]!)
      names = batch.echo?.names
      if (names) echoed.push(...batch.echo!.values.subarray(i * names.length, (i + 1) * names.length))
    },
    finished(): Delivery {
      const { duplicates } = this
      const rowCount = oids.length
      const used = (matrix.length / batchSize) * rowCount
      const times = mjds.length > 0 ? { mjds: Float64Array.from(mjds) } : {}
      const echo = names && { echo: { names, values: Float64Array.from(echoed) } }
      return {
        batch: { rowCount, oids, candids, ...times, ...echo, matrix: matrix.subarray(0, used) },
        read: rowCount + rejected.length + duplicates,
        rejected,
        duplicates,
        async ack() {
          for (const ack of acks) await ack()
        },
      }
    },
  }
}

/**
 * Sees each row once, in order, and decides which row of each object is the newest. Numbers are kept in typed arrays: an
 * object costs its id and some 60 bytes.
 */
function createNewestRows() {
  const slots = new Map<string, number>()
  let candids = new BigInt64Array(1024)
  /** of each object the newest row so far; those without a candid as −1 − row */
  let rows = new Float64Array(1024)
  let rowCount = 0

  function grow(): void {
    const [oldCandids, oldRows] = [candids, rows]
    candids = new BigInt64Array(oldCandids.length * 2)
    candids.set(oldCandids)
    rows = new Float64Array(oldRows.length * 2)
    rows.set(oldRows)
  }

  return {
    see(oid: string, candid: bigint | null): void {
      const row = rowCount++
      let slot = slots.get(oid)
      if (slot === undefined) {
        slot = slots.size
        if (slot === rows.length) grow()
        slots.set(oid, slot)
      } else if (!isNewer(candid, rows[slot]! < 0 ? null : candids[slot]!)) return
      candids[slot] = candid ?? 0n
      rows[slot] = candid === null ? -1 - row : row
    },
    /** Answers whether a row, by its number among all rows seen, is the newest. Nothing may be seen after this. */
    decide(): (row: number) => boolean {
      const bits = new Uint8Array(Math.ceil(rowCount / 8))
      for (let slot = 0; slot < slots.size; slot++) {
        const row = rows[slot]! < 0 ? -1 - rows[slot]! : rows[slot]!
        bits[Math.floor(row / 8)]! |= 1 << (row % 8)
      }
      slots.clear()
      return (row) => (bits[Math.floor(row / 8)]! & (1 << (row % 8))) !== 0
    },
  }
}

const lengthBytes = 4

/**
 * Deliveries kept in a temporary file until they are wanted again: first all are written, then all are read.
 *
 * @throws ServiceError where the folder for temporary files cannot be written, or is full later on
 */
async function createDeliverySpool() {
  const folder = await orFail(() => mkdtemp(join(tmpdir(), 'lcclf-spool-')))
  const file = await orFail(() => open(join(folder, 'rows'), 'w+'))
  // out of sight at once: its space is free when this process ends, however it ends. Windows keeps it until it is closed
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  await remove().catch(() => undefined)
  const acks: Delivery['ack'][] = []
  return {
    async write({ ack, ...rows }: Delivery): Promise<void> {
      const bytes = serialize(rows)
      const length = Buffer.alloc(lengthBytes)
      length.writeUInt32LE(bytes.length)
      await orFail(() => file.appendFile(Buffer.concat([length, bytes])))
      acks.push(ack)
    },
    /** what was written, in order; acknowledging one acknowledges the original */
    async *deliveries(): AsyncGenerator<Delivery, void, undefined> {
      let position = 0
      for (const ack of acks) {
        const length = Buffer.alloc(lengthBytes)
        await orFail(() => file.read(length, 0, lengthBytes, position))
        const bytes = Buffer.alloc(length.readUInt32LE())
        await orFail(() => file.read(bytes, 0, bytes.length, position + lengthBytes))
        position += lengthBytes + bytes.length
        yield { ...(deserialize(bytes) as Omit<Delivery, 'ack'>), ack }
      }
    },
    async close(): Promise<void> {
      await file.close()
      await remove()
    },
  }
}

async function orFail<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    throw new ServiceError(`the temporary folder ${tmpdir()} cannot be used: ${messageOf(cause)}`, {
      cause,
      hint: 'Rows that cannot be read twice are kept there for --duplicates newest; TMPDIR names another folder.',
    })
  }
}
