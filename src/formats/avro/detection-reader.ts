// The detections of a record → how many there are, and when the newest was; nothing else of them is read.
import { type AvroCursor, branchOf, compileSkip, eachBlock, eachItem, isEmpty, type Skip } from './cursor.ts'
import type { AvroRecord, AvroType } from './schema.ts'

/** What the detections of one object come to. Begun anew for each record by whoever owns it. */
export interface DetectionTally {
  /** MJD of the newest, forced ones included; NaN while none has said when it was */
  lastMjd: number
  /** how many are not forced */
  detections: number
}

type DetectionReader = (cursor: AvroCursor, into: DetectionTally) => void

/** A reader of a list of records, or of null; values of any other type have no detections. */
export function compileDetections(type: AvroType, isStrict: boolean): DetectionReader {
  if (type.kind === 'union') return eitherOf(type.branches, compileDetections, isStrict)
  if (type.kind !== 'array' || isEmpty(type.items)) return compileSkip(type, isStrict)
  const item = compileDetection(type.items, isStrict)
  return (cursor, into) => eachBlock(cursor, (count) => eachItem(cursor, count, () => item(cursor, into)))
}

function compileDetection(type: AvroType, isStrict: boolean): DetectionReader {
  if (type.kind === 'union') return eitherOf(type.branches, compileDetection, isStrict)
  if (type.kind !== 'record') return compileSkip(type, isStrict)
  const steps = stepsOf(type, isStrict)
  return (cursor, into) => {
    into.detections++
    for (const step of steps) step(cursor, into)
  }
}

function eitherOf(
  types: readonly AvroType[],
  compile: (type: AvroType, isStrict: boolean) => DetectionReader,
  isStrict: boolean,
): DetectionReader {
  const branches = types.map((branch) => compile(branch, isStrict))
  return (cursor, into) => branchOf(branches, cursor)(cursor, into)
}

/** Fields that nobody asks for are passed over together. */
function stepsOf({ fields }: AvroRecord, isStrict: boolean): DetectionReader[] {
  const steps: DetectionReader[] = []
  let passed: AvroRecord['fields'] = []
  const pass = (): void => {
    if (passed.length > 0) steps.push(compileSkip({ kind: 'record', fields: passed }, isStrict))
    passed = []
  }
  for (const field of fields) {
    const { name, type } = field
    if (name !== 'mjd' && name !== 'forced') {
      passed.push(field)
      continue
    }
    pass()
    steps.push(name === 'mjd' ? compileMjd(type, isStrict) : compileForced(type, isStrict))
  }
  pass()
  return steps
}

function compileMjd(type: AvroType, isStrict: boolean): DetectionReader {
  const read = compileNumber(type, isStrict)
  return (cursor, into) => {
    into.lastMjd = newest(into.lastMjd, read(cursor))
  }
}

/** The later of two MJDs; what is not a finite number is none. */
export function newest(known: number, mjd: number): number {
  return Number.isFinite(mjd) && !(mjd <= known) ? mjd : known
}

function compileForced(type: AvroType, isStrict: boolean): DetectionReader {
  if (type.kind === 'union') return eitherOf(type.branches, compileForced, isStrict)
  if (type.kind === 'boolean') {
    return (cursor, into) => {
      if (isStrict ? cursor.readStrictBoolean() : cursor.readBoolean()) into.detections--
    }
  }
  return compileSkip(type, isStrict)
}

/** A number of any type; NaN for a value that is none. */
export function compileNumber(type: AvroType, isStrict: boolean): (cursor: AvroCursor) => number {
  if (type.kind === 'double') return (cursor) => cursor.readDouble()
  if (type.kind === 'float') return (cursor) => cursor.readFloat()
  if (type.kind === 'integer') return (cursor) => cursor.readInteger()
  if (type.kind === 'union') {
    const branches = type.branches.map((branch) => compileNumber(branch, isStrict))
    return (cursor) => branchOf(branches, cursor)(cursor)
  }
  const skip: Skip = compileSkip(type, isStrict)
  return (cursor) => {
    skip(cursor)
    return NaN
  }
}
