// A database of its own for a test, with the pipeline's tables.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { parsePostgresAddress } from '../../src/connectors/postgres/address.ts'
import { connect, type Connection } from '../../src/connectors/postgres/client/connection.ts'
import { initTables } from '../../src/connectors/postgres/tables/init-tables.ts'
import type { ConnectionSettings } from '../../src/connectors/postgres/settings.ts'

/** The tables as the pipeline's own library creates them. */
export const referenceTables = readFileSync(new URL('../fixtures/postgres/tables.sql', import.meta.url), 'utf8')

/** The survey's tables since 2025. */
export const surveyTables = readFileSync(
  new URL('../fixtures/postgres/tables-multisurvey.sql', import.meta.url),
  'utf8',
)

/** One database. */
export interface TestDatabase {
  /** with user and password */
  readonly url: string
  readonly name: string
  readonly settings: ConnectionSettings
  /** rows as lists */
  query(sql: string, values?: readonly unknown[]): Promise<unknown[][]>
  /** adds rows to `object` */
  addObjects(oids: readonly string[]): Promise<void>
  connect(): Promise<Connection>
  /** a role that may log in, with a password; gone with the database */
  addRole(
    grants: readonly string[],
    password?: string,
  ): Promise<{ name: string; url: string; settings: ConnectionSettings }>
  drop(): Promise<void>
}

/** See createDatabase. */
export interface DatabaseOptions {
  /** `none`: an empty database */
  readonly tables?: 'reference' | 'multisurvey' | 'none'
  readonly withHistory?: boolean
}

/** Settings of an address, without the environment. */
export function settingsOf(address: string): ConnectionSettings {
  return parsePostgresAddress(address, {}, 'tables').connection
}

/** @param serverUrl of a superuser, without a database */
export async function createDatabase(
  serverUrl: string,
  { tables = 'reference', withHistory = false }: DatabaseOptions = {},
): Promise<TestDatabase> {
  const name = `lcclf_test_${randomBytes(6).toString('hex')}`
  const admin = poolOf(`${serverUrl}/postgres`)
  await admin.query(`CREATE DATABASE ${name}`)
  const url = `${serverUrl}/${name}`
  const client = poolOf(url)
  if (tables !== 'none') await client.query(tables === 'reference' ? referenceTables : surveyTables)
  const settings = settingsOf(url)
  if (withHistory) {
    const connection = await connect(settings)
    await initTables(connection, { withHistory, dryRun: false })
    await connection.close()
  }
  const roles: string[] = []

  async function addRole(
    grants: readonly string[],
    password = randomBytes(6).toString('hex'),
  ): ReturnType<TestDatabase['addRole']> {
    const role = `lcclf_role_${randomBytes(6).toString('hex')}`
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD ${pg.escapeLiteral(password)}`)
    roles.push(role)
    for (const grant of grants) await client.query(`GRANT ${grant} TO ${role}`)
    const own = new URL(url)
    own.username = role
    own.password = encodeURIComponent(password)
    return { name: role, url: own.href, settings: settingsOf(own.href) }
  }

  return {
    url,
    name,
    settings,
    addRole,
    connect: () => connect(settings),
    async query(sql, values = []) {
      const { rows } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' })
      return rows
    },
    async addObjects(oids) {
      await client.query('INSERT INTO object (oid) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING', [oids])
    },
    async drop() {
      await client.end()
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
      for (const role of roles) await admin.query(`DROP ROLE ${role}`)
      await admin.end()
    },
  }
}

/** One connection, made again when a test has stopped its server. */
function poolOf(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0 })
  pool.on('error', () => undefined)
  return pool
}
