// Reads Avro's binary encoding forward, never beyond its end.

/** Bytes that are no Avro by the schema they claim to have. */
export class AvroBytesError extends Error {}

/** A place in some bytes. Every read checks that the bytes are there: what comes from outside may claim any length. */
export class AvroCursor {
  private bytes: Uint8Array = new Uint8Array(0)
  private view = new DataView(this.bytes.buffer)
  /** of the next byte to read, in the bytes */
  position = 0
  /** exclusive */
  end = 0

  /** Begins anew at `position`, to read up to `end` (exclusive). */
  reset(bytes: Uint8Array, position: number, end: number): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = position
    this.end = Math.min(end, bytes.byteLength)
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** An int or a long as a number: exact up to 2^53, the nearest float64 beyond. */
  readInteger(): number {
    const first = this.byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let value = first & 0x7f
    let scale = 128
    for (let length = 1; length < 5; length++) {
      const next = this.byte()
      value += (next & 0x7f) * scale
      if (next < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    this.position -= 5
    return Number(this.readLong())
  }

  /** A long with all its bits. */
  readLong(): bigint {
    let low = 0
    let high = 0
    for (let length = 0; length < 10; length++) {
      const next = this.byte()
      const bits = next & 0x7f
      // 28 bits in the low word, then the rest: both stay exact as numbers
      if (length < 4) low += bits * 2 ** (7 * length)
      else high += bits * 2 ** (7 * (length - 4))
      if (next < 0x80) return BigInt.asIntN(64, unzigzag(BigInt.asUintN(64, (BigInt(high) << 28n) | BigInt(low))))
    }
    throw new AvroBytesError('an integer has no end')
  }

  /** A length or a number of items: never negative, never more than the bytes that are left can hold. */
  readLength(): number {
    const length = this.readInteger()
    if (length < 0) throw new AvroBytesError('a length is negative')
    if (length > this.remaining) throw new AvroBytesError('it ends too early')
    return length
  }

  readFloat(): number {
    const at = this.take(4)
    return this.view.getFloat32(at, true)
  }

  readDouble(): number {
    const at = this.take(8)
    return this.view.getFloat64(at, true)
  }

  readBoolean(): boolean {
    return this.byte() !== 0
  }

  readText(): string {
    const length = this.readLength()
    const at = this.take(length)
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, length).toString('utf8')
  }

  /** The next bytes, not copied. */
  readBytes(length: number): Uint8Array {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  skip(length: number): void {
    this.take(length)
  }

  skipInteger(): void {
    for (let length = 0; length < 10; length++) if (this.byte() < 0x80) return
    throw new AvroBytesError('an integer has no end')
  }

  private byte(): number {
    if (this.position >= this.end) throw new AvroBytesError('it ends too early')
    return this.bytes[this.position++]!
  }

  private take(length: number): number {
    const at = this.position
    if (length > this.end - at) throw new AvroBytesError('it ends too early')
    this.position = at + length
    return at
  }
}

function unzigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n)
}
