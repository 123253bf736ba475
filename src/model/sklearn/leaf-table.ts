// The distinct leaf distributions of a forest: most leaves share theirs with thousands of others.

/** Gives every distribution a number, the same number for the same bits, in the order of first appearance. */
export class LeafTable {
  readonly #width: number
  #rows: Float64Array
  #words: Uint32Array
  #count = 0
  /** open addressing: number + 1 of the distribution, 0 for empty */
  #slots = new Uint32Array(1024)

  constructor(width: number) {
    this.#width = width
    this.#rows = new Float64Array(width * 256)
    this.#words = new Uint32Array(this.#rows.buffer)
  }

  /** The number of the distribution at `start` of `values`. */
  add(values: Float64Array, start: number): number {
    const width = this.#width
    if ((this.#count + 1) * width > this.#rows.length) this.#grow()
    // written behind the last row, where it stays if it is new
    for (let i = 0; i < width; i++) this.#rows[this.#count * width + i] = values[start + i]!
    const mask = this.#slots.length - 1
    for (let slot = this.#hash(this.#count) & mask; ; slot = (slot + 1) & mask) {
      const known = this.#slots[slot]!
      if (known === 0) {
        this.#slots[slot] = ++this.#count
        if (this.#count * 2 > this.#slots.length) this.#rehash()
        return this.#count - 1
      }
      if (this.#isSame(known - 1, this.#count)) return known - 1
    }
  }

  /** All distributions, one after the other. */
  toArray(): Float64Array {
    return this.#rows.slice(0, this.#count * this.#width)
  }

  #isSame(a: number, b: number): boolean {
    const words = this.#width * 2
    for (let i = 0; i < words; i++) if (this.#words[a * words + i] !== this.#words[b * words + i]) return false
    return true
  }

  #hash(row: number): number {
    const words = this.#width * 2
    let hash = 0x811c9dc5
    for (let i = row * words; i < (row + 1) * words; i++)
      hash = Math.imul(hash ^ this.#words[i]!, 0x01000193) ^ (hash >>> 15)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  #grow(): void {
    const rows = new Float64Array(this.#rows.length * 2)
    rows.set(this.#rows)
    this.#rows = rows
    this.#words = new Uint32Array(rows.buffer)
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    for (let row = 0; row < this.#count; row++) {
      let slot = this.#hash(row) & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = row + 1
    }
    this.#slots = slots
  }
}
