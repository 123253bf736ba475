// The columns of an Arrow schema: what each can be read as, and the values of a record batch in bulk.
import type { Data, DataType, Decimal, Dictionary, Int, List, Vector } from 'apache-arrow'
import type { OidType } from '../../pipeline/batch.ts'
import { DataError } from '../../errors.ts'
import type { ArrowLibrary } from '../../formats/arrow/library.ts'
import { readNumberText } from '../../formats/text-values.ts'

/** Values of some rows of a feature, in float64, NaN for null; `onUnreadable` is called for a value that is no number. */
type FeatureReading = (
  column: Vector,
  start: number,
  end: number,
  onUnreadable: (row: number, value: string) => void,
) => Float64Array

type IdReading = (column: Vector, row: number) => unknown

export function arrowFeatureReading(arrow: ArrowLibrary, type: DataType, what: string): FeatureReading {
  const { DataType: Is } = arrow
  const plain = valueType(arrow, type)
  const isNumber = Is.isInt(plain) || Is.isFloat(plain) || Is.isBool(plain) || Is.isDecimal(plain)
  if (!isNumber && !isText(arrow, plain) && !Is.isNull(plain)) {
    throw new DataError(`${what} holds ${plain.toString()}, not numbers`)
  }
  const scale = Is.isDecimal(plain) ? (plain as Decimal).scale : 0
  // half floats lie in their column as integers, and a column of nulls has no values at all
  const isBulk = plain === type && !Is.isNull(type) && !(Is.isFloat(type) && type.precision === arrow.Precision.HALF)
  return (column, start, end, onUnreadable) => {
    const data = column.data[0]
    const bulk = isBulk && data ? numbersInBulk(data, start, end) : undefined
    return bulk ?? numbersOneByOne(column, start, end, scale, onUnreadable)
  }
}

/** A column of plain numbers, without a call for each value; undefined for other columns. */
function numbersInBulk(data: Data, start: number, end: number): Float64Array | undefined {
  const stored: unknown = data.values
  const hasNulls = data.nullBitmap.length > 0
  if (stored instanceof Float64Array) {
    return hasNulls ? withoutNulls(stored.slice(start, end), data.nullBitmap, start) : stored.subarray(start, end)
  }
  // booleans are bits in a Uint8Array, so that bytes go one by one
  const isNumbers =
    stored instanceof Float32Array ||
    stored instanceof Int32Array ||
    stored instanceof Int8Array ||
    stored instanceof Int16Array ||
    stored instanceof Uint16Array ||
    stored instanceof Uint32Array
  if (!isNumbers || data.stride !== 1) return undefined
  const values = Float64Array.from(stored.subarray(start, end))
  return hasNulls ? withoutNulls(values, data.nullBitmap, start) : values
}

function withoutNulls(values: Float64Array, bitmap: Uint8Array, start: number): Float64Array {
  for (let i = 0, row = start; i < values.length; i++, row++) {
    if ((bitmap[row >> 3]! & (1 << (row & 7))) === 0) values[i] = NaN
  }
  return values
}

function numbersOneByOne(
  column: Vector,
  start: number,
  end: number,
  scale: number,
  onUnreadable: (row: number, value: string) => void,
): Float64Array {
  const values = new Float64Array(end - start).fill(NaN)
  for (let row = start; row < end; row++) {
    const value: unknown = column.get(row)
    if (value === null || value === undefined) continue
    const number =
      typeof value === 'string'
        ? readNumberText(value)
        : value instanceof Uint32Array
          ? Number(decimalText(value, scale))
          : Number(value)
    if (number === undefined) onUnreadable(row, String(value))
    else values[row - start] = number
  }
  return values
}

/** How to read object ids, and how the outputs will write them. */
export function arrowOidReading(arrow: ArrowLibrary, type: DataType, what: string) {
  const plain = valueType(arrow, type)
  return {
    read: scalarIdReading(arrow, plain, what, 'object ids'),
    oidType: arrow.DataType.isInt(plain) ? integerOidType(plain) : 'string',
  }
}

/** How to read candids; of a list all. */
export function arrowCandidReading(arrow: ArrowLibrary, type: DataType, what: string): IdReading {
  const { DataType: Is } = arrow
  if (!Is.isList(type) && !Is.isLargeList(type) && !Is.isFixedSizeList(type)) {
    return scalarIdReading(arrow, valueType(arrow, type), what, 'candids')
  }
  const itemType = (type as List).valueType
  const item = scalarIdReading(arrow, itemType, what, 'candids')
  // nulls take no bytes, so that a small file can hold any number of them
  if (Is.isNull(itemType)) return () => null
  return (column, row) => {
    const items: unknown = column.get(row)
    if (!(items instanceof arrow.Vector)) return items
    const list = items as Vector
    if (list.length > mostCandids) return `a list of ${list.length}`
    return Array.from({ length: list.length }, (_, i) => item(list, i))
  }
}

/** No object has as many alerts. */
const mostCandids = 1_000_000

/** Of a dictionary-encoded column what is in the dictionary. */
function valueType({ DataType: Is }: ArrowLibrary, type: DataType): DataType {
  return Is.isDictionary(type) ? (type as Dictionary).dictionary : type
}

function scalarIdReading(arrow: ArrowLibrary, type: DataType, what: string, role: string): IdReading {
  const { DataType: Is } = arrow
  if (Is.isFloat(type)) {
    throw new DataError(`${what} holds ${type.toString()}: the ids are already broken`, {
      hint: 'Export it again as int64 or text.',
    })
  }
  if (isText(arrow, type) || Is.isInt(type) || Is.isNull(type)) {
    return (column, row) => column.get(row) as unknown
  }
  if (Is.isBinary(type) || Is.isLargeBinary(type) || Is.isBinaryView(type)) return textOfBytes
  if (Is.isDecimal(type) && type.scale === 0) return integerOfDecimal
  throw new DataError(`${what} holds ${type.toString()}, not ${role}`)
}

function isText({ DataType: Is }: ArrowLibrary, type: DataType): boolean {
  return Is.isUtf8(type) || Is.isLargeUtf8(type) || Is.isUtf8View(type)
}

function textOfBytes(column: Vector, row: number): unknown {
  const value: unknown = column.get(row)
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value
}

function integerOfDecimal(column: Vector, row: number): unknown {
  const value: unknown = column.get(row)
  return value instanceof Uint32Array ? decimalText(value, 0) : value
}

function integerOidType({ bitWidth, isSigned }: Int): OidType {
  return `${isSigned ? 'int' : 'uint'}${bitWidth === 64 ? 64 : 32}`
}

/** A decimal's digits: its words are an integer in two's complement, the least first. */
function decimalText(words: Uint32Array, scale: number): string {
  let integer = 0n
  for (let i = words.length - 1; i >= 0; i--) integer = (integer << 32n) | BigInt(words[i]!)
  const signed = BigInt.asIntN(words.length * 32, integer)
  return scale === 0 ? signed.toString() : `${signed}e${-scale}`
}
