// The opcodes that push a number, a text or bytes.
import type { ByteCursor } from './byte-cursor.ts'
import { Op } from './opcodes.ts'
import { readFloatText, readIntegerText, readLong, readQuoted, readRawUnicode } from './text-forms.ts'
import type { PyValue } from './values.ts'

const longestLong = 1024

/** The value that an opcode pushes; undefined for an opcode that does something else. */
export function readPlainValue(cursor: ByteCursor, opcode: number): PyValue | undefined {
  switch (opcode) {
    case Op.NONE:
      return null
    case Op.NEWTRUE:
      return true
    case Op.NEWFALSE:
      return false
    case Op.BININT:
      return cursor.int32()
    case Op.BININT1:
      return cursor.uint8()
    case Op.BININT2:
      return cursor.uint16()
    case Op.LONG1:
      return readLong(cursor.view(cursor.uint8()))
    case Op.LONG4:
      return readLong4(cursor)
    case Op.BINFLOAT:
      return cursor.float64()
    case Op.INT:
    case Op.LONG:
      return readIntegerLine(cursor, opcode)
    case Op.FLOAT:
      return parsed(cursor, readFloatText(readTextLine(cursor)), 'a float')
    case Op.SHORT_BINBYTES:
      return cursor.view(cursor.uint8())
    case Op.BINBYTES:
      return cursor.view(cursor.uint32())
    case Op.BINBYTES8:
    case Op.BYTEARRAY8:
      return cursor.view(cursor.length64())
    case Op.SHORT_BINUNICODE:
      return cursor.utf8(cursor.uint8())
    case Op.BINUNICODE:
      return cursor.utf8(cursor.uint32())
    case Op.BINUNICODE8:
      return cursor.utf8(cursor.length64())
    // Python 2's byte strings; its pickles of numpy arrays are Latin-1, as numpy itself reads them
    case Op.SHORT_BINSTRING:
      return cursor.latin1(cursor.uint8())
    case Op.BINSTRING:
      return cursor.latin1(cursor.uint32())
    case Op.STRING:
      return parsed(cursor, readQuoted(cursor.longLine()), 'a quoted string')
    case Op.UNICODE:
      return parsed(cursor, readRawUnicode(cursor.longLine()), 'a text')
    default:
      return undefined
  }
}

/** The memo index of GET and PUT, which is a line of text. */
export function readIndex(cursor: ByteCursor): number {
  return Number(parsed(cursor, readIntegerText(readTextLine(cursor)), 'a memo index'))
}

function readTextLine(cursor: ByteCursor): string {
  return cursor.line().toString('latin1').trim()
}

function readIntegerLine(cursor: ByteCursor, opcode: number): boolean | number | bigint {
  const text = readTextLine(cursor)
  if (opcode === Op.INT && (text === '00' || text === '01')) return text === '01'
  return parsed(cursor, readIntegerText(text), 'an integer')
}

function readLong4(cursor: ByteCursor): number | bigint {
  const length = cursor.uint32()
  const bytes = cursor.view(length)
  if (length > longestLong) throw cursor.error(`holds an integer of ${length} bytes`)
  return readLong(bytes)
}

function parsed<T>(cursor: ByteCursor, value: T | undefined, what: string): T {
  if (value === undefined) throw cursor.error(`holds ${what} that cannot be read`)
  return value
}
