// FIELD elements of a VOTable: what each column holds, and how its cells are read from text and from bytes (VOTable 1.4, 2 and 6).
import { readNumberText } from '../text-values.ts'
import { type IdCell, type NumberCell, type TypedColumn, withoutFill } from '../typed-table.ts'

/** A column with its readings. Of bytes, `count` elements begin at `at`. */
export interface VotableField extends TypedColumn {
  readonly fromText: {
    readonly number: (text: string) => NumberCell
    readonly id: (text: string) => IdCell
  }
  readonly fromBytes: {
    /** of one element */
    readonly bits: number
    /** undefined where the number of elements stands before them */
    readonly count: number | undefined
    readonly number: (bytes: Buffer, at: number, count: number) => NumberCell
    readonly id: (bytes: Buffer, at: number, count: number) => IdCell
  }
}

/** What a FIELD element says. */
export interface FieldDeclaration {
  readonly name: string
  readonly datatype: string
  readonly arraysize: string | undefined
  /** of its VALUES: what stands for null */
  readonly none: string | undefined
}

const bitsOf: Readonly<Record<string, number>> = {
  ...{ boolean: 8, bit: 1, unsignedByte: 8, short: 16, int: 32, long: 64, char: 8, unicodeChar: 16 },
  ...{ float: 32, double: 64, floatComplex: 64, doubleComplex: 128 },
}

const integersOf: Readonly<Record<string, (bytes: Buffer, at: number) => number>> = {
  unsignedByte: (bytes, at) => bytes[at]!,
  short: (bytes, at) => bytes.readInt16BE(at),
  int: (bytes, at) => bytes.readInt32BE(at),
}

/** @returns undefined for a type or a size that VOTable does not have */
export function votableField(declared: FieldDeclaration): VotableField | undefined {
  const { name, datatype, arraysize } = declared
  const bits = bitsOf[datatype]
  const size = sizeOf(arraysize)
  if (bits === undefined || !size) return undefined
  const typeName = arraysize === undefined ? datatype : `${datatype}[${arraysize}]`
  const isText = (datatype === 'char' || datatype === 'unicodeChar') && size.axes <= 1
  const cells = isText ? textCells(datatype, size.count) : size.count === 1 ? scalarCells(declared) : noCells
  const { fromText, fromBytes, ...holds } = cells
  return { name, typeName, ...holds, fromText, fromBytes: { bits, count: size.count, ...fromBytes } }
}

/** How many elements a cell has: `3`, `*`, `10*`, `2x3`, `2x*`; undefined for a text that says nothing. */
function sizeOf(arraysize: string | undefined) {
  const text = arraysize?.trim() ?? '1'
  if (!/^(?:\d+x)*(?:\d+|\d*\*)$/.test(text)) return undefined
  const axes = text.split('x')
  if (text.endsWith('*')) return { axes: axes.length, count: undefined }
  const count = axes.reduce((product, axis) => product * Number(axis), 1)
  return Number.isSafeInteger(count) ? { axes: axes.length, count } : undefined
}

interface Cells extends Pick<TypedColumn, 'holds' | 'integerType'> {
  readonly fromText: VotableField['fromText']
  readonly fromBytes: Pick<VotableField['fromBytes'], 'number' | 'id'>
}

const noNumber = (): NumberCell => NaN
const noId = (): IdCell => null
const noCells: Cells = {
  holds: undefined,
  fromText: { number: noNumber, id: noId },
  fromBytes: { number: noNumber, id: noId },
}

function numberOfText(text: string): NumberCell {
  return readNumberText(text) ?? text
}

/** A text of fixed length may be filled up with zeros or blanks. */
function textCells(datatype: string, fixed: number | undefined): Cells {
  const trimmed = (text: string): string => {
    const end = text.indexOf('\0')
    const whole = end < 0 ? text : text.slice(0, end)
    return fixed === undefined ? whole : withoutFill(whole)
  }
  const text = (bytes: Buffer, at: number, count: number): string => {
    if (datatype === 'char') return trimmed(bytes.toString('utf8', at, at + count))
    return trimmed(
      Buffer.from(bytes.subarray(at, at + 2 * count))
        .swap16()
        .toString('utf16le'),
    )
  }
  return {
    holds: 'text',
    fromText: { number: (cell) => numberOfText(trimmed(cell)), id: trimmed },
    fromBytes: { number: (bytes, at, count) => numberOfText(text(bytes, at, count)), id: text },
  }
}

function scalarCells({ datatype, none }: FieldDeclaration): Cells {
  switch (datatype) {
    case 'boolean':
      return logicalCells((byte) => String.fromCharCode(byte))
    case 'bit':
      // programs do not agree on which bit of the byte it is
      return logicalCells((byte) => (byte === 0 ? '0' : '1'))
    case 'float':
    case 'double':
      return realCells(datatype, none)
    case 'unsignedByte':
    case 'short':
    case 'int':
    case 'long':
      return integerCells(datatype, none)
    default:
      return noCells
  }
}

/** @param textOf the byte of a cell as TABLEDATA has it */
function logicalCells(textOf: (byte: number) => string): Cells {
  const number = (text: string): NumberCell =>
    /^(?:t|true|1)$/i.test(text) ? 1 : /^(?:f|false|0)$/i.test(text) ? 0 : NaN
  return {
    holds: 'logical',
    fromText: { number: (text) => number(text.trim()), id: noId },
    fromBytes: { number: (bytes, at) => number(textOf(bytes[at]!)), id: noId },
  }
}

function realCells(datatype: 'float' | 'double', none: string | undefined): Cells {
  const isSingle = datatype === 'float'
  const noneValue = none === undefined ? NaN : Number(none.trim())
  const known = (value: number): number => (value === noneValue ? NaN : value)
  const fromText = (text: string): NumberCell => {
    const value = readNumberText(text.trim())
    if (value === undefined) return text
    return known(isSingle ? Math.fround(value) : value)
  }
  const fromBytes = (bytes: Buffer, at: number): number =>
    known(isSingle ? bytes.readFloatBE(at) : bytes.readDoubleBE(at))
  return { holds: 'real', fromText: { number: fromText, id: noId }, fromBytes: { number: fromBytes, id: noId } }
}

const hexadecimal = /^0x[\da-f]{1,16}$/i
const integer = /^[+-]?\d{1,30}$/

function integerCells(datatype: 'unsignedByte' | 'short' | 'int' | 'long', none: string | undefined): Cells {
  const small = integersOf[datatype]
  /** undefined for what is no integer */
  const valueOf = (text: string): bigint | undefined => {
    const plain = text.trim()
    if (hexadecimal.test(plain)) return BigInt(plain)
    return integer.test(plain) ? BigInt(plain.replace(/^\+/, '')) : undefined
  }
  const noneValue = none === undefined ? undefined : valueOf(none)
  const known = (value: bigint): bigint | null => (value === noneValue ? null : value)
  const idOfText = (text: string): IdCell => {
    const value = valueOf(text)
    return value === undefined ? text.trim() : known(value)
  }
  const numberOfCell = (text: string): NumberCell => {
    const value = valueOf(text)
    return value === undefined ? numberOfText(text.trim()) : Number(known(value) ?? NaN)
  }
  const idOfBytes = (bytes: Buffer, at: number): IdCell =>
    known(small ? BigInt(small(bytes, at)) : bytes.readBigInt64BE(at))
  return {
    holds: 'integer',
    integerType: small ? 'int32' : 'int64',
    fromText: { number: numberOfCell, id: idOfText },
    fromBytes: { number: (bytes, at) => Number((idOfBytes(bytes, at) as bigint | null) ?? NaN), id: idOfBytes },
  }
}
