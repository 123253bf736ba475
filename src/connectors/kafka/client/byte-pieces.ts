// Bytes as a socket gave them, in pieces: read forward, and copied only where what is wanted lies in two of them.

/** A place in such bytes. */
export class BytePieces {
  private readonly pieces: readonly Buffer[]
  /** of the piece that comes after the current one */
  private next = 0
  private nextAt = 0
  private current: Buffer = Buffer.alloc(0)
  private at = 0
  private left: number

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces
    this.left = pieces.reduce((sum, { length }) => sum + length, 0)
  }

  get remaining(): number {
    return this.left
  }

  /** The byte after the last one that was read. Throws RangeError behind the end. */
  byte(): number {
    while (this.at >= this.current.length) this.load()
    this.left--
    return this.current[this.at++]!
  }

  /** The next bytes, in one piece; there must be as many. They are not copied where they lie together. */
  take(length: number): Buffer {
    if (length > this.left) throw new RangeError(`there are ${this.left} bytes, not ${length}`)
    if (length === 0) return this.current.subarray(0, 0)
    while (this.at >= this.current.length) this.load()
    if (length > this.current.length - this.at) this.join(length)
    this.left -= length
    return this.current.subarray(this.at, (this.at += length))
  }

  /** The next bytes as they lie. */
  split(length: number): BytePieces {
    if (length > this.left) throw new RangeError(`there are ${this.left} bytes, not ${length}`)
    const parts: Buffer[] = []
    for (let rest = length; rest > 0;) {
      while (this.at >= this.current.length) this.load()
      const part = this.current.subarray(this.at, Math.min(this.at + rest, this.current.length))
      parts.push(part)
      this.at += part.length
      rest -= part.length
    }
    this.left -= length
    return new BytePieces(parts)
  }

  private load(): void {
    const piece = this.pieces[this.next]
    if (!piece) throw new RangeError('there are no more bytes')
    this.current = piece
    this.at = this.nextAt
    this.next++
    this.nextAt = 0
  }

  /** Makes a piece of the next bytes, which lie in several. */
  private join(length: number): void {
    const joined = Buffer.allocUnsafe(length)
    let filled = this.current.copy(joined, 0, this.at)
    while (filled < length) {
      const piece = this.pieces[this.next]!
      const copied = piece.copy(joined, filled, this.nextAt)
      filled += copied
      this.nextAt += copied
      if (this.nextAt < piece.length) break
      this.next++
      this.nextAt = 0
    }
    this.current = joined
    this.at = 0
  }
}
