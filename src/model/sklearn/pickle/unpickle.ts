// The pickle machine, protocols 0 to 5: builds data, never calls anything.
import { ByteCursor } from './byte-cursor.ts'
import { Calls } from './calls.ts'
import { Op } from './opcodes.ts'
import { PickleStack } from './pickle-stack.ts'
import { readIndex, readPlainValue } from './plain-values.ts'
import { describe, PyDict, PyGlobal, PyList, PyObject, PySet, PyTuple } from './values.ts'
import type { PyValue } from './values.ts'

const emptyTuple = new PyTuple([])

/**
 * Reads one pickle. The work and the memory are bounded by the file's size: the number of opcodes is limited, bytes are
 * views of the file, shared references stay references.
 *
 * @param bytes the whole file; the result keeps it alive
 * @param label the file's name, for messages
 * @throws ModelError for a broken file, and for one that would have to call what is not on the list (globals.ts)
 */
export function unpickle(bytes: Buffer, label: string): PyValue {
  return new Machine(bytes, label).run()
}

/**
 * A real forest has one opcode in twelve bytes or fewer (one of single nodes in four); a large file has large trees
 * and one in a hundred. What an opcode makes can take a hundred bytes of memory, so this bounds time and memory.
 */
function opcodeLimit(fileSize: number): number {
  return Math.min(200_000 + fileSize / 8, 1_500_000 + fileSize / 100)
}

class Machine {
  readonly #cursor: ByteCursor
  readonly #stack: PickleStack
  readonly #calls: Calls

  constructor(bytes: Buffer, label: string) {
    this.#cursor = new ByteCursor(bytes, label)
    this.#stack = new PickleStack(this.#cursor)
    this.#calls = new Calls(this.#cursor)
  }

  run(): PyValue {
    const cursor = this.#cursor
    const mostOpcodes = opcodeLimit(cursor.bytes.length)
    for (let count = 0; count < mostOpcodes; count++) {
      const opcode = cursor.uint8()
      if (opcode === Op.STOP) return this.#stack.pop()
      const value = readPlainValue(cursor, opcode)
      if (value !== undefined) this.#stack.push(value)
      else this.#structure(opcode)
    }
    throw cursor.error('has far more instructions than a model of its size')
  }

  /** Opcodes that arrange what is on the stack. */
  #structure(opcode: number): void {
    const cursor = this.#cursor
    const stack = this.#stack
    switch (opcode) {
      case Op.PROTO:
        return this.#protocol()
      case Op.FRAME:
        return this.#frame()
      case Op.MARK:
        return stack.mark()
      case Op.POP:
        return stack.discard()
      case Op.POP_MARK:
        stack.popMark()
        return
      case Op.DUP:
        return stack.push(stack.top())
      case Op.MEMOIZE:
        return stack.memoize()
      case Op.BINPUT:
        return stack.put(cursor.uint8())
      case Op.LONG_BINPUT:
        return stack.put(cursor.uint32())
      case Op.PUT:
        return stack.put(readIndex(cursor))
      case Op.BINGET:
        return stack.get(cursor.uint8())
      case Op.LONG_BINGET:
        return stack.get(cursor.uint32())
      case Op.GET:
        return stack.get(readIndex(cursor))
      case Op.EMPTY_TUPLE:
        return stack.push(emptyTuple)
      case Op.TUPLE1:
        return this.#tuple(1)
      case Op.TUPLE2:
        return this.#tuple(2)
      case Op.TUPLE3:
        return this.#tuple(3)
      case Op.TUPLE:
        return stack.push(new PyTuple(stack.popMark()))
      case Op.EMPTY_LIST:
        return stack.push(new PyList())
      case Op.LIST:
        return this.#collect(new PyList())
      case Op.APPEND:
        return this.#append([stack.pop()])
      case Op.APPENDS:
        return this.#append(stack.popMark())
      default:
        return this.#mapping(opcode)
    }
  }

  /** Opcodes for dicts, sets, names and calls. */
  #mapping(opcode: number): void {
    const stack = this.#stack
    switch (opcode) {
      case Op.EMPTY_DICT:
        return stack.push(new PyDict())
      case Op.DICT:
        return this.#collect(new PyDict())
      case Op.SETITEM: {
        const value = stack.pop()
        return this.#setItems([stack.pop(), value])
      }
      case Op.SETITEMS:
        return this.#setItems(stack.popMark())
      case Op.EMPTY_SET:
        return stack.push(new PySet())
      case Op.ADDITEMS:
        stack.popMark()
        return this.#expectSet()
      case Op.FROZENSET:
        stack.popMark()
        return stack.push(new PySet())
      case Op.GLOBAL:
        return stack.push(this.#globalLines())
      case Op.STACK_GLOBAL:
        return this.#stackGlobal()
      case Op.REDUCE:
      case Op.NEWOBJ: {
        const args = stack.pop()
        return stack.push(this.#calls.call(stack.pop(), args))
      }
      case Op.NEWOBJ_EX: {
        stack.pop()
        const args = stack.pop()
        return stack.push(this.#calls.call(stack.pop(), args))
      }
      case Op.INST:
        return stack.push(this.#calls.call(this.#globalLines(), new PyTuple(stack.popMark())))
      case Op.OBJ: {
        const [type, ...args] = stack.popMark()
        return stack.push(this.#calls.call(type ?? null, new PyTuple(args)))
      }
      case Op.BUILD: {
        const state = stack.pop()
        return this.#calls.build(stack.top(), state)
      }
      default:
        throw this.#foreign(opcode)
    }
  }

  #foreign(opcode: number): Error {
    switch (opcode) {
      case Op.PERSID:
      case Op.BINPERSID:
        return this.#cursor.error('refers to objects outside the file (a persistent id): not written by pickle.dump')
      case Op.EXT1:
      case Op.EXT2:
      case Op.EXT4:
        return this.#cursor.error('uses the extension registry of one Python installation')
      case Op.NEXT_BUFFER:
      case Op.READONLY_BUFFER:
        return this.#cursor.error(
          'keeps its arrays outside the file (out-of-band buffers)',
          'Write it with pickle.dump without buffer_callback.',
        )
      default:
        return this.#cursor.error(
          `is no pickle: 0x${opcode.toString(16).padStart(2, '0')} is no instruction`,
          'The file is damaged, or of another kind.',
        )
    }
  }

  #protocol(): void {
    const version = this.#cursor.uint8()
    if (version > 5) throw this.#cursor.error(`is of pickle protocol ${version}; 0 to 5 are known`)
  }

  #frame(): void {
    const cursor = this.#cursor
    const length = cursor.length64()
    const start = cursor.position
    // a frame only announces: the bytes are read one by one afterwards
    cursor.skip(length)
    cursor.position = start
  }

  #tuple(length: number): void {
    const items = new Array<PyValue>(length)
    for (let i = length - 1; i >= 0; i--) items[i] = this.#stack.pop()
    this.#stack.push(new PyTuple(items))
  }

  #collect(container: PyList | PyDict): void {
    const items = this.#stack.popMark()
    this.#stack.push(container)
    if (container instanceof PyList) this.#append(items)
    else this.#setItems(items)
  }

  #append(items: readonly PyValue[]): void {
    const list = this.#stack.top()
    if (list instanceof PyList) for (const item of items) list.items.push(item)
    // a subclass of list: kept as a placeholder, without what is in it
    else if (!(list instanceof PyObject)) throw this.#cursor.error(`appends to ${describe(list)}`)
  }

  #setItems(items: readonly PyValue[]): void {
    const target = this.#stack.top()
    if (items.length % 2 !== 0) throw this.#cursor.error('sets a key without a value')
    if (target instanceof PyDict) {
      for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!)
    } else if (!(target instanceof PyObject)) throw this.#cursor.error(`sets an item of ${describe(target)}`)
  }

  #expectSet(): void {
    const target = this.#stack.top()
    if (!(target instanceof PySet || target instanceof PyObject)) {
      throw this.#cursor.error(`adds elements to ${describe(target)}`)
    }
  }

  #globalLines(): PyGlobal {
    const module = this.#cursor.line().toString('utf8')
    return new PyGlobal(module, this.#cursor.line().toString('utf8'))
  }

  #stackGlobal(): void {
    const name = this.#stack.pop()
    const module = this.#stack.pop()
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.#cursor.error(`names a global by ${describe(module)} and ${describe(name)}`)
    }
    this.#stack.push(new PyGlobal(module, name))
  }
}
