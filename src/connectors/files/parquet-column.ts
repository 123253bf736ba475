// The values of one column, some at a time, from page to page and from row group to row group.
import { type DictionaryPage, type PackedColumn, type Page, pagesOf } from './parquet-pages.ts'
import { createRuns } from './parquet-runs.ts'
import type { ValueKind } from './parquet-values.ts'

const plain = 0
const dictionaryEncodings = new Set([2, 8])

/** Room that all columns use, one after the other, for at most so many values at a time. */
export interface SharedRoom {
  readonly levels: Uint32Array
  readonly indices: Uint32Array
}

export function createSharedRoom(most: number): SharedRoom {
  return { levels: new Uint32Array(most), indices: new Uint32Array(most) }
}

/**
 * Reads a column. What is not read yet stays packed: of a page only its bytes are held.
 *
 * @returns all throw Error, of any class, for what is damaged and for what only DuckDB reads
 */
export function columnReader<Values>(kind: ValueKind<Values>, shared: SharedRoom) {
  const levels = createRuns()
  const indices = createRuns()
  let pages: ReturnType<typeof pagesOf> | undefined
  let page: Page | undefined
  /** values of the page that were not taken */
  let left = 0
  /** of a page without a dictionary: where in its bytes */
  let at = 0
  let dictionary = kind.room(0)
  let dictionaryRoom = 0
  /** undefined: the row group has none */
  let size: number | undefined

  function keepDictionary({ count, values }: DictionaryPage): void {
    if (count > dictionaryRoom) [dictionary, dictionaryRoom] = [kind.room(count), count]
    kind.plain(values, 0, count, dictionary, 0)
    size = count
  }

  function nextPage(): boolean {
    page = pages?.next()
    if (page === undefined) return false
    left = page.count
    at = 0
    if (page.levels) levels.begin(page.levels.bytes, page.levels.range, 1)
    if (page.encoding === plain) return true
    if (size === undefined || !dictionaryEncodings.has(page.encoding))
      throw new RangeError(`an encoding for DuckDB: ${page.encoding}`)
    // a page of nulls may have no bytes: then there is no place in the dictionary to be taken
    const { values } = page
    indices.begin(values, [Math.min(1, values.length), values.length], values[0] ?? 0)
    return true
  }

  /** How many of the next values are there; which, the shared room says unless it is all of them. */
  function countPresent({ levels: given }: Page, count: number): number {
    if (given === undefined) return count
    const same = levels.takeSame(count)
    if (same !== undefined && same > 0) return count
    const present = shared.levels
    if (same === 0) present.fill(0, 0, count)
    else levels.take(present, count)
    let presentCount = 0
    for (let i = 0; i < count; i++) presentCount += present[i]!
    return presentCount
  }

  /** The next values of a page. */
  function takeSome(from: Page, into: Values, start: number, count: number): void {
    const presentCount = countPresent(from, count)
    if (from.encoding === plain) at = kind.plain(from.values, at, presentCount, into, start)
    else {
      indices.take(shared.indices, presentCount)
      kind.pick(dictionary, size!, shared.indices, presentCount, into, start)
    }
    if (presentCount < count) kind.spread(into, start, count, shared.levels, presentCount)
    left -= count
  }

  return {
    begin(column: PackedColumn): void {
      pages = pagesOf(column, keepDictionary)
      page = undefined
      left = 0
      size = undefined
    },
    /** Fills an array with the next `count` values. */
    take(into: Values, count: number): void {
      for (let filled = 0; filled < count;) {
        // pages may be empty
        while (left === 0) if (!nextPage()) throw new RangeError('a column ends before its rows do')
        const taken = Math.min(count - filled, left)
        takeSome(page!, into, filled, taken)
        filled += taken
      }
    },
    isAtEnd: (): boolean => left === 0 && pages?.next() === undefined,
  }
}
