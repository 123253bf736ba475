// Bytes that grow: the fields of Postgres' and Avro's binary forms and of Kafka's records.

/** Appends values. Numbers are big-endian unless their name says otherwise; lengths are in bytes. */
export class ByteWriter {
  private bytes: Buffer
  private at = 0
  private size: number

  /** @param expected about how many bytes will be written */
  constructor(expected: number) {
    this.size = Math.max(64, expected)
    this.bytes = Buffer.allocUnsafe(this.size)
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
    this.at = this.bytes.writeFloatLE(value, this.at)
  }

  float64LE(value: number): void {
    this.reserve(8)
    this.at = this.bytes.writeDoubleLE(value, this.at)
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
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[this.at++] = Number(rest)
  }

  /** The length as a zigzag varint, then UTF-8. */
  varintText(value: string): void {
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.reserve(length)
    this.at += this.bytes.write(value, this.at, 'utf8')
  }

  /** The length as a zigzag varint, then these bytes; a length of −1 for null. */
  varintField(value: Uint8Array | null): void {
    this.varint(value === null ? -1 : value.length)
    if (value !== null) this.raw(value)
  }
}

const nothing = Buffer.alloc(0)
const longestVarint = 10

/** Writes a safe integer as a zigzag varint, at most ten bytes; answers the place after it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  while (rest > 0x7f) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
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
