import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'none' })
})

afterAll(() => database.drop())

const tables = async () =>
  (await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")).flat()

describe('lcclf db, from an empty database on', () => {
  it('check says what is missing, and exits 5', async () => {
    const { code, stdout } = await hostedLcclf(['db', 'check', database.url])
    expect(code).toBe(5)
    expect(stdout).toContain('PROBLEM  table probability: absent. lcclf db init creates it.')
    expect(stdout).not.toContain(new URL(database.url).password)
  })

  it('init --dry-run prints the SQL and does nothing', async () => {
    const { code, stdout, stderr } = await hostedLcclf(['db', 'init', database.url, '--dry-run'])
    expect(code).toBe(0)
    expect(stdout).toContain('CREATE TABLE probability (')
    expect(stderr).toBe('Nothing was done.\n')
    expect(await tables()).toEqual([])
  })

  it('init creates the tables, and a second time leaves them alone', async () => {
    const first = await hostedLcclf(['db', 'init', database.url])
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(first.stderr).toContain('created: object, step, feature_version, feature, taxonomy, probability')
    const second = await hostedLcclf(['db', 'init', database.url, '--json'])
    expect(JSON.parse(second.stdout)).toMatchObject({ created: [], statements: [], dryRun: false, exitCode: 0 })
    expect(await tables()).toEqual(['feature', 'feature_version', 'object', 'probability', 'step', 'taxonomy'])
  })

  it('upgrade adds the history and says what it does not guard, and check finds everything', async () => {
    await database.query(
      "INSERT INTO object (oid) VALUES ('x'); INSERT INTO probability VALUES ('x', 'a', 'b', 'c', 1, 1)",
    )
    const dryRun = await hostedLcclf(['db', 'upgrade', database.url, '--dry-run', '--json'])
    expect(JSON.parse(dryRun.stdout)).toMatchObject({ notes: [expect.stringContaining('an older alert') as string] })
    const asText = await hostedLcclf(['db', 'upgrade', database.url, '--dry-run'])
    expect(asText.stderr).toContain('already stored in probability has no row in lcclf_history')
    await database.query('TRUNCATE probability')
    expect((await hostedLcclf(['db', 'upgrade', database.url])).stderr).toContain('created: lcclf_history')
    const { code, stdout } = await hostedLcclf(['db', 'check', database.url, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, hasHistory: true, versions: [] })
  })

  it('takes the address from the DB_* variables', async () => {
    const { hostname, port, username, password } = new URL(database.url)
    const env = { DB_HOST: hostname, DB_PORT: port, DB_USER: username, DB_PASSWORD: password, DB_NAME: database.name }
    expect((await hostedLcclf(['db', 'check'], { env })).stdout).toContain(`${database.name} can be used`)
  })

  it('a wrong password is exit 5, and is not printed', async () => {
    const url = new URL(database.url)
    url.password = 'not-this-one'
    const { code, stdout, stderr } = await hostedLcclf(['db', 'check', url.href, '--json'])
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'service' } })
    expect(stdout + stderr).not.toContain('not-this-one')
  })

  it('an unknown command does not repeat the address', async () => {
    const { code, stderr } = await lcclf(['db', 'inti', 'postgres://me:secret@host/db'])
    expect(code).toBe(2)
    expect(stderr).toBe('lcclf: there is no command db inti\n  Did you mean lcclf db init?\n')
  })
})
