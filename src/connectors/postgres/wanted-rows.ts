// The rows of a batch as the Probability table should hold them, and how what it holds differs.
import { type ClassifiedBatch, pickRows, type Reject, type Taxonomy } from '../../pipeline/batch.ts'
import { rankedValues } from '../../pipeline/ranking.ts'
import { byCodeUnit } from '../address.ts'
import { createBinaryRows, literal, textArrayLiteral } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import { isNewer } from '../../pipeline/row-ids.ts'

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

/**
 * The classes of all levels in the order of the primary key (class_name before classifier_name), by code unit. Any
 * order would do that all writers keep, so that no two wait for each other.
 */
export function placesOf({ levels }: Taxonomy): readonly Place[] {
  const places = levels.flatMap(({ classifierName, classes }, level) =>
    classes.map((className, index) => ({ classifierName, className, level, index })),
  )
  return places.sort((a, b) => byCodeUnit(a.className, b.className) || byCodeUnit(a.classifierName, b.classifierName))
}

/**
 * Keeps the newest row of each object (see `isNewer`) and sorts.
 *
 * @param address what rejects name as their place
 * @returns the rows to write; the rows refused; how many rows the batch repeats with a newer candid
 */
export function selectRows(batch: ClassifiedBatch, places: readonly Place[], address: string) {
  const newest = new Map<string, number>()
  const refused: Reject[] = []
  for (let row = 0; row < batch.rowCount; row++) {
    const oid = batch.oids[row]!
    // Postgres has no NUL in text; half a surrogate pair would become another character, perhaps another oid
    if (oid.includes('\0') || /\p{Surrogate}/u.test(oid)) {
      const reason = 'oid holds a character that Postgres cannot store'
      refused.push({ oid, where: address, reason, message: batch.messages?.[row] })
      continue
    }
    const known = newest.get(oid)
    if (known === undefined || isNewer(batch.candids[row]!, batch.candids[known]!)) newest.set(oid, row)
  }
  const oids = [...newest.keys()].sort(byCodeUnit)
  const rows = oids.map((oid) => newest.get(oid)!)
  const wanted = { oids, candids: rows.map((row) => batch.candids[row]!), places, ...rankedValues(batch, rows, places) }
  return { wanted, refused, superseded: batch.rowCount - refused.length - oids.length }
}

/** Some of the objects, by their ascending indices. */
export function pickObjects(rows: WantedRows, objects: readonly number[]): WantedRows {
  if (objects.length === rows.oids.length) return rows
  const width = rows.places.length
  return {
    oids: objects.map((object) => rows.oids[object]!),
    candids: objects.map((object) => rows.candids[object]!),
    places: rows.places,
    probabilities: pickRows(rows.probabilities, objects, width),
    rankings: pickRows(rows.rankings, objects, width),
  }
}

/** How the stored rows of each object differ from the wanted ones. */
export type Comparison = Awaited<ReturnType<typeof compareStored>>

/** Compares in our memory: fetching the stored rows is cheaper than staging the wanted ones where few differ. */
export async function compareStored(connection: Connection, wanted: WantedRows, classifierVersion: string) {
  const { oids, places, probabilities, rankings } = wanted
  const width = places.length
  const stored = new Int32Array(oids.length)
  const equal = new Int32Array(oids.length)
  /** stored rows of a class that the model does not have at that level */
  const stale: { object: number; classifierName: string; className: string }[] = []
  const placeOf = new Map(places.map((place, i) => [`${place.className}\0${place.classifierName}`, i]))
  const ownClassifiers = new Set(places.map(({ classifierName }) => classifierName))
  const rows = createBinaryRows(5)

  function add(): void {
    const { bytes, starts } = rows
    const object = bytes.readInt32BE(starts[0]!) - 1
    const className = rows.text(1)!
    const classifierName = rows.text(2)!
    const place = placeOf.get(`${className}\0${classifierName}`)
    if (place === undefined) {
      if (!ownClassifiers.has(classifierName)) return
      stale.push({ object, classifierName, className })
    } else {
      const cell = object * width + place
      const isEqual =
        bytes.readDoubleBE(starts[3]!) === probabilities[cell]! && bytes.readInt32BE(starts[4]!) === rankings[cell]!
      if (isEqual) equal[object]!++
    }
    stored[object]!++
  }

  for await (const chunk of connection.copyOut(storedRowsStatement(oids, classifierVersion))) {
    rows.push(chunk)
    while (rows.next()) add()
  }
  rows.finish()
  /** objects of which nothing is stored */
  const absent: number[] = []
  /** objects whose stored rows differ or are incomplete */
  const different: number[] = []
  for (let object = 0; object < oids.length; object++) {
    if (stored[object] === 0) absent.push(object)
    else if (stored[object] !== width || equal[object] !== width) different.push(object)
  }
  return { absent, different, stale }
}

/** `OFFSET 0` keeps one index lookup per object, however large the table and old its statistics. */
function storedRowsStatement(oids: readonly string[], classifierVersion: string): string {
  return `COPY (
    SELECT o.n::int4, p.class_name, p.classifier_name, p.probability, p.ranking
      FROM unnest(${textArrayLiteral(oids)}) WITH ORDINALITY AS o(oid, n)
     CROSS JOIN LATERAL (
       SELECT class_name, classifier_name, probability, ranking FROM probability
        WHERE oid = o.oid AND classifier_version = ${literal(classifierVersion)} OFFSET 0
     ) AS p
  ) TO STDOUT (FORMAT binary)`
}
