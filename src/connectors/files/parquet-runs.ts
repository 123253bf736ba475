// Parquet's mix of runs and packed bits, some numbers at a time: which values are null, and places in a dictionary.
import { type Cursor, readVarint } from './compact-thrift.ts'

/** Numbers as a page has them; `begin` sets it to the next page's. */
export function createRuns() {
  let cursor: Cursor = { bytes: Buffer.alloc(0), at: 0 }
  let end = 0
  let width = 0
  /** of the run that is being read */
  let left = 0
  let isPacked = false
  let value = 0
  let runEnd = 0
  /** bits of a packed run that were read; its bytes begin at the cursor */
  let position = 0

  function nextRun(): void {
    // what a run that was only begun has at its end
    if (isPacked) cursor.at = runEnd
    if (cursor.at >= end) throw new RangeError('fewer numbers than the page says')
    const head = readVarint(cursor)
    isPacked = head % 2 === 1
    left = Math.floor(head / 2) * (isPacked ? 8 : 1)
    position = 0
    if (isPacked) {
      // the last group is written whole, but for writers that leave out its end
      runEnd = cursor.at + (left / 8) * width
      return
    }
    const length = Math.ceil(width / 8)
    if (cursor.at + length > end) throw new RangeError('a run beyond its bytes')
    value = width === 0 ? 0 : cursor.bytes.readUIntLE(cursor.at, length) & ((1 << width) - 1)
    cursor.at += length
  }

  function unpack(into: Uint32Array, from: number, count: number): void {
    if (cursor.at + Math.ceil((position + count * width) / 8) > end) throw new RangeError('a run beyond its bytes')
    const to = from + count
    if (width === 0) into.fill(0, from, to)
    else if (width === 1) unpackBits(into, from, to)
    else unpackNumbers(into, from, to)
    position += count * width
  }

  /** A number has at most 24 bits, which begin in a byte: four bytes have it. */
  function unpackNumbers(into: Uint32Array, from: number, to: number): void {
    const { bytes, at } = cursor
    const each = width
    const mask = (1 << width) - 1
    const last = bytes.length - 4
    let bit = position
    let i = from
    for (let byte = at + (bit >>> 3); i < to && byte <= last; byte = at + (bit >>> 3)) {
      const word = bytes[byte]! | (bytes[byte + 1]! << 8) | (bytes[byte + 2]! << 16) | (bytes[byte + 3]! << 24)
      into[i++] = (word >>> (bit & 7)) & mask
      bit += each
    }
    // the last bytes of all
    for (; i < to; bit += each) {
      const byte = at + (bit >>> 3)
      const word = bytes.readUIntLE(byte, Math.ceil(((bit & 7) + each) / 8))
      into[i++] = (word >>> (bit & 7)) & mask
    }
  }

  /** Single bits, eight at a time where a byte begins. */
  function unpackBits(into: Uint32Array, from: number, to: number): void {
    const { bytes, at } = cursor
    let bit = position
    let i = from
    for (; i < to && (bit & 7) !== 0; bit++) into[i++] = (bytes[at + (bit >>> 3)]! >> (bit & 7)) & 1
    for (; i + 8 <= to; bit += 8) {
      const byte = bytes[at + (bit >>> 3)]!
      into[i++] = byte & 1
      into[i++] = (byte >> 1) & 1
      into[i++] = (byte >> 2) & 1
      into[i++] = (byte >> 3) & 1
      into[i++] = (byte >> 4) & 1
      into[i++] = (byte >> 5) & 1
      into[i++] = (byte >> 6) & 1
      into[i++] = byte >> 7
    }
    for (; i < to; bit++) into[i++] = (bytes[at + (bit >>> 3)]! >> (bit & 7)) & 1
  }

  return {
    /** @param bits of a number */
    begin(bytes: Buffer, [from, to]: readonly [number, number], bitsEach: number): void {
      if (to > bytes.length) throw new RangeError('numbers beyond the page')
      if (bitsEach > 24) throw new RangeError('numbers for DuckDB')
      cursor = { bytes, at: from }
      end = to
      width = bitsEach
      left = 0
      isPacked = false
    },
    /** Takes the next `count` if all of them are in one run of one number, and answers it; otherwise takes none. */
    takeSame(count: number): number | undefined {
      if (left === 0) nextRun()
      if (isPacked || left < count) return undefined
      left -= count
      return value
    },
    /** The next `count`. @throws RangeError for what is not there */
    take(into: Uint32Array, count: number): void {
      for (let filled = 0; filled < count;) {
        if (left === 0) nextRun()
        if (left === 0) throw new RangeError('a run of nothing')
        const taken = Math.min(left, count - filled)
        if (isPacked) unpack(into, filled, taken)
        else into.fill(value, filled, filled + taken)
        left -= taken
        filled += taken
      }
    },
  }
}
