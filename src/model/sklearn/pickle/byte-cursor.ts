// Reads a pickle's bytes in order; every read is checked against the end of the file.
import { isUtf8 } from 'node:buffer'
import { ModelError } from '../../../errors.ts'
import { ByteSlice, type ByteSource } from '../../container/byte-source.ts'

// V8 refuses strings of half a gigabyte; nothing in a model comes near
const longestText = 2 ** 28
const longestLine = 4096
/** bytes from here on are read when somebody asks for them: nodes of trees, and what nobody asks for, such as samples */
const sliceFrom = 1024
/** what is read ahead; small, because behind it there is often an array that is skipped */
const readAhead = 16 * 1024

const otherKindHint =
  'The file is damaged, or of another kind. Pickles, files of joblib, boosters of XGBoost (.json, .ubj) and LightGBM (.txt), and ONNX files can be imported.'

/** A position in a model's bytes, of which a small piece is in memory. */
export class ByteCursor {
  readonly source: ByteSource
  readonly label: string
  position = 0
  #piece: Buffer
  #pieceStart = 0

  constructor(source: ByteSource, label: string) {
    this.source = source
    this.label = label
    this.#piece = Buffer.alloc(0)
  }

  get size(): number {
    return this.source.size
  }

  /** The error for what stands here; says at which byte. */
  error(problem: string, hint = otherKindHint): ModelError {
    return new ModelError(`${this.label}: ${problem} (byte ${this.position})`, { hint })
  }

  /** Moves over `length` bytes and says where they began. */
  skip(length: number): number {
    const start = this.position
    if (length > this.size - start) {
      throw this.error(`ends too early: ${length} more bytes were announced, ${this.size - start} are there`, moreHint)
    }
    this.position = start + length
    return start
  }

  /** Moves over `length` bytes; `#piece` then has them, from the index that is returned. */
  #take(length: number): number {
    const start = this.skip(length)
    const at = start - this.#pieceStart
    if (at >= 0 && at + length <= this.#piece.length) return at
    this.#load(start, length)
    return 0
  }

  #load(start: number, length: number): void {
    this.#piece = this.source.read(start, Math.min(this.size - start, Math.max(length, readAhead)))
    this.#pieceStart = start
  }

  uint8(): number {
    if (this.position >= this.size) throw this.error('ends in the middle of a pickle', moreHint)
    const at = this.#take(1)
    return this.#piece[at]!
  }

  uint16(): number {
    const at = this.#take(2)
    return this.#piece.readUInt16LE(at)
  }

  int32(): number {
    const at = this.#take(4)
    return this.#piece.readInt32LE(at)
  }

  uint32(): number {
    const at = this.#take(4)
    return this.#piece.readUInt32LE(at)
  }

  float64(): number {
    const at = this.#take(8)
    return this.#piece.readDoubleBE(at)
  }

  /** A length of eight bytes. One beyond 2^53 loses its last digits here, and is refused by `skip` in any case. */
  length64(): number {
    const at = this.#take(8)
    return this.#piece.readUInt32LE(at) + this.#piece.readUInt32LE(at + 4) * 2 ** 32
  }

  /** Some bytes; many are only remembered. */
  bytes(length: number): Uint8Array | ByteSlice {
    if (length >= sliceFrom) return new ByteSlice(this.source, this.skip(length), length)
    const at = this.#take(length)
    // a copy, because a view would keep the whole piece
    return Uint8Array.prototype.slice.call(this.#piece, at, at + length)
  }

  text(length: number, encoding: 'utf8' | 'latin1'): string {
    if (length > longestText) {
      this.skip(length)
      throw this.error(`holds a text of ${length} bytes, which is more than any model has`)
    }
    const at = this.#take(length)
    const view = this.#piece.subarray(at, at + length)
    if (encoding === 'utf8' && length > 0 && !isUtf8(view)) throw this.error('holds a text that is not UTF-8')
    return view.toString(encoding)
  }

  /** The next bytes without moving; fewer at the end. */
  peek(length: number): Buffer {
    const start = this.position
    const at = this.#take(Math.min(length, this.size - start))
    const view = this.#piece.subarray(at, at + this.position - start)
    this.position = start
    return view
  }

  /** The text up to the next line feed, which is skipped. */
  line(): string {
    const view = this.peek(longestLine + 1)
    const end = view.indexOf(10)
    if (end === -1 && view.length > longestLine) throw this.error(`holds a line of more than ${longestLine} bytes`)
    if (end === -1) throw this.error('ends in the middle of a line', moreHint)
    this.position += end + 1
    return view.toString('utf8', 0, end)
  }
}

const moreHint = 'The file is cut off or damaged: copy or download it again.'
