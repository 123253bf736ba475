// NDJSON as a source: one object a line, flat or `{oid, candid, features: {…}}`.
import { type BatchAssembler, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { InputSchema, OidType, Reject } from '../../pipeline/batch.ts'
import { isJsonRecord, jsonNumber, type JsonRecord, jsonScalar, parseJsonLine } from '../../formats/json-line.ts'
import { type LineGroup, linesOf } from '../../formats/text-lines.ts'
import { openByteInput } from './byte-input.ts'
import { deliverRows } from '../deliver.ts'
import { addNotNumber, type NotNumbers } from '../columns/column-error.ts'
import { rowsAfterPeek } from './peek.ts'
import { recordKeys, type RecordKeys, settleNames } from '../columns/settle-names.ts'
import type { FileSourceSpec } from './file-formats.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import { missingColumns, refuseAbsentRenames } from '../columns/match-columns.ts'

const longestLine = 16 * 1024 * 1024
const peekedLines = 1000
const peekedLength = 4 * 1024 * 1024

/** A line and where it is. */
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
  const { peeked, rows, drop } = await rowsAfterPeek(() => linesWithNumbers(linesOf(input.chunks(), longestLine)), {
    isEnough: (lines) => lines.length >= peekedLines || totalLength(lines) >= peekedLength,
    replayable: input.replayable,
  })
  const first = firstRecords(peeked.slice(0, peekedLines))
  const options = first.length === 0 ? given : settleNames(given, [...new Set(first.flatMap(namesOf))])
  const keys = recordKeys(options)
  let schema: InputSchema
  try {
    schema = schemaOfRecords(seenRecords(first, keys), options, input.name)
  } catch (error) {
    await drop()
    throw error
  }
  return {
    identity: input.identity,
    schema,
    replayable: input.replayable,
    ...input.progress,
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...options, ...schema })
      const stop = (): void => input.stop()
      signal.addEventListener('abort', stop)
      try {
        yield* deliverRows(rows(), assembler, rowReader(assembler, keys, schema, options, input.name), signal)
        await input.checkUnchanged()
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    async close() {
      input.stop()
      await drop()
    },
  }
}

async function* linesWithNumbers(
  groups: AsyncGenerator<LineGroup, void, undefined>,
): AsyncGenerator<Line[], void, undefined> {
  for await (const { lines, firstNumber, overlong } of groups) {
    yield lines.map((text, i) => ({ text, number: firstNumber + i, isOverlong: overlong.has(i) }))
  }
}

function totalLength(lines: readonly Line[]): number {
  return lines.reduce((sum, { text }) => sum + text.length, 0)
}

function firstRecords(lines: readonly Line[]): JsonRecord[] {
  const records: JsonRecord[] = []
  for (const { text, isOverlong } of lines) {
    const record = isOverlong ? undefined : parseJsonLine(text)
    if (record) records.push(record)
  }
  return records
}

function namesOf(record: JsonRecord): string[] {
  const features = featuresOf(record)
  return features === undefined || features === record ? Object.keys(record) : [record, features].flatMap(Object.keys)
}

function seenRecords(records: readonly JsonRecord[], keys: RecordKeys): SeenRecord[] {
  return records.map((record) => ({
    names: namesOf(record),
    oid: valueOf(record, keys.oid),
    hasOid: has(record, keys.oid),
    hasCandid: has(record, keys.candid),
  }))
}

/** The function that reads one line. */
function rowReader(
  assembler: BatchAssembler,
  keys: RecordKeys,
  { oidType, hasCandid }: InputSchema,
  { features, tellsAll }: ReadOptions,
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
    if (problem) assembler.reject(oid, { where, ...problem })
    else assembler.accept({ oid, candid: candidOf(valueOf(record!, keys.candid)), where }, values)
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
        if (wrong) continue
        return absent(source, f)
      }
      const number = jsonNumber(value)
      if (number === undefined) wrong = addNotNumber(wrong, { feature: features[f]!, value: shown(value), tellsAll })
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

/** A candid or a list of them; anything deeper is no candid and must not be walked. */
function candidOf(value: unknown): unknown {
  if (isJsonRecord(value)) return 'an object'
  if (!Array.isArray(value)) return value
  const items: unknown[] = value.map(jsonScalar)
  return items.some((item) => typeof item === 'object' && item !== null) ? 'a nested list' : items
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? 'a list'
      : isJsonRecord(value)
        ? 'an object'
        : String(value)
}

// What the first records of an input without a schema say about all of them.

/** One of the first records: what matters of it before the first row is delivered. */
interface SeenRecord {
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
