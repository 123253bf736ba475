// What is stored in `probability`: rows by version, partial row sets, classes that the taxonomy does not know, and what the
// history table knows of it.
import { messageOf, systemCode } from '../../../errors.ts'
import type { TableCheck } from './tables.ts'
import type { Connection } from '../client/connection.ts'

/** What is stored of one classifier version. */
export interface VersionContent {
  readonly classifierVersion: string
  readonly objects: number
  readonly rows: number
  /** rows that an object of this version should have */
  readonly expectedRows: number
  /** objects with fewer or more */
  readonly partialObjects: number
}

interface Content {
  readonly checks: readonly TableCheck[]
  readonly versions: readonly VersionContent[]
}

/** Which of the tables beside `probability` may be read. */
interface ReadableTables {
  readonly hasTaxonomy: boolean
  readonly hasHistory: boolean
}

/** Reads the tables; a look that takes longer than the statement timeout becomes a note. */
export async function contentOf(connection: Connection, { hasTaxonomy, hasHistory }: ReadableTables): Promise<Content> {
  const taxonomy = hasTaxonomy ? await readTaxonomy(connection) : new Map<string, Map<string, readonly string[]>>()
  const sizes = await tolerated(connection, 'rows by classifier version', () => readSizes(connection))
  if ('check' in sizes) return { checks: [sizes.check], versions: [] }
  const versions = versionsOf(sizes.result, taxonomy)
  const classes = await tolerated(connection, 'stored classes', () => readClasses(connection))
  const checks = versions.map(versionCheck)
  if ('check' in classes) checks.push(classes.check)
  else if (hasTaxonomy) checks.push(taxonomyCheck(classes.result, taxonomy))
  if (hasHistory) {
    const history = await tolerated(connection, historyName, () => readHistory(connection))
    checks.push('check' in history ? history.check : historyCheck(history.result))
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

interface SizeGroup {
  readonly version: string
  readonly rowsEach: number
  readonly objects: number
}

async function readSizes(connection: Connection): Promise<SizeGroup[]> {
  const rows = await connection.rows(
    `SELECT classifier_version, n::int, count(*)::float8
       FROM (SELECT classifier_version, count(*) AS n FROM probability GROUP BY oid, classifier_version) AS objects
      GROUP BY 1, 2 ORDER BY 1, 2`,
  )
  return rows.map(([version, n, objects]) => ({
    version: String(version),
    rowsEach: Number(n),
    objects: Number(objects),
  }))
}

async function readClasses(connection: Connection): Promise<readonly (readonly unknown[])[]> {
  return connection.rows(
    'SELECT classifier_version, classifier_name, class_name, count(*)::float8 FROM probability GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
  )
}

function versionsOf(groups: readonly SizeGroup[], taxonomy: StoredTaxonomy): VersionContent[] {
  return [...new Set(groups.map(({ version }) => version))].map((version) => {
    const own = groups.filter((group) => group.version === version)
    const known = [...(taxonomy.get(version)?.values() ?? [])]
    // without a taxonomy what most objects have is taken for the whole
    const usual = own.reduce((most, group) => (group.objects > most.objects ? group : most)).rowsEach
    const expectedRows = known.length > 0 ? known.reduce((sum, classes) => sum + classes.length, 0) : usual
    return {
      classifierVersion: version,
      objects: own.reduce((sum, { objects }) => sum + objects, 0),
      rows: own.reduce((sum, { objects, rowsEach }) => sum + objects * rowsEach, 0),
      expectedRows,
      partialObjects: own.reduce((sum, { objects, rowsEach }) => sum + (rowsEach === expectedRows ? 0 : objects), 0),
    }
  })
}

function versionCheck({ classifierVersion, objects, rows, expectedRows, partialObjects }: VersionContent): TableCheck {
  const name = `rows of ${classifierVersion}`
  const detail = `${objects} objects, ${rows} rows`
  if (partialObjects === 0) return { name, state: 'ok', detail: `${detail}, ${expectedRows} an object` }
  return {
    name,
    state: 'problem',
    detail: `${detail}; ${partialObjects} objects have not the ${expectedRows} rows that belong together`,
    hint: 'classify these objects again: lcclf completes partial row sets',
  }
}

function taxonomyCheck(rows: readonly (readonly unknown[])[], taxonomy: StoredTaxonomy): TableCheck {
  const unknown: string[] = []
  const absent = new Set<string>()
  for (const [version, name, className, count] of rows) {
    const classes = taxonomy.get(String(version))?.get(String(name))
    if (!classes) absent.add(`${String(name)} ${String(version)}`)
    else if (!classes.includes(String(className)))
      unknown.push(`${String(className)} of ${String(name)} ${String(version)} (${String(count)} rows)`)
  }
  const name = 'taxonomy against stored classes'
  if (unknown.length > 0) {
    return {
      name,
      state: 'problem',
      detail: `classes that the taxonomy does not have: ${unknown.slice(0, 10).join(', ')}`,
    }
  }
  if (absent.size > 0) {
    return {
      name,
      state: 'note',
      detail: `no taxonomy of ${[...absent].slice(0, 10).join(', ')}`,
      hint: 'lcclf writes it with the first objects of that version',
    }
  }
  return { name, state: 'ok', detail: `${rows.length} classes, all in the taxonomy` }
}

const historyName = 'lcclf_history against probability'

/** by classifier version: objects that the history table lacks, and objects that it alone has */
async function readHistory(connection: Connection): Promise<readonly (readonly unknown[])[]> {
  return connection.rows(
    `SELECT classifier_version, count(*) FILTER (WHERE h.oid IS NULL)::float8, count(*) FILTER (WHERE p.oid IS NULL)::float8
       FROM (SELECT DISTINCT oid, classifier_version FROM probability) AS p
       FULL JOIN lcclf_history h USING (oid, classifier_version) GROUP BY 1 ORDER BY 1`,
  )
}

function historyCheck(rows: readonly (readonly unknown[])[]): TableCheck {
  const unguarded = rows.filter(([, count]) => Number(count) > 0)
  const without = rows.reduce((sum, [, , count]) => sum + Number(count), 0)
  const details = [
    ...unguarded.map(([version, count]) => `${String(count)} objects of ${String(version)} are not in lcclf_history`),
    ...(without > 0 ? [`${without} objects in lcclf_history have no rows`] : []),
  ]
  if (details.length === 0) return { name: historyName, state: 'ok', detail: 'both have the same objects' }
  const hint = unguarded.length > 0 ? 'an older alert replaces them until they are written again' : undefined
  return { name: historyName, state: 'note', detail: details.join('; '), ...(hint === undefined ? {} : { hint }) }
}

async function tolerated<T>(
  connection: Connection,
  name: string,
  work: () => Promise<T>,
): Promise<{ result: T } | { check: TableCheck }> {
  await connection.run('SAVEPOINT look')
  try {
    return { result: await work() }
  } catch (error) {
    // 57014: the statement timeout
    if (systemCode(error) !== '57014') throw error
    await connection.run('ROLLBACK TO SAVEPOINT look')
    return {
      check: { name, state: 'note', detail: `not looked at: ${messageOf(error)}`, hint: 'raise ?statement_timeout=' },
    }
  }
}
