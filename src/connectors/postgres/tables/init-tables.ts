// `db init` and `db upgrade`: makes what is missing and leaves alone what exists.
import { ServiceError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { identifier } from '../client/binary.ts'
import { creationStatements, historyTable, pipelineTables, type TableDefinition } from './tables.ts'
import { transaction } from '../client/transaction.ts'

/** What was done, or with `dryRun` would be. */
export interface InitReport {
  /** in order, without semicolons; empty if nothing is missing */
  readonly statements: readonly string[]
  /** names of the tables that these statements create */
  readonly created: readonly string[]
  /** names of the tables that were there already */
  readonly existing: readonly string[]
  /** whether the statements were run */
  readonly done: boolean
  /** what whoever relies on the tables should know */
  readonly notes: readonly string[]
}

/** See initTables. */
interface InitOptions {
  /** also the table that lets the newer alert win */
  readonly withHistory: boolean
  readonly dryRun: boolean
  /** milliseconds for each statement; 0 (no limit) if undefined */
  readonly statementTimeout?: number | undefined
}

/**
 * Creates the pipeline's tables that do not exist yet, in one transaction. A table that exists is not changed, not even
 * where it differs: `checkTables` says so.
 */
export async function initTables(connection: Connection, options: InitOptions): Promise<InitReport> {
  const tables = options.withHistory ? [...pipelineTables, historyTable] : pipelineTables
  return createMissing(connection, tables, options)
}

/**
 * Adds the history table to a database that has the others. Whoever may write `probability` may write it too.
 *
 * @throws ServiceError if there is no `probability`
 */
export async function upgradeTables(
  connection: Connection,
  options: Omit<InitOptions, 'withHistory'>,
): Promise<InitReport> {
  const [row] = await connection.rows("SELECT to_regclass('probability') IS NULL")
  if (row?.[0] === true) {
    throw new ServiceError('there is no table probability to upgrade', {
      hint: 'lcclf db init --with-history makes all tables',
    })
  }
  return createMissing(connection, [historyTable], options)
}

async function createMissing(
  connection: Connection,
  tables: readonly TableDefinition[],
  { dryRun, statementTimeout = 0 }: Omit<InitOptions, 'withHistory'>,
): Promise<InitReport> {
  const access = dryRun ? 'read only' : 'read write'
  return transaction(connection, { access, isolation: 'read committed', statementTimeout }, async () => {
    // two of us at once must not both find nothing
    if (!dryRun) await connection.run("SELECT pg_advisory_xact_lock(hashtext('lcclf db init'))")
    const existing = await existingTables(connection, tables)
    const missing = tables.filter(({ name }) => !existing.has(name))
    const statements = missing.flatMap(creationStatements)
    const notes: string[] = []
    if (missing.includes(historyTable)) {
      statements.push(...(await historyGrants(connection)))
      if (await hasRows(connection)) notes.push(unguardedRows)
    }
    if (!dryRun) for (const statement of statements) await connection.run(statement)
    return {
      statements,
      created: missing.map(({ name }) => name),
      existing: [...existing],
      done: !dryRun,
      notes,
    }
  })
}

const unguardedRows =
  'what is stored in probability already has no row in lcclf_history: until an object is written again, an older alert still replaces it'

/** Whether something may be stored already. Whoever may not look is told as if there were. */
async function hasRows(connection: Connection): Promise<boolean> {
  const [row] = await connection.rows(
    `SELECT to_regclass('probability') IS NOT NULL, has_table_privilege(to_regclass('probability'), 'SELECT')`,
  )
  if (row?.[0] !== true) return false
  if (row[1] !== true) return true
  const [found] = await connection.rows('SELECT EXISTS (SELECT FROM probability)')
  return found?.[0] === true
}

/** by the search path, as every later statement finds them */
async function existingTables(connection: Connection, tables: readonly TableDefinition[]): Promise<Set<string>> {
  const rows = await connection.rows(
    'SELECT name FROM unnest($1::text[]) WITH ORDINALITY t(name, n) WHERE to_regclass(quote_ident(name)) IS NOT NULL ORDER BY n',
    [tables.map(({ name }) => name)],
  )
  return new Set(rows.map(([name]) => String(name)))
}

async function historyGrants(connection: Connection): Promise<string[]> {
  const rows = await connection.rows(
    `SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END, acl.grantee = 0
       FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) acl
      WHERE c.oid = to_regclass('probability') AND acl.privilege_type = 'INSERT' AND acl.grantee <> c.relowner
      ORDER BY 1`,
  )
  return rows.map(([role, isPublic]) => {
    const grantee = isPublic === true ? 'PUBLIC' : identifier(String(role))
    return `GRANT SELECT, INSERT, UPDATE ON ${historyTable.name} TO ${grantee}`
  })
}
