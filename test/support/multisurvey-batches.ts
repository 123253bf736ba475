// Classified batches for the survey's tables since 2025: the rows that its own model has, and any number of objects.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { surveyOid } from '../../src/connectors/survey-ids.ts'
import type { ClassifiedBatch, Taxonomy } from '../../src/pipeline/batch.ts'
import type { SinkContext } from '../../src/pipeline/sink.ts'
import { answersOf } from './postgres-batches.ts'

const base = 'lc_classifier_BHRF_forced_phot'
const branches: Readonly<Record<string, readonly string[]>> = {
  Transient: ['SESN', 'SLSN', 'SNII', 'SNIIn', 'SNIa', 'TDE'],
  Stochastic: ['AGN', 'Blazar', 'CV/Nova', 'Microlensing', 'QSO', 'YSO'],
  Periodic: ['CEP', 'DSCT', 'EA', 'EB/EW', 'LPV', 'Periodic-Other', 'RRLab', 'RRLc', 'RSCVn'],
}

/** The survey's model of 2025: 45 rows an object. */
export const surveyTaxonomy: Taxonomy = {
  levels: [
    { classifierName: base, prefix: '', branch: null, classes: Object.values(branches).flat().sort() },
    { classifierName: `${base}_top`, prefix: 'top', branch: null, classes: ['Periodic', 'Stochastic', 'Transient'] },
    ...Object.entries(branches).map(([branch, classes]) => {
      const prefix = branch.toLowerCase()
      return { classifierName: `${base}_${prefix}`, prefix, branch, classes }
    }),
  ],
}

/** the ids that tables-multisurvey.sql has for the levels, in their order */
const classifierIds = [5, 6, 7, 8, 9]

export const surveyContext: SinkContext = {
  schema: { oidType: 'string', hasCandid: true, hasMjd: true },
  taxonomy: surveyTaxonomy,
  classifierVersion: 'squidward_2.1.0',
  modelVersion: '2.1.0',
}

/** Objects with probabilities that depend on `seed` and the oid only. */
export function surveyBatch(oids: readonly string[], seed: number, mjds: number | readonly number[]): ClassifiedBatch {
  return {
    ...{ rowCount: oids.length, oids, candids: oids.map(() => null), taxonomy: surveyTaxonomy },
    classifierVersion: surveyContext.classifierVersion,
    mjds: Float64Array.from(oids, (_, row) => (typeof mjds === 'number' ? mjds : mjds[row]!)),
    probabilities: answersOf(surveyTaxonomy, oids, seed),
  }
}

/** oid, sid, classifier_id, classifier_version, class_id, probability, ranking, lastmjd */
export type StoredRow = readonly [string, number, number, number, number, number, number, number]

/** Reads what is stored, sorted by oid, classifier_id, class_id. */
export const storedSurveyRows = `SELECT oid::text, sid, classifier_id, classifier_version, class_id, probability::float8, ranking, lastmjd
  FROM probability ORDER BY probability.oid, sid, classifier_id, class_id`

/** What a database should hold for a batch, sorted as `storedSurveyRows` gives it. */
export function expectedSurveyRows({ oids, mjds, probabilities }: ClassifiedBatch, sid = 0): StoredRow[] {
  const keyed = oids.map((oid, row) => ({ oid: surveyOid(oid)!, row })).sort((a, b) => (a.oid < b.oid ? -1 : 1))
  return keyed.flatMap(({ oid, row }) =>
    surveyTaxonomy.levels.flatMap(({ classes }, level) => {
      const values = [...probabilities[level]!.subarray(row * classes.length, (row + 1) * classes.length)]
      const distinct = [...new Set(values)].sort((a, b) => b - a)
      return values.map((value, classId): StoredRow => {
        const rank = distinct.indexOf(value) + 1
        return [String(oid), sid, classifierIds[level]!, 210, classId, Math.fround(value), rank, mjds![row]!]
      })
    }),
  )
}

/** The rows of the survey's own model for 30 messages, sorted likewise, without their lastmjd. */
export function originalSurveyRows(): readonly (readonly (string | number)[])[] {
  const path = new URL('../fixtures/kafka/today/multisurvey_probability.csv.gz', import.meta.url)
  const [, ...lines] = gunzipSync(readFileSync(path)).toString().trim().split('\n')
  return lines.map((line) => {
    const [oid, sid, classifier, version, classId, , probability, ranking] = line.split(',')
    return [oid!, ...[sid, classifier, version, classId, probability, ranking].map(Number)]
  })
}
