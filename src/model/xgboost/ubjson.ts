// UBJSON as XGBoost writes it: objects and lists without announced types, lists of numbers with them.
import { isUtf8 } from 'node:buffer'
import { ModelError } from '../../errors.ts'

/** Lists of numbers of one type come as typed arrays, integers of 64 bits as numbers. */
export type UbjsonValue = null | boolean | number | string | NumberList | UbjsonValue[] | { [key: string]: UbjsonValue }
type NumberList = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Int32Array

// a booster's own is 8 deep
const deepest = 64
// XGBoost's own limit of a text is the file's
const longestText = 2 ** 28

/**
 * Reads one value. Time and memory are bounded by the size of the file.
 *
 * @param bytes the whole file
 * @param label its name, for messages
 * @throws ModelError for what is cut off, nested beyond reason, or of a form that XGBoost does not write
 */
export function readUbjson(bytes: Uint8Array, label: string): UbjsonValue {
  const reader = new Reader(bytes, label)
  return reader.value(reader.mark(), 0)
}

class Reader {
  readonly #bytes: Buffer
  readonly #label: string
  #position = 0

  constructor(bytes: Uint8Array, label: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#label = label
  }

  /** The character that says what follows. */
  mark(): string {
    return String.fromCharCode(this.#bytes[this.#skip(1)]!)
  }

  value(mark: string, depth: number): UbjsonValue {
    if (depth > deepest) throw this.#error('is nested too deeply for a booster')
    switch (mark) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#list(depth)
      case 'S':
        return this.#text()
      case 'Z':
        return null
      case 'T':
        return true
      case 'F':
        return false
      default:
        return this.#number(mark)
    }
  }

  #object(depth: number): { [key: string]: UbjsonValue } {
    // a key may be named like a member that every object has
    const object = Object.create(null) as { [key: string]: UbjsonValue }
    while (this.#next() !== '}') {
      const key = this.#text()
      object[key] = this.value(this.mark(), depth + 1)
    }
    this.#position++
    return object
  }

  #list(depth: number): UbjsonValue {
    if (this.#next() === '$') return this.#typedList()
    // an announced length; without it the list ends with a bracket
    const length = this.#next() === '#' ? this.#announcedLength() : undefined
    const list: UbjsonValue[] = []
    while (length === undefined ? this.#next() !== ']' : list.length < length) {
      list.push(this.value(this.mark(), depth + 1))
    }
    if (length === undefined) this.#position++
    return list
  }

  #announcedLength(): number {
    this.#position++
    return this.#length(this.mark())
  }

  /** `[$` type `#` length, then the numbers themselves. */
  #typedList(): NumberList {
    this.#position++
    const mark = this.mark()
    if (this.mark() !== '#') throw this.#error('holds a list of numbers without a length')
    const length = this.#length(this.mark())
    const type = Object.hasOwn(lists, mark) ? lists[mark as keyof typeof lists] : undefined
    if (!type) throw this.#error(`holds a list of ${JSON.stringify(mark)}, which XGBoost does not write`)
    const { size, make, at } = type
    const start = this.#skip(length * size)
    const list = make(length)
    for (let i = 0; i < length; i++) list[i] = at(this.#bytes, start + i * size)
    return list
  }

  #number(mark: string): number {
    if (mark === 'L') {
      const value = Number(this.#bytes.readBigInt64BE(this.#skip(8)))
      if (!Number.isSafeInteger(value)) throw this.#error(`holds the number ${value}, which no booster has`)
      return value
    }
    const type = Object.hasOwn(lists, mark) ? lists[mark as keyof typeof lists] : undefined
    if (!type) throw this.#error(`holds ${JSON.stringify(mark)} where a value begins`)
    return type.at(this.#bytes, this.#skip(type.size))
  }

  #length(mark: string): number {
    if (!'iUIlL'.includes(mark)) throw this.#error(`holds a length of the type ${JSON.stringify(mark)}`)
    const length = this.#number(mark)
    if (length < 0) throw this.#error(`holds a length of ${length}`)
    return length
  }

  #text(): string {
    const length = this.#length(this.mark())
    const start = this.#skip(length)
    if (length > longestText) throw this.#error(`holds a text of ${length} bytes`)
    const text = this.#bytes.subarray(start, start + length)
    if (length > 0 && !isUtf8(text)) throw this.#error('holds a text that is not UTF-8')
    return text.toString('utf8')
  }

  #next(): string {
    const byte = this.#bytes[this.#position]
    if (byte === undefined) throw this.#error('ends in the middle of a value')
    return String.fromCharCode(byte)
  }

  /** Moves over so many bytes, which must be there, and says where they began. */
  #skip(length: number): number {
    const start = this.#position
    if (length > this.#bytes.length - start) throw this.#error('ends in the middle of a value')
    this.#position = start + length
    return start
  }

  #error(problem: string): ModelError {
    return new ModelError(`${this.#label}: ${problem} (byte ${this.#position})`, {
      hint: 'The file is cut off or damaged: save or copy it again.',
    })
  }
}

/** The types of numbers, big-endian. */
const lists = {
  d: { size: 4, make: (length: number) => new Float32Array(length), at: (b: Buffer, at: number) => b.readFloatBE(at) },
  D: { size: 8, make: (length: number) => new Float64Array(length), at: (b: Buffer, at: number) => b.readDoubleBE(at) },
  i: { size: 1, make: (length: number) => new Int8Array(length), at: (b: Buffer, at: number) => b.readInt8(at) },
  U: { size: 1, make: (length: number) => new Uint8Array(length), at: (b: Buffer, at: number) => b.readUInt8(at) },
  I: { size: 2, make: (length: number) => new Int16Array(length), at: (b: Buffer, at: number) => b.readInt16BE(at) },
  l: { size: 4, make: (length: number) => new Int32Array(length), at: (b: Buffer, at: number) => b.readInt32BE(at) },
  L: {
    size: 8,
    make: (length: number) => new Float64Array(length),
    at: (b: Buffer, at: number) => Number(b.readBigInt64BE(at)),
  },
} as const
