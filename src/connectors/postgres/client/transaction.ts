// A transaction, whole or not at all, that leaves nothing in the session.
import type { Connection } from './connection.ts'

/** How a transaction sees and touches the database. */
interface TransactionMode {
  readonly access: 'read only' | 'read write'
  /** `repeatable read`: every statement sees the same state */
  readonly isolation: 'read committed' | 'repeatable read'
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
  /** a SELECT of one row without values, which goes with BEGIN: it costs no round trip of its own */
  readonly ask?: string
}

/**
 * Begins a transaction. The settings end with it, so that a pooler may give the session to another one.
 *
 * @returns the row that was asked for; empty if nothing was
 */
export async function begin(
  connection: Connection,
  { access, isolation, statementTimeout, ask }: TransactionMode,
): Promise<readonly unknown[]> {
  // between statements we wait for the classifier, or for a row of `object`: that is no idleness
  const rows = await connection.rows(
    `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()} ${access.toUpperCase()};
     SET LOCAL statement_timeout = ${statementTimeout}; SET LOCAL idle_in_transaction_session_timeout = 0;
     ${ask ?? ''}`,
  )
  return rows[0] ?? []
}

/** Ends a transaction without a trace; a connection that cannot even do that is not used again. */
export async function rollback(connection: Connection): Promise<void> {
  if (connection.isBroken) return
  await connection.run('ROLLBACK').catch(() => connection.close())
}

/** Runs `work` between BEGIN and COMMIT; it is told the answer to `ask`. */
export async function transaction<T>(
  connection: Connection,
  mode: TransactionMode,
  work: (answer: readonly unknown[]) => Promise<T>,
): Promise<T> {
  try {
    const result = await work(await begin(connection, mode))
    await connection.run('COMMIT')
    return result
  } catch (error) {
    await rollback(connection)
    throw error
  }
}
