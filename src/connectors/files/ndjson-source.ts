// NDJSON as a source: one object a line, flat or `{oid, candid, features: {…}}`.
import { type LineGroup, linesOf } from '../../formats/chunks.ts'
import { isJsonRecord, jsonNumber, type JsonRecord, jsonScalar, parseJsonLine } from '../../formats/text-values.ts'
import type { BatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { InputSchema, OidType, Reject } from '../../pipeline/batch.ts'
import { isInt64, isIntegerText, isUint64 } from '../../pipeline/row-ids.ts'
import { type ReadOptions, type Source, usualMjdColumn } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { addNotNumber, missingColumns, type NotNumbers, refuseAbsentRenames } from '../columns/match-columns.ts'
import { recordKeys, type RecordKeys, settleNames } from '../columns/settle-names.ts'
import { deliverRows } from '../deliver.ts'
import { byteSource, openByteInput } from './byte-input.ts'

const longestLine = 16 * 1024 * 1024
const peekedLines = 1000
const peekedLength = 4 * 1024 * 1024

interface Line {
  readonly text: string
  readonly number: number
  readonly isOverlong: boolean
}

/**
 * Opens an NDJSON input, compressed or not. What its rows have is known from the first thousand only: a feature that a
 * row lacks is that row's reject.
 */
export async function openNdjsonSource(spec: FileSourceSpec, given: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const { options, keys, schema } = await input.peek(async (chunks) => {
    const first = await firstRecords(linesWithNumbers(linesOf(chunks, longestLine)))
    const names = [...new Set(first.flatMap(namesOf))]
    const options = first.length === 0 ? given : settleNames(given, names)
    const keys = recordKeys(options)
    if (first.length > 0) refuseAbsentNames(first, names, keys, options, input.name)
    const oidType = oidTypeOf(first.map((one) => valueOf(one, keys.oid)))
    const hasCandid = first.some((record) => has(record, keys.candid))
    const hasMjd = first.some((record) => mjdOf(record, keys) !== undefined)
    return { options, keys, schema: { oidType, hasCandid, hasMjd } }
  })
  return byteSource(input, schema, options, (assembler, signal) => {
    const lines = linesWithNumbers(linesOf(input.chunks(), longestLine))
    return deliverRows(lines, assembler, rowReader(assembler, keys, schema, options, input.name), signal)
  })
}

async function* linesWithNumbers(groups: AsyncGenerator<LineGroup, void, undefined>) {
  for await (const { lines, firstNumber, overlong } of groups) {
    yield lines.map((text, i) => ({ text, number: firstNumber + i, isOverlong: overlong.has(i) }))
  }
}

async function firstRecords(groups: AsyncIterable<readonly Line[]>): Promise<JsonRecord[]> {
  const records: JsonRecord[] = []
  let count = 0
  let length = 0
  for await (const lines of groups) {
    for (const { text, isOverlong } of lines.slice(0, peekedLines - count)) {
      const record = isOverlong ? undefined : parseJsonLine(text)
      if (record) records.push(record)
      length += text.length
    }
    count += lines.length
    if (count >= peekedLines || length >= peekedLength) break
  }
  return records
}

function namesOf(record: JsonRecord): string[] {
  const features = featuresOf(record)
  return features === undefined || features === record ? Object.keys(record) : [record, features].flatMap(Object.keys)
}

function rowReader(
  assembler: BatchAssembler,
  keys: RecordKeys,
  { oidType, hasCandid }: InputSchema,
  { features, tellsAll, absentAsNull = false }: ReadOptions,
  inputName: string,
): (line: Line) => void {
  const values = new Float64Array(features.length)

  function read({ text, number, isOverlong }: Line): void {
    if (text.trim() === '') return
    const where = `${inputName} line ${number}`
    const record = isOverlong ? undefined : parseJsonLine(text)
    const oid = record && valueOf(record, keys.oid)
    if (!assembler.admit(oid)) return
    const problem = record
      ? (problemOfIds(record, oid) ?? fill(featuresOf(record)))
      : { reason: isOverlong ? 'the line is too long' : 'not a JSON object', value: text }
    if (problem) return assembler.reject(oid, { where, ...problem })
    const mjd = jsonNumber(mjdOf(record!, keys) ?? null)
    if (mjd === undefined) return assembler.reject(oid, { where, reason: 'mjd is not a number' })
    assembler.accept({ oid, candid: candidOf(valueOf(record!, keys.candid)), mjd, where }, values)
  }

  function problemOfIds(record: JsonRecord, oid: unknown): { reason: string; value?: string } | undefined {
    if (typeof oid === 'string' && oid.includes('\ufffd')) return { reason: 'oid is not UTF-8' }
    if (!fitsOidType(oid, oidType)) return { reason: 'oid is too large an integer' }
    if (hasCandid) return undefined
    const candid = valueOf(record, keys.candid) ?? null
    return candid === null ? undefined : { reason: 'candid appears here but not in the first rows' }
  }

  /** fills `values`, or says why not */
  function fill(source: JsonRecord | undefined): Pick<Reject, 'reason' | 'value' | 'others'> | undefined {
    if (!source) return { reason: 'features is not an object' }
    let wrong: NotNumbers | undefined
    for (let f = 0; f < values.length && (tellsAll || !wrong); f++) {
      const key = keys.features[f]
      // what an object inherits is never a number
      const value = key === undefined ? undefined : source[key]
      if (typeof value === 'number') {
        values[f] = value
        continue
      }
      if (!has(source, key)) {
        values[f] = NaN
        if (wrong || absentAsNull) continue
        return absent(source, f)
      }
      const number = jsonNumber(value)
      if (number === undefined) wrong = addNotNumber(wrong, features[f]!, shown(value), tellsAll)
      else values[f] = number
    }
    return wrong
  }

  function absent(source: JsonRecord, first: number): { reason: string; value?: string } {
    const others = keys.features.filter((key, f) => f > first && !has(source, key)).length
    const reason = `${features[first]} is absent`
    return others === 0 ? { reason } : { reason, value: `and ${others} more` }
  }

  return read
}

const noFeatures: JsonRecord = {}

/** Where a record keeps its features: in `features`, where null means none at all, or in itself. */
function featuresOf(record: JsonRecord): JsonRecord | undefined {
  if (!Object.hasOwn(record, 'features')) return record
  const features = record['features']
  if (features === null) return noFeatures
  if (isJsonRecord(features)) return features
  // a flat record may have a feature of that name
  return Array.isArray(features) ? undefined : record
}

function has(record: JsonRecord, key: string | undefined): boolean {
  return key !== undefined && Object.hasOwn(record, key)
}

function valueOf(record: JsonRecord, key: string | undefined): unknown {
  return key !== undefined && Object.hasOwn(record, key) ? jsonScalar(record[key]) : undefined
}

/** Beside the ids or among the features; undefined if there is none. */
function mjdOf(record: JsonRecord, { mjd }: RecordKeys): unknown {
  return valueOf(record, mjd) ?? valueOf(featuresOf(record) ?? noFeatures, mjd)
}

/** A candid or a list of them; anything deeper is no candid and must not be walked. */
function candidOf(value: unknown): unknown {
  if (isJsonRecord(value)) return 'an object'
  if (!Array.isArray(value)) return value
  const items: unknown[] = value.map(jsonScalar)
  return items.some((item) => typeof item === 'object' && item !== null) ? 'a nested list' : items
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return isJsonRecord(value) ? 'an object' : String(value)
}

// What the first records of an input without a schema say about all of them.

/**
 * @throws DataError if no record has the column of ids, the column of candids (unless it has its usual name), or a
 *   renamed one
 */
function refuseAbsentNames(
  records: readonly JsonRecord[],
  names: readonly string[],
  keys: RecordKeys,
  options: ReadOptions,
  inputName: string,
): void {
  refuseAbsentRenames(names, options.rename, inputName)
  const { idColumn, candidColumn, mjdColumn = usualMjdColumn, features, absentAsNull = false } = options
  const isAbsent = (key: string | undefined): boolean => !records.some((record) => has(record, key))
  const missing = [
    ...(isAbsent(keys.oid) ? [idColumn] : []),
    ...(candidColumn !== 'candid' && isAbsent(keys.candid) ? [candidColumn] : []),
    ...(mjdColumn !== usualMjdColumn && !records.some((record) => mjdOf(record, keys) !== undefined)
      ? [mjdColumn]
      : []),
  ]
  // keys may be left out where they are null, but not all of them everywhere
  if (absentAsNull && !keys.features.some((key) => key !== undefined && names.includes(key))) missing.push(...features)
  const others = names.filter((name) => !features.includes(name))
  if (missing.length > 0) throw missingColumns(missing, others, options, inputName)
}

/** Integers if all that were seen are, text otherwise; records without an id say nothing. */
function oidTypeOf(oids: readonly unknown[]): OidType {
  const present = oids.filter((oid) => oid !== undefined && oid !== null)
  if (present.length === 0 || !present.every((oid) => typeof oid === 'bigint' || Number.isSafeInteger(oid)))
    return 'string'
  const integers = present.map((oid) => BigInt(oid as bigint | number))
  return integers.every(isInt64) ? 'int64' : integers.every(isUint64) ? 'uint64' : 'string'
}

/** Whether an integer id, as such or as text, can be written as the others are; what is no integer is refused later. */
function fitsOidType(oid: unknown, oidType: OidType): boolean {
  if (oidType === 'string') return true
  const isInteger =
    typeof oid === 'bigint' || Number.isSafeInteger(oid) || (typeof oid === 'string' && isIntegerText(oid))
  if (!isInteger) return true
  const integer = BigInt(oid as bigint | number | string)
  return oidType === 'uint64' ? isUint64(integer) : isInt64(integer)
}
