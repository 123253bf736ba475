// Values as text files write them: a line of NDJSON with no integer rounded on the way, a number, a null.
import { randomBytes } from 'node:crypto'

/** A JSON object; keys are the file's own (`__proto__` among them is a key like others). */
export type JsonRecord = Readonly<Record<string, unknown>>

/**
 * Marks what JSON.parse would refuse (`NaN`, `Infinity`) or round (integers of 16 digits and more). Nobody can write it into
 * data: it is another one in every process. It begins with an escape, so that one set inside a string makes the line
 * invalid (`\` cannot follow a closing quote), never different.
 */
const secret = randomBytes(8).toString('hex')
const mark = `\u0000${secret}`
const markedInJson = `\\u0000${secret}`
const standsAlone = /([:,[]\s*)(NaN|-?Infinity|-?[1-9]\d{15,})(?=\s*[,}\]])/g

/** A pattern remembers every character of a run, and no more than some millions. */
const longestForPattern = 1_000_000

/**
 * Parses a line. JSON.parse does the work, on a text in which what it cannot take stands as marked strings; a parser that
 * keeps all digits by itself (lossless-json) takes three times as long, and every line with a candid needs it.
 *
 * @returns undefined for what is no JSON object. Read its values with `jsonScalar`.
 */
export function parseJsonLine(line: string): JsonRecord | undefined {
  // only lines that did not parse need the slower way, which knows strings from what is between them
  const quickly =
    line.length > longestForPattern ? undefined : parsedOrUndefined(line.replace(standsAlone, `$1"${markedInJson}$2"`))
  const parsed = quickly ?? parsedOrUndefined(markedBetweenStrings(line))
  return isJsonRecord(parsed) ? parsed : undefined
}

/** Goes over the line once, however long its strings are. */
function markedBetweenStrings(line: string): string {
  const parts: string[] = []
  let copied = 0
  for (let at = 0; at < line.length;) {
    if (line.charCodeAt(at) === 0x22) {
      at = endOfString(line, at)
      continue
    }
    let end = at
    while (isOfWord(line.charCodeAt(end))) end++
    if (end === at) {
      at++
      continue
    }
    if (needsMark(line, at, end) && isValueEnd(line, end)) {
      parts.push(line.slice(copied, at), `"${markedInJson}${line.slice(at, end)}"`)
      copied = end
    }
    at = end
  }
  parts.push(line.slice(copied))
  return parts.join('')
}

/** The place behind the closing quote. */
function endOfString(line: string, start: number): number {
  for (let at = start + 1; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code === 0x5c) at++
  }
  return line.length
}

/** Letters, digits, and what numbers have besides. */
function isOfWord(code: number): boolean {
  const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
  return isLetter || isDigit(code) || code === 0x2d || code === 0x2b || code === 0x2e
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function needsMark(line: string, start: number, end: number): boolean {
  const first = line.charCodeAt(start) === 0x2d ? start + 1 : start
  if (end - first === 3) return first === start && line.startsWith('NaN', start)
  if (end - first === 8) return line.startsWith('Infinity', first)
  if (end - first < 16 || line.charCodeAt(first) === 0x30) return false
  for (let at = first; at < end; at++) if (!isDigit(line.charCodeAt(at))) return false
  return true
}

/** A name of JavaScript may be called NaN as well; a value is followed by a comma or a bracket. */
function isValueEnd(line: string, end: number): boolean {
  let at = end
  while (line.charCodeAt(at) === 0x20 || line.charCodeAt(at) === 0x09) at++
  return [',', '}', ']'].includes(line[at] ?? '')
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value is an object, neither null nor an array. */
export function isJsonRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * A value of a parsed line: what was marked as the number or bigint it is, anything else as it is. An integer that no id
 * and no number can be is ±Infinity: making a bigint of millions of digits takes minutes.
 */
export function jsonScalar(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(mark)) return value
  const text = value.slice(mark.length)
  const number = Number(text)
  return Number.isFinite(number) ? BigInt(text) : number
}

/**
 * A feature of a parsed line in float64.
 *
 * @returns NaN for null; undefined for what is no number
 */
export function jsonNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (value === null) return NaN
  const scalar = jsonScalar(value)
  return typeof scalar === 'number' || typeof scalar === 'bigint' ? Number(scalar) : undefined
}

/** What text files write for null: what pandas reads as such, and COPY of PostgreSQL. */
export const nullWords: ReadonlySet<string> = new Set(
  [
    ['', 'NaN', 'nan', '-NaN', '-nan', 'NA', 'N/A', 'n/a', '#N/A', '#NA', '#N/A N/A', '<NA>'],
    ['NULL', 'null', 'None', '1.#IND', '-1.#IND', '1.#QNAN', '-1.#QNAN', '\\N'],
  ].flat(),
)
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const infinity = /^([+-]?)inf(?:inity)?$/i

/** Whether a text file means null by it. */
export function isNullText(text: string): boolean {
  return nullWords.has(text)
}

/**
 * Reads a number exactly (the nearest float64, as any correct reader does: no decimal digit is lost on the way).
 *
 * @returns NaN for null and the null words, ±Infinity for `inf`, `-Infinity` …; undefined for what is no number
 */
export function readNumberText(text: string): number | undefined {
  if (text.length > longestForPattern) return undefined
  if (decimal.test(text)) return Number(text)
  if (nullWords.has(text)) return NaN
  const infinite = infinity.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  const trimmed = text.trim()
  return trimmed === text ? undefined : readNumberText(trimmed)
}
