// Tables in partitions by the hash of oid: which there are, and in which of them an object's rows are.
import type { Connection } from '../client/connection.ts'

/** One partition: the rows whose hash leaves this remainder. */
interface HashBound {
  readonly modulus: number
  readonly remainder: number
}

/** How a table is divided. */
export interface Partitioning {
  /** as Postgres writes it, `HASH (oid)` */
  readonly key: string
  /** of partitions by hash; a table that is divided in another way has none */
  readonly bounds: readonly HashBound[]
}

/** @returns undefined for a table of one piece, and for one that does not exist */
export async function inspectPartitions(connection: Connection, table: string): Promise<Partitioning | undefined> {
  const [row] = await connection.rows<[key: string, bounds: string[]]>(
    `SELECT pg_get_partkeydef(t.partrelid),
            ARRAY(SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = t.partrelid)
       FROM pg_partitioned_table t WHERE t.partrelid = to_regclass($1)`,
    [table],
  )
  if (!row) return undefined
  const [key, bounds] = row
  return { key, bounds: bounds.flatMap(boundOf) }
}

function boundOf(text: string): HashBound[] {
  const [, modulus, remainder] = /modulus (\d+), remainder (\d+)/i.exec(text) ?? []
  return modulus === undefined ? [] : [{ modulus: Number(modulus), remainder: Number(remainder) }]
}

/** Partitions that a table by hash lacks: an object that belongs there cannot be stored. */
export function missingPartitions({ key, bounds }: Partitioning): HashBound[] {
  if (!key.startsWith('HASH')) return []
  // Postgres demands that each modulus divides the next
  const modulus = Math.max(1, ...bounds.map((bound) => bound.modulus))
  const isCovered = (remainder: number): boolean =>
    bounds.some((bound) => remainder % bound.modulus === bound.remainder)
  return Array.from({ length: modulus }, (_, remainder) => ({ modulus, remainder })).filter(
    ({ remainder }) => !isCovered(remainder),
  )
}

/** The partition of an object. */
export type PartitionOf = (oid: bigint) => number

/**
 * The order in which all writers take the objects of a table: partition by partition, as COPY flushes its rows. Where the
 * partitions are not those of a power of two of hashes of oid, it is by oid alone.
 *
 * @returns the remainder that the hash of an oid leaves, as Postgres computes it
 */
export function partitionFinder(partitioning: Partitioning | undefined): PartitionOf {
  if (partitioning?.key !== 'HASH (oid)') return () => 0
  const modulus = Math.max(1, ...partitioning.bounds.map((bound) => bound.modulus))
  if ((modulus & (modulus - 1)) !== 0) return () => 0
  return (oid) => (lowHash(oid) + lowCombination) & (modulus - 1)
}

/** The low 32 bits of what Postgres adds when it combines the hashes of a key's columns (the first: with nothing). */
const lowCombination = 0x15e5a8e3

/** the state of Jenkins' hash of four bytes under the seed that Postgres hashes partition keys with, before their value */
const seeded = (() => {
  const start = (0x9e3779b9 + 4 + 3_923_095) | 0
  let [a, b, c] = [(start + 0x7a5b2236) | 0, (start + 0x7996dcfd) | 0, start]
  const mixed = [4, 6, 8, 16, 19, 4]
  for (const turn of mixed) {
    a = (a - c) ^ turned(c, turn)
    c = (c + b) | 0
    ;[a, b, c] = [b, c, a]
  }
  return { a, b, c }
})()

/** The low half of `hashint8extended(oid, seed)`. */
function lowHash(oid: bigint): number {
  const low = Number(BigInt.asIntN(32, oid))
  const high = Number(BigInt.asIntN(32, oid >> 32n))
  let { a, b, c } = seeded
  a = (a + (low ^ (oid >= 0n ? high : ~high))) | 0
  c = ((c ^ b) - turned(b, 14)) | 0
  a = ((a ^ c) - turned(c, 11)) | 0
  b = ((b ^ a) - turned(a, 25)) | 0
  c = ((c ^ b) - turned(b, 16)) | 0
  a = ((a ^ c) - turned(c, 4)) | 0
  b = ((b ^ a) - turned(a, 14)) | 0
  return ((c ^ b) - turned(b, 24)) | 0
}

function turned(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by))
}
