// Members of a booster's document by their path, checked: what JSON and UBJSON have in common.
import { ModelError } from '../../errors.ts'

type Numbers = ArrayLike<number>

/** A place in the document that knows its path, for messages. */
export class Members {
  readonly #value: Record<string, unknown>
  readonly #path: string

  /** @throws ModelError for what is not an object */
  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
      throw damaged(path, 'is not an object')
    }
    this.#value = value as Record<string, unknown>
    this.#path = path
  }

  /** undefined where there is none */
  get(key: string): unknown {
    return Object.hasOwn(this.#value, key) ? this.#value[key] : undefined
  }

  object(key: string): Members {
    return new Members(this.get(key), `${this.#path}.${key}`)
  }

  text(key: string): string {
    const value = this.get(key)
    if (typeof value !== 'string') throw this.#error(key, 'is not a text')
    return value
  }

  /** An integer, of 0 at least; XGBoost writes its parameters as texts. */
  count(key: string): number {
    const value = this.get(key)
    const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) throw this.#error(key, 'is not a count')
    return count
  }

  list(key: string): readonly unknown[] {
    const value = this.get(key)
    if (!Array.isArray(value)) throw this.#error(key, 'is not a list')
    return value
  }

  /** A list of numbers, or of truth values as 0 and 1. */
  numbers(key: string, length?: number): Numbers {
    const value = this.get(key)
    const isTyped = ArrayBuffer.isView(value) && !(value instanceof DataView)
    if (!isTyped && !Array.isArray(value)) throw this.#error(key, 'is not a list of numbers')
    const list = value as Numbers & { some(test: (item: unknown) => boolean): boolean }
    if (length !== undefined && list.length !== length) {
      throw this.#error(key, `has ${list.length} numbers, where ${length} are needed`)
    }
    if (!isTyped && list.some((item) => typeof item !== 'number' && typeof item !== 'boolean')) {
      throw this.#error(key, 'is not a list of numbers')
    }
    return list
  }

  #error(key: string, problem: string): ModelError {
    return damaged(`${this.#path}.${key}`, problem)
  }
}

function damaged(path: string, problem: string): ModelError {
  return new ModelError(`${path} ${problem}`, { hint: 'The file is damaged, or not a booster of XGBoost’s.' })
}
