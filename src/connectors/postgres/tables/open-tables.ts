// The tables, ready for results: checked once, before the first batch.
import type { Taxonomy } from '../../../pipeline/batch.ts'
import { ModelError, ServiceError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { columnProblems, inspectTables, lacksKey, type TableFacts } from './inspect-tables.ts'
import { type PostgresSinkSpec, serverName } from '../settings.ts'
import { keyColumns, type TableDefinition } from './definition.ts'
import { historyTable, writtenTables } from './tables.ts'
import { textArray } from '../client/binary.ts'

/** What the sink must know of the tables. */
export type TablesForWriting = Awaited<ReturnType<typeof inspectForWriting>>

/**
 * Looks at the tables that will be written.
 *
 * @throws ServiceError if one is absent, has other columns, lacks its key, or may not be used as it must be
 */
export async function inspectForWriting(connection: Connection, withStep: boolean) {
  const needed = writtenTables.filter(({ name }) => withStep || name !== 'step')
  const definitions = [...needed, historyTable]
  const facts = await inspectTables(
    connection,
    definitions.map(({ name }) => name),
  )
  const server = serverName(connection.settings)
  refuseAbsent(needed, facts, server, 'lcclf db init')
  definitions.forEach((definition, i) => {
    if (facts[i]) refuseUnlike(definition, facts[i], server)
  })
  const [probability, history] = [facts[0]!, facts.at(-1)]
  refuseLackingPrivileges(probability, ['SELECT', 'INSERT', 'UPDATE'], server)
  if (history) refuseLackingPrivileges(history, ['SELECT', 'INSERT', 'UPDATE'], server)
  const { objectTable } = probability
  if (objectTable !== undefined) await refuseHiddenObjects(connection, objectTable, server)
  return {
    hasHistory: history !== undefined,
    /** the table that `probability.oid` refers to, quoted, or undefined if it refers to none */
    objectTable,
    /** false under row-level security */
    canCopy: !probability.hasRowSecurity,
  }
}

/** @param remedy the command that creates what is missing */
export function refuseAbsent(
  needed: readonly TableDefinition[],
  facts: readonly (TableFacts | undefined)[],
  server: string,
  remedy: string,
): void {
  const absent = needed.filter((_, i) => !facts[i]).map(({ name }) => name)
  if (absent.length === 0) return
  throw new ServiceError(`${server} has no table ${absent.join(', ')}`, { hint: `${remedy} creates missing tables.` })
}

/** Other columns, or no key to write by: the first batch of changed objects would end the run. */
export function refuseUnlike(definition: TableDefinition, facts: TableFacts, server: string): void {
  const problems = columnProblems(definition, facts)
  if (problems.length > 0) {
    throw new ServiceError(`${server}: table ${definition.name}: ${problems.join('; ')}`, {
      hint: 'lcclf db check has details.',
    })
  }
  if (!lacksKey(definition, facts)) return
  const key = `PRIMARY KEY (${keyColumns(definition).join(', ')})`
  throw new ServiceError(`${server}: table ${definition.name} has no ${key}`, {
    hint: `Add it: ALTER TABLE ${definition.name} ADD ${key}.`,
  })
}

export function refuseLackingPrivileges(
  { name, privileges }: TableFacts,
  needed: readonly string[],
  server: string,
): void {
  const lacking = needed.filter((right) => !privileges.includes(right))
  if (lacking.length === 0) return
  throw new ServiceError(`${server}: permission denied for table ${name} (${lacking.join(', ')})`, {
    hint: `GRANT ${lacking.join(', ')} ON ${name} TO your role.`,
  })
}

/** Which objects have no row there is looked up, so that one of them does not cost the others. */
async function refuseHiddenObjects(connection: Connection, objectTable: string, server: string): Promise<void> {
  const [objects] = await inspectTables(connection, [objectTable])
  refuseLackingPrivileges(objects!, ['SELECT'], server)
  if (!objects!.hasRowSecurity) return
  throw new ServiceError(`${server}: row-level security may hide rows of table ${objectTable} from this role`, {
    hint: 'Write as a role that it does not apply to: ALTER ROLE … BYPASSRLS.',
  })
}

/**
 * Inserts the taxonomy of this model if it is absent. Another order of the same classes is the same taxonomy.
 *
 * @throws ModelError if the same version is stored with other classes: that is another model
 */
export async function ensureTaxonomy(connection: Connection, { levels }: Taxonomy, classifierVersion: string) {
  const sorted = [...levels].sort((a, b) => (a.classifierName < b.classifierName ? -1 : 1))
  const stored = await storedClasses(connection, classifierVersion)
  const absent = sorted.filter(({ classifierName }) => !stored.has(classifierName))
  for (const { classifierName, classes } of absent) {
    await connection.run(
      'INSERT INTO taxonomy (classifier_name, classifier_version, classes) VALUES ($1, $2, $3::text[]::varchar[]) ON CONFLICT DO NOTHING',
      [classifierName, classifierVersion, textArray(classes)],
    )
  }
  // another writer may have been first, with another model
  const now = absent.length > 0 ? await storedClasses(connection, classifierVersion) : stored
  for (const { classifierName, classes } of levels) {
    const differences = differencesOf(classes, now.get(classifierName) ?? [])
    if (differences === '') continue
    throw new ModelError(
      `${serverName(connection.settings)}: the taxonomy of ${classifierName} ${classifierVersion} has other classes: ${differences}`,
      { hint: 'Another model was written under this version: import yours under another --version.' },
    )
  }
}

async function storedClasses(connection: Connection, version: string): Promise<Map<string, readonly string[]>> {
  const rows = await connection.rows(
    'SELECT classifier_name, classes::text[] FROM taxonomy WHERE classifier_version = $1',
    [version],
  )
  return new Map(rows.map(([name, classes]) => [String(name), classes as string[]]))
}

/** What one of two lists of classes has that the other has not; empty if neither has. */
export function differencesOf(own: readonly string[], stored: readonly string[]): string {
  const onlyStored = stored.filter((className) => !own.includes(className))
  const onlyOwn = own.filter((className) => !stored.includes(className))
  return [
    ...(onlyStored.length > 0 ? [`the database has ${onlyStored.join(', ')}`] : []),
    ...(onlyOwn.length > 0 ? [`the model has ${onlyOwn.join(', ')}`] : []),
  ].join(', ')
}

/**
 * Inserts the row of `step` if there is none with its id, as the original does; its date is UTC.
 *
 * @returns a note if the stored row has another version: it is left as it is
 */
export async function ensureStep(connection: Connection, step: NonNullable<PostgresSinkSpec['step']>) {
  const find = 'SELECT version FROM step WHERE step_id = $1'
  let [stored] = await connection.rows(find, [step.stepId])
  if (!stored) {
    await connection.run(
      `INSERT INTO step (step_id, name, version, comments, date)
       VALUES ($1, $2, $3, $4, now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING`,
      [step.stepId, step.name, step.version, step.comments],
    )
    stored = (await connection.rows(find, [step.stepId]))[0]
  }
  const version = String(stored?.[0])
  if (version === step.version) return undefined
  return `step ${step.stepId} is stored with version ${version}, this is ${step.version}; the row was left unchanged`
}
