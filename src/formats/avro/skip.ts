// Passing over values of any Avro type.
import { AvroBytesError, type AvroCursor } from './cursor.ts'
import type { AvroType } from './schema.ts'

/** Moves the cursor behind a value. Throws AvroBytesError. */
export type Skip = (cursor: AvroCursor) => void

/** What was made of each type so far: a schema may use one type in many places, and within itself. */
export interface Compiled {
  readonly skips: Map<AvroType, Skip>
  readonly empty: Map<AvroType, boolean>
}

/** A reader that passes over a value of this type. */
export function compileSkip(type: AvroType, compiled: Compiled): Skip {
  const known = compiled.skips.get(type)
  if (known) return known
  // a schema may name a type within itself
  compiled.skips.set(type, (cursor) => compiled.skips.get(type)!(cursor))
  const skip = newSkip(type, compiled)
  compiled.skips.set(type, skip)
  return skip
}

function newSkip(type: AvroType, compiled: Compiled): Skip {
  // not only faster: records of empty records can have more fields than can be walked in a lifetime
  if (isEmpty(type, compiled)) return () => undefined
  switch (type.kind) {
    case 'null':
      return () => undefined
    case 'boolean':
      return (cursor) => cursor.skip(1)
    case 'integer':
    case 'enum':
      return (cursor) => cursor.skipInteger()
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
      const branches = type.branches.map((branch) => compileSkip(branch, compiled))
      return (cursor) => branchOf(branches, cursor)(cursor)
    }
    case 'record': {
      const fields = type.fields.map((field) => compileSkip(field.type, compiled))
      return (cursor) => {
        for (const skip of fields) skip(cursor)
      }
    }
    case 'array':
      return skipItems(compileSkip(type.items, compiled), isEmpty(type.items, compiled))
    case 'map': {
      const item = compileSkip(type.items, compiled)
      const entry: Skip = (cursor) => {
        cursor.skip(cursor.readLength())
        item(cursor)
      }
      return skipItems(entry, false)
    }
  }
}

function skipItems(item: Skip, isEmptyItem: boolean): Skip {
  return (cursor) =>
    eachBlock(cursor, (count, size) => {
      if (size !== undefined) return cursor.skip(size)
      // items of no bytes could be any number: there is nothing to pass over
      if (isEmptyItem) return
      if (count > cursor.remaining) throw new AvroBytesError('it ends too early')
      for (let i = 0; i < count; i++) item(cursor)
    })
}

/** Calls for each block of an array or a map, with the number of its items and, where it says so, its size in bytes. */
export function eachBlock(cursor: AvroCursor, read: (count: number, size: number | undefined) => void): void {
  for (;;) {
    const count = cursor.readInteger()
    if (count === 0) return
    if (count > 0) read(count, undefined)
    else {
      const size = cursor.readLength()
      const end = cursor.position + size
      read(-count, size)
      if (cursor.position !== end) throw new AvroBytesError('a block has another size than it says')
    }
  }
}

/** Whether a value of the type has no bytes at all. */
function isEmpty(type: AvroType, compiled: Compiled): boolean {
  if (type.kind === 'null') return true
  if (type.kind === 'fixed') return type.size === 0
  if (type.kind !== 'record') return false
  const known = compiled.empty.get(type)
  if (known !== undefined) return known
  // a record that contains itself has no end, so it is not empty
  compiled.empty.set(type, false)
  const empty = type.fields.every((field) => isEmpty(field.type, compiled))
  compiled.empty.set(type, empty)
  return empty
}

export function branchOf<Branch>(branches: readonly Branch[], cursor: AvroCursor): Branch {
  const branch = branches[cursor.readInteger()]
  if (branch === undefined) throw new AvroBytesError('a union has no such branch')
  return branch
}
