// One line of NDJSON as Python and JavaScript write it, with no integer rounded on the way.

/** A JSON object; keys are the file's own (`__proto__` among them is a key like others). */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Marks what JSON.parse would refuse (`NaN`, `Infinity`) or round (integers of 16 digits and more). */
const mark = '\u0000'
const markedInJson = String.raw`\u0000`
const standsAlone = /([:,[]\s*)(NaN|-?Infinity|-?[1-9]\d{15,})(?=\s*[,}\]])/g
const stringOrToken = /("(?:[^"\\]|\\.)*")|(?:NaN|-?Infinity|(?<![\d.eE+-])-?[1-9]\d{15,})(?=\s*[,}\]])/g

/**
 * Parses a line. JSON.parse does the work, on a text in which what it cannot take stands as marked strings; a parser that
 * keeps all digits by itself (lossless-json) takes three times as long, and every line with a candid needs it.
 *
 * @returns undefined for what is no JSON object. Read its values with `jsonScalar`.
 */
export function parseJsonLine(line: string): JsonRecord | undefined {
  const marked = (token: string, string?: string): string => string ?? `"${markedInJson}${token}"`
  // a mark set inside a string makes the line invalid (`\` cannot follow a closing quote), never different: so only lines
  // that did not parse need the slower way, which knows strings from what is between them
  const parsed =
    parsedOrUndefined(line.replace(standsAlone, `$1"${markedInJson}$2"`)) ??
    parsedOrUndefined(line.replace(stringOrToken, marked))
  return isJsonRecord(parsed) ? parsed : undefined
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

/** A value of a parsed line: what was marked as the number or bigint it is, anything else as it is. */
export function jsonScalar(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(mark)) return value
  const text = value.slice(mark.length)
  return /\d/.test(text) ? BigInt(text) : Number(text)
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

export const nullWords: ReadonlySet<string> = new Set(['', 'NaN', 'nan', 'NA', 'null', 'None'])
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const infinity = /^([+-]?)inf(?:inity)?$/i

/** Whether a text file means null by it: empty, `NaN`, `nan`, `NA`, `null`, `None`. */
export function isNullText(text: string): boolean {
  return nullWords.has(text)
}

/**
 * Reads a number exactly (the nearest float64, as any correct reader does: no decimal digit is lost on the way).
 *
 * @returns NaN for null and the null words, ±Infinity for `inf`, `-Infinity` …; undefined for what is no number
 */
export function readNumberText(text: string): number | undefined {
  if (decimal.test(text)) return Number(text)
  if (nullWords.has(text)) return NaN
  const infinite = infinity.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  const trimmed = text.trim()
  return trimmed === text ? undefined : readNumberText(trimmed)
}
