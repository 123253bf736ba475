// `db init` and `db upgrade`: create what is missing and leave alone what exists.
import { ServiceError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { identifier } from '../client/binary.ts'
import { creationStatements, type TableDefinition } from './definition.ts'
import { historyTable, pipelineTables } from './tables.ts'
import { transaction } from '../client/session.ts'
import { inspectTables } from './inspect-tables.ts'

interface InitOptions {
  readonly dryRun: boolean
  /** milliseconds for each statement; 0 (no limit) if undefined */
  readonly statementTimeout?: number | undefined
}

/** What was done, or with `dryRun` would be. */
export type InitReport = Awaited<ReturnType<typeof createMissing>>

/**
 * Creates the pipeline's tables that do not exist yet, in one transaction. A table that exists is not changed, even if it
 * differs: `checkTables` says so.
 *
 * @param options `withHistory`: also the table that lets the newer alert win
 */
export function initTables(connection: Connection, options: InitOptions & { readonly withHistory: boolean }) {
  return createMissing(connection, options.withHistory ? [...pipelineTables, historyTable] : pipelineTables, options)
}

/**
 * Adds the history table to a database that has the others. Whoever may write `probability` may write it too.
 *
 * @throws ServiceError if there is no `probability`
 */
export async function upgradeTables(connection: Connection, options: InitOptions) {
  const [probability] = await inspectTables(connection, ['probability'])
  if (probability) return createMissing(connection, [historyTable], options)
  throw new ServiceError('there is no table probability to upgrade', {
    hint: 'lcclf db init --with-history creates all tables.',
  })
}

async function createMissing(
  connection: Connection,
  tables: readonly TableDefinition[],
  { dryRun, statementTimeout = 0 }: InitOptions,
) {
  return transaction(connection, { access: dryRun ? 'read only' : 'read write', statementTimeout }, async () => {
    // two of us at once must not both find nothing
    if (!dryRun) await connection.run("SELECT pg_advisory_xact_lock(hashtext('lcclf db init'))")
    const names = tables.map(({ name }) => name)
    const found = await inspectTables(connection, names)
    const missing = tables.filter((_, i) => !found[i])
    const statements = missing.flatMap(creationStatements)
    const notes: string[] = []
    if (missing.includes(historyTable)) {
      statements.push(...(await historyGrants(connection)))
      if (await hasRows(connection)) notes.push(unguardedRows)
    }
    if (!dryRun) for (const statement of statements) await connection.run(statement)
    return {
      /** in order, without semicolons; empty if nothing is missing */
      statements,
      created: missing.map(({ name }) => name),
      existing: names.filter((_, i) => found[i]),
      done: !dryRun,
      /** what whoever relies on the tables should know */
      notes,
    }
  })
}

const unguardedRows =
  'what is already stored in probability has no row in lcclf_history: until an object is written again, an older alert still replaces it'

/** Whether something may be stored already; yes if this role may not look. */
async function hasRows(connection: Connection): Promise<boolean> {
  const [probability] = await inspectTables(connection, ['probability'])
  if (!probability?.privileges.includes('SELECT')) return probability !== undefined
  const [found] = await connection.rows('SELECT EXISTS (SELECT FROM probability)')
  return found?.[0] === true
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
