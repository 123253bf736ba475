// oid and candid as they come, made safe: no id ever passes through a double.
import type { OidType } from './feature-batch.ts'

const int64Minimum = -(2n ** 63n)
const int64Maximum = 2n ** 63n - 1n
const integerText = /^[+-]?\d+$/

/** The id of one row as text, or why there is none. */
export type OidReading = { readonly oid: string } | { readonly oid: string | null; readonly reason: string }

/**
 * Reads an object id.
 *
 * @param raw string, integer or bigint; null, undefined and the empty string mean that it is missing
 * @param oidType what the input's ids are: an input of integers refuses text, an input of text takes integers as text
 */
export function readOid(raw: unknown, oidType: OidType): OidReading {
  if (raw === null || raw === undefined || raw === '') return { oid: null, reason: 'oid is missing' }
  const text = idText(raw)
  if (text === undefined) return { oid: null, reason: 'oid is neither text nor an integer' }
  if (oidType !== 'string' && !integerText.test(text))
    return { oid: text, reason: 'oid is not an integer as the others' }
  return { oid: text }
}

function idText(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw
  if (typeof raw === 'bigint') return raw.toString()
  // beyond 2^53 the number may already be another one
  return typeof raw === 'number' && Number.isSafeInteger(raw) ? String(raw) : undefined
}

/**
 * Reads an alert's candid: an int64 as bigint, integer or decimal text; of a list (one object, many alerts) the largest.
 *
 * @returns null where there is none, undefined where there is something that is no int64
 */
export function readCandid(raw: unknown): bigint | null | undefined {
  if (raw === null || raw === undefined || raw === '') return null
  if (Array.isArray(raw)) return largestCandid(raw)
  const value = integerOf(raw)
  return value !== undefined && value >= int64Minimum && value <= int64Maximum ? value : undefined
}

function largestCandid(raw: readonly unknown[]): bigint | null | undefined {
  let largest: bigint | null = null
  for (const item of raw) {
    const candid = readCandid(item)
    if (candid === undefined) return undefined
    if (candid !== null && (largest === null || candid > largest)) largest = candid
  }
  return largest
}

function integerOf(raw: unknown): bigint | undefined {
  if (typeof raw === 'bigint') return raw
  if (typeof raw === 'number') return Number.isSafeInteger(raw) ? BigInt(raw) : undefined
  if (typeof raw === 'string') return integerText.test(raw) ? BigInt(raw.replace(/^\+/, '')) : undefined
  return undefined
}
