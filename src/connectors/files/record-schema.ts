// What the first records of an input without a schema say about all of them.
import type { InputSchema, OidType } from '../../pipeline/batch.ts'
import { missingColumns, refuseAbsentRenames } from '../columns/match-columns.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** One of the first records: what matters of it before the first row is delivered. */
export interface SeenRecord {
  /** all names it has, those of its features included */
  readonly names: readonly string[]
  readonly oid: unknown
  readonly hasOid: boolean
  readonly hasCandid: boolean
}

const int64Minimum = -(2n ** 63n)
const int64Maximum = 2n ** 63n - 1n
const uint64Maximum = 2n ** 64n - 1n

/**
 * @throws DataError if no record has the column of ids, the column of candids (unless it has its usual name), or a
 *   renamed one
 */
export function schemaOfRecords(records: readonly SeenRecord[], options: ReadOptions, inputName: string): InputSchema {
  if (records.length > 0) refuseAbsentNames(records, options, inputName)
  return {
    oidType: oidTypeOf(records.map(({ oid }) => oid)),
    hasCandid: records.some(({ hasCandid }) => hasCandid),
  }
}

function refuseAbsentNames(records: readonly SeenRecord[], options: ReadOptions, inputName: string): void {
  const names = new Set(records.flatMap((record) => record.names))
  refuseAbsentRenames([...names], options.rename, inputName)
  const missing = [
    ...(records.some(({ hasOid }) => hasOid) ? [] : [options.idColumn]),
    ...(options.candidColumn === 'candid' || records.some(({ hasCandid }) => hasCandid) ? [] : [options.candidColumn]),
  ]
  const others = [...names].filter((name) => !options.features.includes(name))
  if (missing.length > 0) throw missingColumns(missing, others, options, inputName)
}

/** Integers if all that were seen are, text otherwise; records without an id say nothing. */
function oidTypeOf(oids: readonly unknown[]): OidType {
  let smallest = 0n
  let largest = 0n
  let count = 0
  for (const oid of oids) {
    if (oid === undefined || oid === null) continue
    if (typeof oid !== 'bigint' && !Number.isSafeInteger(oid)) return 'string'
    const value = BigInt(oid as bigint | number)
    if (value < smallest) smallest = value
    if (value > largest) largest = value
    count++
  }
  if (count === 0) return 'string'
  if (smallest >= int64Minimum && largest <= int64Maximum) return 'int64'
  return smallest >= 0n && largest <= uint64Maximum ? 'uint64' : 'string'
}

/** Whether an integer id can be written as the others are. */
export function fitsOidType(oid: unknown, oidType: OidType): boolean {
  if (oidType === 'string' || typeof oid !== 'bigint') return true
  return oidType === 'uint64' ? oid >= 0n && oid <= uint64Maximum : oid >= int64Minimum && oid <= int64Maximum
}
