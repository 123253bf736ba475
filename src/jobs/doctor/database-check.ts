// A database: reached, who we are there, and whether what lcclf reads or writes is there and allowed.
import { checkTables, type TablesReport } from '../../connectors/postgres/tables/check-tables.ts'
import { connect } from '../../connectors/postgres/client/connect.ts'
import type { Connection } from '../../connectors/postgres/client/connection.ts'
import { postgresFailure } from '../../connectors/postgres/client/failure.ts'
import type { PostgresAddress } from '../../connectors/postgres/address.ts'
import type { TableCheck } from '../../connectors/postgres/tables/tables.ts'
import { transaction } from '../../connectors/postgres/client/transaction.ts'
import { type Check, type CheckContext, type Finding, readingOf } from './check.ts'

const name = 'database'
/** within the ten seconds of a check: the way there, then two looks at the rows of a large table */
const connectMs = 4000
const statementMs = 2000

/**
 * Looks at the tables that results go to, or at the table or the query that the address names.
 *
 * @param parse reads the address: what is wrong with it is a failed line like everything else
 */
export function databaseCheck(parse: () => PostgresAddress, about?: string): Check {
  return {
    name,
    about,
    async look(context) {
      const { address, connection: given, reading } = parse()
      const settings = {
        ...given,
        connectTimeout: Math.min(given.connectTimeout, connectMs),
        statementTimeout: statementMs,
      }
      let connection: Connection | undefined
      const stop = (): void => connection?.destroy()
      context.signal.addEventListener('abort', stop)
      try {
        connection = await connect(settings)
        if (context.signal.aborted) return []
        const reached = await reachedFinding(connection, address, context)
        const found =
          reading === undefined
            ? tableFindings(await checkTables(connection, { statementTimeout: statementMs }))
            : [await readingFinding(connection, reading)]
        const isFine = found.every(({ status }) => status === 'ok')
        // one line where there is nothing to say
        return isFine
          ? [{ ...reached, message: [reached, ...found].map(({ message }) => message).join(', ') }]
          : [reached, ...found]
      } catch (error) {
        throw postgresFailure(error, settings)
      } finally {
        context.signal.removeEventListener('abort', stop)
        if (connection && !context.signal.aborted) await connection.close()
      }
    },
  }
}

async function reachedFinding(connection: Connection, address: string, context: CheckContext): Promise<Finding> {
  const sent = Date.now()
  const [row] = await connection.rows(
    `SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())::float8 * 1000, current_user::text,
       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid())`,
  )
  const [version, time, user, tls] = row!
  context.tellClock(readingOf('the database', Number(time), sent, Date.now()))
  const message = `${address} PostgreSQL ${String(version).split(' ', 1)[0]!}, ${tls === null ? 'no TLS' : String(tls)}, as ${String(user)}`
  return { name, status: 'ok', message }
}

function tableFindings({ ok, checks, hasHistory }: TablesReport): Finding[] {
  const worth = checks.filter((check) => check.state === 'problem' || isWorthSaying(check))
  const findings = worth.map(({ name: what, state, detail, hint }): Finding => {
    const status = state === 'problem' ? 'failed' : isUnseen({ state, detail }) ? 'ok' : 'warning'
    return { name, status, message: `${what}: ${detail}`, hint }
  })
  const summary = `tables complete${hasHistory ? ', with history' : ''}`
  return ok ? [{ name, status: 'ok', message: summary }, ...findings] : findings
}

/** Notes on tables that only the pipeline itself needs are `lcclf db check`'s. */
function isWorthSaying(check: TableCheck): boolean {
  return (
    check.state === 'note' &&
    (isUnseen(check) || /constraints and indexes of (?:probability|taxonomy|step)$/.test(check.name))
  )
}

function isUnseen({ state, detail }: Pick<TableCheck, 'state' | 'detail'>): boolean {
  return state === 'note' && detail.startsWith('not looked at')
}

async function readingFinding(
  connection: Connection,
  reading: NonNullable<PostgresAddress['reading']>,
): Promise<Finding> {
  if (reading.kind === 'query') {
    const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout: statementMs } as const
    const columns = await transaction(connection, mode, () => connection.describe(reading.sql))
    return { name, status: 'ok', message: `the query has ${columns.length} columns` }
  }
  const { table } = reading
  const [row] = await connection.rows(
    "SELECT to_regclass($1)::text, has_table_privilege(to_regclass($1)::oid, 'SELECT')",
    [table],
  )
  if (typeof row?.[0] !== 'string') {
    return {
      name,
      status: 'failed',
      message: `there is no table ${table}`,
      hint: 'Name it with its schema: ?table=schema.name.',
    }
  }
  if (row[1] === true) return { name, status: 'ok', message: `table ${table} can be read` }
  const hint = `GRANT SELECT ON ${table} TO your role`
  return { name, status: 'failed', message: `table ${table} may not be read`, hint }
}
