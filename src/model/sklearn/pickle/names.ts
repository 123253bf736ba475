// Lists of names in a pickle: feature names and class names, in the many forms Python keeps them.
import { ModelError } from '../../../errors.ts'
import { integersOf, isArray, type NumpyArray, readArray, readScalar } from './numpy.ts'
import { contentOf, describe, isBytes, PyDict, PyList, PyObject, PyTuple, type PyValue } from './values.ts'

// features and nodes are numbered in 16 bits, classes are fewer
const mostNames = 32_767

/**
 * A list of texts: list, tuple, numpy array (of objects, unicode or bytes), pandas Index in its old and new forms.
 * Integers and truth values become texts as Python prints them, because labels may be numbers.
 *
 * @param what what it is in the model, for messages
 */
export function readNames(value: PyValue | undefined, what: string): string[] {
  const names = namesOf(value, what)
  if (names.length === 0) throw new ModelError(`${what}: the list is empty`)
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw new ModelError(`${what}: ${JSON.stringify(name)} appears twice`)
    seen.add(name)
  }
  return names
}

function namesOf(value: PyValue | undefined, what: string): string[] {
  const content = unwrapPandas(value)
  const array = isArray(content) ? readArray(content, what) : undefined
  const items = content instanceof PyList || content instanceof PyTuple ? content.items : undefined
  const length = array?.length ?? items?.length ?? 0
  if (length > mostNames) throw new ModelError(`${what}: ${length} names are more than a model has`)
  if (array) return namesOfArray(array, what)
  if (items) return items.map((item) => nameOf(item, what))
  throw new ModelError(`${what} is ${describe(content)}, where a list of names is needed`)
}

/** An Index → the array or list inside it. The steps are counted: a file can wrap a thing in itself. */
function unwrapPandas(value: PyValue | undefined): PyValue | undefined {
  let content = value
  for (let depth = 0; depth < 4 && content instanceof PyObject; depth++) {
    const { type, args, state } = content
    // _new_Index(Index, {'data': …, 'name': …})
    if (type.name === '_new_Index' && args[1] instanceof PyDict) content = args[1].get('data')
    // pandas' own array of texts: (class, checksum, state) or the state built afterwards, the numpy array within
    else if (type.name === '__pyx_unpickle_NDArrayBacked') content = arrayWithin(args[2]) ?? arrayWithin(state)
    else break
  }
  return content
}

function arrayWithin(state: PyValue | undefined): PyValue | undefined {
  return state instanceof PyTuple ? state.items.find((item) => isArray(item)) : undefined
}

function nameOf(value: PyValue | undefined, what: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return String(value)
  if (isBytes(value)) return Buffer.from(contentOf(value)).toString('utf8')
  const scalar = readScalar(value)
  if (scalar) return namesOfArray(scalar, what)[0]!
  throw new ModelError(`${what} holds ${describe(value)}, where a name is needed`)
}

function namesOfArray(array: NumpyArray, what: string): string[] {
  if (array.shape.length !== 1)
    throw new ModelError(`${what} has ${array.shape.length} dimensions, where one is needed`)
  const { kind } = array.type
  if (kind === 'O') return array.objects.map((item) => nameOf(item, what))
  if (kind === 'b') return Array.from(integersOf(array, what), (value) => (value ? 'True' : 'False'))
  if (kind === 'i' || kind === 'u') return Array.from(integersOf(array, what), String)
  if (kind === 'U' || kind === 'S') return textsOf(array, what)
  throw new ModelError(`${what} is an array of ${kind}${array.type.size}, where names are needed`)
}

/** Fixed-width texts: UCS-4 or bytes, filled up with zeros. */
function textsOf({ type, bytes, length }: NumpyArray, what: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const width = type.kind === 'U' ? 4 : 1
  return Array.from({ length }, (_, index) => {
    const points: number[] = []
    for (let at = index * type.size; at < (index + 1) * type.size; at += width) {
      points.push(width === 4 ? view.getUint32(at, type.littleEndian) : view.getUint8(at))
    }
    while (points.at(-1) === 0) points.pop()
    if (width === 1) return Buffer.from(points).toString('utf8')
    if (points.some((point) => point > 0x10ffff)) throw new ModelError(`${what} holds a damaged text`)
    return points.map((point) => String.fromCodePoint(point)).join('')
  })
}
