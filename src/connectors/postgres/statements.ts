// The statements that change the Probability table, each for many rows at once.
import {
  copyPieces,
  float64Array,
  int32Array,
  int64Array,
  literal,
  textArray,
  type ByteWriter,
} from './client/binary.ts'
import type { Connection, StatementValue } from './client/connection.ts'
import { missingKeyOf } from './client/failure.ts'
import { begin, rollback } from './client/transaction.ts'
import type { Place, WantedRows } from './wanted-rows.ts'
import type { StaleRow } from './stored-rows.ts'

/** rows of one statement: what bounds its memory, here and there */
const rowsAtOnce = 33_000

/** Adds all rows of objects of which nothing is stored: as fast as the table takes rows, and it fails if one is there. */
export async function copyObjects(
  connection: Connection,
  { oids, places, probabilities, rankings }: WantedRows,
  classifierVersion: string,
): Promise<void> {
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
 * Inserts or updates all rows of some objects. A row that holds its values already is locked and not changed: so of two
 * writers of one object the one that comes first to its first row writes all of it before the other, and none a part.
 */
export async function upsertObjects(
  connection: Connection,
  { oids, places, probabilities, rankings }: WantedRows,
  classifierVersion: string,
): Promise<void> {
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

/** See upsertObjects. The rows are locked in the order of the primary key. */
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
  stale: readonly StaleRow[],
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

/**
 * The oids that the foreign key refuses, found by trying one row of each: for a role that may not look into `object`.
 * Nothing of it stays. One round trip an object, because a refused row ends its statement.
 */
export async function findByForeignKey(
  connection: Connection,
  oids: readonly string[],
  { className, classifierName }: Place,
  { classifierVersion, statementTimeout }: { classifierVersion: string; statementTimeout: number },
): Promise<readonly string[]> {
  const missing: string[] = []
  await begin(connection, { access: 'read write', isolation: 'read committed', statementTimeout })
  try {
    await connection.run('SET CONSTRAINTS ALL IMMEDIATE')
    const rest = [className, classifierName, classifierVersion].map(literal).join(', ')
    for (const oid of oids) {
      try {
        await connection.run(
          `SAVEPOINT probe; INSERT INTO probability (oid, class_name, classifier_name, classifier_version, probability, ranking)
           VALUES (${literal(oid)}, ${rest}, 0, 1) ON CONFLICT DO NOTHING; RELEASE SAVEPOINT probe`,
        )
      } catch (error) {
        if (missingKeyOf(error) === undefined) throw error
        missing.push(oid)
        await connection.run('ROLLBACK TO SAVEPOINT probe; RELEASE SAVEPOINT probe')
      }
    }
  } finally {
    await rollback(connection)
  }
  return missing
}

/** What is noted of objects in the history table. */
interface HistoryEntry {
  readonly wanted: WantedRows
  /** of `wanted` */
  readonly objects: readonly number[]
  readonly classifierVersion: string
  readonly run: string
}

/**
 * Notes in the history table that these objects are classified now, unless it has a newer candid for them; locks their
 * rows there. Without a candid nothing is known to be older: it passes, and the stored candid stays.
 *
 * @returns the objects that may be written
 */
export function enterHistory(connection: Connection, entry: HistoryEntry): Promise<ReadonlySet<number>> {
  return changeHistory(
    connection,
    `INSERT INTO lcclf_history AS stored (oid, classifier_version, candid, run, time)
     SELECT oid, $3, candid, $4, now() FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS new (oid, candid, n) ORDER BY n
         ON CONFLICT (oid, classifier_version)
         DO UPDATE SET candid = coalesce(excluded.candid, stored.candid), run = excluded.run, time = excluded.time
      WHERE (excluded.candid < stored.candid) IS NOT TRUE
     RETURNING oid`,
    entry,
  )
}

/**
 * Enters objects of which the history table has a newer candid, where `probability` has no rows for it any more: what is not
 * stored must not keep anything out. Only for objects that `enterHistory` has just refused in this transaction: it holds
 * their locks, so whoever wrote them before has committed, and this statement sees it.
 *
 * @returns the objects that may be written
 */
export function reenterHistory(connection: Connection, entry: HistoryEntry): Promise<ReadonlySet<number>> {
  const classifierNames = [...new Set(entry.wanted.places.map(({ classifierName }) => classifierName))]
  // OFFSET 0: one lookup by index an object, however old the statistics of the table
  return changeHistory(
    connection,
    `UPDATE lcclf_history AS h SET candid = new.candid, run = $4, time = now()
       FROM unnest($1::text[], $2::int8[]) AS new (oid, candid)
      WHERE h.oid = new.oid AND h.classifier_version = $3
        AND NOT EXISTS (SELECT FROM probability p WHERE p.oid = h.oid AND p.classifier_version = h.classifier_version
                                                    AND p.classifier_name = ANY($5::text[]) OFFSET 0)
     RETURNING h.oid`,
    entry,
    textArray(classifierNames),
  )
}

/** @param sql takes oids, candids, classifier version and run, then `others`; answers the oids that it changed */
async function changeHistory(
  connection: Connection,
  sql: string,
  { wanted: { oids, candids }, objects, classifierVersion, run }: HistoryEntry,
  ...others: readonly StatementValue[]
): Promise<ReadonlySet<number>> {
  const indexOf = new Map(objects.map((object) => [oids[object]!, object]))
  const rows = await connection.rows(sql, [
    textArray(objects.map((object) => oids[object]!)),
    int64Array(objects.map((object) => candids[object]!)),
    classifierVersion,
    run,
    ...others,
  ])
  return new Set(rows.map(([oid]) => indexOf.get(String(oid))!))
}
