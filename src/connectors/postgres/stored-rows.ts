// What the Probability table holds of some objects already, against what it should hold.
import { type BinaryRows, createBinaryRows, literal, textArray, textArrayLiteral } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import type { WantedRows } from './wanted-rows.ts'

/** A stored row of a class that the model does not have at that level. */
export interface StaleRow {
  readonly object: number
  readonly classifierName: string
  readonly className: string
}

/** How the stored rows of each object differ from the wanted ones. */
export interface Comparison {
  /** objects of which nothing is stored */
  readonly absent: readonly number[]
  /** objects that are stored otherwise, or in part */
  readonly different: readonly number[]
  readonly stale: readonly StaleRow[]
}

/** Compares in our memory: sending the stored rows is cheaper than staging the wanted ones where few differ. */
export async function compareStored(
  connection: Connection,
  wanted: WantedRows,
  classifierVersion: string,
): Promise<Comparison> {
  const stored = createStoredCells(wanted)
  const rows = createBinaryRows(5)
  for await (const chunk of connection.copyOut(storedRowsStatement(wanted.oids, classifierVersion))) {
    rows.push(chunk)
    while (rows.next()) stored.add(rows)
  }
  rows.finish()
  return stored.compare()
}

/** `OFFSET 0` keeps one lookup by index an object, however large the table and old its statistics. */
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

function createStoredCells({ oids, places, probabilities, rankings }: WantedRows): {
  add(row: BinaryRows): void
  compare(): Comparison
} {
  const width = places.length
  const stored = new Int32Array(oids.length)
  const equal = new Int32Array(oids.length)
  const stale: StaleRow[] = []
  const placeOf = new Map(places.map((place, i) => [`${place.className}\0${place.classifierName}`, i]))
  const ownClassifiers = new Set(places.map(({ classifierName }) => classifierName))

  function add({ bytes, starts, lengths }: BinaryRows): void {
    const object = bytes.readInt32BE(starts[0]!) - 1
    const className = bytes.toString('utf8', starts[1]!, starts[1]! + lengths[1]!)
    const classifierName = bytes.toString('utf8', starts[2]!, starts[2]! + lengths[2]!)
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

  function compare(): Comparison {
    const absent: number[] = []
    const different: number[] = []
    for (let object = 0; object < oids.length; object++) {
      if (stored[object] === 0) absent.push(object)
      else if (stored[object] !== width || equal[object] !== width) different.push(object)
    }
    return { absent, different, stale }
  }

  return { add, compare }
}

/** The candids that the history table has for objects that it has; null where it has the object without one. */
export async function storedCandids(
  connection: Connection,
  { oids }: WantedRows,
  classifierVersion: string,
): Promise<ReadonlyMap<number, bigint | null>> {
  const rows = await connection.rows(
    `SELECT o.n::int4, h.candid::text FROM unnest($1::text[]) WITH ORDINALITY AS o(oid, n)
       JOIN lcclf_history h ON h.oid = o.oid AND h.classifier_version = $2`,
    [textArray(oids), classifierVersion],
  )
  return new Map(rows.map(([n, candid]) => [Number(n) - 1, typeof candid === 'string' ? BigInt(candid) : null]))
}
