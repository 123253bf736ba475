// Chunks as they come → as many bytes as asked for.

/** Reads forward. */
export interface ByteReader {
  /** exactly as many bytes as asked for, fewer only at the end; in memory of their own, as typed arrays need it */
  read(length: number): Promise<Buffer>
  /** whatever comes next; undefined at the end */
  readSome(): Promise<Buffer | undefined>
  /** puts bytes back */
  unread(bytes: Buffer): void
  close(): Promise<void>
}

/** See ByteReader. */
export function createByteReader(chunks: AsyncIterable<Buffer>): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]()
  const held: Buffer[] = []

  async function readSome(): Promise<Buffer | undefined> {
    const kept = held.shift()
    if (kept) return kept
    const next = await iterator.next()
    return next.done === true ? undefined : next.value
  }

  return {
    async read(length) {
      // memory that is not touched is not used: a length that lies costs nothing
      const bytes = Buffer.allocUnsafeSlow(length)
      let filled = 0
      while (filled < length) {
        const chunk = await readSome()
        if (!chunk) break
        const taken = chunk.copy(bytes, filled)
        filled += taken
        if (taken < chunk.length) held.unshift(chunk.subarray(taken))
      }
      return bytes.subarray(0, filled)
    },
    readSome,
    unread(bytes) {
      if (bytes.length > 0) held.unshift(bytes)
    },
    async close() {
      await iterator.return?.()
    },
  }
}
