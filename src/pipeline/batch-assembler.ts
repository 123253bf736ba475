// Rows or columns in, batches of features out: the one place where counting, sharding, limits and preprocessing meet.
import { crc32 } from 'node:zlib'
import type { InputSchema, MessageFeatures, Reject } from './batch.ts'
import { createMatrix, preprocess, whyRejected } from './preprocess.ts'
import { readCandid, readOid, whyNoCandid } from './row-ids.ts'
import type { Delivery, ReadOptions } from './source.ts'

/** One row as a text format or a message gives it. */
interface RowIds {
  readonly oid: unknown
  readonly candid: unknown
  /** NaN if it does not say */
  readonly mjd?: number | undefined
  readonly where: string
}

/** Rows side by side, as a columnar format gives them. */
export interface ColumnChunk {
  readonly rowCount: number
  oid(row: number): unknown
  candid(row: number): unknown
  /** NaN where there is none */
  mjd?(row: number): number
  where(row: number): string
  /** for each feature of the model rowCount values in float64, NaN where null */
  readonly columns: readonly Float64Array[]
  /** rows with a value that is no number */
  readonly unreadable?: ReadonlyMap<number, Pick<Reject, 'reason' | 'value' | 'others'>>
}

const longestShownValue = 60
/** below the largest float32, so that rounding makes no infinity of it */
const largestPlain = 3e38
/** of columns that become rows of the matrix */
const rowsATurn = 16
/** an input of nothing but rejects must not gather them all */
export const mostRejectsHeld = 10_000

export type BatchAssembler = ReturnType<typeof createBatchAssembler>

/**
 * Gathers rows into batches. Rows of other shards and rows beyond the limit are not read: they count nowhere. Of the
 * features to be echoed it knows the model's; the others are missing.
 */
export function createBatchAssembler(
  options: Pick<ReadOptions, 'features' | 'preprocessing' | 'batchSize' | 'shard' | 'allowance' | 'echo'> & InputSchema,
) {
  const { features, preprocessing, batchSize, oidType, hasCandid, hasMjd, shard, allowance } = options
  const width = features.length
  /** up to here a value is only rounded, which storing it does */
  const plainMost = Math.min(preprocessing.hugeAbove, largestPlain)
  let matrix = createMatrix(batchSize * width, preprocessing)
  const echo = options.echo && createEcho(options.echo, features, batchSize)
  let oids: string[] = []
  let candids: (bigint | null)[] = []
  let mjds: number[] = []
  let rejected: Reject[] = []
  let read = 0

  /** Counts a row that has arrived; false if it is another shard's or beyond the limit, and must be passed over. */
  function admit(oid: unknown): boolean {
    if (allowance.remaining <= 0) return false
    if (shard && shardOf(oid, shard.count) !== shard.index) return false
    allowance.remaining--
    read++
    return true
  }

  function reject(oid: unknown, why: Omit<Reject, 'oid'>): void {
    const reading = readOid(oid, 'string')
    const { value, others } = why
    rejected.push({
      oid: reading.oid,
      ...why,
      ...(value === undefined ? {} : { value: shortened(value) }),
      ...(others ? { others: others.map((one) => ({ ...one, value: shortened(one.value) })) } : {}),
    })
  }

  /** the row's ids, or undefined once it was rejected for them */
  function identify({ oid, candid, where }: RowIds): { oid: string; candid: bigint | null } | undefined {
    const reading = readOid(oid, oidType)
    const alert = hasCandid ? readCandid(candid) : null
    if ('reason' in reading) reject(reading.oid, { where, reason: reading.reason })
    else if (alert === undefined) reject(reading.oid, { where, reason: whyNoCandid(candid), value: String(candid) })
    else return { oid: reading.oid, candid: alert }
    return undefined
  }

  /**
   * Adds an admitted row, or rejects it (false) for its ids or a value that the model refuses. `values`: a float64 a feature,
   * NaN for null.
   */
  function accept(ids: RowIds, values: Float64Array): boolean {
    const known = identify(ids)
    if (!known) return false
    const start = oids.length * width
    for (let f = 0; f < width; f++) {
      const value = preprocess(values[f]!, preprocessing)
      const why = value - value === 0 ? undefined : whyRejected(values[f]!, value, preprocessing)
      if (why !== undefined) {
        reject(known.oid, refused(features[f]!, why, ids.where, values[f]!))
        return false
      }
      matrix[start + f] = value
    }
    echo?.fill(oids.length, (f) => values[f]!)
    oids.push(known.oid)
    candids.push(known.candid)
    mjds.push(finite(ids.mjd))
    return true
  }

  /** Adds rows of a chunk from `start` on, until the batch is full or the chunk ends; answers the next row to add. */
  function acceptColumns(chunk: ColumnChunk, start: number): number {
    const first = oids.length
    const rows: number[] = []
    let row = start
    for (; row < chunk.rowCount && first + rows.length < batchSize && allowance.remaining > 0; row++) {
      const oid = chunk.oid(row)
      if (!admit(oid)) continue
      const where = chunk.where(row)
      const known = identify({ oid, candid: chunk.candid(row), where })
      if (!known) continue
      const unreadable = chunk.unreadable?.get(row)
      if (unreadable) {
        reject(oid, { where, ...unreadable })
        continue
      }
      rows.push(row)
      oids.push(known.oid)
      candids.push(known.candid)
      mjds.push(finite(chunk.mjd?.(row)))
    }
    const refusals = fillColumns(chunk.columns, rows, first)
    if (echo) rows.forEach((from, i) => echo.fill(first + i, (f) => chunk.columns[f]![from]!))
    if (refusals.size > 0) removeRows(chunk, rows, first, refusals)
    return allowance.remaining > 0 ? row : chunk.rowCount
  }

  /** Writes the columns into the matrix; answers the rows (as places in `rows`) that the model refuses, and for what. */
  function fillColumns(columns: readonly Float64Array[], rows: readonly number[], first: number) {
    const refusals = new Map<number, { f: number; why: string }>()
    const cells = matrix
    const most = plainMost
    // a few rows at a time, so that the cells written stay in the cache from column to column
    for (let from = 0; from < rows.length; from += rowsATurn) {
      const to = Math.min(from + rowsATurn, rows.length)
      for (let f = 0; f < width; f++) {
        const column = columns[f]!
        for (let i = from, cell = (first + from) * width + f; i < to; i++, cell += width) {
          const read = column[rows[i]!]!
          if (read <= most && read >= -most) {
            cells[cell] = read
            continue
          }
          const value = preprocess(read, preprocessing)
          cells[cell] = value
          if (value - value === 0) continue
          const why = whyRejected(read, value, preprocessing)
          if (why !== undefined && !refusals.has(i)) refusals.set(i, { f, why })
        }
      }
    }
    return refusals
  }

  function removeRows(
    chunk: ColumnChunk,
    rows: readonly number[],
    first: number,
    refusals: ReturnType<typeof fillColumns>,
  ): void {
    let kept = first
    for (let i = 0; i < rows.length; i++) {
      const refusal = refusals.get(i)
      const oid = oids[first + i]!
      if (refusal !== undefined) {
        const { f, why } = refusal
        reject(oid, refused(features[f]!, why, chunk.where(rows[i]!), chunk.columns[f]![rows[i]!]!))
        continue
      }
      matrix.copyWithin(kept * width, (first + i) * width, (first + i + 1) * width)
      echo?.move(first + i, kept)
      oids[kept] = oid
      candids[kept] = candids[first + i]!
      mjds[kept] = mjds[first + i]!
      kept++
    }
    oids.length = kept
    candids.length = kept
    mjds.length = kept
  }

  /**
   * Hands over the rows since the last `take`, and what became of the others, and begins anew.
   * `read = batch.rowCount + rejected.length`.
   */
  function take(): Pick<Delivery, 'batch' | 'read' | 'rejected'> {
    const rowCount = oids.length
    const times = hasMjd ? { mjds: Float64Array.from(mjds) } : {}
    const echoes = echo && { echo: echo.take(rowCount) }
    const batch = { rowCount, oids, candids, ...times, matrix: matrix.subarray(0, rowCount * width), ...echoes }
    const taken = { batch, read, rejected }
    matrix = createMatrix(batchSize * width, preprocessing)
    oids = []
    candids = []
    mjds = []
    rejected = []
    read = 0
    return taken
  }

  return {
    /** no room: `take` before adding more */
    get isFull(): boolean {
      return oids.length >= batchSize || rejected.length >= mostRejectsHeld
    },
    /** the limit is reached: nothing more will be read */
    get isExhausted(): boolean {
      return allowance.remaining <= 0
    },
    admit,
    accept,
    reject,
    acceptColumns,
    take,
  }
}

/** The features of a batch as they were read, for outputs that echo them. */
function createEcho(names: readonly string[], features: readonly string[], batchSize: number) {
  const width = names.length
  const places = names.map((name) => features.indexOf(name))
  let values = new Float64Array(batchSize * width)
  return {
    fill(row: number, valueOf: (feature: number) => number): void {
      places.forEach((place, i) => (values[row * width + i] = place < 0 ? NaN : valueOf(place)))
    },
    move(from: number, to: number): void {
      values.copyWithin(to * width, from * width, (from + 1) * width)
    },
    take(rowCount: number): MessageFeatures {
      const taken = { names, values: values.subarray(0, rowCount * width) }
      values = new Float64Array(batchSize * width)
      return taken
    },
  }
}

/** A row without an id belongs to the shard of the empty id, so that it too is counted exactly once. */
function shardOf(oid: unknown, count: number): number {
  const { oid: text } = readOid(oid, 'string')
  return crc32(text ?? '') % count
}

function refused(feature: string, why: string, where: string, value: number): Omit<Reject, 'oid'> {
  return { where, reason: `${feature} ${why}`, value: String(value) }
}

function finite(mjd: number | undefined): number {
  return mjd !== undefined && Number.isFinite(mjd) ? mjd : NaN
}

function shortened(text: string): string {
  return text.length > longestShownValue ? `${text.slice(0, longestShownValue)}…` : text
}
