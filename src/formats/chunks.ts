// Chunks of bytes as they come → lines of text, or as many bytes as asked for.
import { StringDecoder } from 'node:string_decoder'

/** Lines that were read together. */
export interface LineGroup {
  /** without `\n`; a `\r` before it is still there */
  readonly lines: readonly string[]
  /** of the first line, from 1 */
  readonly firstNumber: number
  /** places in `lines` where a line was longer than allowed; only its beginning is there */
  readonly overlong: ReadonlySet<number>
}

const shownOfOverlong = 200
const none: ReadonlySet<number> = new Set()
const byteOrderMark = '\ufeff'

/**
 * Splits UTF-8 text at `\n` and nowhere else (U+2028 is a character like others). Bytes that are no UTF-8 become U+FFFD; a
 * byte order mark at the start is dropped. (split2 does the same a line at a time, without saying what it skipped.)
 *
 * @param maxLength in UTF-16 units; a longer line is skipped to its end and marked
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, maxLength: number) {
  const decoder = new StringDecoder('utf8')
  let number = 1
  // the beginning of a line that goes on, in pieces: joined once, however long it gets
  let begun: string[] = []
  let begunLength = 0
  let isAtStart = true
  let isSkipping = false
  for await (const chunk of chunks) {
    let text = decoder.write(chunk)
    if (isAtStart && text !== '') {
      if (text.startsWith(byteOrderMark)) text = text.slice(1)
      isAtStart = false
    }
    if (isSkipping) {
      const end = text.indexOf('\n')
      if (end < 0) continue
      text = text.slice(end + 1)
      isSkipping = false
    }
    const lines = text.split('\n')
    const rest = lines.pop()!
    const overlong = new Set<number>()
    if (lines.length > 0) {
      lines[0] = begun.join('') + lines[0]!
      // only a line that began in an earlier chunk, or is still going on, can be as long as that
      if (lines[0].length > maxLength) {
        lines[0] = lines[0].slice(0, shownOfOverlong)
        overlong.add(0)
      }
      begun = []
      begunLength = 0
    }
    begun.push(rest)
    begunLength += rest.length
    if (begunLength > maxLength) {
      overlong.add(lines.push(begun.join('').slice(0, shownOfOverlong)) - 1)
      begun = []
      begunLength = 0
      isSkipping = true
    }
    if (lines.length > 0) yield { lines, firstNumber: number, overlong: overlong.size > 0 ? overlong : none }
    number += lines.length
  }
  const last = begun.join('') + decoder.end()
  if (!isSkipping && last !== '') yield { lines: [last], firstNumber: number, overlong: none }
}

/** A string that does not keep the text alive which it was cut from. */
export function detachedText(text: string): string {
  // V8 copies what is shorter than 13 anyway
  return text.length < 13 ? text : Buffer.from(text, 'utf8').toString('utf8')
}

export type ByteReader = ReturnType<typeof createByteReader>

export function createByteReader(chunks: AsyncIterable<Buffer>) {
  const iterator = chunks[Symbol.asyncIterator]()
  const held: Buffer[] = []

  /** whatever comes next; undefined at the end */
  async function readSome(): Promise<Buffer | undefined> {
    const kept = held.shift()
    if (kept) return kept
    const next = await iterator.next()
    return next.done === true ? undefined : next.value
  }

  async function close(): Promise<void> {
    await iterator.return?.()
  }

  return {
    /** exactly as many bytes as asked for, fewer only at the end; in memory of their own, as typed arrays need it */
    async read(length: number): Promise<Buffer> {
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
    /** everything that is left, in the chunks as they come */
    async *rest(): AsyncGenerator<Buffer, void, undefined> {
      try {
        for (let next = await readSome(); next; next = await readSome()) yield next
      } finally {
        await close()
      }
    },
    unread(bytes: Buffer): void {
      if (bytes.length > 0) held.unshift(bytes)
    },
    close,
  }
}
