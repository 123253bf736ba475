// Bytes → lines of text, a few hundred at a time, with a bound for how long a line may be.
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
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  maxLength: number,
): AsyncGenerator<LineGroup, void, undefined> {
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
