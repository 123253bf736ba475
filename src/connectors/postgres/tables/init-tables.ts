// `db init` and `db upgrade`: create what is missing and leave alone what exists.
import { ServiceError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { identifier } from '../client/binary.ts'
import { creationStatements, type TableDefinition } from './definition.ts'
import { historyTable, pipelineTables } from './tables.ts'
import { transaction } from '../client/session.ts'
import { recogniseTables } from './generation.ts'
import { inspectTables } from './inspect-tables.ts'

/** What every change of tables is told. */
export interface InitOptions {
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
  const tables = options.withHistory ? [...pipelineTables, historyTable] : pipelineTables
  return createMissing(connection, tables, options, (missing) => historyExtras(connection, missing))
}

/**
 * Adds the history table to a database that has the others. Whoever may write `probability` may write it too.
 *
 * @throws ServiceError if there is no `probability`
 */
export async function upgradeTables(connection: Connection, options: InitOptions) {
  const [probability] = await inspectTables(connection, ['probability'])
  if ((await recogniseTables(connection, undefined)) === 'multisurvey') {
    throw new ServiceError('the multisurvey tables need no history table: the newer lastmjd wins there', {
      hint: 'There is nothing to upgrade.',
    })
  }
  if (probability) {
    return createMissing(connection, [historyTable], options, (missing) => historyExtras(connection, missing))
  }
  throw new ServiceError('there is no table probability to upgrade', {
    hint: 'lcclf db init --with-history creates all tables.',
  })
}

/** What goes with tables that are about to be created: SQL to run after it, and what to say. */
interface Extras {
  readonly statements: readonly string[]
  readonly notes: readonly string[]
}

/**
 * Creates those of the tables that are missing, in one transaction.
 *
 * @param extrasOf told what is missing, before anything is changed
 */
export async function createMissing(
  connection: Connection,
  tables: readonly TableDefinition[],
  { dryRun, statementTimeout = 0 }: InitOptions,
  extrasOf: (missing: readonly TableDefinition[]) => Promise<Extras>,
) {
  return transaction(connection, { access: dryRun ? 'read only' : 'read write', statementTimeout }, async () => {
    // two of us at once must not both find nothing
    if (!dryRun) await connection.run("SELECT pg_advisory_xact_lock(hashtext('lcclf db init'))")
    const names = tables.map(({ name }) => name)
    const found = await inspectTables(connection, names)
    const missing = tables.filter((_, i) => !found[i])
    const extras = await extrasOf(missing)
    const statements = [...missing.flatMap(creationStatements), ...extras.statements]
    if (!dryRun) for (const statement of statements) await connection.run(statement)
    return {
      /** in order, without semicolons; empty if nothing is missing */
      statements,
      created: missing.map(({ name }) => name),
      existing: names.filter((_, i) => found[i]),
      done: !dryRun,
      /** what whoever relies on the tables should know */
      notes: extras.notes,
    }
  })
}

async function historyExtras(connection: Connection, missing: readonly TableDefinition[]): Promise<Extras> {
  if (!missing.includes(historyTable)) return { statements: [], notes: [] }
  return {
    statements: await historyGrants(connection),
    notes: (await hasRows(connection)) ? [unguardedRows] : [],
  }
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
