// Bytes that grow: the fields of Postgres' and Avro's binary forms and of Kafka's records.

/** Appends values. Numbers are big-endian unless their name says otherwise; lengths are in bytes. */
export class ByteWriter {
  private bytes: Buffer
  private view: DataView
  private at = 0
  private size: number

  /** @param expected about how many bytes will be written */
  constructor(expected: number) {
    this.size = Math.max(64, expected)
    this.bytes = Buffer.allocUnsafe(this.size)
    this.view = viewOf(this.bytes)
  }

  get length(): number {
    return this.at
  }

  /** What was written so far. Holds until the next write. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.at)
  }

  /** What was written since the last call, for the caller to keep. */
  take(): Buffer {
    const taken = this.written
    this.bytes = nothing
    this.view = viewOf(nothing)
    this.at = 0
    return taken
  }

  /** Forgets what was written and writes over it. */
  clear(): void {
    this.at = 0
  }

  /** Makes room: writes of up to so many bytes need not grow the memory. */
  reserve(more: number): void {
    const needed = this.at + more
    if (needed <= this.bytes.length) return
    this.size = Math.max(this.size, needed)
    const larger = Buffer.allocUnsafe(Math.max(this.size, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
    this.view = viewOf(larger)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.at++] = value
  }

  int16(value: number): void {
    this.reserve(2)
    this.at = this.bytes.writeInt16BE(value, this.at)
  }

  int32(value: number): void {
    this.reserve(4)
    this.at = this.bytes.writeInt32BE(value, this.at)
  }

  int64(value: bigint): void {
    this.reserve(8)
    this.at = this.bytes.writeBigInt64BE(value, this.at)
  }

  float64(value: number): void {
    this.reserve(8)
    this.at = this.bytes.writeDoubleBE(value, this.at)
  }

  float32LE(value: number): void {
    this.reserve(4)
    this.view.setFloat32(this.at, value, true)
    this.at += 4
  }

  /** These bytes, and over four of them at each place, from its start on, a float32. */
  rawWithFloat32LE(bytes: Uint8Array, places: readonly number[], values: Float64Array, start: number): void {
    const { at } = this
    this.raw(bytes)
    const { view } = this
    for (let i = 0; i < places.length; i++) view.setFloat32(at + places[i]!, values[start + i]!, true)
  }

  /**
   * Values of Avro's unions of a float, or a double, and null, which stands for what is not finite there. In one loop: a
   * number that is handed to a function costs memory.
   */
  numbersOrNull(values: Float64Array, areDoubles: Uint8Array): void {
    this.reserve(9 * areDoubles.length)
    const { bytes, view } = this
    let { at } = this
    for (let i = 0; i < areDoubles.length; i++) {
      const value = values[i]!
      const isDouble = areDoubles[i] === 1
      // what float32 cannot hold would become an infinity, and those are null
      const written = isDouble ? value : Math.fround(value)
      if (written - written !== 0) {
        bytes[at++] = 2
        continue
      }
      bytes[at++] = 0
      if (isDouble) view.setFloat64(at, written, true)
      else view.setFloat32(at, written, true)
      at += isDouble ? 8 : 4
    }
    this.at = at
  }

  float64LE(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
  }

  /** The length as int32, then UTF-8. */
  text(value: string): void {
    // three bytes a UTF-16 unit is the most that UTF-8 needs
    this.reserve(4 + value.length * 3)
    const length = this.bytes.write(value, this.at + 4, 'utf8')
    this.at = this.bytes.writeInt32BE(length, this.at) + length
  }

  /** The length as int32, then these bytes. */
  field(value: Uint8Array): void {
    this.int32(value.length)
    this.raw(value)
  }

  /** An integer as a zigzag varint. */
  varint(value: number): void {
    this.reserve(longestVarint)
    this.at = writeVarint(this.bytes, this.at, value)
  }

  /** An int64 as a zigzag varint. */
  varint64(value: bigint): void {
    this.reserve(longestVarint)
    const zigzagged = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    // in two halves, because numbers are cheaper than bigints
    const high = Number(zigzagged >> 28n)
    let low = Number(zigzagged & 0xfffffffn)
    if (high === 0) {
      this.at = writeUnsigned(this.bytes, this.at, low)
      return
    }
    for (let i = 0; i < 4; i++, low >>>= 7) this.bytes[this.at++] = (low & 0x7f) | 0x80
    this.at = writeUnsigned(this.bytes, this.at, high)
  }

  /** The length as a zigzag varint, then UTF-8. */
  varintText(value: string): void {
    if (this.shortAscii(value)) return
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.reserve(length)
    this.at += this.bytes.write(value, this.at, 'utf8')
  }

  /** Names are short and ASCII: not worth a call into the runtime. False for any other text, of which nothing is written. */
  private shortAscii(value: string): boolean {
    const { length } = value
    if (length >= shortText) return false
    this.reserve(1 + length)
    const { bytes, at } = this
    bytes[at] = 2 * length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[at + 1 + i] = code
    }
    this.at = at + 1 + length
    return true
  }
}

const nothing = Buffer.alloc(0)
const longestVarint = 10
/** whose length is one byte */
const shortText = 64

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength)

/** Writes a safe integer as a zigzag varint, at most ten bytes; answers the place after it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  return writeUnsigned(into, at, zigzag(value))
}

function writeUnsigned(into: Uint8Array, at: number, value: number): number {
  let rest = value
  while (rest > 0x7fffffff) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  for (; rest > 0x7f; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80
  into[at++] = rest
  return at
}

export function varintLength(value: number): number {
  let length = 1
  for (let rest = zigzag(value); rest > 0x7f; rest = Math.floor(rest / 128)) length++
  return length
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}
