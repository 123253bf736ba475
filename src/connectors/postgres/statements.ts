// The statements about the Probability table and its history, each for many objects at once.
import { copyPieces, float64Array, int32Array, int64Array, textArray } from './client/binary.ts'
import type { ByteWriter } from '../../formats/byte-writer.ts'
import type { Connection, StatementValue } from './client/connection.ts'
import type { Comparison, WantedRows } from './wanted-rows.ts'

/** rows of one statement: what bounds its memory, here and there */
const rowsAtOnce = 33_000

/** Adds all rows of objects of which nothing is stored: as fast as the table takes rows; it fails if one exists. */
export async function copyObjects(connection: Connection, wanted: WantedRows, classifierVersion: string) {
  const { oids, places, probabilities, rankings } = wanted
  const texts = places.map(({ className, classifierName }) =>
    [className, classifierName].map((text) => Buffer.from(text)),
  )
  const version = Buffer.from(classifierVersion)
  const encodedOids = oids.map((oid) => Buffer.from(oid))
  function writeRow(row: number, writer: ByteWriter): void {
    const [className, classifierName] = texts[row % places.length]!
    writer.int16(6)
    writer.field(encodedOids[Math.floor(row / places.length)]!)
    writer.field(className!)
    writer.field(classifierName!)
    writer.field(version)
    writer.int32(8)
    writer.float64(probabilities[row]!)
    writer.int32(4)
    writer.int32(rankings[row]!)
  }
  await connection.copyIn(
    `COPY probability (oid, class_name, classifier_name, classifier_version, probability, ranking)
     FROM STDIN (FORMAT binary)`,
    copyPieces(oids.length * places.length, writeRow),
  )
}

/**
 * Inserts or updates all rows of some objects. A row that already holds its values is locked and not changed: of two
 * writers of one object, the first to reach its first row writes all of it before the other does.
 */
export async function upsertObjects(connection: Connection, wanted: WantedRows, classifierVersion: string) {
  const { oids, places, probabilities, rankings } = wanted
  const classNames = places.map(({ className }) => className)
  const classifierNames = places.map(({ classifierName }) => classifierName)
  const objectsAtOnce = Math.max(1, Math.floor(rowsAtOnce / places.length))
  for (let start = 0; start < oids.length; start += objectsAtOnce) {
    const some = oids.slice(start, start + objectsAtOnce)
    const [from, to] = [start * places.length, (start + some.length) * places.length]
    await connection.run(upsertStatement, [
      textArray(some.flatMap((oid) => places.map(() => oid))),
      textArray(some.flatMap(() => classNames)),
      textArray(some.flatMap(() => classifierNames)),
      float64Array(probabilities.subarray(from, to)),
      int32Array(rankings.subarray(from, to)),
      classifierVersion,
    ])
  }
}

/** The rows are locked in the order of the primary key. */
export const upsertStatement = `
INSERT INTO probability AS stored (oid, class_name, classifier_name, classifier_version, probability, ranking)
SELECT oid, class_name, classifier_name, $6, probability, ranking
  FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::int4[])
       WITH ORDINALITY AS new (oid, class_name, classifier_name, probability, ranking, n)
 ORDER BY n
    ON CONFLICT (oid, class_name, classifier_name, classifier_version)
    DO UPDATE SET probability = excluded.probability, ranking = excluded.ranking
 WHERE (stored.probability, stored.ranking) IS DISTINCT FROM (excluded.probability, excluded.ranking)`

/** Removes rows of classes that the model does not have. */
export async function deleteStale(
  connection: Connection,
  { oids }: WantedRows,
  stale: Comparison['stale'],
  classifierVersion: string,
): Promise<void> {
  if (stale.length === 0) return
  await connection.run(
    `DELETE FROM probability
      USING unnest($1::text[], $2::text[], $3::text[]) AS old (oid, class_name, classifier_name)
      WHERE probability.oid = old.oid AND probability.class_name = old.class_name
        AND probability.classifier_name = old.classifier_name AND probability.classifier_version = $4`,
    [
      textArray(stale.map(({ object }) => oids[object]!)),
      textArray(stale.map(({ className }) => className)),
      textArray(stale.map(({ classifierName }) => classifierName)),
      classifierVersion,
    ],
  )
}

/** The candids that the history table has for the objects it knows; null where it knows an object without one. */
export async function storedCandids(connection: Connection, { oids }: WantedRows, classifierVersion: string) {
  const rows = await connection.rows(
    `SELECT o.n::int4, h.candid::text FROM unnest($1::text[]) WITH ORDINALITY AS o(oid, n)
       JOIN lcclf_history h ON h.oid = o.oid AND h.classifier_version = $2`,
    [textArray(oids), classifierVersion],
  )
  return new Map(rows.map(([n, candid]) => [Number(n) - 1, typeof candid === 'string' ? BigInt(candid) : null]))
}

/** What the history table records of some objects, by their ascending indices. */
interface HistoryEntry {
  readonly wanted: WantedRows
  readonly classifierVersion: string
  readonly run: string
}

/**
 * Records in the history table that these objects are classified now, unless it has a newer candid for them; locks their
 * rows there. An alert without a candid is not known to be older: it passes, and the stored candid stays. A newer candid of
 * objects that have no rows in `probability` any more counts for nothing: what is not stored must not keep anything out.
 *
 * @param absent those of the objects that seemed to have no rows
 * @returns the objects that may be written
 */
export async function enterHistory(
  connection: Connection,
  entry: HistoryEntry,
  objects: readonly number[],
  absent: readonly number[],
): Promise<ReadonlySet<number>> {
  const entered = new Set(
    await changeHistory(
      connection,
      `INSERT INTO lcclf_history AS stored (oid, classifier_version, candid, run, time)
     SELECT oid, $3, candid, $4, now() FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS new (oid, candid, n) ORDER BY n
         ON CONFLICT (oid, classifier_version)
         DO UPDATE SET candid = coalesce(excluded.candid, stored.candid), run = excluded.run, time = excluded.time
      WHERE (excluded.candid < stored.candid) IS NOT TRUE
     RETURNING oid`,
      entry,
      objects,
    ),
  )
  const refused = absent.filter((object) => !entered.has(object))
  if (refused.length === 0) return entered
  const classifierNames = [...new Set(entry.wanted.places.map(({ classifierName }) => classifierName))]
  // this transaction holds their locks now, so whoever wrote them before has committed, and this statement sees it;
  // OFFSET 0: one index lookup per object, however old the statistics of the table
  const reentered = await changeHistory(
    connection,
    `UPDATE lcclf_history AS h SET candid = new.candid, run = $4, time = now()
       FROM unnest($1::text[], $2::int8[]) AS new (oid, candid)
      WHERE h.oid = new.oid AND h.classifier_version = $3
        AND NOT EXISTS (SELECT FROM probability p WHERE p.oid = h.oid AND p.classifier_version = h.classifier_version
                                                    AND p.classifier_name = ANY($5::text[]) OFFSET 0)
     RETURNING h.oid`,
    entry,
    refused,
    textArray(classifierNames),
  )
  return new Set([...entered, ...reentered])
}

/** @param sql takes oids, candids, classifier version and run, then `others`; returns the oids it changed */
async function changeHistory(
  connection: Connection,
  sql: string,
  { wanted: { oids, candids }, classifierVersion, run }: HistoryEntry,
  objects: readonly number[],
  ...others: readonly StatementValue[]
): Promise<number[]> {
  const indexOf = new Map(objects.map((object) => [oids[object]!, object]))
  const rows = await connection.rows<[oid: string]>(sql, [
    textArray([...indexOf.keys()]),
    int64Array(objects.map((object) => candids[object]!)),
    classifierVersion,
    run,
    ...others,
  ])
  return rows.map(([oid]) => indexOf.get(oid)!)
}
