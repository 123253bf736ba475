import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { DataError, ServiceError } from '../../../../src/errors.ts'
import type { Connection } from '../../../../src/connectors/postgres/client/connection.ts'
import { createSession, type Session } from '../../../../src/connectors/postgres/client/session.ts'
import type { ConnectionSettings } from '../../../../src/connectors/postgres/settings.ts'
import { createDatabase, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'
import { startProxy } from '../../../support/tcp-proxy.ts'

let database: TestDatabase
let sessions: Session[] = []

beforeAll(async () => {
  await sharedPostgres()
})

beforeEach(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'none' })
})

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.close()))
  sessions = []
  await database.drop()
})

function sessionWith(change: Partial<ConnectionSettings>): Session {
  const session = createSession({ ...database.settings, ...change })
  sessions.push(session)
  return session
}

/** as an administrator would */
async function endBackendOf(connection: Connection): Promise<void> {
  const [row] = await connection.rows('SELECT pg_backend_pid()')
  await database.query('SELECT pg_terminate_backend($1)', [row![0]])
}

it('work that took longer than the patience is still restarted when its connection is lost', async () => {
  let attempts = 0
  const session = sessionWith({ patience: 500 })
  const answer = await session.run(async (connection) => {
    if (++attempts > 1) return connection.rows('SELECT 1')
    await connection.rows('SELECT pg_sleep(0.8)')
    await endBackendOf(connection)
    return connection.rows('SELECT 2')
  })
  expect(answer).toEqual([[1]])
  expect(attempts).toBe(2)
})

it('work that ends every connection is given up', async () => {
  let attempts = 0
  const session = sessionWith({ patience: 60_000 })
  const running = session.run(async (connection) => {
    attempts++
    await endBackendOf(connection)
    return connection.rows('SELECT 2')
  })
  await expect(running).rejects.toMatchObject({ constructor: ServiceError, exitCode: 5 })
  expect(attempts).toBe(6)
})

it('an error of our own is not retried, even if the connection is gone', async () => {
  let attempts = 0
  const running = sessionWith({}).run((connection) => {
    attempts++
    connection.destroy()
    return Promise.reject(new DataError('no row in table object'))
  })
  await expect(running).rejects.toThrow(DataError)
  expect(attempts).toBe(1)
})

it.each(['a statement', 'a COPY'])('a server that falls silent in the middle of %s costs its timeout', async (what) => {
  let isSilent = false
  const { hostname, port } = new URL(database.url)
  const proxy = await startProxy({ host: hostname, port: Number(port) }, (chunk) => {
    if (isSilent || !chunk.includes('generate_series')) return 'pass'
    isSilent = true
    return 'hold'
  })
  const near = { host: '127.0.0.1', port: proxy.port, statementTimeout: 300, connectTimeout: 700 }
  const started = Date.now()
  const size = await sessionWith({ ...near, ssl: { ...database.settings.ssl, mode: 'disable' } }).run(
    async (connection) => {
      const sql = 'SELECT generate_series(1, 1000)'
      if (what === 'a statement') return (await connection.rows(sql)).length
      let lines = 0
      for await (const chunk of connection.copyOut(`COPY (${sql}) TO STDOUT`))
        lines += String(chunk).split('\n').length - 1
      return lines
    },
  )
  expect(size).toBe(1000)
  expect(isSilent).toBe(true)
  const taken = Date.now() - started
  expect(taken).toBeGreaterThan(900)
  expect(taken).toBeLessThan(30_000)
  await proxy.close()
})

it('rows that cannot be produced end a COPY without a row', async () => {
  const session = sessionWith({})
  await session.run((connection) => connection.run('CREATE TABLE t (x text)'))
  function* broken(): Generator<Buffer, void, undefined> {
    for (let i = 0; i < 50; i++) yield Buffer.from(`${'x'.repeat(100_000)}\n`)
    throw new RangeError('as asked')
  }
  await expect(session.run((connection) => connection.copyIn('COPY t FROM STDIN', broken()))).rejects.toThrow(
    'as asked',
  )
  expect(await session.run((connection) => connection.rows('SELECT count(*)::int FROM t'))).toEqual([[0]])
})
