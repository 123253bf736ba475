// The features of a record, a record or a map of numbers, → an array, each at its slot.
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
import type { AvroRecord, AvroType } from './schema.ts'

/** Where features go. Begun anew for each record by whoever owns it. */
export interface FeatureSlots {
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

type FeatureReader = (cursor: AvroCursor, into: FeatureSlots) => void

/** A reader of features of this type; a type that has none is passed over. */
export function compileFeatures(type: AvroType, slotOf: ReadonlyMap<string, number>, isStrict: boolean): FeatureReader {
  if (type.kind === 'record') return compileFeatureRecord(type, slotOf, isStrict)
  if (type.kind === 'map') return compileFeatureMap(type.items, slotOf, isStrict)
  if (type.kind !== 'union') return compileSkip(type, isStrict)
  const branches = type.branches.map((branch) => compileFeatures(branch, slotOf, isStrict))
  return (cursor, into) => branchOf(branches, cursor)(cursor, into)
}

// What a union's branch or a plain field holds, as the loop over features needs it: a number it can switch on.
const isNull = 0
const isFloat = 1
const isDouble = 2
const isInteger = 3
const isBoolean = 4
const isStrictBoolean = 5
const isOther = 6

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

function numberField(type: AvroType, slot: number, isStrict: boolean): NumberField {
  const branches = type.kind === 'union' ? type.branches : [type]
  const skips = branches.map((branch) => compileSkip(branch, isStrict))
  const codeOf = ({ kind }: AvroType): number =>
    isStrict && kind === 'boolean' ? isStrictBoolean : (codes[kind] ?? isOther)
  return { slot, isUnion: type.kind === 'union', codes: branches.map(codeOf), skips }
}

function compileFeatureRecord(type: AvroRecord, slotOf: ReadonlyMap<string, number>, isStrict: boolean): FeatureReader {
  const known = type.fields.filter((field) => !isEmpty(field.type) || slotOf.has(field.name))
  const fields = known.map((field) => numberField(field.type, slotOf.get(field.name) ?? -1, isStrict))
  const slots = Int32Array.from(fields, ({ slot }) => slot)
  const [first, second] = [0, 1].map((branch) => Uint8Array.from(fields, ({ codes }) => codes[branch] ?? isOther))
  const areUnions = fields.every(({ isUnion }) => isUnion)
  return (cursor, into) => {
    into.hasFeatures = true
    if (areUnions) readUnions(cursor, into, { fields, slots, first: first!, second: second! })
    else for (const field of fields) readNumber(cursor, into, field, field.slot)
  }
}

/** Fields that are unions; of their first two branches the codes. */
interface UnionFields {
  readonly fields: readonly NumberField[]
  readonly slots: Int32Array
  readonly first: Uint8Array
  readonly second: Uint8Array
}

/**
 * The same as `readNumber` for each, in one loop without calls for what alerts hold: null and floats. A number that leaves
 * a function costs memory, and there are some two hundred a message.
 */
function readUnions(cursor: AvroCursor, into: FeatureSlots, { fields, slots, first, second }: UnionFields): void {
  const { bytes, view, end } = cursor
  const { values, start, seen, record } = into
  let { position } = cursor
  for (let f = 0; f < slots.length; f++) {
    const branch = position < end ? bytes[position]! : -1
    const code = branch === 0 ? first[f]! : branch === 2 ? second[f]! : isOther
    const slot = slots[f]!
    if (code === isNull) {
      position++
      if (slot >= 0) values[start + slot] = NaN
    } else if (code === isFloat && end - position > 4) {
      if (slot >= 0) values[start + slot] = view.getFloat32(position + 1, true)
      position += 5
    } else if (code === isDouble && end - position > 8) {
      if (slot >= 0) values[start + slot] = view.getFloat64(position + 1, true)
      position += 9
    } else {
      cursor.position = position
      readNumber(cursor, into, fields[f]!, slot)
      position = cursor.position
      continue
    }
    if (slot >= 0) seen[slot] = record
  }
  cursor.position = position
}

function compileFeatureMap(items: AvroType, slotOf: ReadonlyMap<string, number>, isStrict: boolean): FeatureReader {
  const field = numberField(items, -1, isStrict)
  return (cursor, into) => {
    into.hasFeatures = true
    eachBlock(cursor, (count) =>
      eachItem(cursor, count, () => readNumber(cursor, into, field, slotOf.get(cursor.readText()) ?? -1)),
    )
  }
}

function readNumber(cursor: AvroCursor, into: FeatureSlots, field: NumberField, slot: number): void {
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
    case isStrictBoolean:
      value = cursor.readStrictBoolean() ? 1 : 0
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
