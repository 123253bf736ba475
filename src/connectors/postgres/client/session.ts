// A connection that comes back: work is tried again after a loss or a conflict, within bounds.
import { setTimeout as sleep } from 'node:timers/promises'
import { LcclfError } from '../../../errors.ts'
import { connect } from './connect.ts'
import type { Connection } from './connection.ts'
import { isConflict, isConnectionLost, postgresFailure } from './failure.ts'
import type { ConnectionSettings } from '../settings.ts'

/** Runs work that may be done twice. */
export interface Session {
  readonly settings: ConnectionSettings
  /** for how long there has been no connection although one was wanted, in milliseconds */
  readonly unreachableMs: number
  /**
   * Does the work, again from its start after a lost connection (a bounded number of times, and for each until the
   * settings' patience ends without a new one), a deadlock, a serialization failure or a duplicate key (a bounded number of
   * times).
   *
   * @param work told how often it has met a conflict
   * @throws ServiceError when it has to give up; other errors of lcclf as they are
   */
  run<T>(work: (connection: Connection, conflicts: number) => Promise<T>): Promise<T>
  close(): Promise<void>
}

const mostConflicts = 20
/** connections that one piece of work may lose: it may be the work that ends them */
const mostLosses = 5
const longestPause = 5000
/** milliseconds for the first connection: a wrong address should not be waited for */
const firstPatience = 3000

/** See Session. Nothing is connected yet. */
export function createSession(settings: ConnectionSettings): Session {
  let connection: Connection | undefined
  let wasConnected = false
  let lostSince: number | undefined

  async function current(): Promise<Connection> {
    if (connection?.isBroken) {
      await connection.close()
      connection = undefined
    }
    connection ??= await connect(settings)
    wasConnected = true
    return connection
  }

  /** A connection, tried for until the patience ends. */
  async function connected(losses: number): Promise<Connection> {
    const started = Date.now()
    for (let failures = losses; ; failures++) {
      try {
        const found = await current()
        lostSince = undefined
        return found
      } catch (error) {
        lostSince ??= performance.now()
        const patience = wasConnected ? settings.patience : Math.min(settings.patience, firstPatience)
        const pause = pauseAfter(failures)
        if (!isConnectionLost(error, wasConnected) || Date.now() + pause - started > patience) throw error
        await sleep(pause)
      }
    }
  }

  async function run<T>(work: (connection: Connection, conflicts: number) => Promise<T>): Promise<T> {
    let conflicts = 0
    for (let losses = 0; ;) {
      const using = await connected(losses).catch((error: unknown) => {
        throw postgresFailure(error, settings)
      })
      try {
        return await work(using, conflicts)
      } catch (error) {
        if (error instanceof LcclfError) throw error
        if ((isConnectionLost(error) || using.isBroken) && losses < mostLosses) {
          await using.close()
          connection = undefined
          await sleep(pauseAfter(losses++))
        } else if (isConflict(error) && conflicts < mostConflicts) {
          conflicts++
          // not in step with the other writer
          await sleep(Math.random() * Math.min(20 * conflicts, 500))
        } else {
          throw postgresFailure(error, settings)
        }
      }
    }
  }

  return {
    settings,
    get unreachableMs() {
      return lostSince === undefined ? 0 : performance.now() - lostSince
    },
    run,
    async close() {
      const closing = connection
      connection = undefined
      await closing?.close()
    },
  }
}

function pauseAfter(losses: number): number {
  return Math.min(longestPause, 100 * 2 ** losses) * (0.5 + Math.random() / 2)
}

/**
 * Does one thing with a database and closes the connection.
 *
 * @throws what `work` throws of lcclf's own errors; ServiceError for everything that the server or the network throws
 */
export async function withDatabase<T>(
  settings: ConnectionSettings,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const session = createSession(settings)
  try {
    return await session.run(work)
  } finally {
    await session.close()
  }
}
