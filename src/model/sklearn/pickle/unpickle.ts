// The pickle machine, protocols 1 to 5: builds data, never calls anything.
import { ByteSlice, type ByteSource, memorySource } from '../../container/byte-source.ts'
import { ByteCursor } from './byte-cursor.ts'
import { Calls } from './calls.ts'
import { isArrayWrapper, readWrappedArray } from './joblib-array.ts'
import { describe, PyDict, PyGlobal, PyList, PyObject, PySet, PyTuple, type PyValue } from './values.ts'

/**
 * Reads one pickle, or a file of joblib's, which has arrays between the pickle's instructions. The work and the memory are
 * bounded by the file's size: the number of opcodes is limited, many bytes stay in the file, shared references stay
 * references.
 *
 * @param content the whole file; the result reads from it whenever its arrays are asked for
 * @param label the file's name, for messages
 * @throws ModelError for a broken file, one of protocol 0, and one that would have to call what is not on the list (calls.ts)
 */
export function unpickle(content: Buffer | ByteSource, label: string): PyValue {
  const source = Buffer.isBuffer(content) ? memorySource(content) : content
  return run(new ByteCursor(source, label), { left: opcodeLimit(source.size), isInner: false })
}

/** @param budget how many opcodes may follow; `isInner`: of an array of objects inside a file of joblib's */
function run(cursor: ByteCursor, budget: { left: number; readonly isInner: boolean }): PyValue {
  const machine = new Machine(cursor, (wrapper) => {
    if (budget.isInner) throw cursor.error('holds an array within the elements of an array')
    const inner = { left: budget.left, isInner: true }
    const array = readWrappedArray(cursor, wrapper, () => run(cursor, inner))
    budget.left = inner.left
    return array
  })
  while (budget.left-- > 0) {
    const opcode = cursor.uint8()
    if (opcode === stop) return machine.pop()
    const instruction = instructions[opcode]
    if (!instruction) {
      const shown = `0x${opcode.toString(16).padStart(2, '0')}`
      throw cursor.error(`not a pickle: ${shown} is not an instruction`)
    }
    instruction(machine, cursor)
  }
  throw cursor.error('has far more instructions than a model of its size')
}

/**
 * A real forest has one opcode in twelve bytes or fewer (one of single nodes in four); a large file has large trees
 * and one in a hundred. What an opcode makes can take a hundred bytes of memory, so this bounds time and memory.
 */
function opcodeLimit(fileSize: number): number {
  return Math.min(200_000 + fileSize / 8, 1_500_000 + fileSize / 100)
}

// limits that no honest model comes near; only a tuple puts more than 1000 values on the stack at once
const deepestStack = 200_000
const deepestMarks = 1_000

const emptyTuple = new PyTuple([])

/** The stack and memo. Popping what is not there, or what lies below a mark, is an error of the file. */
class Machine {
  readonly cursor: ByteCursor
  readonly calls: Calls
  /** reads the array that follows joblib's placeholder for it */
  readonly readArray: (wrapper: PyObject) => PyValue
  /** entries 0, 1, 2 …, as every pickler numbers them */
  readonly #memo: PyValue[] = []
  /** entries with other numbers */
  readonly #sparseMemo = new Map<number, PyValue>()
  readonly #marks: number[] = []
  readonly #values: PyValue[] = []
  /** values below this lie under a mark and may not be popped one by one */
  #floor = 0

  constructor(cursor: ByteCursor, readArray: (wrapper: PyObject) => PyValue) {
    this.cursor = cursor
    this.calls = new Calls(cursor)
    this.readArray = readArray
  }

  push(value: PyValue): void {
    if (this.#values.length >= deepestStack) throw this.cursor.error('is nested too deeply for a model')
    this.#values.push(value)
  }

  pop(): PyValue {
    if (this.#values.length <= this.#floor) throw this.cursor.error('takes more from its stack than is there')
    return this.#values.pop()!
  }

  top(): PyValue {
    if (this.#values.length <= this.#floor) throw this.cursor.error('looks at an empty stack')
    return this.#values[this.#values.length - 1]!
  }

  mark(): void {
    if (this.#marks.length >= deepestMarks) throw this.cursor.error('is nested too deeply for a model')
    this.#marks.push(this.#values.length)
    this.#floor = this.#values.length
  }

  /** Takes everything since the last mark, in order. */
  popMark(): PyValue[] {
    const start = this.#marks.pop()
    if (start === undefined) throw this.cursor.error('closes a mark that was never opened')
    this.#floor = this.#marks.at(-1) ?? 0
    return this.#values.splice(start)
  }

  /** POP: as Python does, it also takes away a mark that lies on top. */
  discard(): void {
    if (this.#marks.length > 0 && this.#values.length === this.#floor) this.popMark()
    else this.pop()
  }

  memoize(): void {
    this.put(this.#memo.length + this.#sparseMemo.size)
  }

  put(index: number): void {
    // every PUT takes a byte of the file, so an honest index is smaller than the file
    if (index > this.cursor.size) {
      throw this.cursor.error(`uses the memo index ${index}, which no pickle of this size has`)
    }
    if (index <= this.#memo.length) this.#memo[index] = this.top()
    else this.#sparseMemo.set(index, this.top())
  }

  get(index: number): void {
    const value = index < this.#memo.length ? this.#memo[index] : this.#sparseMemo.get(index)
    if (value === undefined) throw this.cursor.error(`asks for memo entry ${index}, which does not exist`)
    this.push(value)
  }

  pushTuple(length: number): void {
    const items = new Array<PyValue>(length)
    for (let i = length - 1; i >= 0; i--) items[i] = this.pop()
    this.push(new PyTuple(items))
  }

  append(items: readonly PyValue[]): void {
    const list = this.top()
    if (list instanceof PyList) for (const item of items) list.items.push(item)
    // a subclass of list: kept as a placeholder, without what is in it
    else if (!(list instanceof PyObject)) throw this.cursor.error(`appends to ${describe(list)}`)
  }

  setItems(items: readonly PyValue[]): void {
    const target = this.top()
    if (items.length % 2 !== 0) throw this.cursor.error('sets a key without a value')
    if (target instanceof PyDict) {
      for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!)
    } else if (!(target instanceof PyObject)) throw this.cursor.error(`sets an item of ${describe(target)}`)
  }

  addItems(): void {
    this.popMark()
    const target = this.top()
    if (target instanceof PySet || target instanceof PyObject) return
    throw this.cursor.error(`adds elements to ${describe(target)}`)
  }

  /** `callee(*args)`, both on the stack. */
  call(): void {
    const args = this.pop()
    this.push(this.calls.call(this.pop(), args))
  }

  /** Refuses the file where a name on the stack may not be called. */
  checkNames(): void {
    for (const value of this.#values) if (value instanceof PyGlobal) this.calls.checkName(value)
  }

  stackGlobal(): void {
    const name = this.pop()
    const module = this.pop()
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.cursor.error(`names a global by ${describe(module)} and ${describe(name)}`)
    }
    this.push(new PyGlobal(module, name))
  }
}

type Instruction = (machine: Machine, cursor: ByteCursor) => void

/** An instruction that pushes what it reads. */
function pushing(read: (cursor: ByteCursor) => PyValue): Instruction {
  return (machine, cursor) => machine.push(read(cursor))
}

function refusing(problem: string, hint?: string): Instruction {
  return (_, cursor) => {
    throw cursor.error(problem, hint)
  }
}

/** Protocol 0. What is about to be called is named first: nobody should be told to open an attack in Python. */
const textForm: Instruction = (machine, cursor) => {
  machine.checkNames()
  throw cursor.error(
    'is of pickle protocol 0, the text form of Python 2, which is not read',
    'If you trust whoever made it (Python runs what a pickle calls), write it again with the Python that wrote it: pickle.dump(pickle.load(open(old, "rb")), open(new, "wb"), protocol=2).',
  )
}
const persistent = refusing('refers to objects outside the file (a persistent id): not written by pickle.dump')
const extension = refusing('uses the extension registry of one Python installation')
const outOfBand = refusing(
  'keeps its arrays outside the file (out-of-band buffers)',
  'Write it with pickle.dump without buffer_callback.',
)

const stop = 0x2e

/** By opcode, under the names of Python's pickletools. */
const instructions: Readonly<Record<number, Instruction>> = {
  // numbers
  0x4e: pushing(() => null), // NONE
  0x88: pushing(() => true), // NEWTRUE
  0x89: pushing(() => false), // NEWFALSE
  0x4a: pushing((cursor) => cursor.int32()), // BININT
  0x4b: pushing((cursor) => cursor.uint8()), // BININT1
  0x4d: pushing((cursor) => cursor.uint16()), // BININT2
  0x49: pushing(readIntLine), // INT: truth values of protocol 1
  0x4c: pushing(readIntegerLine), // LONG: integers beyond 32 bits of protocol 1
  0x8a: pushing((cursor) => readInteger(cursor, cursor.uint8())), // LONG1
  0x8b: pushing((cursor) => readInteger(cursor, cursor.uint32())), // LONG4
  0x47: pushing((cursor) => cursor.float64()), // BINFLOAT
  // bytes and texts; Python 2's byte strings are Latin-1, as numpy itself reads its arrays in them
  0x43: pushing((cursor) => cursor.bytes(cursor.uint8())), // SHORT_BINBYTES
  0x42: pushing((cursor) => cursor.bytes(cursor.uint32())), // BINBYTES
  0x8e: pushing((cursor) => cursor.bytes(cursor.length64())), // BINBYTES8
  0x96: pushing((cursor) => cursor.bytes(cursor.length64())), // BYTEARRAY8
  0x8c: pushing((cursor) => cursor.text(cursor.uint8(), 'utf8')), // SHORT_BINUNICODE
  0x58: pushing((cursor) => cursor.text(cursor.uint32(), 'utf8')), // BINUNICODE
  0x8d: pushing((cursor) => cursor.text(cursor.length64(), 'utf8')), // BINUNICODE8
  0x55: pushing((cursor) => cursor.text(cursor.uint8(), 'latin1')), // SHORT_BINSTRING
  0x54: pushing((cursor) => cursor.text(cursor.uint32(), 'latin1')), // BINSTRING
  // the stack and the memo
  0x80: (_, cursor) => checkProtocol(cursor), // PROTO
  0x95: (_, cursor) => checkFrame(cursor), // FRAME
  0x28: (machine) => machine.mark(), // MARK
  0x30: (machine) => machine.discard(), // POP
  0x31: (machine) => void machine.popMark(), // POP_MARK
  0x32: (machine) => machine.push(machine.top()), // DUP
  0x94: (machine) => machine.memoize(), // MEMOIZE
  0x71: (machine, cursor) => machine.put(cursor.uint8()), // BINPUT
  0x72: (machine, cursor) => machine.put(cursor.uint32()), // LONG_BINPUT
  0x68: (machine, cursor) => machine.get(cursor.uint8()), // BINGET
  0x6a: (machine, cursor) => machine.get(cursor.uint32()), // LONG_BINGET
  // containers
  0x29: pushing(() => emptyTuple), // EMPTY_TUPLE
  0x85: (machine) => machine.pushTuple(1), // TUPLE1
  0x86: (machine) => machine.pushTuple(2), // TUPLE2
  0x87: (machine) => machine.pushTuple(3), // TUPLE3
  0x74: (machine) => machine.push(new PyTuple(machine.popMark())), // TUPLE
  0x5d: pushing(() => new PyList()), // EMPTY_LIST
  0x61: (machine) => machine.append([machine.pop()]), // APPEND
  0x65: (machine) => machine.append(machine.popMark()), // APPENDS
  // LIST
  0x6c: (machine) => {
    const items = machine.popMark()
    machine.push(new PyList())
    machine.append(items)
  },
  0x7d: pushing(() => new PyDict()), // EMPTY_DICT
  0x75: (machine) => machine.setItems(machine.popMark()), // SETITEMS
  // SETITEM
  0x73: (machine) => {
    const value = machine.pop()
    machine.setItems([machine.pop(), value])
  },
  // DICT
  0x64: (machine) => {
    const items = machine.popMark()
    machine.push(new PyDict())
    machine.setItems(items)
  },
  0x8f: pushing(() => new PySet()), // EMPTY_SET
  0x90: (machine) => machine.addItems(), // ADDITEMS
  // FROZENSET
  0x91: (machine) => {
    machine.popMark()
    machine.push(new PySet())
  },
  // names and calls
  0x63: pushing(readGlobal), // GLOBAL
  0x93: (machine) => machine.stackGlobal(), // STACK_GLOBAL
  0x52: (machine) => machine.call(), // REDUCE
  0x81: (machine) => machine.call(), // NEWOBJ
  // NEWOBJ_EX
  0x92: (machine) => {
    machine.pop()
    machine.call()
  },
  // INST
  0x69: (machine, cursor) => {
    machine.push(machine.calls.call(readGlobal(cursor), new PyTuple(machine.popMark())))
  },
  // OBJ
  0x6f: (machine) => {
    const [type = null, ...args] = machine.popMark()
    machine.push(machine.calls.call(type, new PyTuple(args)))
  },
  // BUILD
  0x62: (machine) => {
    const state = machine.pop()
    const target = machine.top()
    machine.calls.build(target, state)
    if (!isArrayWrapper(target)) return
    machine.pop()
    machine.push(machine.readArray(target))
  },
  // what is not read
  0x46: textForm, // FLOAT
  0x53: textForm, // STRING
  0x56: textForm, // UNICODE
  0x67: textForm, // GET
  0x70: textForm, // PUT
  0x50: persistent, // PERSID
  0x51: persistent, // BINPERSID
  0x82: extension, // EXT1
  0x83: extension, // EXT2
  0x84: extension, // EXT4
  0x97: outOfBand, // NEXT_BUFFER
  0x98: outOfBand, // READONLY_BUFFER
}

function checkProtocol(cursor: ByteCursor): void {
  const version = cursor.uint8()
  if (version > 5) throw cursor.error(`is of pickle protocol ${version}; 1 to 5 are known`)
}

/** A frame only announces: the bytes are read one by one afterwards. */
function checkFrame(cursor: ByteCursor): void {
  const length = cursor.length64()
  const start = cursor.position
  cursor.skip(length)
  cursor.position = start
}

function readGlobal(cursor: ByteCursor): PyGlobal {
  const module = cursor.line()
  return new PyGlobal(module, cursor.line())
}

/** An integer as Python prints it, perhaps with the `L` of Python 2. */
function readIntegerLine(cursor: ByteCursor): number | bigint {
  const digits = cursor.line().trim().replace(/L$/, '')
  if (!/^[+-]?\d{1,1000}$/.test(digits)) throw cursor.error('holds an integer that cannot be read')
  return asNumber(BigInt(digits.replace('+', '')))
}

function readIntLine(cursor: ByteCursor): boolean | number | bigint {
  const text = cursor.peek(3).toString('latin1')
  const value = readIntegerLine(cursor)
  return text === '00\n' || text === '01\n' ? value === 1 : value
}

/** A little-endian integer in two's complement. */
function readInteger(cursor: ByteCursor, length: number): number | bigint {
  const bytes = cursor.bytes(length)
  if (bytes instanceof ByteSlice) throw cursor.error(`holds an integer of ${length} bytes`)
  if (length === 0) return 0
  const value = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
  return asNumber(BigInt.asIntN(length * 8, value))
}

/** A number as far as it is exact. */
function asNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
