// Lines → CSV records, such that one broken quote costs one row and not the rest of the file.
import type { LineGroup } from './chunks.ts'

/** One record, or what is wrong with a line. */
export interface CsvRecord {
  readonly fields: readonly string[]
  /** the line it begins in, from 1 */
  readonly line: number
  /** why the line is no record; `fields` are then a guess */
  readonly problem?: string
}

/** A quoted field may hold line ends; one that goes on for longer is taken for a quote that was never closed. */
const maxLinesARecord = 100
const maxLengthOfRecord = 4 * 1024 * 1024

/**
 * Records of RFC 4180: quotes are special only at the start of a field, `""` is a quote, blank lines are passed over. A
 * record that cannot be right (an open quote, text after a closing one, several lines that do not make the expected
 * number of fields) is given up for its first line alone; reading goes on with the next line.
 *
 * @param delimiter one character
 * @param isLikely what else the fields of a record of several lines must be
 */
export async function* csvRecords(
  groups: AsyncIterable<LineGroup>,
  delimiter: string,
  isLikely: (fields: readonly string[]) => boolean = () => true,
): AsyncGenerator<CsvRecord[], void, undefined> {
  let width: number | undefined
  let held: string[] = []
  let heldNumber = 1

  /** takes records off the lines; answers the place of the first line that needs more lines */
  function take(lines: readonly string[], firstNumber: number, isEnd: boolean, into: CsvRecord[]): number {
    for (let i = 0; i < lines.length;) {
      const { fields, next, problem } = scanRecord(lines, i, delimiter)
      const isOpen = next > lines.length
      if (isOpen && !isEnd && mayGoOn(lines, i)) return i
      const line = firstNumber + i
      const isUnlikely = next > i + 1 && width !== undefined && (fields.length !== width || !isLikely(fields))
      if (isBlank(lines[i]!)) {
        i++
      } else if (isOpen || problem !== undefined || isUnlikely) {
        into.push({ fields: lines[i]!.split(delimiter), line, problem: problem ?? 'a quote is not closed' })
        i++
      } else {
        width ??= fields.length
        into.push({ fields, line })
        i = next
      }
    }
    return lines.length
  }

  for await (const { lines, firstNumber, overlong } of groups) {
    const records: CsvRecord[] = []
    const all = held.length > 0 ? [...held, ...lines] : lines
    const start = held.length > 0 ? heldNumber : firstNumber
    let from = 0
    for (const place of overlong) {
      const line = firstNumber + place
      take(all.slice(from, line - start), start + from, true, records)
      records.push({ fields: lines[place]!.split(delimiter), line, problem: 'the line is too long' })
      from = line - start + 1
    }
    const rest = from > 0 ? all.slice(from) : all
    const taken = take(rest, start + from, false, records)
    held = rest.slice(taken)
    heldNumber = start + from + taken
    if (records.length > 0) yield records
  }
  const last: CsvRecord[] = []
  take(held, heldNumber, true, last)
  if (last.length > 0) yield last
}

/** @returns `next`: the line after the record, as a place in `lines`; lines.length + 1 where they ended inside quotes */
function scanRecord(lines: readonly string[], start: number, delimiter: string) {
  const line = lines[start]!
  // most lines of most files have no quote at all
  if (!line.includes('"')) return { fields: withoutReturn(line).split(delimiter), next: start + 1 }
  const fields: string[] = []
  let row = start
  let text = line
  for (let at = 0; ;) {
    if (text.charCodeAt(at) !== 0x22) {
      const end = text.indexOf(delimiter, at)
      fields.push(end < 0 ? withoutReturn(text.slice(at)) : text.slice(at, end))
      if (end < 0) return { fields, next: row + 1 }
      at = end + 1
      continue
    }
    const field = quotedField(lines, row, at + 1, Math.min(lines.length, start + maxLinesARecord))
    if (!field) return { fields, next: lines.length + 1 }
    fields.push(field.value)
    row = field.row
    text = lines[row]!
    if (withoutReturn(text).length <= field.at) return { fields, next: row + 1 }
    if (text[field.at] !== delimiter) return { fields, next: row + 1, problem: 'text after a closing quote' }
    at = field.at + 1
  }
}

/** Reads from behind an opening quote to behind the closing one; undefined if the lines end before. */
function quotedField(lines: readonly string[], startRow: number, start: number, endRow: number) {
  let value = ''
  let at = start
  for (let row = startRow; row < endRow; row++, at = 0) {
    const text = lines[row]!
    for (;;) {
      const quote = text.indexOf('"', at)
      if (quote < 0) break
      value += text.slice(at, quote)
      at = quote + 1
      if (text.charCodeAt(at) !== 0x22) return { value, row, at }
      value += '"'
      at++
    }
    value += `${text.slice(at)}\n`
  }
  return undefined
}

function mayGoOn(lines: readonly string[], start: number): boolean {
  if (lines.length - start >= maxLinesARecord) return false
  let length = 0
  for (let i = start; i < lines.length; i++) length += lines[i]!.length
  return length < maxLengthOfRecord
}

function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function isBlank(line: string): boolean {
  return line === '' || line === '\r'
}
