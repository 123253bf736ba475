// The columns of a FITS table: what each holds, and how a cell of a row is read (FITS Standard 4.0, sections 7.2 and 7.3).
import { DataError } from '../../errors.ts'
import { shownText } from '../shown-text.ts'
import { readNumberText } from '../text-values.ts'
import { type IdCell, type NumberCell, type TypedColumn, withoutFill } from '../typed-table.ts'
import type { FitsHeader } from './header.ts'

/** `at`: where the cell begins in the bytes. */
export interface FitsColumn extends TypedColumn {
  /** of the cell in its row */
  readonly start: number
  readonly number: (bytes: Buffer, at: number) => NumberCell
  readonly id: (bytes: Buffer, at: number) => IdCell
}

/** The standard's own bound. */
const mostColumns = 999

/** bytes of one element, by the letter of TFORM; X is a bit */
const widths: Readonly<Record<string, number>> = {
  L: 1,
  B: 1,
  I: 2,
  J: 4,
  K: 8,
  A: 1,
  E: 4,
  D: 8,
  C: 8,
  M: 16,
  P: 8,
  Q: 16,
}

/**
 * The columns of a BINTABLE or a TABLE.
 *
 * @throws DataError for a header that does not describe rows of its own length
 */
export function fitsColumns(header: FitsHeader): FitsColumn[] {
  const count = header.integer('TFIELDS', 0)
  if (count > mostColumns) {
    throw new DataError(`${header.where}: TFIELDS is ${count}, and a FITS table has ${mostColumns} columns at most`)
  }
  const rowLength = header.integer('NAXIS1', 0)
  const places = Array.from({ length: count }, (_, i) => i + 1)
  if (header.text('XTENSION') === 'TABLE') return places.map((n) => textColumn(header, n, rowLength))
  let start = 0
  const columns = places.map((n) => {
    const column = binaryColumn(header, n, start)
    start += column.length
    return column
  })
  if (start !== rowLength) {
    throw new DataError(`${header.where}: its columns take ${start} bytes a row, and NAXIS1 says ${rowLength}`)
  }
  return columns
}

function nameOf(header: FitsHeader, n: number): string {
  return header.text(`TTYPE${n}`) ?? `col${n}`
}

function formOf(header: FitsHeader, n: number): string {
  const form = header.text(`TFORM${n}`)
  if (form === undefined) throw new DataError(`${header.where}: its header lacks TFORM${n}`)
  return form
}

function badForm(header: FitsHeader, n: number): DataError {
  return new DataError(`${header.where}: TFORM${n} is ${shownText(formOf(header, n))}, which is no form of a column`)
}

function binaryColumn(header: FitsHeader, n: number, start: number): FitsColumn & { readonly length: number } {
  const typeName = formOf(header, n)
  const [, digits, letter = '', rest = ''] = /^ *(\d*)([LXBIJKAEDCMPQ])(.*)$/.exec(typeName) ?? []
  if (digits === undefined) throw badForm(header, n)
  const repeat = digits === '' ? 1 : Number(digits)
  const length = letter === 'X' ? Math.ceil(repeat / 8) : repeat * widths[letter]!
  if (!Number.isSafeInteger(length)) throw badForm(header, n)
  const common = { name: nameOf(header, n), typeName, start, length }
  if (letter === 'A') return { ...common, ...(isOneText(header, n, repeat, rest) ? textCells(repeat) : unreadable) }
  if (repeat !== 1) return { ...common, ...unreadable }
  if (letter === 'L') return { ...common, ...logicalCells }
  if (letter === 'E' || letter === 'D') return { ...common, ...realCells(header, n, letter) }
  return { ...common, ...('BIJK'.includes(letter) ? integerCells(header, n, letter) : unreadable) }
}

type Cells = Pick<FitsColumn, 'holds' | 'integerType' | 'number' | 'id'>

const unreadable: Cells = { holds: undefined, number: () => NaN, id: () => null }

/** Not an array of texts, by the convention of TFORM or by TDIM. */
function isOneText(header: FitsHeader, n: number, width: number, rest: string): boolean {
  const item = /^(\d+)/.exec(rest)
  const [, ...others] = /^\((.*)\)$/.exec(header.text(`TDIM${n}`) ?? '')?.[1]?.split(',') ?? []
  return width > 0 && (!item || Number(item[1]) >= width) && others.every((length) => Number(length) === 1)
}

/** A zero byte ends a text; blanks at its end are how most programs fill it. */
function textCells(width: number): Cells {
  const text = (bytes: Buffer, at: number): string => {
    const cell = bytes.subarray(at, at + width)
    const end = cell.indexOf(0)
    return withoutFill(cell.toString('utf8', 0, end < 0 ? width : end))
  }
  return { holds: 'text', number: (bytes, at) => numberOfText(text(bytes, at)), id: text }
}

function numberOfText(text: string): NumberCell {
  return readNumberText(text) ?? text
}

/** T, F, and a zero byte for null. */
const logicalCells: Cells = {
  holds: 'logical',
  number: (bytes, at) => (bytes[at] === 0x54 ? 1 : bytes[at] === 0x46 ? 0 : NaN),
  id: () => null,
}

function realCells(header: FitsHeader, n: number, letter: 'E' | 'D'): Cells {
  const { scale, zero } = scalingOf(header, n)
  const stored = (bytes: Buffer, at: number): number =>
    letter === 'E' ? bytes.readFloatBE(at) : bytes.readDoubleBE(at)
  const isPlain = scale === 1 && zero === 0
  return { holds: 'real', number: isPlain ? stored : (bytes, at) => stored(bytes, at) * scale + zero, id: () => null }
}

function scalingOf(header: FitsHeader, n: number) {
  return { scale: header.number(`TSCAL${n}`, 1), zero: header.number(`TZERO${n}`, 0) }
}

const storedIntegers: Readonly<Record<string, (bytes: Buffer, at: number) => number>> = {
  B: (bytes, at) => bytes[at]!,
  I: (bytes, at) => bytes.readInt16BE(at),
  J: (bytes, at) => bytes.readInt32BE(at),
}
/** what 64 bits do not hold, nothing is */
const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n }

/** Moved by a whole number they stay integers: so are unsigned ones stored. Scaled by a fraction they are real. */
function integerCells(header: FitsHeader, n: number, letter: string): Cells {
  const { scale, zero } = scalingOf(header, n)
  const none = header.bigint(`TNULL${n}`)
  const small = storedIntegers[letter]
  const stored = (bytes: Buffer, at: number): bigint => (small ? BigInt(small(bytes, at)) : bytes.readBigInt64BE(at))
  if (scale !== 1 || !Number.isInteger(zero)) {
    const number = (bytes: Buffer, at: number): number => {
      const value = stored(bytes, at)
      return value === none ? NaN : Number(value) * scale + zero
    }
    return { holds: 'real', number, id: () => null }
  }
  const moved = wholeOf(header.text(`TZERO${n}`) ?? '0')
  const id = (bytes: Buffer, at: number): bigint | null => {
    const value = stored(bytes, at)
    return value === none ? null : value + moved
  }
  const noneAsNumber = none === undefined ? NaN : Number(none)
  const quick = (bytes: Buffer, at: number): number => {
    const value = small!(bytes, at)
    return value === noneAsNumber ? NaN : value + zero
  }
  const exact = (bytes: Buffer, at: number): number => Number(id(bytes, at) ?? NaN)
  return { holds: 'integer', integerType: integerTypeOf(letter, moved), number: small ? quick : exact, id }
}

/** Of a number that is whole: every digit, where it is written as an integer. */
function wholeOf(text: string): bigint {
  return BigInt(/^[+-]?\d+$/.test(text) ? text.replace(/^\+/, '') : Number(text.replace('D', 'E')))
}

/** The smallest type that has every value of the column; undefined where 64 bits are too few. */
function integerTypeOf(letter: string, moved: bigint): TypedColumn['integerType'] {
  const bits = BigInt(widths[letter]! * 8)
  const [least, most] = letter === 'B' ? [0n, 255n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
  const [from, to] = [least + moved, most + moved]
  if (from >= -(2n ** 31n) && to < 2n ** 31n) return 'int32'
  if (from >= 0n && to < 2n ** 32n) return 'uint32'
  if (from >= int64.least && to <= int64.most) return 'int64'
  return from >= 0n && to < 2n ** 64n ? 'uint64' : undefined
}

// ASCII tables: every cell is text, at its own place in a line.

function textColumn(header: FitsHeader, n: number, rowLength: number): FitsColumn {
  const typeName = formOf(header, n)
  const [, letter = '', digits, decimals = '0'] = /^ *([AIFED])(\d+)(?:\.(\d+))?/.exec(typeName) ?? []
  if (digits === undefined) throw badForm(header, n)
  const start = header.integer(`TBCOL${n}`, 1) - 1
  const width = Number(digits)
  if (!(start + width <= rowLength)) {
    throw new DataError(`${header.where}: TBCOL${n} and TFORM${n} lead beyond the row of ${rowLength} bytes`)
  }
  const common = { name: nameOf(header, n), typeName, start }
  const none = header.text(`TNULL${n}`)?.trim()
  const { scale, zero } = scalingOf(header, n)
  const text = (bytes: Buffer, at: number): string => {
    const cell = bytes.toString('utf8', at, at + width)
    return cell.trim() === none ? '' : cell.trimEnd()
  }
  const number = (bytes: Buffer, at: number): NumberCell => {
    const cell = text(bytes, at).trim()
    const value = readNumberText(letter === 'A' || letter === 'I' ? cell : withPoint(cell, Number(decimals)))
    if (value === undefined) return cell
    return scale === 1 && zero === 0 ? value : value * scale + zero
  }
  if (letter === 'A') return { ...common, holds: 'text', number, id: text }
  if (letter !== 'I' || scale !== 1 || zero !== 0) return { ...common, holds: 'real', number, id: () => null }
  return { ...common, holds: 'integer', integerType: 'int64', number, id: (bytes, at) => text(bytes, at).trim() }
}

/** Fortran's way: D is an exponent too, and where no point is written it stands before the last decimals. */
function withPoint(cell: string, decimals: number): string {
  const [, whole, exponent = ''] = /^([+-]?\d+)([ED][+-]?\d+)?$/i.exec(cell) ?? []
  const text = cell.replace(/d/i, 'e')
  if (whole === undefined || decimals === 0) return text
  return `${whole}e${-decimals + Number(exponent.slice(1) || 0)}`
}
