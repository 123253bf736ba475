// Numbers as text files write them.

/** What a text file writes for null. */
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
