// numpy's arrays, scalars and dtypes, read out of the placeholders that the pickle reader leaves.
import { ModelError } from '../../../errors.ts'
import { encodeLatin1 } from './calls.ts'
import {
  contentOf,
  describe,
  isBytes,
  type PyBytes,
  PyDict,
  PyGlobal,
  PyList,
  PyObject,
  PyTuple,
  type PyValue,
} from './values.ts'

/** What a dtype says. `V` has fields; `O` has Python objects and no bytes. */
interface NumpyType {
  readonly kind: 'f' | 'i' | 'u' | 'b' | 'U' | 'S' | 'O' | 'V'
  /** bytes an element */
  readonly size: number
  readonly littleEndian: boolean
  readonly fields: NumpyFields
}

/** The members of a structured dtype. */
type NumpyFields = ReadonlyMap<string, { readonly type: NumpyType; readonly offset: number }>

/** An array as it lies in the file: its elements in C or Fortran order. */
export interface NumpyArray {
  readonly type: NumpyType
  readonly shape: readonly number[]
  /** product of the shape */
  readonly length: number
  readonly isFortran: boolean
  /** the elements' bytes, read from the file whenever they are asked for; empty for objects */
  readonly bytes: Uint8Array
  readonly byteLength: number
  /** the elements of an array of objects; empty for the others */
  readonly objects: readonly PyValue[]
}

const noFields: NumpyFields = new Map()
// sklearn's node has eight fields
const mostFields = 64

/** Whether a value is one of numpy's arrays, in any of its forms. */
export function isArray(value: PyValue | undefined): value is PyObject {
  return (
    value instanceof PyObject &&
    /^numpy\._?core\.(multiarray\._reconstruct|numeric\._frombuffer)$/.test(value.type.fullName)
  )
}

/**
 * Reads an array without copying its bytes.
 *
 * @param what what it is in the model, for messages
 * @throws ModelError where it is not an array, or where shape, dtype and bytes do not fit together
 */
export function readArray(value: PyValue | undefined, what: string): NumpyArray {
  if (!isArray(value)) throw new ModelError(`${what} is ${describe(value)}, where an array is needed`)
  if (value.type.name === '_frombuffer') return fromBuffer(value.args, what)
  const [subtype] = value.args
  if (!(subtype instanceof PyGlobal) || !arrayClasses.has(subtype.fullName)) {
    throw new ModelError(`${what} needs ${describe(subtype)}, which is not an array that lcclf knows`)
  }
  return fromState(value.state, what)
}

// pandas before 0.13 pickled an Index as an array
const arrayClasses = new Set(['numpy.ndarray', 'pandas.core.index.Index'])

/** One of numpy's scalars as an array of one element; undefined for what is none. */
export function readScalar(value: PyValue | undefined): NumpyArray | undefined {
  if (!(value instanceof PyObject) || !/^numpy\._?core\.multiarray\.scalar$/.test(value.type.fullName)) return undefined
  const [dtype, content] = value.args
  // a record is not a scalar here, and its own offsets could be scalars of it
  if (isRecord(dtype)) return undefined
  const type = readType(dtype, 'a scalar')
  const bytes = rawBytes(content)
  return bytes?.length === type.size ? arrayIn(bytes, { type, shape: [1], length: 1, isFortran: false }) : undefined
}

/** An integer, be it Python's or numpy's scalar; undefined for what is none. */
export function readInteger(value: PyValue | undefined): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined
  const scalar = readScalar(value)
  return scalar && 'iu'.includes(scalar.type.kind) ? integersOf(scalar, 'a number')[0] : undefined
}

function isRecord(dtype: PyValue | undefined): boolean {
  const text = dtype instanceof PyObject ? dtype.args[0] : undefined
  return typeof text === 'string' && text.startsWith('V')
}

/** `ndarray.__setstate__`: (version, shape, dtype, is Fortran, bytes or list of objects). */
function fromState(state: PyValue | undefined, what: string): NumpyArray {
  const [, shape, dtype, isFortran, content] = state instanceof PyTuple ? state.items : []
  if (typeof isFortran !== 'boolean' && isFortran !== 0 && isFortran !== 1) {
    throw new ModelError(`${what}: the array's state is damaged`)
  }
  return arrayOf([content, dtype, shape], Boolean(isFortran), what)
}

/** `_frombuffer(bytes, dtype, shape, order)`, protocol 5. */
function fromBuffer(args: readonly PyValue[], what: string): NumpyArray {
  const order = args[3]
  if (order !== 'C' && order !== 'F') throw new ModelError(`${what}: the array's order is ${describe(order)}`)
  return arrayOf(args, order === 'F', what)
}

function arrayOf(
  [content, dtype, shapeValue]: readonly (PyValue | undefined)[],
  isFortran: boolean,
  what: string,
): NumpyArray {
  const type = readType(dtype, what)
  const shape = shapeOf(shapeValue)
  const length = shape?.reduce((product, size) => product * size, 1)
  if (!shape || length === undefined || !Number.isSafeInteger(length)) {
    throw new ModelError(`${what}: the array has no usable shape (${describe(shapeValue)})`)
  }
  const objects = type.kind === 'O' && content instanceof PyList ? content.items : []
  const bytes = type.kind === 'O' ? new Uint8Array(0) : rawBytes(content)
  const isWhole =
    type.kind === 'O'
      ? objects.length === length
      : bytes?.length === length * type.size && (type.size > 0 || length === 0)
  if (bytes && isWhole) return arrayIn(bytes, { type, shape, length, isFortran }, objects)
  throw new ModelError(`${what}: the array should have ${length} elements, the file has ${describe(content)} for it`)
}

function arrayIn(
  content: PyBytes,
  form: Pick<NumpyArray, 'type' | 'shape' | 'length' | 'isFortran'>,
  objects: readonly PyValue[] = [],
): NumpyArray {
  return {
    ...form,
    objects,
    byteLength: content.length,
    get bytes() {
      return contentOf(content)
    },
  }
}

export function shapeOf(value: PyValue | undefined): number[] | undefined {
  const items = value instanceof PyTuple ? value.items : [value]
  const sizes = items.map((item) => readInteger(item) ?? -1)
  return items.length <= 32 && sizes.every((size) => size >= 0) ? sizes : undefined
}

function rawBytes(value: PyValue | undefined): PyBytes | undefined {
  if (isBytes(value)) return value
  // Python 2 wrote bytes as its byte strings, which arrive as Latin-1
  return typeof value === 'string' ? encodeLatin1(value) : undefined
}

const knownTypes = new WeakMap<PyObject, NumpyType>()

/** Reads a dtype; one that is shared by many arrays is read once. */
export function readType(value: PyValue | undefined, what: string): NumpyType {
  if (!(value instanceof PyObject) || value.type.fullName !== 'numpy.dtype') {
    throw new ModelError(`${what} has ${describe(value)} for a dtype`)
  }
  const known = knownTypes.get(value)
  if (known) return known
  const type = typeOf(value, what)
  knownTypes.set(value, type)
  return type
}

function typeOf(value: PyObject, what: string): NumpyType {
  const [text] = value.args
  const match = typeof text === 'string' ? /^([fiubUSOV])(\d{1,9})$/.exec(text) : null
  if (!match) throw new ModelError(`${what} has the dtype ${describe(text)}, which no model has`)
  const kind = match[1] as NumpyType['kind']
  const [, order, , ...fields] = value.state instanceof PyTuple ? value.state.items : []
  // without a state it is the writing machine's own, which is little-endian on all that scikit-learn has wheels for
  const littleEndian = order !== '>'
  const count = Number(match[2])
  const size = kind === 'U' ? count * 4 : count
  if (kind !== 'V') return { kind, size, littleEndian, fields: noFields }
  return { kind, size, littleEndian, fields: fieldsOf(fields, size, what) }
}

function fieldsOf([names, table]: readonly PyValue[], size: number, what: string): NumpyFields {
  if (!(names instanceof PyTuple) || !(table instanceof PyDict) || names.items.length > mostFields) {
    throw new ModelError(`${what}: the dtype's fields are damaged`)
  }
  const fields = new Map<string, { type: NumpyType; offset: number }>()
  for (const name of names.items) {
    const entry = typeof name === 'string' ? table.get(name) : undefined
    const [type, offset] = entry instanceof PyTuple ? entry.items : []
    const start = readInteger(offset)
    // a record within a record has no place in a node, and could be made endless
    if (isRecord(type)) throw new ModelError(`${what}: field ${describe(name)} is not a plain number`)
    const fieldType = readType(type, what)
    if (typeof name !== 'string' || start === undefined || start < 0 || start + fieldType.size > size) {
      throw new ModelError(`${what}: field ${describe(name)} lies outside its record`)
    }
    fields.set(name, { type: fieldType, offset: start })
  }
  return fields
}

/** The major version of the numpy that wrote an estimator, by the name of the module that its arrays are of. */
export function numpyGeneration(estimator: PyObject): 1 | 2 {
  const classes = estimator.attribute('classes_')
  return classes instanceof PyObject && classes.type.module.startsWith('numpy.core') ? 1 : 2
}

/** A number of any kind, be it Python's or numpy's scalar; undefined for what is none. */
export function readNumber(value: PyValue | undefined): number | undefined {
  if (typeof value === 'number') return value
  const scalar = readScalar(value)
  return scalar && 'iuf'.includes(scalar.type.kind) ? numbersOf(scalar, 'a number')[0] : undefined
}

/** An array of numbers of any kind as float64, in the file's own element order. */
export function numbersOf(array: NumpyArray, what: string): Float64Array {
  const { kind, size, littleEndian } = array.type
  if (kind !== 'f') return integersOf(array, what)
  if (size !== 4) return floatsOf(array, what)
  const { bytes } = array
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float64Array.from({ length: array.length }, (_, i) => view.getFloat32(i * 4, littleEndian))
}

/** An array of integers (or one integer field of a structured array), copied out; each must fit in 2^53. */
export function integersOf(array: NumpyArray, what: string, field?: string): Float64Array {
  const { view, type, start, step } = columnOf(array, what, field)
  const values = new Float64Array(array.length)
  const read = integerReader(type, view, what)
  for (let i = 0, at = start; i < values.length; i++, at += step) values[i] = read(at)
  return values
}

/** An array of float64 (or one such field of a structured array), copied out in the file's own element order. */
export function floatsOf(array: NumpyArray, what: string, field?: string): Float64Array {
  const { view, type, start, step } = columnOf(array, what, field)
  if (type.kind !== 'f' || type.size !== 8) {
    throw new ModelError(`${what} is of ${type.kind}${type.size}, where float64 is needed`)
  }
  const values = new Float64Array(array.length)
  for (let i = 0, at = start; i < values.length; i++, at += step) values[i] = view.getFloat64(at, type.littleEndian)
  return values
}

function columnOf({ bytes, type }: NumpyArray, what: string, name: string | undefined) {
  const field = name === undefined ? { type, offset: 0 } : type.fields.get(name)
  if (!field) throw new ModelError(`${what} has no field ${name}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { view, type: field.type, start: field.offset, step: type.size }
}

function integerReader({ kind, size, littleEndian }: NumpyType, view: DataView, what: string): (at: number) => number {
  const isSigned = kind === 'i'
  if (isSigned || kind === 'u' || kind === 'b') {
    switch (size) {
      case 1:
        return isSigned ? (at) => view.getInt8(at) : (at) => view.getUint8(at)
      case 2:
        return isSigned ? (at) => view.getInt16(at, littleEndian) : (at) => view.getUint16(at, littleEndian)
      case 4:
        return isSigned ? (at) => view.getInt32(at, littleEndian) : (at) => view.getUint32(at, littleEndian)
      case 8: {
        const [low, high] = littleEndian ? [0, 4] : [4, 0]
        return isSigned
          ? (at) => view.getInt32(at + high, littleEndian) * 2 ** 32 + view.getUint32(at + low, littleEndian)
          : (at) => view.getUint32(at + high, littleEndian) * 2 ** 32 + view.getUint32(at + low, littleEndian)
      }
    }
  }
  throw new ModelError(`${what} is of ${kind}${size}, where integers are needed`)
}
