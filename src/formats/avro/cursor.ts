// Reads Avro's binary encoding forward, never beyond its end.
import { isUtf8 } from 'node:buffer'
import type { AvroRecord, AvroType } from './schema.ts'

/** Bytes that are no Avro by the schema they claim to have. */
export class AvroBytesError extends Error {}

/** A place in some bytes. Every read checks that the bytes are there: what comes from outside may claim any length. */
export class AvroCursor {
  /** for loops over many values, which check for themselves that the bytes are there */
  bytes: Uint8Array = new Uint8Array(0)
  view = new DataView(this.bytes.buffer)
  /** of the next byte to read, in the bytes */
  position = 0
  /** exclusive */
  end = 0

  /** Begins anew at `position`, to read up to `end` (exclusive). */
  reset(bytes: Uint8Array, position: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.position = position
    this.end = Math.min(end, bytes.byteLength)
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** An int or a long as a number: exact up to 2^53, the nearest float64 beyond. */
  readInteger(): number {
    const first = this.byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let value = first & 0x7f
    let scale = 128
    for (let length = 1; length < 5; length++) {
      const next = this.byte()
      value += (next & 0x7f) * scale
      if (next < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    this.position -= 5
    return Number(this.readLong())
  }

  /** A long with all its bits. */
  readLong(): bigint {
    let low = 0
    let high = 0
    for (let length = 0; length < 10; length++) {
      const next = this.byte()
      const bits = next & 0x7f
      // 28 bits in the low word, then the rest: both stay exact as numbers
      if (length < 4) low += bits * 2 ** (7 * length)
      else high += bits * 2 ** (7 * (length - 4))
      if (next >= 0x80) continue
      const zigzag = BigInt.asUintN(64, (BigInt(high) << 28n) | BigInt(low))
      return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n))
    }
    throw new AvroBytesError('an integer has no end')
  }

  /** A length or a number of items: never negative, never more than the bytes that are left can hold. */
  readLength(): number {
    const length = this.readInteger()
    if (length < 0) throw new AvroBytesError('a length is negative')
    if (length > this.remaining) throw new AvroBytesError('it ends too early')
    return length
  }

  readFloat(): number {
    const at = this.take(4)
    return this.view.getFloat32(at, true)
  }

  readDouble(): number {
    const at = this.take(8)
    return this.view.getFloat64(at, true)
  }

  readBoolean(): boolean {
    return this.byte() !== 0
  }

  /** A byte that no writer writes for a boolean is refused. */
  readStrictBoolean(): boolean {
    const byte = this.byte()
    if (byte > 1) throw new AvroBytesError('a boolean is neither 0 nor 1')
    return byte === 1
  }

  /** An integer outside of `least` to `most`, which no writer writes for its type, is refused. */
  skipIntegerWithin(least: number, most: number): void {
    const value = this.readInteger()
    if (value < least || value > most) throw new AvroBytesError('an integer is outside of its type')
  }

  /** What is no UTF-8 is refused, not replaced. */
  readStrictText(): string {
    const text = this.readBytes(this.readLength())
    if (!isUtf8(text)) throw new AvroBytesError('a text is not UTF-8')
    return Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8')
  }

  readText(): string {
    const length = this.readLength()
    const at = this.take(length)
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, length).toString('utf8')
  }

  /** The next bytes, not copied. */
  readBytes(length: number): Uint8Array {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  skip(length: number): void {
    this.take(length)
  }

  skipInteger(): void {
    for (let length = 0; length < 10; length++) if (this.byte() < 0x80) return
    throw new AvroBytesError('an integer has no end')
  }

  private byte(): number {
    if (this.position >= this.end) throw new AvroBytesError('it ends too early')
    return this.bytes[this.position++]!
  }

  private take(length: number): number {
    const at = this.position
    if (length > this.end - at) throw new AvroBytesError('it ends too early')
    this.position = at + length
    return at
  }
}

/** Moves the cursor behind a value. Throws AvroBytesError. */
export type Skip = (cursor: AvroCursor) => void

/** What was made of each type so far: a schema may use one type in many places, and within itself. */
const skips = { usual: new WeakMap<AvroType, Skip>(), strict: new WeakMap<AvroType, Skip>() }
const empties = new WeakMap<AvroType, boolean>()

/**
 * A reader that passes over a value of this type.
 *
 * @param isStrict for bytes with nothing around them that says which schema they are of: walks through blocks whose size is
 * said, and refuses whatever no writer of the type writes, so that little of another schema passes
 */
export function compileSkip(type: AvroType, isStrict = false): Skip {
  const made = isStrict ? skips.strict : skips.usual
  const known = made.get(type)
  if (known) return known
  // a schema may name a type within itself
  made.set(type, (cursor) => made.get(type)!(cursor))
  const skip = newSkip(type, isStrict)
  made.set(type, skip)
  return skip
}

function newSkip(type: AvroType, isStrict: boolean): Skip {
  // not only faster: records of empty records can have more fields than can be walked in a lifetime
  if (isEmpty(type)) return () => undefined
  switch (type.kind) {
    case 'null':
      return () => undefined
    case 'boolean':
      return isStrict ? (cursor) => void cursor.readStrictBoolean() : (cursor) => cursor.skip(1)
    case 'integer':
      return isStrict && type.bits === 32
        ? (cursor) => cursor.skipIntegerWithin(-(2 ** 31), 2 ** 31 - 1)
        : (cursor) => cursor.skipInteger()
    case 'enum':
      return isStrict ? (cursor) => cursor.skipIntegerWithin(0, type.symbolCount - 1) : (cursor) => cursor.skipInteger()
    case 'float':
      return (cursor) => cursor.skip(4)
    case 'double':
      return (cursor) => cursor.skip(8)
    case 'text':
    case 'bytes':
      return (cursor) => cursor.skip(cursor.readLength())
    case 'fixed':
      return (cursor) => cursor.skip(type.size)
    case 'union': {
      const branches = type.branches.map((branch) => compileSkip(branch, isStrict))
      return (cursor) => branchOf(branches, cursor)(cursor)
    }
    case 'record':
      return skipFields(type.fields, isStrict)
    case 'array':
      return skipItems(compileSkip(type.items, isStrict), isEmpty(type.items), isStrict)
    case 'map': {
      const item = compileSkip(type.items, isStrict)
      const entry: Skip = (cursor) => {
        cursor.skip(cursor.readLength())
        item(cursor)
      }
      return skipItems(entry, false, isStrict)
    }
  }
}

/** Every step costs a byte: fields of none are left out, and a record of one field is that field. */
function skipFields(fields: AvroRecord['fields'], isStrict: boolean): Skip {
  const steps = fields.filter(({ type }) => !isEmpty(type)).map(({ type }) => compileSkip(type, isStrict))
  if (steps.length === 1) return steps[0]!
  return (cursor) => {
    for (const skip of steps) skip(cursor)
  }
}

function skipItems(item: Skip, isEmptyItem: boolean, isStrict: boolean): Skip {
  return (cursor) =>
    eachBlock(cursor, (count, size) => {
      if (size !== undefined && !isStrict) return cursor.skip(size)
      // items of no bytes could be any number: there is nothing to pass over
      if (!isEmptyItem) eachItem(cursor, count, item)
    })
}

/** Calls for each block of an array or a map, with the number of its items and, where it says so, its size in bytes. */
export function eachBlock(cursor: AvroCursor, read: (count: number, size: number | undefined) => void): void {
  for (let count = cursor.readInteger(); count !== 0; count = cursor.readInteger()) {
    if (count > 0) {
      read(count, undefined)
      continue
    }
    const size = cursor.readLength()
    const end = cursor.position + size
    read(-count, size)
    if (cursor.position !== end) throw new AvroBytesError('a block has another size than it says')
  }
}

/** Calls for each item of a block. An item is at least a byte, so the count cannot run ahead of the bytes. */
export function eachItem(cursor: AvroCursor, count: number, read: (cursor: AvroCursor) => void): void {
  if (count > cursor.remaining) throw new AvroBytesError('it ends too early')
  for (let i = 0; i < count; i++) read(cursor)
}

/** Whether a value of the type has no bytes at all, so that there may be any number of them. */
export function isEmpty(type: AvroType): boolean {
  if (type.kind === 'null') return true
  if (type.kind === 'fixed') return type.size === 0
  if (type.kind !== 'record') return false
  const known = empties.get(type)
  if (known !== undefined) return known
  // a record that contains itself has no end, so it is not empty
  empties.set(type, false)
  const empty = type.fields.every((field) => isEmpty(field.type))
  empties.set(type, empty)
  return empty
}

/** What stands for the branch that a union's value is of. */
export function branchOf<Branch>(branches: readonly Branch[], cursor: AvroCursor): Branch {
  const branch = branches[cursor.readInteger()]
  if (branch === undefined) throw new AvroBytesError('a union has no such branch')
  return branch
}
