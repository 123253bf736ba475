// JSON that a stranger may have written: nothing in it is believed before it is checked.
import { readFileSync } from 'node:fs'
import { messageOf } from '../errors.ts'

export type JsonChecker = ReturnType<typeof jsonChecker>

/**
 * Checks what a text of JSON says, one value at a time; each check answers the value or throws.
 *
 * @param failure makes the error of what is wrong with it: the name that the check was given, or `not JSON (…)`
 */
export function jsonChecker(failure: (what: string, cause?: unknown) => Error) {
  const error = (what: string): Error => failure(`invalid ${what}`)
  const record = (value: unknown, what: string) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw error(what)
    return value as Record<string, unknown>
  }
  const list = (value: unknown, what: string): unknown[] => {
    if (!Array.isArray(value)) throw error(what)
    return value
  }
  const text = (value: unknown, what: string) => {
    if (typeof value !== 'string') throw error(what)
    return value
  }
  /** Finite: `1e999` is JSON, and no number. */
  const number = (value: unknown, what: string) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw error(what)
    return value
  }
  const count = (value: unknown, what: string) => {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw error(what)
    return value as number
  }
  /** Texts, at least one, none of them twice. */
  const names = (value: unknown, what: string) => {
    const found = list(value, what).map((name) => text(name, what))
    if (found.length === 0 || new Set(found).size !== found.length) throw error(what)
    return found
  }
  /** In hexadecimal digits. */
  const sha256 = (value: unknown, what: string) => {
    if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw error(what)
    return value
  }
  /** The value of a whole text. */
  const json = (source: string): unknown => {
    try {
      return JSON.parse(source)
    } catch (cause) {
      throw failure(`not JSON (${messageOf(cause)})`, cause)
    }
  }
  return {
    error,
    json,
    /** The value of a whole file. */
    file(path: string): unknown {
      let source: string
      try {
        source = readFileSync(path, 'utf8')
      } catch (cause) {
        throw failure(messageOf(cause), cause)
      }
      return json(source)
    },
    ...{ record, list, text, number, count, names, sha256 },
  }
}
