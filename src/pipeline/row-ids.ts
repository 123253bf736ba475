// oid and candid as they come, made safe: no id ever passes through a double.
import type { OidType } from './batch.ts'

const integerText = /^[+-]?\d+$/
/** In characters: no id of 64 bits has as many, and making a bigint of millions of digits takes minutes. */
const longestInteger = 100
/** what programs write of a float: a point, an exponent or both */
const floatText = /^[+-]?(?=\d|\.\d)\d*(?:\.\d*(?:e[+-]?\d+)?|e[+-]?\d+)$/i

/** The id of one row as text, or why there is none. */
type OidReading = { readonly oid: string } | { readonly oid: string | null; readonly reason: string }

/**
 * Reads an object id.
 *
 * @param raw string, integer or bigint; null, undefined and the empty string mean that it is missing
 * @param oidType what the input's ids are: an input of integers refuses text, an input of text takes integers as text
 */
export function readOid(raw: unknown, oidType: OidType): OidReading {
  if (raw === null || raw === undefined || raw === '') return { oid: null, reason: 'oid is missing' }
  const text = idText(raw)
  if (text === undefined) return { oid: null, reason: whyNoId('oid', raw, 'is neither text nor an integer') }
  if (oidType !== 'string' && !isIntegerText(text)) return { oid: text, reason: 'oid is not an integer as the others' }
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
  return value !== undefined && isInt64(value) ? value : undefined
}

/** Whether 64 bits hold an integer, with its sign. */
export const isInt64 = (value: bigint) => BigInt.asIntN(64, value) === value

/** Whether 64 bits hold an integer that has no sign. */
export const isUint64 = (value: bigint) => BigInt.asUintN(64, value) === value

/**
 * Which of two rows of one object is the newer: the one with the larger candid; of equal candids the later row; any candid
 * is newer than none.
 *
 * @returns whether the later row, with this candid, replaces the earlier one
 */
export function isNewer(candid: bigint | null, earlier: bigint | null): boolean {
  return earlier === null || (candid !== null && candid >= earlier)
}

/** Why something of which readCandid answers undefined is no candid. */
export function whyNoCandid(raw: unknown): string {
  const value: unknown = Array.isArray(raw) ? raw.find((item) => readCandid(item) === undefined) : raw
  return whyNoId('candid', value, 'is not an int64')
}

/** Whether an id was written as a float is: `1.5e17`, `12.0`. */
export function isFloatText(text: string): boolean {
  return text.length <= longestInteger && floatText.test(text)
}

/** Whether an id is digits and nothing else, a sign apart. */
export function isIntegerText(text: string): boolean {
  return text.length <= longestInteger && integerText.test(text)
}

/** Of a float whose digits are lost, what is shown may look like a good id. */
function whyNoId(name: string, raw: unknown, otherwise: string): string {
  const isFloat = typeof raw === 'number' ? Number.isFinite(raw) : typeof raw === 'string' && isFloatText(raw)
  const isLost = isFloat && Math.abs(Number(raw)) > Number.MAX_SAFE_INTEGER
  return `${name} ${isLost ? 'is a float: its last digits are lost' : otherwise}`
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
  if (typeof raw !== 'string' || !isIntegerText(raw)) return undefined
  return BigInt(raw.replace(/^\+/, ''))
}
