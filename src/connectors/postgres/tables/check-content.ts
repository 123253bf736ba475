// What is stored in `probability` of 2021: rows by version, partial row sets, classes unknown to the taxonomy, and what the
// history table knows of it.
import { calibratedOfName } from '../../../pipeline/calibrated-level.ts'
import type { Connection } from '../client/connection.ts'
import { type Rows, type TableCheck, tolerated } from './table-check.ts'

/** Reads the tables; a look that takes longer than the statement timeout becomes a note. */
export async function contentOf(
  connection: Connection,
  { hasTaxonomy, hasHistory }: Record<'hasTaxonomy' | 'hasHistory', boolean>,
) {
  const taxonomy = hasTaxonomy ? await readTaxonomy(connection) : new Map<string, Map<string, readonly string[]>>()
  const sizes = await tolerated(connection, 'rows by classifier version', sizesStatement)
  if (!sizes.rows) return { checks: [sizes.check], versions: [] }
  const versions = versionsOf(sizes.rows, taxonomy)
  const checks = versions.map(versionCheck)
  const classes = await tolerated(connection, 'stored classes', classesStatement)
  if (!classes.rows) checks.push(classes.check)
  else if (hasTaxonomy) checks.push(taxonomyCheck(classes.rows, taxonomy))
  if (hasHistory) {
    const history = await tolerated(connection, historyName, historyStatement)
    checks.push(history.rows ? historyCheck(history.rows) : history.check)
  }
  return { checks, versions }
}

/** by version, then by classifier */
type StoredTaxonomy = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

async function readTaxonomy(connection: Connection): Promise<StoredTaxonomy> {
  const byVersion = new Map<string, Map<string, readonly string[]>>()
  const rows = await connection.rows('SELECT classifier_version, classifier_name, classes::text[] FROM taxonomy')
  for (const [version, name, classes] of rows) {
    const known = byVersion.get(String(version)) ?? new Map<string, readonly string[]>()
    byVersion.set(String(version), known.set(String(name), classes as string[]))
  }
  return byVersion
}

/** version, rows per object, objects, whether they are calibrated: those stand by themselves, for not every run writes them */
const sizesStatement = `SELECT classifier_version, n::int, count(*)::float8, is_calibrated
    FROM (SELECT classifier_version, classifier_name LIKE '%\\_calibrated' AS is_calibrated, count(*) AS n
            FROM probability GROUP BY oid, 1, 2) AS objects
   GROUP BY 1, 2, 4 ORDER BY 1, 4, 2`

const classesStatement = `SELECT classifier_version, classifier_name, class_name, count(*)::float8
    FROM probability GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`

/** version, objects that the history table lacks, and objects that only it has */
const historyStatement = `SELECT classifier_version, count(*) FILTER (WHERE h.oid IS NULL)::float8, count(*) FILTER (WHERE p.oid IS NULL)::float8
    FROM (SELECT DISTINCT oid, classifier_version FROM probability) AS p
    FULL JOIN lcclf_history h USING (oid, classifier_version) GROUP BY 1 ORDER BY 1`

function versionsOf(sizes: Rows, taxonomy: StoredTaxonomy) {
  const kinds = new Map(sizes.map(([version, , , kind]) => [JSON.stringify([version, kind]), { version, kind }]))
  return [...kinds.values()].map(({ version, kind: isCalibrated }) => {
    const classifierVersion = String(version)
    const own = sizes.filter((row) => row[0] === version && row[3] === isCalibrated)
    const groups = own.map(([, n, objects]) => ({ rowsEach: Number(n), objects: Number(objects) }))
    const known = [...(taxonomy.get(classifierVersion) ?? [])].flatMap(([name, classes]) =>
      (calibratedOfName(name) !== undefined) === isCalibrated ? [classes] : [],
    )
    // without a taxonomy what most objects have is taken for the whole
    const usual = groups.reduce((most, group) => (group.objects > most.objects ? group : most)).rowsEach
    const expectedRows = known.length > 0 ? known.reduce((sum, classes) => sum + classes.length, 0) : usual
    return versionOf(isCalibrated ? `${classifierVersion}, calibrated` : classifierVersion, groups, expectedRows)
  })
}

/** Objects of one version, by how many rows each of them has. */
export function versionOf(
  classifierVersion: string,
  groups: readonly { readonly rowsEach: number; readonly objects: number }[],
  expectedRows: number,
) {
  return {
    classifierVersion,
    objects: groups.reduce((sum, { objects }) => sum + objects, 0),
    rows: groups.reduce((sum, { objects, rowsEach }) => sum + objects * rowsEach, 0),
    /** rows that an object of this version should have */
    expectedRows,
    /** objects with fewer or more */
    partialObjects: groups.reduce((sum, { objects, rowsEach }) => sum + (rowsEach === expectedRows ? 0 : objects), 0),
  }
}

export function versionCheck(version: ReturnType<typeof versionOf>): TableCheck {
  const { classifierVersion, objects, rows, expectedRows, partialObjects } = version
  const name = `rows of ${classifierVersion}`
  const detail = `${objects} objects, ${rows} rows`
  if (partialObjects === 0) return { name, state: 'ok', detail: `${detail}, ${expectedRows} per object` }
  return {
    name,
    state: 'problem',
    detail: `${detail}; ${partialObjects} objects do not have the ${expectedRows} rows that belong together`,
    hint: 'Classify these objects again: lcclf completes partial row sets.',
  }
}

function taxonomyCheck(rows: Rows, taxonomy: StoredTaxonomy): TableCheck {
  const unknown: string[] = []
  const absent = new Set<string>()
  for (const [version, name, className, count] of rows as readonly (readonly string[])[]) {
    const classes = taxonomy.get(version!)?.get(name!)
    if (!classes) absent.add(`${name} ${version}`)
    else if (!classes.includes(className!)) unknown.push(`${className} of ${name} ${version} (${count} rows)`)
  }
  const name = 'taxonomy against stored classes'
  if (unknown.length > 0) {
    const detail = `classes that the taxonomy does not have: ${unknown.slice(0, 10).join(', ')}`
    return { name, state: 'problem', detail }
  }
  if (absent.size === 0) return { name, state: 'ok', detail: `${rows.length} classes, all in the taxonomy` }
  const detail = `no taxonomy of ${[...absent].slice(0, 10).join(', ')}`
  return { name, state: 'note', detail, hint: 'lcclf writes it with the first objects of that version.' }
}

const historyName = 'lcclf_history against probability'

function historyCheck(rows: Rows): TableCheck {
  const unguarded = rows.filter(([, count]) => Number(count) > 0)
  const without = rows.reduce((sum, [, , count]) => sum + Number(count), 0)
  const details = [
    ...unguarded.map(([version, count]) => `${String(count)} objects of ${String(version)} are not in lcclf_history`),
    ...(without > 0 ? [`${without} objects in lcclf_history have no rows`] : []),
  ]
  if (details.length === 0) return { name: historyName, state: 'ok', detail: 'both have the same objects' }
  const hint = unguarded.length > 0 ? 'An older alert replaces them until they are written again.' : undefined
  return { name: historyName, state: 'note', detail: details.join('; '), hint }
}
