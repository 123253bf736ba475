// All rows of an object, as arrays → what the newest of them say.
import type { BinaryRows } from '../client/binary.ts'
import type { NameTable, StoredFeature } from './lookups.ts'

/** What the newest rows of an object say. */
export interface Newest {
  /** rows of any date */
  readonly count: number
  /** whether any row, newest or not, is of a version that counts */
  readonly hasChosen: boolean
  /** NaN without rows */
  readonly version: number
  /** another version among the rows of that date, else NaN */
  readonly otherVersion: number
  /** the place of a feature that is there twice, else −1 */
  readonly twice: number
  /** one float64 a feature, NaN for null */
  readonly values: Float64Array
}

/** What numbers stand for, and which versions count. */
interface StoredNames {
  readonly stored: readonly (readonly StoredFeature[])[]
  readonly names: NameTable
  readonly versions: ReadonlySet<number>
}

/**
 * Only the newest rows of an object count; those without a date are older than any with one.
 *
 * @param unused takes the names that the model does not use
 * @returns reads a row: an object, and arrays of what its rows are, of their versions, values and dates
 */
export function createNewest(
  { stored, names, versions }: StoredNames,
  unused: Set<string>,
): (rows: BinaryRows) => Newest {
  const places = new Map(stored.flatMap((all, place) => all.map(({ id, band }) => [keyOf(id, band), place] as const)))
  const [keys, versionsOfRows, values, dates] = [1, 2, 3, 4].map(createArrayCursor) as Cursors

  function placeOf(key: number): number {
    const place = places.get(key)
    if (place !== undefined) return place
    places.set(key, -1)
    const [id, band] = [key >> 16, (key << 16) >> 16]
    unused.add(`${names.get(id) ?? `feature_id ${id}`}${band === 0 ? '' : ` (band ${band})`}`)
    return -1
  }

  function newestDate(rows: BinaryRows): number {
    let newest = -Infinity
    for (let left = dates.open(rows); left > 0; left--) {
      const at = dates.next()
      if (at >= 0) newest = Math.max(newest, rows.bytes.readInt32BE(at))
    }
    return newest
  }

  return (rows: BinaryRows) => {
    const { bytes } = rows
    const newest = newestDate(rows)
    const found = { version: NaN, otherVersion: NaN, twice: -1, values: new Float64Array(stored.length).fill(NaN) }
    const seen = new Uint8Array(stored.length)
    let hasChosen = false
    const count = keys.open(rows)
    for (const cursor of [versionsOfRows, values, dates]) cursor.open(rows)
    for (let left = count; left > 0; left--) {
      const key = keys.next()
      const at = versionsOfRows.next()
      const value = values.next()
      const date = dates.next()
      const version = at < 0 ? NaN : bytes.readInt16BE(at)
      if (version !== found.version && versions.has(version)) hasChosen = true
      if ((date < 0 ? -Infinity : bytes.readInt32BE(date)) < newest) continue
      if (Number.isNaN(found.version)) found.version = version
      else if (version !== found.version) found.otherVersion = version
      const place = key < 0 ? -1 : placeOf(bytes.readInt32BE(key))
      if (place < 0) continue
      if (seen[place] === 1) found.twice = place
      seen[place] = 1
      found.values[place] = value < 0 ? NaN : bytes.readDoubleBE(value)
    }
    return { ...found, count, hasChosen }
  }
}

type Cursors = [Cursor, Cursor, Cursor, Cursor]
type Cursor = ReturnType<typeof createArrayCursor>

/** Goes through an array in Postgres' binary form: five numbers of 32 bits, then each element behind its length. */
function createArrayCursor(field: number) {
  let bytes: Buffer
  let at = 0
  return {
    /** how many elements there are, 0 for null */
    open(rows: BinaryRows): number {
      bytes = rows.bytes
      at = rows.starts[field]! + 20
      return rows.lengths[field]! < 20 ? 0 : bytes.readInt32BE(at - 8)
    },
    /** where the next element begins, −1 for null */
    next(): number {
      const length = bytes.readInt32BE(at)
      at += 4
      if (length < 0) return -1
      at += length
      return at - length
    },
  }
}

/** as the statement makes it of two smallints */
export const keyOf = (id: number, band: number): number => (id << 16) | (band & 65_535)
