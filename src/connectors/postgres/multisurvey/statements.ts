// The statements about the survey's Probability table, each for many objects at once.
import { copyPieces, float64Array, int32Array, int64Array } from '../client/binary.ts'
import type { Connection } from '../client/connection.ts'
import type { RowContext, StaleRow, SurveyRows } from './survey-rows.ts'

/** rows of one statement: what bounds its memory, here and there */
const rowsAtOnce = 33_000

/** in a row of COPY: two bytes that count its fields, then each with its length before it */
const place = { oid: 6, sid: 18, classifierId: 24, version: 30, classId: 36, probability: 42, ranking: 50, mjd: 56 }
const rowBytes = 64

/** Adds all rows of objects of which nothing is stored: as fast as the table takes rows; it fails if one exists. */
export function copySurveyRows(connection: Connection, wanted: SurveyRows, context: RowContext): Promise<void> {
  return connection.copyIn(copyStatement, encodeSurveyRows(wanted, context))
}

export const copyStatement = `
COPY probability (oid, sid, classifier_id, classifier_version, class_id, probability, ranking, lastmjd)
FROM STDIN (FORMAT binary)`

/** The rows as COPY takes them, in pieces. */
export function encodeSurveyRows(wanted: SurveyRows, context: RowContext): Iterable<Buffer> {
  const { oids, mjds, probabilities, rankings } = wanted
  const width = context.places.length
  const bytes = rowTemplates(context)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // one object at a time: nothing but oid, probability, ranking and lastmjd is written anew
  return copyPieces(oids.length, (object, writer) => {
    const [high, low] = [Number(oids[object]! >> 32n), Number(BigInt.asUintN(32, oids[object]!))]
    for (let i = 0, at = 0; i < width; i++, at += rowBytes) {
      const cell = object * width + i
      view.setInt32(at + place.oid, high)
      view.setUint32(at + place.oid + 4, low)
      view.setFloat32(at + place.probability, probabilities[cell]!)
      view.setInt16(at + place.ranking, rankings[cell]!)
      view.setFloat64(at + place.mjd, mjds[object]!)
    }
    writer.raw(bytes)
  })
}

/** The rows of one object with everything that all objects share. */
function rowTemplates({ sid, classifierVersion, places }: RowContext): Buffer {
  const bytes = Buffer.alloc(places.length * rowBytes)
  places.forEach(({ classifierId, classId }, i) => {
    const row = bytes.subarray(i * rowBytes, (i + 1) * rowBytes)
    row.writeInt16BE(8, 0)
    const eight = [place.oid, place.mjd]
    const two = { [place.sid]: sid, [place.classifierId]: classifierId, [place.version]: classifierVersion }
    for (const at of eight) row.writeInt32BE(8, at - 4)
    for (const [at, value] of Object.entries({ ...two, [place.classId]: classId, [place.ranking]: 0 })) {
      row.writeInt32BE(2, Number(at) - 4)
      row.writeInt16BE(value, Number(at))
    }
    row.writeInt32BE(4, place.probability - 4)
  })
  return bytes
}

/**
 * Inserts or updates all rows of some objects, in the order of the objects. A row that is newer, or already holds its values,
 * is locked and not changed: of two writers of one object, the first to reach its first row writes all of it before the other
 * does, which then finds all of it newer or none.
 */
export async function upsertSurveyRows(connection: Connection, wanted: SurveyRows, context: RowContext): Promise<void> {
  const { oids, mjds, probabilities, rankings } = wanted
  const { places, sid, classifierVersion } = context
  const classifierIds = places.map(({ classifierId }) => classifierId)
  const classIds = places.map(({ classId }) => classId)
  const objectsAtOnce = Math.max(1, Math.floor(rowsAtOnce / places.length))
  for (let start = 0; start < oids.length; start += objectsAtOnce) {
    const some = oids.slice(start, start + objectsAtOnce)
    const [from, to] = [start * places.length, (start + some.length) * places.length]
    await connection.run(upsertStatement, [
      int64Array(some.flatMap((oid) => places.map(() => oid))),
      int32Array(some.flatMap(() => classifierIds)),
      int32Array(some.flatMap(() => classIds)),
      float64Array(probabilities.subarray(from, to)),
      int32Array(rankings.subarray(from, to)),
      float64Array(some.flatMap((_, i) => places.map(() => mjds[start + i]!))),
      sid,
      classifierVersion,
    ])
  }
}

/** A stored lastmjd that is NaN says nothing, and is replaced: for Postgres it would be the largest. */
const upsertStatement = `
INSERT INTO probability AS stored (oid, sid, classifier_id, classifier_version, class_id, probability, ranking, lastmjd)
SELECT oid, $7::int2, classifier_id, $8::int2, class_id, probability, ranking, lastmjd
  FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::float8[], $5::int4[], $6::float8[])
       WITH ORDINALITY AS new (oid, classifier_id, class_id, probability, ranking, lastmjd, n)
 ORDER BY n
    ON CONFLICT (oid, sid, classifier_id, class_id)
    DO UPDATE SET classifier_version = excluded.classifier_version, probability = excluded.probability,
                  ranking = excluded.ranking, lastmjd = excluded.lastmjd
 WHERE (stored.lastmjd <= excluded.lastmjd OR stored.lastmjd = 'NaN')
   AND (stored.classifier_version, stored.probability, stored.ranking, stored.lastmjd)
       IS DISTINCT FROM (excluded.classifier_version, excluded.probability, excluded.ranking, excluded.lastmjd)`

/**
 * Objects that have rows with a newer lastmjd after all.
 *
 * @returns for each whether all its rows are newer
 */
export async function newerObjects(connection: Connection, { oids, mjds }: SurveyRows, { sid, places }: RowContext) {
  const rows = await connection.rows<[n: number, isWhole: boolean]>(
    `SELECT o.n::int4, s.is_whole FROM unnest($1::int8[], $2::float8[]) WITH ORDINALITY AS o(oid, mjd, n)
      CROSS JOIN LATERAL (
        SELECT bool_and(lastmjd > o.mjd AND lastmjd <> 'NaN') AS is_whole, bool_or(lastmjd > o.mjd AND lastmjd <> 'NaN') AS is_newer
          FROM probability WHERE oid = o.oid AND sid = $3 AND classifier_id = ANY($4::int4[]) OFFSET 0
      ) AS s
      WHERE s.is_newer`,
    [int64Array(oids), float64Array(mjds), sid, int32Array([...new Set(places.map((one) => one.classifierId))])],
  )
  return rows.map(([n, isWhole]) => ({ object: n - 1, isWhole }))
}

/** Removes rows of classes that the model does not have. */
export async function deleteStaleRows(
  connection: Connection,
  { oids }: SurveyRows,
  stale: readonly StaleRow[],
  sid: number,
): Promise<void> {
  if (stale.length === 0) return
  await connection.run(
    `DELETE FROM probability USING unnest($1::int8[], $2::int4[], $3::int4[]) AS old (oid, classifier_id, class_id)
      WHERE probability.oid = old.oid AND probability.classifier_id = old.classifier_id
        AND probability.class_id = old.class_id AND probability.sid = $4`,
    [
      int64Array(stale.map(({ object }) => oids[object]!)),
      int32Array(stale.map(({ classifierId }) => classifierId)),
      int32Array(stale.map(({ classId }) => classId)),
      sid,
    ],
  )
}
