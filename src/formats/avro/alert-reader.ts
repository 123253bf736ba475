// A schema → a reader of its records: ids as values, features straight into an array, everything else passed over.
import {
  AvroBytesError,
  type AvroCursor,
  branchOf,
  compileSkip,
  eachBlock,
  eachItem,
  isEmpty,
  type Skip,
} from './cursor.ts'
import { type AvroRecord, AvroSchemaError, type AvroType, parseAvroSchema } from './schema.ts'

/** Where the values of one record go. Begun anew for each record by whoever owns it. */
export interface AlertSlots {
  oid: unknown
  candid: unknown
  /** false where `features` is null, absent or has no names */
  hasFeatures: boolean
  /** takes a number for each slot from `start` on */
  values: Float64Array
  start: number
  /** for each slot the number of the record that last had its key */
  readonly seen: Uint32Array
  record: number
  /** the first slot whose feature is no number; −1 where all are */
  unreadable: number
}

/** Reads one record at the cursor. Throws AvroBytesError. */
export type AlertReader = (cursor: AvroCursor, into: AlertSlots) => void

/** Which names of a record mean what. */
interface AlertNames {
  readonly oid: string
  readonly candid: string
  readonly features: string
  /** feature → slot */
  readonly slotOf: ReadonlyMap<string, number>
}

/** stands for a value that can be no id */
const noId = Object.freeze({})
/** more alerts than any object has */
const mostIds = 100_000

/** @throws AvroSchemaError for a schema that is no record */
export function compileAlertReader(schemaText: string, names: AlertNames): AlertReader {
  const schema = parseAvroSchema(schemaText)
  if (schema.kind !== 'record') throw new AvroSchemaError('the schema is no record')
  const steps = schema.fields
    .filter((field) => hasWork(field, names))
    .map(({ name, type }) => stepOf(name, type, names))
  return (cursor, into) => {
    for (const step of steps) step(cursor, into)
  }
}

/** Fields without bytes that nobody asks for are left out: a schema may have more of them than a record has bytes. */
function hasWork({ name, type }: AvroRecord['fields'][number], { oid, candid, features }: AlertNames): boolean {
  return !isEmpty(type) || name === oid || name === candid || name === features
}

function stepOf(name: string, type: AvroType, names: AlertNames): AlertReader {
  if (name !== names.oid && name !== names.candid) {
    return name === names.features ? compileFeatures(type, names.slotOf) : compileSkip(type)
  }
  if (name === names.oid) {
    const read = compileValue(type, false)
    return (cursor, into) => void (into.oid = read(cursor))
  }
  const read = compileValue(type, true)
  return (cursor, into) => void (into.candid = read(cursor))
}

function compileFeatures(type: AvroType, slotOf: ReadonlyMap<string, number>): AlertReader {
  if (type.kind === 'record') return compileFeatureRecord(type, slotOf)
  if (type.kind === 'map') return compileFeatureMap(type.items, slotOf)
  if (type.kind !== 'union') return compileSkip(type)
  const branches = type.branches.map((branch) => compileFeatures(branch, slotOf))
  return (cursor, into) => branchOf(branches, cursor)(cursor, into)
}

// What a union's branch or a plain field holds, as the loop over features needs it: a number it can switch on.
const isNull = 0
const isFloat = 1
const isDouble = 2
const isInteger = 3
const isBoolean = 4
const isOther = 5

const codes: Partial<Record<AvroType['kind'], number>> = {
  null: isNull,
  float: isFloat,
  double: isDouble,
  integer: isInteger,
  boolean: isBoolean,
}

/** A number field: the codes of its branches, or its own code if it is no union. */
interface NumberField {
  readonly slot: number
  readonly isUnion: boolean
  readonly codes: readonly number[]
  readonly skips: readonly Skip[]
}

function numberField(type: AvroType, slot: number): NumberField {
  const branches = type.kind === 'union' ? type.branches : [type]
  const skips = branches.map(compileSkip)
  return { slot, isUnion: type.kind === 'union', codes: branches.map(({ kind }) => codes[kind] ?? isOther), skips }
}

function compileFeatureRecord(type: AvroRecord, slotOf: ReadonlyMap<string, number>): AlertReader {
  const known = type.fields.filter((field) => !isEmpty(field.type) || slotOf.has(field.name))
  const fields = known.map((field) => numberField(field.type, slotOf.get(field.name) ?? -1))
  return (cursor, into) => {
    into.hasFeatures = true
    for (const field of fields) readNumber(cursor, into, field, field.slot)
  }
}

function compileFeatureMap(items: AvroType, slotOf: ReadonlyMap<string, number>): AlertReader {
  const field = numberField(items, -1)
  return (cursor, into) => {
    into.hasFeatures = true
    eachBlock(cursor, (count) =>
      eachItem(cursor, count, () => readNumber(cursor, into, field, slotOf.get(cursor.readText()) ?? -1)),
    )
  }
}

function readNumber(cursor: AvroCursor, into: AlertSlots, field: NumberField, slot: number): void {
  const branch = field.isUnion ? cursor.readInteger() : 0
  let value: number
  switch (field.codes[branch]) {
    case isNull:
      value = NaN
      break
    case isFloat:
      value = cursor.readFloat()
      break
    case isDouble:
      value = cursor.readDouble()
      break
    case isInteger:
      value = cursor.readInteger()
      break
    case isBoolean:
      value = cursor.readBoolean() ? 1 : 0
      break
    case undefined:
      throw new AvroBytesError('a union has no such branch')
    default:
      field.skips[branch]!(cursor)
      if (slot >= 0 && (into.unreadable < 0 || slot < into.unreadable)) into.unreadable = slot
      value = NaN
  }
  if (slot < 0) return
  into.values[into.start + slot] = value
  into.seen[slot] = into.record
}

/** An id of any type that ids come in, or a list of them where that may be. */
function compileValue(type: AvroType, mayBeList: boolean): (cursor: AvroCursor) => unknown {
  if (type.kind === 'text') return (cursor) => cursor.readText()
  if (type.kind === 'integer') return (cursor) => cursor.readLong()
  if (type.kind === 'null') return () => null
  if (type.kind === 'union') {
    const branches = type.branches.map((branch) => compileValue(branch, mayBeList))
    return (cursor) => branchOf(branches, cursor)(cursor)
  }
  if (type.kind === 'array' && mayBeList) return compileList(type.items)
  const skip = compileSkip(type)
  return (cursor) => {
    skip(cursor)
    return noId
  }
}

function compileList(type: AvroType): (cursor: AvroCursor) => unknown[] {
  const item = compileValue(type, false)
  // items without bytes are all alike, and may be any number: one stands for them
  const most = isEmpty(type) ? 1 : mostIds
  return (cursor) => {
    const items: unknown[] = []
    eachBlock(cursor, (count) => {
      if (most === 1) return void (items[0] = item(cursor))
      if (items.length + count > most) throw new AvroBytesError(`a list of more than ${most} ids`)
      eachItem(cursor, count, () => items.push(item(cursor)))
    })
    return items
  }
}
