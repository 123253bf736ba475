import { copyFileSync, chownSync, chmodSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError, UsageError } from '../../../../src/errors.ts'
import { parsePostgresAddress } from '../../../../src/connectors/postgres/address.ts'
import { createSession } from '../../../../src/connectors/postgres/client/session.ts'
import { createDatabase, type TestDatabase } from '../../../support/postgres-database.ts'
import { freePort, startOwnPostgres, type OwnPostgres } from '../../../support/postgres-server.ts'

const authority = fileURLToPath(new URL('../../../fixtures/postgres/ca.crt', import.meta.url))

let server: OwnPostgres
let database: TestDatabase

beforeAll(async () => {
  server = await startOwnPostgres()
  const data = join(server.folder, 'data')
  const { uid, gid } = statSync(data)
  for (const name of ['server.crt', 'server.key']) {
    copyFileSync(fileURLToPath(new URL(`../../../fixtures/postgres/${name}`, import.meta.url)), join(data, name))
    chmodSync(join(data, name), 0o600)
    chownSync(join(data, name), uid, gid)
  }
  database = await createDatabase(server.url, { tables: 'none' })
  await database.query("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
  await database.query('ALTER SYSTEM SET ssl = on')
  await database.query('SELECT pg_reload_conf()')
  for (let tries = 0; tries < 100; tries++) {
    const [[ssl]] = (await database.query("SELECT current_setting('ssl')")) as [[string]]
    if (ssl === 'on') break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

afterAll(async () => {
  await database.drop()
  await server.stop()
})

/** opens a session by an address, asks one question, and closes it */
async function ask(address: string, sql: string, env: Record<string, string> = {}): Promise<unknown> {
  const { connection } = parsePostgresAddress(address, { PGPASSFILE: '/nonexistent', ...env }, 'tables')
  const session = createSession({ ...connection, patience: 500 })
  try {
    const rows = await session.run((open) => open.rows(sql))
    return rows[0]?.[0]
  } finally {
    await session.close()
  }
}

const isEncrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

/** the address of the database, with other parameters and another host */
function addressWith(parameters: string, host = '127.0.0.1'): string {
  const url = new URL(database.url)
  return `postgres://${url.username}:${url.password}@${host}:${url.port}${url.pathname}?${parameters}`
}

describe('TLS', () => {
  it.each([
    ['sslmode=disable', false],
    ['sslmode=allow', false],
    ['sslmode=prefer', true],
    ['sslmode=require', true],
    [`sslmode=require&sslrootcert=${authority}`, true],
    [`sslmode=verify-ca&sslrootcert=${authority}`, true],
    ['', true],
  ])('with %s: encrypted %s', async (parameters, expected) => {
    expect(await ask(addressWith(parameters), isEncrypted)).toBe(expected)
  })

  it('checks the name of the host in verify-full only', async () => {
    const verified = `sslmode=verify-full&sslrootcert=${authority}`
    expect(await ask(addressWith(verified, 'localhost'), isEncrypted)).toBe(true)
    await expect(ask(addressWith(verified, '127.0.0.1'), isEncrypted)).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining("the server's certificate is not accepted") as string,
    })
  })

  it('refuses an authority that nobody knows', async () => {
    await expect(ask(addressWith('sslmode=verify-ca&sslrootcert=system'), isEncrypted)).rejects.toMatchObject({
      hint: expect.stringContaining('sslrootcert') as string,
    })
    await expect(ask(addressWith('sslmode=verify-ca&sslrootcert=/nonexistent'), isEncrypted)).rejects.toThrow(
      UsageError,
    )
  })

  it('is skipped with prefer if the server has none, and demanded with require', async () => {
    const plain = await startOwnPostgres()
    const { port, password } = new URL(plain.url)
    const address = (mode: string): string =>
      `postgres://postgres:${password}@127.0.0.1:${port}/postgres?sslmode=${mode}`
    expect(await ask(address('prefer'), isEncrypted)).toBe(false)
    await expect(ask(address('require'), isEncrypted)).rejects.toMatchObject({
      message: expect.stringContaining('does not support SSL') as string,
      hint: expect.stringContaining('sslmode=prefer') as string,
    })
    await plain.stop()
  })
})

describe('logging in', () => {
  it.each(['p@ss:w/rd%', 'it\'s "so" \\ \'n', '%41', 'naïve ☄', ' ', '?#&='])(
    'works with the password %j',
    async (password) => {
      const role = await database.addRole([], password)
      const { username, port, pathname } = new URL(role.url)
      const bare = `postgres://${username}@127.0.0.1:${port}${pathname}`
      expect(await ask(bare, 'SELECT current_user::text', { DB_PASSWORD: password })).toBe(role.name)
      expect(await ask(role.url, 'SELECT current_user::text')).toBe(role.name)
      const file = join(server.folder, 'pgpass')
      writeFileSync(file, `*:*:*:${username}:${password.replace(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 })
      expect(await ask(bare, 'SELECT current_user::text', { PGPASSFILE: file })).toBe(role.name)
    },
  )

  it('names itself, and keeps a statement timeout to its transactions', async () => {
    expect(await ask(addressWith('statement_timeout=1234'), "SELECT current_setting('application_name')")).toBe('lcclf')
    expect(await ask(addressWith('statement_timeout=1234'), "SELECT current_setting('statement_timeout')")).toBe('0')
  })

  it('that fails says why and what to do, and shows no password', async () => {
    const url = new URL(database.url)
    const failures: [string, RegExp, RegExp][] = [
      [
        addressWith('').replace(url.password, 'SECRET'),
        /password authentication failed/,
        /DB_PASSWORD, PGPASSWORD or ~\/.pgpass/,
      ],
      [`postgres://postgres@127.0.0.1:${url.port}/x`, /asks for a password and there is none/, /chmod 600/],
      [addressWith('').replace(url.pathname, '/nowhere'), /database "nowhere" does not exist/, /exists/],
      [
        `postgres://u:SECRET@127.0.0.1:${await freePort()}/d`,
        /no connection \(ECONNREFUSED\)/,
        /Is the server running/,
      ],
      ['postgres://u:SECRET@no.such.host.invalid/d', /unknown host|EAI_AGAIN/, /name|reachable/],
      [`postgres://u:SECRET@/d?host=/nonexistent`, /no connection \(ENOENT\)/, /Is the server running/],
    ]
    for (const [address, message, hint] of failures) {
      const error = await ask(address, 'SELECT 1').catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(hint) as string,
      })
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('SECRET')
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(url.password)
    }
  })

  it('does not wait forever for a silent server', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const started = Date.now()
    await expect(ask(`postgres://u:p@127.0.0.1:${port}/d?connect_timeout=1`, 'SELECT 1')).rejects.toThrow(ServiceError)
    expect(Date.now() - started).toBeLessThan(30_000)
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
})

it('asks the server to stop what nobody waits for any more', async () => {
  const connection = await database.connect()
  const sleeping = connection.rows('SELECT pg_sleep(60)').catch((error: unknown) => error)
  const isSleeping = async (): Promise<boolean> => {
    const [[count]] = (await database.query(
      "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
    )) as [[number]]
    return count > 0
  }
  for (let tries = 0; tries < 100 && !(await isSleeping()); tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  connection.destroy()
  expect(await sleeping).toBeInstanceOf(Error)
  for (let tries = 0; tries < 100 && (await isSleeping()); tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await isSleeping()).toBe(false)
  await connection.close()
})

it('reads literals and arrays as they are, whatever standard_conforming_strings says', async () => {
  const { textArrayLiteral, literal } = await import('../../../../src/connectors/postgres/client/binary.ts')
  const texts = ["it's", 'a\\b', '"', '{,}', '', 'NULL', "\\'", 'naïve ☄', '$$', "E'x'"]
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  for (const setting of ['on', 'off']) {
    await client.query(`SET standard_conforming_strings = ${setting}; SET escape_string_warning = off`)
    const sql = `SELECT ${textArrayLiteral(texts)} AS list, ARRAY[${texts.map(literal).join(', ')}] AS single`
    expect((await client.query<{ list: string[]; single: string[] }>(sql)).rows).toEqual([
      { list: texts, single: texts },
    ])
  }
  await client.end()
})
