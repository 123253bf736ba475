// What a pickle turns into: data and inert, named placeholders. Nothing here can run.
import { ByteSlice } from '../../container/byte-source.ts'

/** Everything that can lie on the reader's stack. Python's bytes and bytearray are both bytes here. */
export type PyValue =
  null | boolean | number | bigint | string | PyBytes | PyList | PyTuple | PyDict | PySet | PyGlobal | PyObject

/** Few bytes, or where many lie in the file. */
export type PyBytes = Uint8Array | ByteSlice

export function isBytes(value: PyValue | undefined): value is PyBytes {
  return value instanceof Uint8Array || value instanceof ByteSlice
}

/** The bytes themselves, read from the file where there are many. */
export function contentOf(bytes: PyBytes): Uint8Array {
  return bytes instanceof ByteSlice ? bytes.read() : bytes
}

export class PyList {
  readonly items: PyValue[] = []
}

export class PyTuple {
  readonly items: readonly PyValue[]

  constructor(items: readonly PyValue[]) {
    this.items = items
  }
}

/** A set or frozenset: its elements are never needed, so they are not kept. */
export class PySet {
  readonly type = 'set'
}

/** A dict or OrderedDict. The table is made when the first key arrives, because a byte of a file can make an empty one. */
export class PyDict {
  #entries: Map<PyValue, PyValue> | undefined

  set(key: PyValue, value: PyValue): void {
    this.#entries ??= new Map()
    this.#entries.set(key, value)
  }

  get(key: string): PyValue | undefined {
    return this.#entries?.get(key)
  }

  /** The keys that are texts, in the order of the file. */
  keys(): string[] {
    return [...(this.#entries?.keys() ?? [])].filter((key) => typeof key === 'string')
  }

  get size(): number {
    return this.#entries?.size ?? 0
  }
}

/** A class or function by its name; only ever a name. */
export class PyGlobal {
  readonly module: string
  readonly name: string
  readonly fullName: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
    this.fullName = `${module}.${name}`
  }
}

/** An instance that was not built: its class, the constructor's arguments, and the state it would have been given. */
export class PyObject {
  readonly type: PyGlobal
  readonly args: readonly PyValue[]
  state: PyValue | undefined

  constructor(type: PyGlobal, args: readonly PyValue[]) {
    this.type = type
    this.args = args
  }

  /** An attribute as `__dict__` would hold it; undefined where there is none. */
  attribute(name: string): PyValue | undefined {
    return this.state instanceof PyDict ? this.state.get(name) : undefined
  }
}

/** A short name of a value for messages; looks at the value only, not at what it holds. */
export function describe(value: PyValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (value instanceof PyObject) return `a ${value.type.fullName}`
  if (value instanceof PyGlobal) return value.fullName
  if (value instanceof PyList) return `a list of ${value.items.length}`
  if (value instanceof PyTuple) return `a tuple of ${value.items.length}`
  if (value instanceof PyDict) return `a dict of ${value.size}`
  if (value instanceof PySet) return 'a set'
  if (isBytes(value)) return `${value.length} bytes`
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 40))}`
  return `the ${typeof value === 'boolean' ? 'truth value' : 'number'} ${String(value).slice(0, 40)}`
}
