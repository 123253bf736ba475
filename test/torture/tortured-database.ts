// A real PostgreSQL server that is killed while streams write to it, and what its tables hold afterwards.
import { ztfName } from '../../src/connectors/survey-ids.ts'
import { systemCode } from '../../src/errors.ts'
import { lcclf } from '../support/lcclf.ts'
import { createDatabase } from '../support/postgres-database.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'

/** One object as the tables have it at the end. */
interface StoredObject {
  /** of its alert: the candid, by the history table, or what lastmjd says */
  readonly candid: bigint
  /** how many rows it has in `probability` */
  readonly rows: number
  /** by class, of the classifier whose classes the output message names */
  readonly probabilities: Readonly<Record<string, number>>
}

/** How the server was ended: as an administrator does, as a power cut does, or by the loss of one of its processes. */
type DatabaseEnd = 'restart' | 'crash' | 'session killed'

/** A database that takes part: it is killed too, and has the newest candid of every oid at the end. */
export interface TorturedDatabase {
  /** `--to postgres://…` */
  readonly args: readonly string[]
  /** Ends the server in one of three ways; it is back when this resolves. */
  kill(random: () => number): Promise<DatabaseEnd>
  /** by oid */
  stored(): Promise<ReadonlyMap<string, StoredObject>>
  drop(): Promise<void>
}

/** A server for databases that are tortured one after the other. */
export interface TorturedServer {
  /** tables with history, and rows of `object` for these oids */
  createDatabase(oids: readonly string[]): Promise<TorturedDatabase>
  /** the tables of today, with a model registered */
  createSurveyDatabase(model: string): Promise<TorturedDatabase>
  stop(): Promise<void>
}

const sessionsQuery = `SELECT pid FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid() ORDER BY random()`

/** a stream that starts meanwhile waits three seconds for its first connection */
const longestAbsenceMs = 2000
const recoveryMs = 60_000

const firstCandid = 1_000_000_000_000_000_000n
const firstMjd = 60_000

/** The alerts that the streams read: the first has this candid and MJD, each further one has both by one more. */
export const alertIds = (number: number) => ({ candid: firstCandid + BigInt(number), mjd: firstMjd + number })

const candidOfMjd = (mjd: number): bigint => firstCandid + BigInt(mjd - firstMjd)

function endProcess(id: number): void {
  try {
    process.kill(id, 'SIGKILL')
  } catch (error) {
    // it has ended by itself since it was asked for
    if (systemCode(error) !== 'ESRCH') throw error
  }
}

/** Until it has recovered, however slow the machine is. */
async function untilItAnswers(ask: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + recoveryMs
  for (;;) {
    // a server that has not noticed yet would answer too
    await new Promise((resolve) => setTimeout(resolve, 200))
    try {
      return void (await ask())
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

/** Starts the server. It syncs to disk, so that a commit takes its time and something is always in the middle of one. */
export async function startTorturedServer(): Promise<TorturedServer> {
  const server = await startOwnPostgres({ settings: ['fsync = on'] })

  /** @param sessionsOf asks for the processes of the streams' sessions */
  async function kill(random: () => number, sessionsOf: () => Promise<readonly number[]>): Promise<DatabaseEnd> {
    const choice = random()
    const absenceMs = random() * longestAbsenceMs
    const [session] = choice < 0.3 ? await sessionsOf() : []
    if (session !== undefined) {
      // as by a system that runs out of memory: the server throws all others out, recovers, and is back by itself
      endProcess(session)
      await untilItAnswers(sessionsOf)
      return 'session killed'
    }
    const isOrderly = choice < 0.5
    await server.halt(isOrderly ? 'fast' : 'immediate')
    await new Promise((resolve) => setTimeout(resolve, absenceMs))
    await server.start()
    return isOrderly ? 'restart' : 'crash'
  }

  return {
    async createDatabase(oids) {
      const database = await createDatabase(server.url, { withHistory: true })
      await database.addObjects(oids)
      return {
        args: ['--to', database.url],
        kill: (random) => kill(random, async () => (await database.query(sessionsQuery)).map(([pid]) => Number(pid))),
        drop: () => database.drop(),
        async stored() {
          const candids = await database.query('SELECT oid, candid::text FROM lcclf_history')
          const counts = await database.query('SELECT oid, count(*)::int FROM probability GROUP BY oid')
          const values = await database.query(
            `SELECT oid, json_object_agg(class_name, probability) FROM probability
              WHERE classifier_name = 'lc_classifier' GROUP BY oid`,
          )
          const rowsOf = new Map(counts as [string, number][])
          const valuesOf = new Map(values as [string, Record<string, number>][])
          return new Map(
            (candids as [string, string][]).map(([oid, candid]) => [
              oid,
              { candid: BigInt(candid), rows: rowsOf.get(oid) ?? 0, probabilities: valuesOf.get(oid) ?? {} },
            ]),
          )
        },
      }
    },
    async createSurveyDatabase(model) {
      const database = await createDatabase(server.url, { tables: 'none' })
      const { code, stderr } = await lcclf([
        'db',
        'init',
        database.url,
        '--tables',
        'multisurvey',
        '--register',
        '--model',
        model,
      ])
      if (code !== 0) throw new Error(stderr)
      return {
        args: ['--to', database.url],
        kill: (random) => kill(random, async () => (await database.query(sessionsQuery)).map(([pid]) => Number(pid))),
        drop: () => database.drop(),
        async stored() {
          const rows = await database.query(
            `SELECT p.oid::text, count(*)::int, count(DISTINCT lastmjd)::int, min(lastmjd),
                    json_object_agg(class_name, probability::float8) FILTER (WHERE classifier_name = 'lc_classifier')
               FROM probability p JOIN classifier USING (classifier_id) JOIN taxonomy USING (classifier_id, class_id) GROUP BY 1`,
          )
          return new Map(
            (rows as [string, number, number, number, Record<string, number>][]).map(
              ([oid, count, times, mjd, probabilities]) => [
                ztfName(BigInt(oid))!,
                // rows of two alerts are no object's
                { candid: candidOfMjd(mjd), rows: times === 1 ? count : NaN, probabilities },
              ],
            ),
          )
        },
      }
    },
    stop: () => server.stop(),
  }
}
