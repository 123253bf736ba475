// `db check`: tables, privileges and what is stored, without changing anything.
import type { Connection } from '../client/connection.ts'
import { transaction } from '../client/session.ts'
import { surveyContentOf } from '../multisurvey/check-content.ts'
import * as survey from '../multisurvey/tables.ts'
import type { TableGeneration } from '../settings.ts'
import { contentOf } from './check-content.ts'
import { keyColumns, partitionStatement, type TableDefinition } from './definition.ts'
import { recogniseTables } from './generation.ts'
import { columnProblems, inspectTables, lacksKey, missingColumns, type TableFacts } from './inspect-tables.ts'
import { inspectPartitions, missingPartitions, type Partitioning } from './partitions.ts'
import type { TableCheck } from './table-check.ts'
import { historyTable, pipelineTables, writtenTables } from './tables.ts'

/** The tables of a generation, and what they are for. */
interface TableSet {
  readonly definitions: readonly TableDefinition[]
  readonly written: readonly TableDefinition[]
  /** what must be there besides, to be read */
  readonly read: readonly TableDefinition[]
  /** what the sink must be allowed to do, by table */
  readonly privileges: Readonly<Record<string, readonly string[]>>
  /** the command that creates them */
  readonly remedy: string
}

const everything = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']

const tableSets: Readonly<Record<TableGeneration, TableSet>> = {
  'alerce-2021': {
    definitions: [...pipelineTables, historyTable],
    written: [...writtenTables, historyTable],
    read: [],
    privileges: {
      probability: everything,
      taxonomy: ['SELECT', 'INSERT'],
      step: ['SELECT', 'INSERT'],
      [historyTable.name]: ['SELECT', 'INSERT', 'UPDATE'],
    },
    remedy: 'lcclf db init',
  },
  multisurvey: {
    definitions: survey.surveyTables,
    written: [survey.probability],
    read: [survey.classifier, survey.taxonomy],
    privileges: { probability: everything, classifier: ['SELECT'], taxonomy: ['SELECT'], sid_lut: ['SELECT'] },
    remedy: 'lcclf db init --tables multisurvey',
  },
}

/** What `db check` found. */
export type TablesReport = Awaited<ReturnType<typeof checkTables>>

interface CheckOptions {
  /** milliseconds for each look at the rows (0: no limit); a table too large for it is a note */
  readonly statementTimeout?: number | undefined
  /** recognised by their columns if undefined */
  readonly tables?: TableGeneration | undefined
}

/** Looks at everything that the sink and the source rely on. @throws ServiceError if other tables are there than asked for */
export async function checkTables(connection: Connection, { statementTimeout = 600_000, tables }: CheckOptions = {}) {
  const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout } as const
  return transaction(connection, mode, async () => {
    const [version] = await connection.rows("SELECT current_setting('server_version')")
    const generation = await recogniseTables(connection, tables)
    const set = tableSets[generation]
    const names = set.definitions.map(({ name }) => name)
    const found = await inspectTables(connection, names)
    const factsOf = (name: string): TableFacts | undefined => found[names.indexOf(name)]
    const isReadable = (name: string): boolean => factsOf(name)?.privileges.includes('SELECT') ?? false
    const isObjectNeeded = factsOf('probability')?.objectTable !== undefined
    const checks = set.definitions.flatMap((definition, i) =>
      structureChecks(set, definition, found[i], isObjectNeeded),
    )
    checks.push(...(await partitionChecks(connection, set)))
    const content = await contentChecks(connection, generation, isReadable)
    checks.push(...content.checks)
    return {
      /** nothing keeps lcclf from writing, and nothing stored is wrong */
      ok: checks.every(({ state }) => state !== 'problem'),
      server: `PostgreSQL ${String(version?.[0])}`,
      tables: generation,
      hasHistory: factsOf(historyTable.name) !== undefined,
      checks,
      /** by classifier version */
      versions: content.versions,
    }
  })
}

function contentChecks(connection: Connection, generation: TableGeneration, isReadable: (table: string) => boolean) {
  if (!isReadable('probability')) return { checks: [], versions: [] }
  if (generation === 'alerce-2021') {
    const hasHistory = isReadable(historyTable.name)
    return contentOf(connection, { hasTaxonomy: isReadable('taxonomy'), hasHistory })
  }
  const isKnown = isReadable('classifier') && isReadable('taxonomy')
  return isKnown ? surveyContentOf(connection) : { checks: [], versions: [] }
}

async function partitionChecks(connection: Connection, { definitions, written }: TableSet): Promise<TableCheck[]> {
  const checks: TableCheck[] = []
  for (const definition of definitions.filter(({ partitions }) => partitions !== undefined)) {
    const partitioning = await inspectPartitions(connection, definition.name)
    if (partitioning) checks.push(partitionCheck(definition, partitioning, written.includes(definition)))
  }
  return checks
}

function partitionCheck({ name: table }: TableDefinition, partitioning: Partitioning, isWritten: boolean): TableCheck {
  const name = `partitions of ${table}`
  const missing = missingPartitions(partitioning)
  const [first] = missing
  if (!first) return { name, state: 'ok', detail: `${partitioning.bounds.length} by ${partitioning.key}, all there` }
  const detail = `missing: ${missing.map(({ modulus, remainder }) => `remainder ${remainder} of ${modulus}`).join(', ')}`
  const hint = `${partitionStatement(table, first.modulus, first.remainder)};`
  return { name, state: isWritten ? 'problem' : 'note', detail, hint }
}

function structureChecks(
  set: TableSet,
  definition: TableDefinition,
  facts: TableFacts | undefined,
  isObjectNeeded: boolean,
): TableCheck[] {
  const name = `table ${definition.name}`
  if (!facts) return [absentTable(set, definition, name)]
  const problems = columnProblems(definition, facts)
  const isUseless = set.read.includes(definition) && missingColumns(definition, facts).length > 0
  const size = facts.estimatedRows < 0 ? '' : `, about ${Math.round(facts.estimatedRows)} rows`
  return [
    problems.length === 0
      ? { name, state: 'ok', detail: `${definition.columns.length} columns as expected${size}` }
      : {
          name,
          state: set.written.includes(definition) || isUseless ? 'problem' : 'note',
          detail: problems.join('; '),
        },
    ...clauseChecks(set, definition, facts),
    ...privilegeChecks(set, definition.name, facts, isObjectNeeded),
  ]
}

function absentTable({ written, read, remedy }: TableSet, definition: TableDefinition, name: string): TableCheck {
  if (definition === historyTable) {
    const detail = 'absent: an older alert that is replayed replaces a newer classification'
    return { name, state: 'note', detail, hint: 'lcclf db upgrade adds it.' }
  }
  if (written.includes(definition) || read.includes(definition)) {
    return { name, state: 'problem', detail: 'absent', hint: `${remedy} creates it.` }
  }
  return { name, state: 'note', detail: 'absent', hint: 'Only the pipeline itself needs it.' }
}

function clauseChecks({ written }: TableSet, definition: TableDefinition, facts: TableFacts): TableCheck[] {
  const missing = definition.constraints.map(({ name }) => name).filter((name) => !facts.constraints.includes(name))
  const unindexed = definition.indexes.map(({ name }) => name).filter((name) => !facts.indexes.includes(name))
  const isBroken = written.includes(definition) && lacksKey(definition, facts)
  if (missing.length === 0 && unindexed.length === 0 && !isBroken) return []
  // a key of that name may be another one
  const isOtherKey = isBroken && !missing.includes(`${definition.name}_pkey`)
  const detail = isOtherKey
    ? `no unique key of ${keyColumns(definition).join(', ')}`
    : `missing: ${[...missing, ...unindexed].join(', ')}`
  return [{ name: `constraints and indexes of ${definition.name}`, state: isBroken ? 'problem' : 'note', detail }]
}

function privilegeChecks(
  { privileges }: TableSet,
  table: string,
  facts: TableFacts,
  isObjectNeeded: boolean,
): TableCheck[] {
  const isNeeded = table in privileges || (table === 'object' && isObjectNeeded)
  const lacking = (privileges[table] ?? ['SELECT']).filter((right) => !facts.privileges.includes(right))
  const found = { name: `privileges on ${table}`, state: isNeeded ? 'problem' : 'note' } as const
  if (lacking.length > 0) {
    const hint = `GRANT ${lacking.join(', ')} ON ${table} TO your role.`
    return [{ ...found, detail: `this role lacks ${lacking.join(', ')}`, hint }]
  }
  if (table !== 'object' || !facts.hasRowSecurity) return []
  const detail = 'row-level security may hide rows from this role'
  return [{ ...found, detail, hint: 'ALTER ROLE … BYPASSRLS lets it see them.' }]
}
