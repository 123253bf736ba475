// Reads a pickle's bytes in order; every read is checked against the end of the file.
import { isUtf8 } from 'node:buffer'
import { ModelError } from '../../../errors.ts'

// V8 refuses strings of half a gigabyte; nothing in a model comes near
const longestText = 2 ** 28
const longestLine = 4096

/** A position in a file that is held in memory. Views are handed out, never copies. */
export class ByteCursor {
  readonly bytes: Buffer
  readonly label: string
  position = 0

  constructor(bytes: Buffer, label: string) {
    this.bytes = bytes
    this.label = label
  }

  /** The error for what stands here; says at which byte. */
  error(problem: string, hint?: string): ModelError {
    return new ModelError(`${this.label}: ${problem} (byte ${this.position})`, hint === undefined ? {} : { hint })
  }

  /** Moves over `length` bytes and says where they began. */
  skip(length: number): number {
    const start = this.position
    if (length > this.bytes.length - start) {
      throw this.error(
        `ends too early: ${length} more bytes were announced, ${this.bytes.length - start} are there`,
        moreHint,
      )
    }
    this.position = start + length
    return start
  }

  uint8(): number {
    const value = this.bytes[this.position]
    if (value === undefined) throw this.error('ends in the middle of a pickle', moreHint)
    this.position++
    return value
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.skip(2))
  }

  int32(): number {
    return this.bytes.readInt32LE(this.skip(4))
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.skip(4))
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.skip(8))
  }

  /** A length of eight bytes. One beyond 2^53 loses its last digits here, and is refused by `skip` in any case. */
  length64(): number {
    const start = this.skip(8)
    return this.bytes.readUInt32LE(start) + this.bytes.readUInt32LE(start + 4) * 2 ** 32
  }

  view(length: number): Buffer {
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  text(length: number, encoding: 'utf8' | 'latin1'): string {
    const view = this.view(length)
    if (length > longestText) throw this.error(`holds a text of ${length} bytes, which is more than any model has`)
    if (encoding === 'utf8' && length > 0 && !isUtf8(view)) throw this.error('holds a text that is not UTF-8')
    return view.toString(encoding)
  }

  /** The text up to the next line feed, which is skipped. */
  line(): string {
    const end = this.bytes.indexOf(10, this.position)
    if (end === -1) throw this.error('ends in the middle of a line', moreHint)
    if (end - this.position > longestLine) throw this.error(`holds a line of ${end - this.position} bytes`)
    const line = this.bytes.toString('utf8', this.position, end)
    this.position = end + 1
    return line
  }
}

const moreHint = 'The file is cut off or damaged: copy or download it again.'
