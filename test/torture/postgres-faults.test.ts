import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../src/errors.ts'
import { upgradeTables } from '../../src/connectors/postgres/tables/init-tables.ts'
import type { PostgresSinkSpec } from '../../src/connectors/postgres/settings.ts'
import { openPostgresSink, type PostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { batchOf, context, expectedRows, oidsOf, storedRowsQuery, version } from '../support/postgres-batches.ts'
import { createDatabase, settingsOf, type TestDatabase } from '../support/postgres-database.ts'
import { startPooler } from '../support/postgres-pooler.ts'
import { startOwnPostgres, type OwnPostgres } from '../support/postgres-server.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { startProxy, type Proxy, type Verdict } from '../support/tcp-proxy.ts'

let server: string
let database: TestDatabase
let cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await sharedPostgres()
})

beforeEach(async () => {
  database = await createDatabase(server)
})

afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean()
  cleanups = []
  await database.drop()
})

async function open(url: string, spec: Partial<PostgresSinkSpec> = {}): Promise<PostgresSink> {
  const connection = { ...settingsOf(url), patience: 20_000 }
  const sink = await openPostgresSink(
    { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail', ...spec },
    context,
  )
  cleanups.push(() => sink.close())
  return sink
}

/** the address of the database by another port */
function through(port: number): string {
  const url = new URL(database.url)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  url.searchParams.set('sslmode', 'disable')
  return url.href
}

async function proxyWith(judge: Parameters<typeof startProxy>[1]): Promise<Proxy> {
  const { hostname, port } = new URL(database.url)
  const proxy = await startProxy({ host: hostname, port: Number(port) }, judge)
  cleanups.push(() => proxy.close())
  return proxy
}

describe('a connection that is cut', () => {
  it('in the middle of COPY: the batch is written with the next one, once', async () => {
    let sent = 0
    let hasCut = false
    const proxy = await proxyWith((chunk) => {
      if (hasCut) return 'pass'
      if (sent > 0 || chunk.includes('COPY probability (')) sent += chunk.length
      if (sent > 300_000) hasCut = true
      return hasCut ? 'cut' : 'pass'
    })
    const oids = oidsOf(300)
    await database.addObjects(oids)
    const sink = await open(through(proxy.port))
    const batch = batchOf(oids, 1)
    expect(await sink.write(batch)).toEqual({ objects: 300, rows: 9900, refused: [], superseded: 0 })
    expect(proxy.connections).toBe(2)
    expect(hasCut).toBe(true)
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batch))
  })

  it('while stored rows are read: the same', async () => {
    let hasCut = false
    const proxy = await proxyWith((chunk, connection) => {
      if (hasCut || connection > 1 || !chunk.includes('CROSS JOIN LATERAL')) return 'pass'
      hasCut = true
      setTimeout(() => proxy.cutAll(), 20)
      return 'hold'
    })
    const oids = oidsOf(50)
    await database.addObjects(oids)
    const sink = await open(through(proxy.port))
    await sink.write(batchOf(oids, 1))
    expect(proxy.connections).toBe(2)
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids, 1)))
  })

  it('with the answer to COMMIT: nothing is written twice or lost', async () => {
    let commits = 0
    // transactions before: the tables, and the comparison; then the one that writes
    const proxy = await proxyWith((chunk) => (chunk.includes('COMMIT') && ++commits === 3 ? 'last' : 'pass'))
    const oids = oidsOf(40)
    await database.addObjects(oids)
    const sink = await open(through(proxy.port))
    expect(await sink.write(batchOf(oids, 1))).toEqual({ objects: 40, rows: 1320, refused: [], superseded: 0 })
    expect(proxy.connections).toBe(2)
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids, 1)))
    expect(await database.query('SELECT count(DISTINCT xmin::text)::int FROM probability')).toEqual([[1]])
  })

  it('for good: an error with its reason, within the time that it was given', async () => {
    const proxy = await proxyWith(() => 'pass')
    const sink = await open(through(proxy.port), { connection: { ...settingsOf(through(proxy.port)), patience: 1000 } })
    await proxy.close()
    const started = Date.now()
    await expect(sink.write(batchOf(['x'], 1))).rejects.toMatchObject({ constructor: ServiceError, exitCode: 5 })
    expect(Date.now() - started).toBeLessThan(30_000)
  })
})

it('a writer that is killed between COPY and COMMIT leaves nothing, and the next one writes all', async () => {
  const seen: string[] = []
  let hold: (() => void) | undefined
  const held = new Promise<void>((resolve) => (hold = resolve))
  const proxy = await proxyWith((chunk) => {
    if (chunk.includes('COPY probability (')) seen.push('copy')
    if (!chunk.includes('COMMIT') || !seen.includes('copy')) return 'pass'
    hold?.()
    return 'hold'
  })
  const oids = oidsOf(200)
  await database.addObjects(oids)
  const script = fileURLToPath(new URL('../support/postgres-writer.ts', import.meta.url))
  const writer = spawn(process.execPath, ['--import', 'tsx', script, through(proxy.port), '200', '1'], {
    stdio: 'ignore',
  })
  const exited = new Promise((resolve) => writer.once('exit', (_, signal) => resolve(signal)))
  await held
  const [uncommitted] = await database.query(
    "SELECT count(*)::int FROM pg_locks JOIN pg_class c ON c.oid = relation WHERE relname = 'probability' AND mode = 'RowExclusiveLock'",
  )
  expect(uncommitted).toEqual([1])
  writer.kill('SIGKILL')
  expect(await exited).toBe('SIGKILL')
  proxy.cutAll()
  const sink = await open(database.url)
  expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[0]])
  await sink.write(batchOf(oids, 1))
  expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids, 1)))
})

describe('a server that is restarted', () => {
  it.each(['fast', 'immediate'] as const)('%s, in the middle of a run: every batch is there, whole', async (how) => {
    // durable, unlike the shared one: what was acknowledged must be there
    const own = await startOwnPostgres({ settings: ['fsync = on'] })
    const there = await createDatabase(own.url)
    cleanups.push(
      () => own.stop(),
      () => there.drop(),
    )
    const oids = oidsOf(1200)
    await there.addObjects(oids)
    const sink = await open(there.url)
    let restarting: Promise<void> | undefined
    for (let i = 0; i < 12; i++) {
      if (i === 4) restarting = restart(own, how)
      expect((await sink.write(batchOf(oids.slice(i * 100, i * 100 + 100), 1))).objects).toBe(100)
    }
    await restarting
    const rows = await there.query(
      'SELECT count(*)::int, count(*) FILTER (WHERE rows = 33)::int FROM (SELECT count(*) AS rows FROM probability GROUP BY oid) o',
    )
    expect(rows).toEqual([[1200, 1200]])
  })

  async function restart(own: OwnPostgres, how: 'fast' | 'immediate'): Promise<void> {
    await own.halt(how)
    await sleep(300)
    await own.start()
  }
})

describe('ten writers on the same objects', () => {
  it.each([
    ['without history', false, [null]],
    ['with history', true, [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n]],
  ])('all come to an end %s, with no deadlock, and each object is of one of them', async (_, withHistory, candids) => {
    await database.drop()
    database = await createDatabase(server, { withHistory })
    const oids = oidsOf(120)
    await database.addObjects(oids)
    // some are there before, some in part
    const first = await open(database.url)
    await first.write(batchOf(oids.slice(0, 40), 99, candids[0] ?? undefined))
    await database.query('DELETE FROM probability WHERE oid = ANY($1) AND ranking = 1', [oids.slice(0, 20)])
    const writers = await Promise.all(Array.from({ length: 10 }, () => open(database.url)))
    await Promise.all(
      writers.map(async (sink, seed) => {
        for (let round = 0; round < 4; round++) {
          const some = oids.filter((_, i) => (i * 7 + seed * 3 + round) % 4 !== 0)
          const outcome = await sink.write(
            batchOf(seed % 2 === 0 ? some : some.reverse(), seed, candids[seed] ?? undefined),
          )
          expect(outcome.objects + outcome.superseded).toBe(some.length)
        }
      }),
    )
    const deadlocks = await database.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    )
    expect(deadlocks).toEqual([[0]])
    const stored = await database.query(storedRowsQuery)
    const bySeed = Array.from({ length: 10 }, (_, seed) => setsOf(expectedRows(batchOf(oids, seed))))
    for (const [oid, rows] of setsOf(stored)) {
      const writersOfIt = bySeed.flatMap((sets, seed) => (sets.get(oid) === rows ? [seed] : []))
      expect(writersOfIt).toHaveLength(1)
      // each object was in some batch of the writer with the largest candid
      if (withHistory) expect(writersOfIt).toEqual([9])
    }
  })

  function setsOf(rows: readonly (readonly unknown[])[]): Map<string, string> {
    const sets = new Map<string, string>()
    for (const [oid, ...rest] of rows) sets.set(String(oid), `${sets.get(String(oid)) ?? ''}${JSON.stringify(rest)}`)
    return sets
  }
})

describe('errors of the server', () => {
  /** an error of that code on the next rows, `times` times: sequences are not rolled back */
  async function failWith(code: string, times: number): Promise<void> {
    await database.query('CREATE SEQUENCE failures')
    await database.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('failures') <= ${times} THEN RAISE EXCEPTION 'as asked' USING ERRCODE = '${code}'; END IF; RETURN NEW; END $$`)
    await database.query('CREATE TRIGGER fail BEFORE INSERT ON probability FOR EACH STATEMENT EXECUTE FUNCTION fail()')
  }

  it.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
  ])('%s is tried again', async (_, code) => {
    await database.addObjects(['x'])
    await failWith(code, 3)
    const sink = await open(database.url)
    expect((await sink.write(batchOf(['x'], 1))).objects).toBe(1)
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(['x'], 1)))
  })

  it('a full disk ends the run with exit code 5, nothing written, and the sink is usable again', async () => {
    await database.addObjects(['x'])
    await failWith('53100', 1)
    const sink = await open(database.url)
    await expect(sink.write(batchOf(['x'], 1))).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringContaining("the server's disk is full") as string,
    })
    expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[0]])
    expect((await sink.write(batchOf(['x'], 1))).objects).toBe(1)
  })

  it('a statement that takes too long ends the run, and says what to do', async () => {
    await database.addObjects(['x'])
    const sink = await open(database.url, { connection: { ...settingsOf(database.url), statementTimeout: 2000 } })
    await database.query('BEGIN')
    await database.query('LOCK TABLE probability IN SHARE MODE')
    await expect(sink.write(batchOf(['x'], 1))).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('statement timeout') as string,
      hint: expect.stringContaining('statement_timeout') as string,
    })
    await database.query('ROLLBACK')
    expect((await sink.write(batchOf(['x'], 1))).objects).toBe(1)
  })

  it('an administrator who ends the connection only costs time', async () => {
    const oids = oidsOf(10)
    await database.addObjects(oids)
    const sink = await open(database.url)
    await sink.write(batchOf(oids.slice(0, 5), 1))
    await database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lcclf'",
    )
    await sink.write(batchOf(oids, 1))
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids, 1)))
  })

  it('a row of object that disappears before the write is noticed', async () => {
    const oids = oidsOf(3)
    await database.addObjects(oids)
    const proxy = await proxyWith(async (chunk): Promise<Verdict> => {
      if (chunk.includes('COPY probability (')) await database.query('DELETE FROM object WHERE oid = $1', [oids[0]])
      return 'pass'
    })
    const sink = await open(through(proxy.port), { missingObject: 'reject' })
    const outcome = await sink.write(batchOf(oids, 1))
    expect(outcome).toMatchObject({ objects: 2, refused: [{ oid: oids[0] }] })
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids.slice(1), 1)))
  })
})

describe('between the comparison of a batch and its write', () => {
  /** a sink, and something that happens once before it writes */
  async function openWith(work: () => Promise<unknown>): Promise<PostgresSink> {
    let isArmed = false
    const proxy = await proxyWith(async (chunk): Promise<Verdict> => {
      if (isArmed && chunk.includes('READ WRITE')) {
        isArmed = false
        await work()
      }
      return 'pass'
    })
    const sink = await open(through(proxy.port))
    isArmed = true
    return sink
  }

  async function addHistory(): Promise<void> {
    const connection = await database.connect()
    await upgradeTables(connection, { dryRun: false })
    await connection.close()
  }

  it('the history table may come: the batch is entered in it', async () => {
    await database.addObjects(['x'])
    const sink = await openWith(addHistory)
    expect(await sink.write(batchOf(['x'], 1, 5n))).toEqual({ objects: 1, rows: 33, refused: [], superseded: 0 })
    expect(await database.query('SELECT oid, candid::text FROM lcclf_history')).toEqual([['x', '5']])
  })

  it('rows that had gone may come back: the newer ones win', async () => {
    await addHistory()
    await database.addObjects(['x'])
    const other = await open(database.url)
    const newer = batchOf(['x'], 1, 200n)
    await other.write(newer)
    await database.query('TRUNCATE probability')
    const sink = await openWith(() => other.write(newer))
    expect(await sink.write(batchOf(['x'], 2, 150n))).toMatchObject({ objects: 0, superseded: 1 })
    expect(await database.query(storedRowsQuery)).toEqual(expectedRows(newer))
  })
})

it('works behind a pooler that gives each transaction another session', async () => {
  const own = await startOwnPostgres({ access: 'host all all 127.0.0.1/32 trust' })
  cleanups.push(() => own.stop())
  const pooled = await createDatabase(own.url, { withHistory: true })
  cleanups.push(() => pooled.drop())
  const pooler = await startPooler({ host: '127.0.0.1', port: own.port, user: 'postgres', database: pooled.name }, 3)
  cleanups.push(() => pooler.close())
  const oids = oidsOf(60)
  await pooled.addObjects(oids)
  const url = new URL(pooled.url)
  url.port = String(pooler.port)
  const sinks = await Promise.all([open(url.href, { missingObject: 'wait' }), open(url.href)])
  await Promise.all(sinks.map((sink, i) => sink.write(batchOf(oids.slice(i * 20, i * 20 + 40), 1, 5n))))
  await pooled.query('DELETE FROM probability WHERE class_name = $1', ['QSO'])
  await pooled.query("INSERT INTO probability VALUES ($1, 'Mira', 'lc_classifier', $2, 0.5, 1)", [oids[3], version])
  await sinks[0]!.write(batchOf(oids, 2, 6n))
  expect(await sinks[1]!.write(batchOf(oids, 1, 5n))).toMatchObject({ superseded: 60 })
  expect(await pooled.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids, 2)))
  expect(pooler.transactions.every((count) => count > 2)).toBe(true)
})
