// The rows of a batch as the survey's Probability table should hold them, and how what it holds differs.
import { ModelError } from '../../../errors.ts'
import { type ClassifiedBatch, pickRows, type Reject } from '../../../pipeline/batch.ts'
import { rankedValues } from '../../../pipeline/ranking.ts'
import { isIntegerText, isNewer } from '../../../pipeline/row-ids.ts'
import { surveyOid } from '../../survey-ids.ts'
import { createBinaryRows } from '../client/binary.ts'
import type { Connection } from '../client/connection.ts'
import type { PartitionOf } from '../tables/partitions.ts'
import type { Place } from './model-ids.ts'

/** What is the same in all rows of a run. */
export interface RowContext {
  /** the survey */
  readonly sid: number
  readonly classifierVersion: number
  /** the rows that every object has, in the order of the primary key */
  readonly places: readonly Place[]
}

/** The rows to be: those of object `i` are at `i × places`, in the order of the places. */
export interface SurveyRows {
  /** each once, in the order in which all writers lock: by partition, then ascending */
  readonly oids: readonly bigint[]
  readonly mjds: Float64Array
  /** float32 values */
  readonly probabilities: Float64Array
  /** dense ranks of the float64 values */
  readonly rankings: Int32Array
}

/** why a row has no lastmjd; what to do is said once a run */
const missingMjd = 'lastmjd is missing'

/**
 * Keeps the newest row of each object (larger mjd, then larger candid, then the later row) and sorts.
 *
 * @param address what rejects name as their place
 * @returns the rows to write; the rows refused; how many rows the batch repeats with a newer one
 * @throws ModelError for a probability that is no number
 */
export function selectSurveyRows(
  batch: ClassifiedBatch,
  { sid, places }: RowContext,
  partitionOf: PartitionOf,
  address: string,
) {
  const newest = new Map<bigint, number>()
  const refused: Reject[] = []
  for (let row = 0; row < batch.rowCount; row++) {
    const read = readKey(batch, row, sid)
    if (typeof read === 'string') {
      refused.push({ oid: batch.oids[row]!, where: address, reason: read, message: batch.messages?.[row] })
      continue
    }
    const known = newest.get(read)
    if (known === undefined || replaces(batch, row, known)) newest.set(read, row)
  }
  const keyed = [...newest].map(([oid, row]) => ({ oid, row, partition: partitionOf(oid) }))
  keyed.sort((a, b) => a.partition - b.partition || (a.oid < b.oid ? -1 : 1))
  const rows = keyed.map(({ row }) => row)
  const { probabilities, rankings } = rankedValues(batch, rows, places)
  for (let cell = 0; cell < probabilities.length; cell++) {
    const value = probabilities[cell]!
    if (value !== value) throw notANumber(batch.oids[rows[Math.floor(cell / places.length)]!]!)
    probabilities[cell] = Math.fround(value)
  }
  const mjds = Float64Array.from(rows, (row) => batch.mjds![row]!)
  const wanted: SurveyRows = { oids: keyed.map(({ oid }) => oid), mjds, probabilities, rankings }
  return { wanted, refused, superseded: batch.rowCount - refused.length - rows.length }
}

/** The object's number, or why the row cannot be stored. */
function readKey({ oids, mjds }: ClassifiedBatch, row: number, sid: number): bigint | string {
  const text = oids[row]!
  const oid = surveyOid(text)
  if (oid === undefined) return 'oid is neither an int64 nor a ZTF name'
  // the number of a ZTF name is ZTF's, whatever other surveys call by it
  if (sid !== 0 && !isIntegerText(text)) return 'oid is a ZTF name, and the survey is another (?sid=)'
  const mjd = mjds?.[row] ?? NaN
  if (Number.isNaN(mjd)) return missingMjd
  return Number.isFinite(mjd) ? oid : 'lastmjd is infinite'
}

/** What to do about rows that say no lastmjd; undefined if there is none among these. */
export function adviceOn(refused: readonly Reject[]): string | undefined {
  if (!refused.some(({ reason }) => reason === missingMjd)) return undefined
  return 'the tables need the MJD of the newest detection of each object (lastmjd): --mjd-column NAME names the column that has it'
}

function replaces({ mjds, candids }: ClassifiedBatch, row: number, earlier: number): boolean {
  const [mjd, known] = [mjds![row]!, mjds![earlier]!]
  return mjd === known ? isNewer(candids[row]!, candids[earlier]!) : mjd > known
}

function notANumber(oid: string): ModelError {
  return new ModelError(`${oid}: the model answers with a probability that is not a number`)
}

/** Some of the objects, by their ascending indices. */
export function pickSurveyRows(rows: SurveyRows, objects: readonly number[], width: number): SurveyRows {
  if (objects.length === rows.oids.length) return rows
  return {
    oids: objects.map((object) => rows.oids[object]!),
    mjds: pickRows(rows.mjds, objects, 1),
    probabilities: pickRows(rows.probabilities, objects, width),
    rankings: pickRows(rows.rankings, objects, width),
  }
}

/** A stored row of a class that the model does not have at that level. */
export interface StaleRow {
  readonly object: number
  readonly classifierId: number
  readonly classId: number
}

/** How the stored rows of each object differ from the wanted ones. */
export async function compareSurveyRows(connection: Connection, wanted: SurveyRows, context: RowContext) {
  const { oids, mjds, probabilities, rankings } = wanted
  const { places, classifierVersion } = context
  const width = places.length
  const stored = new Int32Array(oids.length)
  const equal = new Int32Array(oids.length)
  const newest = new Float64Array(oids.length).fill(-Infinity)
  const stale: StaleRow[] = []
  const placeOf = new Map(places.map(({ classifierId, classId }, i) => [(classifierId << 16) | classId, i]))
  const own = new Set(places.map(({ classifierId }) => classifierId))
  const rows = createBinaryRows(7)

  function add(): void {
    const { bytes, starts } = rows
    const object = bytes.readInt32BE(starts[0]!) - 1
    const [classifierId, classId] = [bytes.readInt16BE(starts[1]!), bytes.readInt16BE(starts[2]!)]
    if (!own.has(classifierId)) return
    const mjd = bytes.readDoubleBE(starts[6]!)
    stored[object]!++
    if (mjd > newest[object]!) newest[object] = mjd
    const place = placeOf.get((classifierId << 16) | classId)
    if (place === undefined) return void stale.push({ object, classifierId, classId })
    const cell = object * width + place
    const isEqual =
      mjd === mjds[object]! &&
      bytes.readFloatBE(starts[4]!) === probabilities[cell]! &&
      bytes.readInt16BE(starts[5]!) === rankings[cell]! &&
      bytes.readInt16BE(starts[3]!) === classifierVersion
    if (isEqual) equal[object]!++
  }

  for await (const chunk of connection.copyOut(storedRowsStatement(oids, context.sid))) {
    rows.push(chunk)
    while (rows.next()) add()
  }
  rows.finish()
  /** objects of which nothing is stored */
  const absent: number[] = []
  /** objects whose stored rows differ or are incomplete, and are not newer */
  const different: number[] = []
  /** how many are stored with a newer lastmjd */
  let superseded = 0
  for (let object = 0; object < oids.length; object++) {
    if (newest[object]! > mjds[object]!) superseded++
    else if (stored[object] === 0) absent.push(object)
    else if (stored[object] !== width || equal[object] !== width) different.push(object)
  }
  const kept = new Set(different)
  return { absent, different, superseded, stale: stale.filter(({ object }) => kept.has(object)) }
}

/** `OFFSET 0` keeps one index lookup per object, however large the table and old its statistics. */
function storedRowsStatement(oids: readonly bigint[], sid: number): string {
  return `COPY (
    SELECT o.n::int4, p.classifier_id, p.class_id, p.classifier_version, p.probability, p.ranking, p.lastmjd
      FROM unnest('{${oids.join(',')}}'::int8[]) WITH ORDINALITY AS o(oid, n)
     CROSS JOIN LATERAL (
       SELECT classifier_id, class_id, classifier_version, probability, ranking, lastmjd FROM probability
        WHERE oid = o.oid AND sid = ${sid} OFFSET 0
     ) AS p
  ) TO STDOUT (FORMAT binary)`
}
