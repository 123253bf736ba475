// A schema → a reader of its records: ids as values, features straight into an array, everything else passed over.
import { AvroBytesError, type AvroCursor, branchOf, compileSkip, eachBlock, eachItem, isEmpty } from './cursor.ts'
import { compileDetections, compileNumber, type DetectionTally } from './detection-reader.ts'
import { compileFeatures, type FeatureSlots } from './feature-reader.ts'
import type { AvroRecord, AvroType } from './schema.ts'

/** Where the values of one record go. Begun anew for each record by whoever owns it. */
export interface AlertSlots extends DetectionTally, FeatureSlots {
  oid: unknown
  candid: unknown
  /** what the record itself says about its newest detection; NaN where it does not */
  mjd: number
}

/** Slots for so many features. */
export function newAlertSlots(width: number): AlertSlots {
  const numbers = { values: new Float64Array(width), start: 0, seen: new Uint32Array(width), record: 0, unreadable: -1 }
  const times = { mjd: NaN, lastMjd: NaN, detections: 0 }
  return { oid: undefined, candid: undefined, hasFeatures: false, ...numbers, ...times }
}

/** Makes the slots ready for the next record. */
export function beginAlert(slots: AlertSlots): void {
  slots.oid = undefined
  slots.candid = undefined
  slots.hasFeatures = false
  slots.mjd = NaN
  slots.lastMjd = NaN
  slots.detections = 0
  slots.unreadable = -1
  slots.record = (slots.record + 1) >>> 0
  if (slots.record > 0) return
  slots.seen.fill(0)
  slots.record = 1
}

/** When the object was last seen: as the record itself says, else as its detections do; NaN if nobody does. */
export function mjdOf({ mjd, lastMjd }: AlertSlots): number {
  return Number.isFinite(mjd) ? mjd : lastMjd
}

/** Reads one record at the cursor. Throws AvroBytesError. */
export type AlertReader = (cursor: AvroCursor, into: AlertSlots) => void

/** Which names of a record mean what. */
export interface AlertNames {
  readonly oid: string
  readonly candid: string
  /** undefined: nobody wants to know when an object was last seen */
  readonly mjd?: string | undefined
  readonly features: string
  /** the field of the list of detections; undefined: it is passed over */
  readonly detections?: string | undefined
  /** feature → slot */
  readonly slotOf: ReadonlyMap<string, number>
  /** for bare data, which nothing but its bytes says to be of this schema: refuses what no writer writes (see `compileSkip`) */
  readonly isStrict?: boolean
}

/** stands for a value that can be no id */
const noId = Object.freeze({})
/** more alerts than any object has */
const mostIds = 100_000

/** A reader of such records. */
export function compileAlertReader(record: AvroRecord, names: AlertNames): AlertReader {
  const steps = record.fields
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
  const { oid, candid, mjd, features, detections, isStrict = false } = names
  if (name === oid) {
    const read = compileValue(type, false, isStrict)
    if (!isStrict) return (cursor, into) => void (into.oid = read(cursor))
    return (cursor, into) => void (into.oid = checkedOid(read(cursor)))
  }
  if (name === candid) {
    const read = compileValue(type, true, isStrict)
    return (cursor, into) => void (into.candid = read(cursor))
  }
  if (name === features) return compileFeatures(type, names.slotOf, isStrict)
  if (name === mjd) {
    const read = compileNumber(type, isStrict)
    return (cursor, into) => void (into.mjd = read(cursor))
  }
  return name === detections ? compileDetections(type, isStrict) : compileSkip(type, isStrict)
}

const controlCharacter = /\p{Cc}/u

/** At once, before anything else is read: most bytes of another schema have no oid where this one has it. */
function checkedOid(oid: unknown): unknown {
  if (oid === '' || oid === null) throw new AvroBytesError('its oid is empty')
  if (typeof oid === 'string' && controlCharacter.test(oid)) throw new AvroBytesError('its oid is no text')
  return oid
}

/** An id of any type that ids come in, or a list of them where that may be. */
function compileValue(type: AvroType, mayBeList: boolean, isStrict: boolean): (cursor: AvroCursor) => unknown {
  if (type.kind === 'text') return isStrict ? (cursor) => cursor.readStrictText() : (cursor) => cursor.readText()
  if (type.kind === 'integer') return (cursor) => cursor.readLong()
  if (type.kind === 'null') return () => null
  if (type.kind === 'union') {
    const branches = type.branches.map((branch) => compileValue(branch, mayBeList, isStrict))
    return (cursor) => branchOf(branches, cursor)(cursor)
  }
  if (type.kind === 'array' && mayBeList) return compileList(type.items, isStrict)
  const skip = compileSkip(type, isStrict)
  return (cursor) => {
    skip(cursor)
    return noId
  }
}

function compileList(type: AvroType, isStrict: boolean): (cursor: AvroCursor) => unknown[] {
  const item = compileValue(type, false, isStrict)
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
