// A connection that comes back: work is retried after a loss or a conflict, within bounds; and the transactions it runs in.
import pRetry from 'p-retry'
import { LcclfError } from '../../../errors.ts'
import { type Connection, connect } from './connection.ts'
import { isConflict, isConnectionLost, postgresFailure } from './failure.ts'
import type { ConnectionSettings } from '../settings.ts'

const mostConflicts = 20
/** connections that one piece of work may lose: the work itself may be what ends them */
const mostLosses = 5
/** pauses of 50 to 100 ms at first, never longer than 5 s */
const pauses = { minTimeout: 50, maxTimeout: 5000, randomize: true }
/** milliseconds for the first connection: a wrong address is not worth waiting for */
const firstPatience = 3000

/** Runs work that may be done twice. */
export type Session = ReturnType<typeof createSession>

/** Connects when the first work is run. */
export function createSession(settings: ConnectionSettings) {
  let connection: Connection | undefined
  let wasConnected = false
  let lostSince: number | undefined

  async function current(): Promise<Connection> {
    if (connection?.isBroken) {
      await connection.close()
      connection = undefined
    }
    connection ??= await connect(settings)
    return connection
  }

  /** A connection, tried for until the patience ends. */
  async function connected(): Promise<Connection> {
    const found = await pRetry(current, {
      ...pauses,
      retries: Infinity,
      maxRetryTime: wasConnected ? settings.patience : Math.min(settings.patience, firstPatience),
      shouldRetry: ({ error }) => isConnectionLost(error, wasConnected),
      onFailedAttempt: () => void (lostSince ??= performance.now()),
    }).catch(fail)
    wasConnected = true
    lostSince = undefined
    return found
  }

  function fail(error: unknown): never {
    throw postgresFailure(error, settings)
  }

  /** Does the work, again from its start when another transaction was in the way; the pauses are not in step with it. */
  function despiteConflicts<T>(work: (connection: Connection, conflicts: number) => Promise<T>): Promise<T> {
    const attempt = async (number: number): Promise<T> => {
      const using = await connected()
      try {
        return await work(using, number - 1)
      } catch (error) {
        if (isConnectionLost(error)) using.destroy()
        throw error
      }
    }
    const more = { minTimeout: 10, maxTimeout: 500, factor: 1.2, randomize: true }
    return pRetry(attempt, { ...more, retries: mostConflicts, shouldRetry: ({ error }) => isConflict(error) })
  }

  return {
    settings,
    /** for how long there has been no connection although one was wanted, in milliseconds */
    get unreachableMs() {
      return lostSince === undefined ? 0 : performance.now() - lostSince
    },
    /**
     * Does the work, again from its start after a lost connection (a bounded number of times, and for each until the
     * settings' patience ends without a new one), a deadlock, a serialization failure, a duplicate key or a missing foreign
     * key (a bounded number of times).
     *
     * @param work told how many conflicts it has met since the last lost connection
     * @throws ServiceError when it has to give up; other errors of lcclf as they are
     */
    run: <T>(work: (connection: Connection, conflicts: number) => Promise<T>): Promise<T> =>
      pRetry(() => despiteConflicts(work), {
        ...pauses,
        retries: mostLosses,
        shouldRetry: ({ error }) => !(error instanceof LcclfError) && connection?.isBroken === true,
      }).catch(fail),
    async close(): Promise<void> {
      const closing = connection
      connection = undefined
      await closing?.close()
    },
  }
}

/**
 * Does one thing with a database and closes the connection.
 *
 * @throws what `work` throws of lcclf's own errors; ServiceError for everything that the server or the network throws
 */
export async function withDatabase<T>(settings: ConnectionSettings, work: (connection: Connection) => Promise<T>) {
  const session = createSession(settings)
  try {
    return await session.run(work)
  } finally {
    await session.close()
  }
}

/** How a transaction sees and touches the database. */
interface TransactionMode {
  readonly access: 'read only' | 'read write'
  /** `repeatable read`: every statement sees the same state; `read committed` unless given */
  readonly isolation?: 'read committed' | 'repeatable read'
  /** milliseconds, 0 for none */
  readonly statementTimeout: number
  /** a SELECT of one row without values, sent with BEGIN: it costs no round trip of its own */
  readonly ask?: string
}

/**
 * Begins a transaction. Its settings end with it, so that a pooler may give the session to somebody else.
 *
 * @returns the row that was asked for; empty if nothing was
 */
export async function begin(
  connection: Connection,
  { access, isolation = 'read committed', statementTimeout, ask = '' }: TransactionMode,
): Promise<readonly unknown[]> {
  // between statements we wait for the classifier, or for a row of `object`: the session is not idle
  const rows = await connection.rows(
    `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()} ${access.toUpperCase()};
     SET LOCAL statement_timeout = ${statementTimeout}; SET LOCAL idle_in_transaction_session_timeout = 0; ${ask}`,
  )
  return rows[0] ?? []
}

/** Ends a transaction without a trace; a connection that cannot even do that is not used again. */
export async function rollback(connection: Connection): Promise<void> {
  if (connection.isBroken) return
  await connection.run('ROLLBACK').catch(() => connection.close())
}

/** Runs `work` between BEGIN and COMMIT; it gets the answer to `ask`. */
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
