// The stack and memo of the pickle reader, with limits no honest model comes near.
import type { ByteCursor } from './byte-cursor.ts'
import type { PyValue } from './values.ts'

// Python's pickler appends and sets items in batches of 1000; only a tuple puts more on the stack at once
const deepestStack = 200_000
const deepestMarks = 1_000

/** What the opcodes work on. Popping what is not there, or what lies below a mark, is an error of the file. */
export class PickleStack {
  readonly #cursor: ByteCursor
  /** entries 0, 1, 2 …, as every pickler numbers them */
  readonly #memo: PyValue[] = []
  /** entries with other numbers */
  readonly #sparseMemo = new Map<number, PyValue>()
  readonly #marks: number[] = []
  #values: PyValue[] = []
  /** values below this lie under a mark and may not be popped one by one */
  #floor = 0

  constructor(cursor: ByteCursor) {
    this.#cursor = cursor
  }

  push(value: PyValue): void {
    if (this.#values.length >= deepestStack) throw this.#cursor.error('is nested too deeply for a model')
    this.#values.push(value)
  }

  pop(): PyValue {
    if (this.#values.length <= this.#floor) throw this.#cursor.error('takes more from its stack than is there')
    return this.#values.pop()!
  }

  top(): PyValue {
    if (this.#values.length <= this.#floor) throw this.#cursor.error('looks at an empty stack')
    return this.#values[this.#values.length - 1]!
  }

  mark(): void {
    if (this.#marks.length >= deepestMarks) throw this.#cursor.error('is nested too deeply for a model')
    this.#marks.push(this.#values.length)
    this.#floor = this.#values.length
  }

  /** Takes everything since the last mark, in order. */
  popMark(): PyValue[] {
    const start = this.#marks.pop()
    if (start === undefined) throw this.#cursor.error('closes a mark that was never opened')
    const items = this.#values.splice(start)
    this.#floor = this.#marks.at(-1) ?? 0
    return items
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
    if (!(index >= 0 && index <= this.#cursor.bytes.length)) {
      throw this.#cursor.error(`uses the memo index ${index}, which no pickle of this size has`)
    }
    if (index <= this.#memo.length) this.#memo[index] = this.top()
    else this.#sparseMemo.set(index, this.top())
  }

  get(index: number): void {
    const value = index < this.#memo.length ? this.#memo[index] : this.#sparseMemo.get(index)
    if (value === undefined) throw this.#cursor.error(`asks for memo entry ${index}, which does not exist`)
    this.push(value)
  }
}
