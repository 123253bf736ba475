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
  /** packed bits that were read and not yet used */
  let word = 0
  let bits = 0

  function nextRun(): void {
    // what a run that was only begun has at its end
    if (isPacked) cursor.at = runEnd
    if (cursor.at >= end) throw new RangeError('fewer numbers than the page says')
    const head = readVarint(cursor)
    isPacked = head % 2 === 1
    left = Math.floor(head / 2) * (isPacked ? 8 : 1)
    word = bits = 0
    if (isPacked) {
      // the last group is written whole, but for writers that leave out its end
      runEnd = cursor.at + (left / 8) * width
      return
    }
    const length = Math.ceil(width / 8)
    if (cursor.at + length > end) throw new RangeError('a run beyond its bytes')
    value = width === 0 ? 0 : cursor.bytes.readUIntLE(cursor.at, length) & (2 ** width - 1)
    cursor.at += length
  }

  function unpack(into: Uint8Array | Uint32Array, from: number, count: number): void {
    if (cursor.at + Math.ceil((count * width - bits) / 8) > end) throw new RangeError('a run beyond its bytes')
    let i = from
    const to = from + count
    if (width === 1 && bits === 0) i = unpackEights(into, i, to)
    const { bytes } = cursor
    const mask = 2 ** width - 1
    let { at } = cursor
    for (; i < to; i++) {
      for (; bits < width; bits += 8) word |= bytes[at++]! << bits
      into[i] = word & mask
      word >>>= width
      bits -= width
    }
    cursor.at = at
  }

  /** Single bits, eight at a time; answers where the rest of them goes. */
  function unpackEights(into: Uint8Array | Uint32Array, from: number, to: number): number {
    const { bytes } = cursor
    let i = from
    for (; i + 8 <= to; i += 8) {
      const byte = bytes[cursor.at++]!
      into[i] = byte & 1
      into[i + 1] = (byte >> 1) & 1
      into[i + 2] = (byte >> 2) & 1
      into[i + 3] = (byte >> 3) & 1
      into[i + 4] = (byte >> 4) & 1
      into[i + 5] = (byte >> 5) & 1
      into[i + 6] = (byte >> 6) & 1
      into[i + 7] = byte >> 7
    }
    return i
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
    take(into: Uint8Array | Uint32Array, count: number): void {
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
