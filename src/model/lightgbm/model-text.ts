// The text of a LightGBM booster: a header and one section a tree, each of lines `key=value`.
import { ModelError } from '../../errors.ts'

const damagedHint = 'The file is cut off or damaged, or not a booster of LightGBM’s: save or copy it again.'

/** One section's values by their keys. */
export class TextSection {
  readonly #values: ReadonlyMap<string, string>
  readonly #what: string

  constructor(lines: readonly string[], what: string) {
    const values = new Map<string, string>()
    for (const line of lines) {
      const equals = line.indexOf('=')
      if (equals === -1) continue
      const key = line.slice(0, equals)
      if (values.has(key)) throw new ModelError(`${what}: ${key.slice(0, 60)} is there twice`, { hint: damagedHint })
      values.set(key, line.slice(equals + 1))
    }
    this.#values = values
    this.#what = what
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  text(key: string): string {
    const value = this.#values.get(key)
    if (value === undefined) throw new ModelError(`${this.#what}: has no ${key}`, { hint: damagedHint })
    return value
  }

  words(key: string): string[] {
    return this.text(key)
      .split(' ')
      .filter((word) => word !== '')
  }

  count(key: string): number {
    const text = this.text(key)
    if (/^\d{1,9}$/.test(text)) return Number(text)
    throw new ModelError(`${this.#what}: ${key} is ${JSON.stringify(text.slice(0, 40))}, where a number is needed`, {
      hint: damagedHint,
    })
  }

  /** @throws ModelError where there are not so many numbers */
  numbers(key: string, length: number): Float64Array {
    const words = this.words(key)
    const values = Float64Array.from(words, numberOf)
    if (values.length === length && !values.some(Number.isNaN)) return values
    throw new ModelError(`${this.#what}: ${key} is not ${length} numbers`, { hint: damagedHint })
  }
}

/** LightGBM writes infinities as it finds them, and reads them back as ±1e300 (`Common::AvoidInf`). */
function numberOf(word: string): number {
  if (/^[+-]?inf$/i.test(word)) return word.startsWith('-') ? -1e300 : 1e300
  const value = /^[-+\d.eE]+$/.test(word) ? Number(word) : NaN
  return value > 1e300 ? 1e300 : value < -1e300 ? -1e300 : value
}

/**
 * Splits a booster's text.
 *
 * @throws ModelError for what is none, or where trees are missing
 */
export function readModelText(text: string, label: string) {
  if (!/^tree\r?\n/.test(text)) throw new ModelError(`${label} is not a booster of LightGBM's`, { hint: damagedHint })
  const end = text.search(/^end of trees\r?$/m)
  if (end === -1) throw new ModelError(`${label}: the trees have no end`, { hint: damagedHint })
  const [head = '', ...trees] = text.slice(0, end).split(/^Tree=/m)
  const lines = linesOf(head)
  const header = new TextSection(lines, label)
  return {
    header,
    isRandomForest: lines.includes('average_output'),
    trees: trees.map((section, index) => {
      const [number, ...rest] = linesOf(section)
      if (number !== String(index)) throw new ModelError(`${label}: tree ${index} is not there`, { hint: damagedHint })
      return new TextSection(rest, `${label}: tree ${index}`)
    }),
  }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/)
}
