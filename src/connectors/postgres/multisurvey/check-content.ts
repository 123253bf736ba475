// What is stored in the survey's `probability` since 2025: rows by model, partial row sets, and numbers that nobody knows.
import { calibratedOfName } from '../../../pipeline/calibrated-level.ts'
import { surveyVersion } from '../../survey-ids.ts'
import type { Connection } from '../client/connection.ts'
import { versionCheck, versionOf } from '../tables/check-content.ts'
import { type Rows, type TableCheck, tolerated } from '../tables/table-check.ts'

/** A row of `classifier`, with how many classes it has. */
interface Classifier {
  readonly id: number
  readonly name: string
  readonly version: string
  readonly classes: number
  /** the id of the classifier whose levels belong together with this one */
  readonly model: number
}

/** Reads the tables; a look that takes longer than the statement timeout becomes a note. */
export async function surveyContentOf(connection: Connection) {
  const classifiers = await readClassifiers(connection)
  const checks: TableCheck[] = []
  const stored = await tolerated(connection, 'stored classes', storedClassesStatement)
  checks.push(stored.rows ? classesCheck(stored.rows, classifiers) : stored.check)
  if (classifiers.length === 0) return { checks, versions: [] }
  const sizes = await tolerated(connection, 'rows by model', sizesStatement(classifiers))
  if (!sizes.rows) return { checks: [...checks, sizes.check], versions: [] }
  const models = modelsOf(sizes.rows, classifiers)
  checks.push(...models.flatMap(({ checks }) => checks))
  return { checks, versions: models.map(({ version }) => version) }
}

async function readClassifiers(connection: Connection): Promise<Classifier[]> {
  const rows = await connection.rows<[id: number, name: string, version: string, tid: number, classes: number]>(
    `SELECT classifier_id::int4, classifier_name::text, classifier_version::text, tid::int4,
            (SELECT count(*)::int4 FROM taxonomy t WHERE t.classifier_id = c.classifier_id)
       FROM classifier c ORDER BY 1`,
  )
  return rows.map(([id, name, version, tid, classes]) => {
    // a level is named after its model: NAME_top; a calibrated product stands by itself, for not every run writes it
    if (calibratedOfName(name) !== undefined) return { id, name, version, classes, model: id }
    const main = rows.find(([, other, ...same]) => {
      return other === name.replace(/_[^_]*$/, '') && same[0] === version && same[1] === tid
    })
    return { id, name, version, classes, model: main?.[0] ?? id }
  })
}

/** classifier, class, rows; only of those that are not in `taxonomy`; of a classifier that is nowhere, all */
const storedClassesStatement = `SELECT p.classifier_id::int4, p.class_id::int4, p.n FROM
    (SELECT classifier_id, class_id, count(*)::float8 AS n FROM probability GROUP BY 1, 2) AS p
   WHERE NOT EXISTS (SELECT FROM taxonomy t WHERE t.classifier_id = p.classifier_id AND t.class_id = p.class_id)
      OR NOT EXISTS (SELECT FROM classifier c WHERE c.classifier_id = p.classifier_id) ORDER BY 1, 2`

function classesCheck(unknown: Rows, classifiers: readonly Classifier[]): TableCheck {
  const name = 'classifier and taxonomy against stored classes'
  if (unknown.length === 0) return { name, state: 'ok', detail: 'all are known' }
  const words = unknown.slice(0, 10).map(([classifier, classId, n]) => {
    const known = classifiers.find(({ id }) => id === classifier)
    const of = known ? `${known.name} ${known.version}` : 'a classifier that is not in the table'
    return `class_id ${Number(classId)} of classifier_id ${Number(classifier)}, ${of} (${Number(n)} rows)`
  })
  return { name, state: 'problem', detail: `unknown: ${words.join('; ')}` }
}

/** model, version, rows per object, objects, objects whose rows have several lastmjds */
function sizesStatement(classifiers: readonly Classifier[]): string {
  const models = classifiers.map(({ id, model }) => `(${id}, ${model})`).join(', ')
  return `SELECT model, version, n::int4, count(*)::float8, count(*) FILTER (WHERE is_mixed)::float8 FROM
      (SELECT m.model, p.classifier_version::int4 AS version, count(*) AS n, min(p.lastmjd) <> max(p.lastmjd) AS is_mixed
         FROM probability p JOIN (VALUES ${models}) AS m (classifier_id, model) USING (classifier_id)
        GROUP BY p.oid, p.sid, m.model, p.classifier_version) AS objects
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`
}

function modelsOf(sizes: Rows, classifiers: readonly Classifier[]) {
  const keys = new Set(sizes.map(([model, version]) => `${Number(model)} ${Number(version)}`))
  return [...keys].map((key) => {
    const [model, version] = key.split(' ').map(Number)
    const own = sizes.filter((row) => row[0] === model && row[1] === version)
    const groups = own.map(([, , n, objects]) => ({ rowsEach: Number(n), objects: Number(objects) }))
    const levels = classifiers.filter((one) => one.model === model)
    const main = levels.find(({ id }) => id === model)!
    const expected = levels.reduce((sum, { classes }) => sum + classes, 0)
    const isCurrent = numberOf(main.version) === version
    const found = versionOf(`${main.name} ${isCurrent ? main.version : `(${version})`}`, groups, expected)
    const mixed = own.reduce((sum, row) => sum + Number(row[4]), 0)
    const checks = [versionCheck(found), ...(isCurrent ? [] : [otherVersion(main, version!)])]
    if (mixed > 0) checks.push(mixedCheck(found.classifierVersion, mixed))
    return { version: found, checks }
  })
}

function numberOf(version: string): number | undefined {
  try {
    return surveyVersion(version)
  } catch {
    // one that has no number: the survey's own program wrote 0
    return 0
  }
}

function otherVersion({ name, version }: Classifier, stored: number): TableCheck {
  const detail = `some are of classifier_version ${stored}, and classifier says ${version}`
  return {
    name: `version of ${name}`,
    state: 'note',
    detail,
    hint: 'They are replaced when they are classified again.',
  }
}

function mixedCheck(model: string, objects: number): TableCheck {
  const detail = `${objects} objects have rows of several lastmjds`
  const hint = 'Somebody writes rows one by one. Classify these objects again.'
  return { name: `lastmjd of ${model}`, state: 'note', detail, hint }
}
