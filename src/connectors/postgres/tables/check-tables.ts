// `db check`: tables, privileges and what is stored, without changing anything.
import type { Connection } from '../client/connection.ts'
import { columnProblems, inspectTables, lacksKey, type TableFacts } from './inspect-tables.ts'
import { contentOf, type VersionContent } from './stored-content.ts'
import {
  historyTable,
  keyColumns,
  pipelineTables,
  type TableCheck,
  type TableDefinition,
  writtenTables,
} from './tables.ts'
import { transaction } from '../client/transaction.ts'

/** What `db check` found. */
export interface TablesReport {
  /** nothing keeps lcclf from writing, and nothing stored is wrong */
  readonly ok: boolean
  readonly server: string
  readonly hasHistory: boolean
  readonly checks: readonly TableCheck[]
  /** by classifier version */
  readonly versions: readonly VersionContent[]
}

/** See checkTables. */
interface CheckOptions {
  /** milliseconds for each look at the rows (0: no limit); a table too large for it is a note */
  readonly statementTimeout?: number
}

const privilegesFor: Readonly<Record<string, readonly string[]>> = {
  probability: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  taxonomy: ['SELECT', 'INSERT'],
  step: ['SELECT', 'INSERT'],
  [historyTable.name]: ['SELECT', 'INSERT', 'UPDATE'],
}

/** Looks at everything that the sink and the source rely on. */
export async function checkTables(connection: Connection, options: CheckOptions = {}): Promise<TablesReport> {
  const statementTimeout = options.statementTimeout ?? 600_000
  const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout } as const
  return transaction(connection, mode, async () => {
    const [version] = await connection.rows("SELECT current_setting('server_version')")
    const definitions = [...pipelineTables, historyTable]
    const facts = await inspectTables(connection, definitions)
    const checks = definitions.flatMap((definition, i) => structureChecks(definition, facts[i]!))
    const isReadable = (name: string): boolean =>
      facts.some((table) => table.name === name && table.privileges.includes('SELECT'))
    const content = isReadable('probability')
      ? await contentOf(connection, { hasTaxonomy: isReadable('taxonomy'), hasHistory: isReadable(historyTable.name) })
      : { checks: [], versions: [] }
    checks.push(...content.checks)
    return {
      ok: checks.every(({ state }) => state !== 'problem'),
      server: `PostgreSQL ${String(version?.[0])}`,
      hasHistory: facts.some(({ name, exists }) => name === historyTable.name && exists),
      checks,
      versions: content.versions,
    }
  })
}

function structureChecks(definition: TableDefinition, facts: TableFacts): TableCheck[] {
  const name = `table ${definition.name}`
  if (!facts.exists) return [absentTable(definition)]
  const problems = columnProblems(definition, facts)
  const checks: TableCheck[] = [
    problems.length === 0
      ? { name, state: 'ok', detail: `${definition.columns.length} columns as expected${sizeOf(facts)}` }
      : { name, state: isWritten(definition) ? 'problem' : 'note', detail: problems.join('; ') },
  ]
  checks.push(...clauseChecks(definition, facts))
  const lacking = (privilegesFor[definition.name] ?? ['SELECT']).filter((right) => !facts.privileges.includes(right))
  if (lacking.length > 0) {
    checks.push({
      name: `privileges on ${definition.name}`,
      state: privilegesFor[definition.name] ? 'problem' : 'note',
      detail: `this role lacks ${lacking.join(', ')}`,
      hint: `GRANT ${lacking.join(', ')} ON ${definition.name} TO your role`,
    })
  }
  return checks
}

function absentTable(definition: TableDefinition): TableCheck {
  const name = `table ${definition.name}`
  if (definition === historyTable) {
    return {
      name,
      state: 'note',
      detail: 'absent: an older alert that is replayed replaces a newer classification',
      hint: 'lcclf db upgrade adds it',
    }
  }
  if (isWritten(definition)) return { name, state: 'problem', detail: 'absent', hint: 'lcclf db init makes it' }
  return { name, state: 'note', detail: 'absent', hint: 'only the pipeline itself needs it' }
}

function isWritten(definition: TableDefinition): boolean {
  return writtenTables.includes(definition) || definition === historyTable
}

function sizeOf({ estimatedRows }: TableFacts): string {
  return estimatedRows === undefined ? '' : `, about ${Math.round(estimatedRows)} rows`
}

function clauseChecks(definition: TableDefinition, facts: TableFacts): TableCheck[] {
  const missing = definition.constraints.map(({ name }) => name).filter((name) => !facts.constraints.includes(name))
  const unindexed = definition.indexes.map(({ name }) => name).filter((name) => !facts.indexes.includes(name))
  const isBroken = isWritten(definition) && lacksKey(definition, facts)
  if (missing.length === 0 && unindexed.length === 0 && !isBroken) return []
  return [
    {
      name: `constraints and indexes of ${definition.name}`,
      state: isBroken ? 'problem' : 'note',
      // a key of that name may be another one
      detail:
        isBroken && !missing.includes(`${definition.name}_pkey`)
          ? `no unique key of ${keyColumns(definition).join(', ')}`
          : `missing: ${[...missing, ...unindexed].join(', ')}`,
    },
  ]
}
