// `db check`: tables, privileges and what is stored, without changing anything.
import { messageOf, systemCode } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { transaction } from '../client/session.ts'
import { columnProblems, inspectTables, lacksKey, type TableFacts } from './inspect-tables.ts'
import { keyColumns, type TableDefinition } from './definition.ts'
import { historyTable, pipelineTables, writtenTables } from './tables.ts'

/** One thing that was examined. */
export interface TableCheck {
  readonly name: string
  /** `note`: works, but somebody may want to know */
  readonly state: 'ok' | 'note' | 'problem'
  readonly detail: string
  readonly hint?: string | undefined
}

/** What `db check` found. */
export type TablesReport = Awaited<ReturnType<typeof checkTables>>

/**
 * Looks at everything that the sink and the source rely on.
 *
 * @param statementTimeout milliseconds for each look at the rows (0: no limit); a table too large for it is a note
 */
export async function checkTables(
  connection: Connection,
  { statementTimeout = 600_000 }: { readonly statementTimeout?: number | undefined } = {},
) {
  const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout } as const
  return transaction(connection, mode, async () => {
    const [version] = await connection.rows("SELECT current_setting('server_version')")
    const definitions = [...pipelineTables, historyTable]
    const names = definitions.map(({ name }) => name)
    const found = await inspectTables(connection, names)
    const factsOf = (name: string): TableFacts | undefined => found[names.indexOf(name)]
    const isReadable = (name: string): boolean => factsOf(name)?.privileges.includes('SELECT') ?? false
    const isObjectNeeded = factsOf('probability')?.objectTable !== undefined
    const checks = definitions.flatMap((definition, i) => structureChecks(definition, found[i], isObjectNeeded))
    const content = isReadable('probability')
      ? await contentOf(connection, { hasTaxonomy: isReadable('taxonomy'), hasHistory: isReadable(historyTable.name) })
      : { checks: [], versions: [] }
    checks.push(...content.checks)
    return {
      /** nothing keeps lcclf from writing, and nothing stored is wrong */
      ok: checks.every(({ state }) => state !== 'problem'),
      server: `PostgreSQL ${String(version?.[0])}`,
      hasHistory: factsOf(historyTable.name) !== undefined,
      checks,
      /** by classifier version */
      versions: content.versions,
    }
  })
}

function structureChecks(
  definition: TableDefinition,
  facts: TableFacts | undefined,
  isObjectNeeded: boolean,
): TableCheck[] {
  const name = `table ${definition.name}`
  if (!facts) return [absentTable(definition, name)]
  const problems = columnProblems(definition, facts)
  const size = facts.estimatedRows < 0 ? '' : `, about ${Math.round(facts.estimatedRows)} rows`
  return [
    problems.length === 0
      ? { name, state: 'ok', detail: `${definition.columns.length} columns as expected${size}` }
      : { name, state: isWritten(definition) ? 'problem' : 'note', detail: problems.join('; ') },
    ...clauseChecks(definition, facts),
    ...privilegeChecks(definition.name, facts, isObjectNeeded),
  ]
}

function absentTable(definition: TableDefinition, name: string): TableCheck {
  if (definition === historyTable) {
    const detail = 'absent: an older alert that is replayed replaces a newer classification'
    return { name, state: 'note', detail, hint: 'lcclf db upgrade adds it.' }
  }
  if (isWritten(definition)) return { name, state: 'problem', detail: 'absent', hint: 'lcclf db init creates it.' }
  return { name, state: 'note', detail: 'absent', hint: 'Only the pipeline itself needs it.' }
}

function isWritten(definition: TableDefinition): boolean {
  return writtenTables.includes(definition) || definition === historyTable
}

function clauseChecks(definition: TableDefinition, facts: TableFacts): TableCheck[] {
  const missing = definition.constraints.map(({ name }) => name).filter((name) => !facts.constraints.includes(name))
  const unindexed = definition.indexes.map(({ name }) => name).filter((name) => !facts.indexes.includes(name))
  const isBroken = isWritten(definition) && lacksKey(definition, facts)
  if (missing.length === 0 && unindexed.length === 0 && !isBroken) return []
  // a key of that name may be another one
  const isOtherKey = isBroken && !missing.includes(`${definition.name}_pkey`)
  const detail = isOtherKey
    ? `no unique key of ${keyColumns(definition).join(', ')}`
    : `missing: ${[...missing, ...unindexed].join(', ')}`
  return [{ name: `constraints and indexes of ${definition.name}`, state: isBroken ? 'problem' : 'note', detail }]
}

const privilegesFor: Readonly<Record<string, readonly string[]>> = {
  probability: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  taxonomy: ['SELECT', 'INSERT'],
  step: ['SELECT', 'INSERT'],
  [historyTable.name]: ['SELECT', 'INSERT', 'UPDATE'],
}

function privilegeChecks(table: string, facts: TableFacts, isObjectNeeded: boolean): TableCheck[] {
  const isNeeded = table in privilegesFor || (table === 'object' && isObjectNeeded)
  const lacking = (privilegesFor[table] ?? ['SELECT']).filter((right) => !facts.privileges.includes(right))
  const found = { name: `privileges on ${table}`, state: isNeeded ? 'problem' : 'note' } as const
  if (lacking.length > 0) {
    const hint = `GRANT ${lacking.join(', ')} ON ${table} TO your role.`
    return [{ ...found, detail: `this role lacks ${lacking.join(', ')}`, hint }]
  }
  if (table !== 'object' || !facts.hasRowSecurity) return []
  const detail = 'row-level security may hide rows from this role'
  return [{ ...found, detail, hint: 'ALTER ROLE … BYPASSRLS lets it see them.' }]
}

// What is stored in `probability`: rows by version, partial row sets, classes unknown to the taxonomy, and what the history
// table knows of it.

/** Reads the tables; a look that takes longer than the statement timeout becomes a note. */
async function contentOf(
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

type Rows = readonly (readonly unknown[])[]

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

/** version, rows per object, objects */
const sizesStatement = `SELECT classifier_version, n::int, count(*)::float8
    FROM (SELECT classifier_version, count(*) AS n FROM probability GROUP BY oid, classifier_version) AS objects
   GROUP BY 1, 2 ORDER BY 1, 2`

const classesStatement = `SELECT classifier_version, classifier_name, class_name, count(*)::float8
    FROM probability GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`

/** version, objects that the history table lacks, and objects that only it has */
const historyStatement = `SELECT classifier_version, count(*) FILTER (WHERE h.oid IS NULL)::float8, count(*) FILTER (WHERE p.oid IS NULL)::float8
    FROM (SELECT DISTINCT oid, classifier_version FROM probability) AS p
    FULL JOIN lcclf_history h USING (oid, classifier_version) GROUP BY 1 ORDER BY 1`

function versionsOf(sizes: Rows, taxonomy: StoredTaxonomy) {
  return [...new Set(sizes.map(([version]) => String(version)))].map((classifierVersion) => {
    const own = sizes.filter(([version]) => String(version) === classifierVersion)
    const groups = own.map(([, n, objects]) => ({ rowsEach: Number(n), objects: Number(objects) }))
    const known = [...(taxonomy.get(classifierVersion)?.values() ?? [])]
    // without a taxonomy what most objects have is taken for the whole
    const usual = groups.reduce((most, group) => (group.objects > most.objects ? group : most)).rowsEach
    const expectedRows = known.length > 0 ? known.reduce((sum, classes) => sum + classes.length, 0) : usual
    return {
      classifierVersion,
      objects: groups.reduce((sum, { objects }) => sum + objects, 0),
      rows: groups.reduce((sum, { objects, rowsEach }) => sum + objects * rowsEach, 0),
      /** rows that an object of this version should have */
      expectedRows,
      /** objects with fewer or more */
      partialObjects: groups.reduce((sum, { objects, rowsEach }) => sum + (rowsEach === expectedRows ? 0 : objects), 0),
    }
  })
}

function versionCheck(version: ReturnType<typeof versionsOf>[number]): TableCheck {
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

/** The rows of a statement, or what is said where it takes too long. */
async function tolerated(
  connection: Connection,
  name: string,
  statement: string,
): Promise<{ rows: Rows } | { rows?: never; check: TableCheck }> {
  await connection.run('SAVEPOINT look')
  try {
    return { rows: await connection.rows(statement) }
  } catch (error) {
    // 57014: the statement timeout
    if (systemCode(error) !== '57014') throw error
    await connection.run('ROLLBACK TO SAVEPOINT look')
    const detail = `not examined: ${messageOf(error)}`
    return { check: { name, state: 'note', detail, hint: 'Raise ?statement_timeout=.' } }
  }
}
