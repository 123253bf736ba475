import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import { commitOffsets } from '../../src/connectors/kafka/client/offsets.ts'
import { produce } from '../support/kafka-client.ts'
import { kafkaForTests, type TestKafka } from '../support/kafka.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { freePort } from '../support/postgres-server.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { startS3Server, whyNoS3Server, type S3Server } from '../support/s3-server.ts'
import { startProxy, type Proxy } from '../support/tcp-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Line {
  readonly name: string
  readonly status: string
  readonly message: string
  readonly hint?: string
}

interface Report {
  readonly schemaVersion: number
  readonly command: string
  readonly checks: readonly Line[]
  readonly exitCode: number
}

/** The report, and whether anything of what must not be said was. */
async function examine(
  args: readonly string[],
  { env = {}, cwd, secrets = [] }: { env?: Record<string, string>; cwd?: string; secrets?: readonly string[] } = {},
): Promise<Report> {
  const run = await lcclf(['doctor', ...args, '--json'], { env: { ...nowhere, ...env }, ...(cwd ? { cwd } : {}) })
  for (const secret of secrets) expect(run.stdout + run.stderr).not.toContain(secret)
  expect(run.stderr).toBe('')
  const report = JSON.parse(run.stdout) as Report
  expect(report).toMatchObject({ schemaVersion: 1, command: 'doctor', exitCode: run.code })
  return report
}

/** no settings of the machine that runs the tests */
const nowhere = Object.fromEntries(
  [
    ...['DB_HOST', 'PGHOST', 'PGDATABASE', 'CONSUMER_SERVER', 'PRODUCER_SERVER', 'METRICS_HOST', 'LCCLF_MODEL'],
    ...['AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
  ].map((name) => [name, '']),
)

function linesOf({ checks }: Report, name: string): Line[] {
  return checks.filter((line) => line.name === name)
}

/** A server that takes connections and never says anything. */
async function startSilence(): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

describe('lcclf doctor on a machine where nothing is configured', () => {
  it('finds nothing wrong, and says what is not there', async () => {
    const report = await examine([], { env: { LCCLF_HOME: join(temporaryFolder(), 'home') } })
    expect(report.exitCode).toBe(0)
    const byName = new Map(report.checks.map((line) => [line.name, line]))
    for (const name of ['node', 'cpu', 'memory', 'disk', 'model store'])
      expect(byName.get(name)?.status, name).toMatch(/^(?:ok|warning)$/)
    for (const name of ['model', 'database', 'brokers', 's3'])
      expect(byName.get(name)?.status, name).toBe('not configured')
    expect(byName.get('node')?.message).toContain(process.version)
  })

  it('prints aligned lines, without colours', async () => {
    const { code, stdout } = await lcclf(['doctor'], { env: { ...nowhere, LCCLF_HOME: temporaryFolder() } })
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    const starts = lines.slice(0, 6).map((line) => /^(?:ok|warning|-) +\S.*? {2,}(?=\S)/.exec(line)?.[0].length)
    expect(new Set(starts).size).toBe(1)
    expect(stdout).not.toMatch(/[\u001b]/)
    expect(lines.at(-2)).toBe('What is configured works.')
  })

  it('tells files that can be read from those that cannot be written', async () => {
    const work = temporaryFolder()
    const report = await examine([
      join(samples, 'ztf-300.parquet'),
      work,
      join(work, 'new/x.csv'),
      '/proc/nowhere/x.csv',
    ])
    expect(linesOf(report, 'files').map(({ status }) => status)).toEqual(['ok', 'ok', 'warning', 'failed'])
    expect(report.exitCode).toBe(5)
  })

  it('refuses addresses that lcclf does not know', async () => {
    expect((await lcclf(['doctor', 'ftp://host/x'])).code).toBe(2)
  })
})

describe('lcclf doctor and the model', () => {
  it('verifies the one that LCCLF_MODEL names', async () => {
    const report = await examine([], { env: { LCCLF_MODEL: join(samples, 'model') } })
    expect(linesOf(report, 'model')).toMatchObject([{ status: 'ok' }])
    expect(linesOf(report, 'model')[0]!.message).toContain('golden answers verified')
  })

  it('finds a damaged one, an absent one, and a pin that cannot be read', async () => {
    const work = temporaryFolder()
    const damaged = join(work, 'model')
    cpSync(join(samples, 'model'), damaged, { recursive: true })
    writeFileSync(join(damaged, 'golden.arrow'), 'not what the manifest says')
    for (const env of [{ LCCLF_MODEL: damaged }, { LCCLF_MODEL: 'absent@1' }]) {
      const report = await examine([], { env })
      expect(report.exitCode).toBe(5)
      expect(linesOf(report, 'model')).toMatchObject([{ status: 'failed' }])
    }
    writeFileSync(join(work, 'lcclf.lock'), '{')
    const pinned = await examine([], { cwd: work })
    expect(linesOf(pinned, 'model')[0]!.message).toContain('lcclf.lock: cannot be read')
  })

  it('warns if a stream is configured and would have to pull a model', async () => {
    const report = await examine([], { env: { PRODUCER_SERVER: `127.0.0.1:${await freePort()}` } })
    expect(linesOf(report, 'model')).toMatchObject([{ status: 'warning' }])
  })

  it('lists what the store holds', async () => {
    const home = temporaryFolder()
    const place = join(home, 'models/night/1.0')
    mkdirSync(place, { recursive: true })
    cpSync(join(samples, 'model'), place, { recursive: true })
    const report = await examine([], { env: { LCCLF_HOME: home } })
    expect(linesOf(report, 'model store')[0]!.message).toContain('night@1.0')
    expect(linesOf(report, 'model')[0]).toMatchObject({ status: 'ok' })
    expect(linesOf(report, 'model')[0]!.message).toContain('the newest of the store')
  })
})

describe('lcclf doctor and the database', () => {
  let database: TestDatabase
  let password: string
  const proxies: Proxy[] = []

  beforeAll(async () => {
    database = await createDatabase(await sharedPostgres(), { withHistory: true })
    password = new URL(database.url).password
  })

  afterAll(async () => {
    for (const proxy of proxies) await proxy.close()
    await database.drop()
  })

  function environmentOf(address: string): Record<string, string> {
    const { hostname, port, username, password: secret, pathname } = new URL(address)
    const [user, word] = [username, secret].map(decodeURIComponent) as [string, string]
    return { DB_HOST: hostname, DB_PORT: port, DB_USER: user, DB_PASSWORD: word, DB_NAME: pathname.slice(1) }
  }

  it('reaches what DB_* names', async () => {
    const report = await examine([], { env: environmentOf(database.url), secrets: [password] })
    expect(report.exitCode).toBe(0)
    expect(linesOf(report, 'database')).toMatchObject([{ status: 'ok' }])
    expect(linesOf(report, 'database')[0]!.message).toMatch(/PostgreSQL \d+\.\d+.*tables complete, with history$/)
  })

  it('finds absent tables, lacking privileges and partial rows, each with what to do', async () => {
    const empty = await createDatabase(await sharedPostgres(), { tables: 'none' })
    const reader = await database.addRole(['SELECT ON ALL TABLES IN SCHEMA public'], 'an odd p@ss/word:1')
    await database.addObjects(['A', 'B', 'C'])
    await database.query(
      `INSERT INTO probability SELECT o, c, 'lc', 'lc_1', 0.5, 1 FROM unnest(ARRAY['A','B','C']) o, unnest(ARRAY['x','y']) c`,
    )
    await database.query("DELETE FROM probability WHERE oid = 'B' AND class_name = 'x'")
    const report = await examine([empty.url, reader.url], { secrets: [password, 'an odd p@ss', 'p%40ss'] })
    await empty.drop()
    await database.query('DELETE FROM probability')
    expect(report.exitCode).toBe(5)
    const failed = linesOf(report, 'database').filter(({ status }) => status === 'failed')
    const text = failed.map(({ message, hint }) => `${message} | ${hint ?? ''}`).join('\n')
    expect(text).toMatch(/table probability: absent \| lcclf db init/)
    expect(text).toMatch(/this role lacks INSERT, UPDATE, DELETE \| GRANT INSERT/)
    expect(text).toMatch(/1 objects do not have the 2 rows/)
  })

  it('looks at the table or the query that an address names, and not at the others', async () => {
    const report = await examine([
      `${database.url}?table=feature`,
      `${database.url}?query=SELECT 1 AS oid, 2 AS x`,
      `${database.url}?table=nowhere`,
      `${database.url}?query=SELECT nothing`,
    ])
    expect(linesOf(report, 'database').map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'failed', 'failed'])
  })

  it('fails for a wrong password, a wrong port and an unreadable address, without any secret', async () => {
    const wrong = new URL(database.url)
    wrong.password = 'wrong-geheim-1'
    const away = new URL(database.url)
    away.port = String(await freePort())
    away.password = 'wrong-geheim-2'
    const unreadable = 'postgres://a:wrong-geheim-3@host:port/x'
    const secrets = ['wrong-geheim', password]
    const report = await examine([wrong.href, away.href, unreadable], { secrets })
    expect(linesOf(report, 'database')).toMatchObject([
      { status: 'failed', message: expect.stringContaining('password authentication failed') as string },
      { status: 'failed', message: expect.stringContaining('no connection') as string },
      { status: 'failed', message: expect.stringContaining('not a number from 1 to 65535') as string },
    ])
    const text = await lcclf(['doctor', wrong.href], { env: { ...nowhere, DEBUG: 'lcclf' } })
    expect(text.stdout + text.stderr).not.toContain('geheim')
    expect(text.stdout).toMatch(/^FAILED {3}database/m)
  })

  it('waits for everything that is frozen at the same time: a database before the password and after, brokers, S3', async () => {
    const { hostname: host, port } = new URL(database.url)
    const target = { host, port: Number(port) }
    let held = 0
    proxies.push(await startProxy(target, () => 'hold'))
    proxies.push(await startProxy(target, (chunk) => (chunk.includes('pg_stat_ssl') && ++held > 0 ? 'hold' : 'pass')))
    const addresses = proxies.map((proxy) => {
      const address = new URL(database.url)
      address.port = String(proxy.port)
      return address.href
    })
    const silence = await startSilence()
    const here = `127.0.0.1:${silence.port}`
    addresses.push(`kafka://u:silent-geheim@${here}/t?group=g`, `kafka://127.0.0.1:${await freePort()}/t`)
    const env = {
      ...{ AWS_ENDPOINT_URL: `http://${here}`, AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'silent-geheim' },
    }
    const started = performance.now()
    const report = await examine([...addresses, 's3://nights/'], { env, secrets: [password, 'geheim'] })
    silence.close()
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(held).toBe(1)
    expect(linesOf(report, 'database').map(({ status }) => status)).toEqual(['failed', 'failed'])
    expect(linesOf(report, 'topics').map(({ status }) => status)).toEqual(['failed', 'failed'])
    expect(linesOf(report, 's3')).toMatchObject([{ status: 'failed', message: 's3://nights/: no answer within 10 s' }])
    expect(report.exitCode).toBe(5)
  })
})

const kafka = await kafkaForTests({
  listener: {
    name: 'GUARDED',
    settings: {
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
      'listener.name.guarded.scram-sha-256.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS;User:boss',
    },
  },
  scram: ['SCRAM-SHA-256=[name=boss,password=kafka-geheim]', 'SCRAM-SHA-256=[name=guest,password=guest-geheim]'],
})

describe.runIf(kafka !== undefined)('lcclf doctor and the brokers', () => {
  const broker = kafka as TestKafka
  const plain = `127.0.0.1:${broker?.port}`

  beforeAll(async () => {
    await broker.createTopic('features', 3)
    await broker.createTopic('results', 1)
    const messages = ['a', 'b', 'c', 'd', 'e'].map((value) => ({ value, partition: 0 }))
    await produce({ server: plain }, 'features', messages)
  })

  afterAll(() => broker.remove())

  it('finds topics, the lag of a group, and topics that a stream would create', async () => {
    const cluster = await connectCluster({ brokers: [plain], patienceMs: 20_000 }, 'test')
    const nobody = { groupId: 'lc', generation: -1, memberId: '' }
    await commitOffsets(cluster, nobody, [{ topic: 'features', partition: 0, offset: 2n }])
    await cluster.close()
    const env = {
      ...{ CONSUMER_SERVER: plain, CONSUMER_TOPICS: 'features', CONSUMER_GROUP_ID: 'lc' },
      ...{ PRODUCER_SERVER: plain, PRODUCER_TOPIC: 'results', METRICS_HOST: plain, METRICS_TOPIC: 'not-there' },
    }
    const report = await examine([], { env })
    expect(report.exitCode).toBe(0)
    expect(linesOf(report, 'input topics')).toMatchObject([{ status: 'ok' }])
    expect(linesOf(report, 'input topics')[0]!.message).toMatch(
      /topic features with 3 partitions; group lc is 3 messages behind/,
    )
    expect(linesOf(report, 'output topic')[0]!.message).toContain('topic results with 1 partitions, may be written')
    expect(linesOf(report, 'metrics topic')).toMatchObject([
      { status: 'ok' },
      { status: 'warning', message: 'there is no topic not-there' },
    ])
    // looking must not make what it looks for
    const again = await examine([], { env })
    expect(linesOf(again, 'metrics topic')[1]).toMatchObject({ status: 'warning' })
  })

  it('names topics to read that are missing, and groups that have committed nothing', async () => {
    const report = await examine([`kafka://${plain}/nothing`, `kafka://${plain}/features?group=new`])
    expect(linesOf(report, 'topics')).toMatchObject([
      { status: 'ok' },
      { status: 'failed', message: 'there is no topic nothing' },
      { status: 'ok', message: expect.stringContaining('has committed nothing') as string },
    ])
  })

  it('tells an account what it may not do, and never says its password', async () => {
    const address = (login: string): string =>
      `kafka://${login}@${broker.server}/features?group=lc&mechanism=SCRAM-SHA-256`
    const env = {
      ...{ PRODUCER_SERVER: broker.server, PRODUCER_TOPIC: 'results', PRODUCER_SASL_USERNAME: 'guest' },
      PRODUCER_SASL_PASSWORD: 'guest-geheim',
    }
    const logins = ['boss:kafka-geheim', 'boss:wrong-geheim', 'guest:guest-geheim']
    const report = await examine(logins.map(address), { env, secrets: ['geheim'] })
    const failed = report.checks.filter(({ status }) => status === 'failed').map(({ message }) => message)
    expect(linesOf(report, 'topics')[0]).toMatchObject({ status: 'ok' })
    expect(failed.some((message) => message.includes('SASL_AUTHENTICATION_FAILED'))).toBe(true)
    expect(failed.some((message) => message.includes('topic features: the account may not see it'))).toBe(true)
    expect(failed.some((message) => message.includes('topic results: the account may not'))).toBe(true)
  })
})

const whyNoS3 = await whyNoS3Server()

describe.skipIf(whyNoS3 !== undefined)('lcclf doctor and S3', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server(['nights', 'empty'])
    writeFileSync(join(server.bucketFolder('nights'), 'a.csv'), 'oid\n')
  })
  afterAll(() => server.close())

  it('reaches buckets with the credentials of the environment', async () => {
    const secrets = [server.environment['AWS_SECRET_ACCESS_KEY']!]
    const report = await examine(['s3://nights/', 's3://empty/x/'], { env: server.environment, secrets })
    expect(linesOf(report, 's3').map(({ message }) => message)).toEqual([
      's3://nights/ answers, with credentials, objects are there',
      's3://empty/x/ answers, with credentials, nothing is there yet',
    ])
    const alone = await examine([], { env: server.environment, secrets })
    expect(linesOf(alone, 's3')).toMatchObject([{ status: 'ok' }])
  })

  it('fails for an absent bucket and a wrong key', async () => {
    const env = { ...server.environment, AWS_SECRET_ACCESS_KEY: 'wrong-geheim' }
    const absent = await examine(['s3://absent/'], { env: server.environment })
    expect(linesOf(absent, 's3')).toMatchObject([{ status: 'failed' }])
    expect(linesOf(absent, 's3')[0]!.hint).toContain('no such bucket')
    const wrong = await examine(['s3://nights/'], { env, secrets: ['geheim'] })
    expect(linesOf(wrong, 's3')).toMatchObject([{ status: 'failed' }])
  })
})
