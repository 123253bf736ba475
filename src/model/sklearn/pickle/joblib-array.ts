// Arrays in joblib's files: a placeholder in the pickle, then the elements themselves, then the pickle goes on.
import type { ByteCursor } from './byte-cursor.ts'
import { arrayWrappers } from './calls.ts'
import { isArray, readType, shapeOf } from './numpy.ts'
import { describe, PyGlobal, PyObject, PyTuple, type PyValue } from './values.ts'

const wrapperNames = new Set(arrayWrappers)
// a memory map is an array too
const arrayClasses = new Set(['numpy.ndarray', 'numpy.memmap', 'numpy.core.memmap.memmap'])
const bufferArray = new PyGlobal('numpy.core.numeric', '_frombuffer')

export function isArrayWrapper(value: PyValue): value is PyObject {
  return value instanceof PyObject && wrapperNames.has(value.type.fullName)
}

/**
 * Reads the array that follows its placeholder (joblib: `NumpyArrayWrapper.read_array`). Objects are a pickle of their own;
 * since joblib 1.1 the bytes of others are aligned by some that are counted in the first.
 *
 * @param readPickle reads the pickle that begins at the cursor
 * @returns the array as numpy's own pickles hold it
 */
export function readWrappedArray(cursor: ByteCursor, wrapper: PyObject, readPickle: () => PyValue): PyValue {
  const subclass = wrapper.attribute('subclass')
  if (!(subclass instanceof PyGlobal) || !arrayClasses.has(subclass.fullName)) {
    throw cursor.error(`holds an array of the class ${describe(subclass)}, which lcclf does not know`)
  }
  const dtype = wrapper.attribute('dtype')
  const type = readType(dtype, cursor.label)
  if (type.kind === 'O') {
    const array = readPickle()
    if (isArray(array)) return array
    throw cursor.error(`holds ${describe(array)}, where an array of objects is announced`)
  }
  const shape = wrapper.attribute('shape')
  const order = wrapper.attribute('order')
  const length = shapeOf(shape)?.reduce((product, size) => product * size, type.size)
  if (length === undefined || !Number.isSafeInteger(length)) {
    throw cursor.error(`holds an array without a usable shape (${describe(shape)})`)
  }
  const alignment = wrapper.attribute('numpy_array_alignment_bytes')
  if (alignment !== undefined && alignment !== null) cursor.skip(cursor.uint8())
  return new PyObject(bufferArray, [cursor.bytes(length), dtype!, shape ?? new PyTuple([]), order ?? null])
}
