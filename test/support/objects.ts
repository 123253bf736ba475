// The twenty objects of the fixtures, as they must be read from every file.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { alercePreprocessing, preprocess } from '../../src/pipeline/preprocess.ts'
import type { Delivery, ReadOptions, Source } from '../../src/pipeline/source.ts'
import type { SourceSpec } from '../../src/connectors/spec.ts'
import type { InputFormat } from '../../src/connectors/address.ts'

/** What a source delivered, put together. */
export interface Rows {
  readonly oids: string[]
  readonly candids: (bigint | null)[]
  /** where a batch had them */
  mjds?: number[]
  /** rows × features, as bits: −0 is not 0 */
  readonly bits: number[][]
  readonly rejected: { oid: string | null; where: string; reason: string; value?: string }[]
  readonly batchSizes: number[]
  read: number
  duplicates: number
}

interface Truth {
  readonly features: string[]
  readonly oids: string[]
  readonly candids: (string | null)[]
  readonly rows: (string | null)[][]
}

/** Path of a fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/sources/${name}`, import.meta.url))
}

const truth = JSON.parse(readFileSync(fixture('objects.json'), 'utf8')) as Truth

/** The features of the twenty objects. */
export const features: readonly string[] = truth.features
export const oids: readonly string[] = truth.oids
export const candids: readonly (bigint | null)[] = truth.candids.map((candid) =>
  candid === null ? null : BigInt(candid),
)
/** in float64; NaN for null */
const values: readonly (readonly number[])[] = truth.rows.map((row) =>
  row.map((cell) => (cell === null ? NaN : Buffer.from(cell, 'hex').readDoubleBE(0))),
)
export const bits: readonly (readonly number[])[] = values.map((row) => bitsOf(row))

/** The float32 that the forest sees, as bits. */
export function bitsOf(row: readonly number[]): number[] {
  const seen = Float32Array.from(row, (value) => preprocess(value, alercePreprocessing))
  return [...new Uint32Array(seen.buffer)]
}

export function fileSpec(path: string, format: InputFormat, address = path): Extract<SourceSpec, { kind: 'file' }> {
  return { kind: 'file', address, path, format }
}

export function readOptions(changes: Partial<ReadOptions> = {}): ReadOptions {
  return {
    features,
    preprocessing: alercePreprocessing,
    batchSize: 1000,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: new Map(),
    allowance: { remaining: Infinity },
    ...changes,
  }
}

/** Reads deliveries to their end. */
export async function readAll(deliveries: AsyncIterable<Delivery>): Promise<Rows> {
  const rows: Rows = { oids: [], candids: [], bits: [], rejected: [], batchSizes: [], read: 0, duplicates: 0 }
  for await (const { batch, rejected, read, duplicates, ack } of deliveries) {
    const width = batch.rowCount === 0 ? 0 : batch.matrix.length / batch.rowCount
    if (batch.oids.length !== batch.rowCount || batch.candids.length !== batch.rowCount) throw new Error('uneven batch')
    if (read !== batch.rowCount + rejected.length + duplicates) throw new Error('a delivery does not add up')
    for (let i = 0; i < batch.rowCount; i++) {
      rows.bits.push([...new Uint32Array(batch.matrix.slice(i * width, (i + 1) * width).buffer)])
    }
    rows.oids.push(...batch.oids)
    rows.candids.push(...batch.candids)
    if (batch.mjds) rows.mjds = [...(rows.mjds ?? []), ...batch.mjds]
    rows.rejected.push(...rejected)
    rows.batchSizes.push(batch.rowCount)
    rows.read += read
    rows.duplicates += duplicates
    await ack()
  }
  return rows
}

/** Reads a source once and closes it. */
export async function readOnce(source: Source): Promise<Rows> {
  try {
    return await readAll(source.deliveries(new AbortController().signal))
  } finally {
    await source.close()
  }
}
