// The objects of a batch as the Probability table wants them: one row set an object, sorted by the primary key.
import type { ClassifiedBatch, Reject, Taxonomy } from '../../pipeline/batch.ts'
import { denseRanks } from '../../pipeline/ranking.ts'

/** One of the rows that every object has. */
export interface Place {
  readonly classifierName: string
  readonly className: string
  /** where its probability is in a classified batch */
  readonly level: number
  readonly index: number
}

/** The rows to be: those of object `i` are at `i × places.length`, in the order of the places. */
export interface WantedRows {
  /** ascending, each once */
  readonly oids: readonly string[]
  readonly candids: readonly (bigint | null)[]
  readonly places: readonly Place[]
  readonly probabilities: Float64Array
  readonly rankings: Int32Array
}

/** What of a batch goes to the table, and what does not. */
interface Selection {
  readonly wanted: WantedRows
  readonly refused: readonly Reject[]
  /** rows of objects that the batch has again with a newer candid */
  readonly superseded: number
}

/**
 * The classes of all levels in the order of the primary key (class_name before classifier_name), by code point. Every
 * writer keeps this order, so that no two wait for each other.
 */
export function placesOf({ levels }: Taxonomy): readonly Place[] {
  const places = levels.flatMap(({ classifierName, classes }, level) =>
    classes.map((className, index) => ({ classifierName, className, level, index })),
  )
  return places.sort((a, b) => compare(a.className, b.className) || compare(a.classifierName, b.classifierName))
}

/** Any order that is the same for all writers would do. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * Keeps the newest row of each object and sorts: the larger candid, of equal ones the later row; any candid is newer than
 * none, as in `sources/newest-rows.ts`.
 *
 * @param address what rejects name as their place
 */
export function selectRows(batch: ClassifiedBatch, places: readonly Place[], address: string): Selection {
  const newest = new Map<string, number>()
  const refused: Reject[] = []
  for (let row = 0; row < batch.rowCount; row++) {
    const oid = batch.oids[row]!
    if (!isStorable(oid)) {
      const reason = 'oid holds a character that Postgres cannot store'
      refused.push({ oid, where: address, reason, message: batch.messages?.[row] })
      continue
    }
    const known = newest.get(oid)
    if (known === undefined || !isOlder(batch.candids[row]!, batch.candids[known]!)) newest.set(oid, row)
  }
  const oids = [...newest.keys()].sort(compare)
  const rows = oids.map((oid) => newest.get(oid)!)
  const wanted = { oids, candids: rows.map((row) => batch.candids[row]!), places, ...valuesOf(batch, rows, places) }
  return { wanted, refused, superseded: batch.rowCount - refused.length - oids.length }
}

function isOlder(candid: bigint | null, than: bigint | null): boolean {
  return than !== null && (candid === null || candid < than)
}

/** Postgres has no NUL in text; half a surrogate pair would become another character, perhaps another oid. */
function isStorable(oid: string): boolean {
  return !oid.includes('\0') && !/\p{Surrogate}/u.test(oid)
}

function valuesOf(
  { taxonomy, probabilities: levels }: ClassifiedBatch,
  rows: readonly number[],
  places: readonly Place[],
): { probabilities: Float64Array; rankings: Int32Array } {
  const widths = taxonomy.levels.map(({ classes }) => classes.length)
  const ranks = widths.map((width) => new Int32Array(width))
  const probabilities = new Float64Array(rows.length * places.length)
  const rankings = new Int32Array(rows.length * places.length)
  let at = 0
  for (const row of rows) {
    widths.forEach((width, level) => denseRanks(levels[level]!, row * width, width, ranks[level]!, 0))
    for (const { level, index } of places) {
      probabilities[at] = levels[level]![row * widths[level]! + index]!
      rankings[at++] = ranks[level]![index]!
    }
  }
  return { probabilities, rankings }
}

/** Some of the objects, by their ascending indices. */
export function pickObjects(rows: WantedRows, objects: readonly number[]): WantedRows {
  if (objects.length === rows.oids.length) return rows
  const width = rows.places.length
  const probabilities = new Float64Array(objects.length * width)
  const rankings = new Int32Array(objects.length * width)
  objects.forEach((object, i) => {
    probabilities.set(rows.probabilities.subarray(object * width, (object + 1) * width), i * width)
    rankings.set(rows.rankings.subarray(object * width, (object + 1) * width), i * width)
  })
  return {
    oids: objects.map((object) => rows.oids[object]!),
    candids: objects.map((object) => rows.candids[object]!),
    places: rows.places,
    probabilities,
    rankings,
  }
}
