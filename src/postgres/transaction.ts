// A transaction, whole or not at all, that leaves nothing in the session.
import type { Connection } from './connection.ts'

/** How a transaction sees and touches the database. */
export interface TransactionMode {
  readonly access: 'read only' | 'read write'
  /** `repeatable read`: every statement sees the same state */
  readonly isolation: 'read committed' | 'repeatable read'
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
}

/** Begins a transaction. The settings end with it, so that a pooler may give the session to another one. */
export async function begin(
  connection: Connection,
  { access, isolation, statementTimeout }: TransactionMode,
): Promise<void> {
  // between statements we wait for the classifier, or for a row of `object`: that is no idleness
  await connection.run(
    `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()} ${access.toUpperCase()};
     SET LOCAL statement_timeout = ${statementTimeout}; SET LOCAL idle_in_transaction_session_timeout = 0`,
  )
}

/** Ends a transaction without a trace; a connection that cannot even do that is not used again. */
export async function rollback(connection: Connection): Promise<void> {
  if (connection.isBroken) return
  await connection.run('ROLLBACK').catch(() => connection.close())
}

/** Runs `work` between BEGIN and COMMIT. */
export async function transaction<T>(
  connection: Connection,
  mode: TransactionMode,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await begin(connection, mode)
    const result = await work()
    await connection.run('COMMIT')
    return result
  } catch (error) {
    await rollback(connection)
    throw error
  }
}
