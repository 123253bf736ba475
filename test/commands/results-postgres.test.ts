import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples, type Outcome } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { freePort } from '../support/postgres-server.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const labels = join(samples, 'ztf-300-labels.csv')
const oids = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split(',')[0]!)

let database: TestDatabase
let work: string
/** two models' results in files, and in one database */
beforeAll(async () => {
  work = temporaryFolder()
  database = await createDatabase(await sharedPostgres())
  await database.addObjects(oids)
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await hostedLcclf(args, { cwd: work })
    if (code !== 0) throw new Error(stderr)
  }
  await run('model', 'import', unpackFixture('sklearn-1.0.2'), '--name', 'old', '--version', '1', '--out', 'old')
  await run('classify', parquet, '--model', 'old', '--to', 'old.parquet', '--to', database.url)
  await run('classify', parquet, '--model', join(samples, 'model'), '--to', 'new.parquet', '--to', database.url)
})

afterAll(() => database.drop())

const versioned = (version: string): string => `${database.url}?classifier_version=${version}`

async function json(args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await hostedLcclf([...args, '--json'], { cwd: work })
  if (code !== 0) throw new Error(stderr)
  expect(stdout + stderr).not.toContain(new URL(database.url).password)
  return JSON.parse(stdout) as Record<string, unknown>
}

/** Everything but where it came from. */
function withoutAddresses(report: unknown): unknown {
  return JSON.parse(JSON.stringify(report, (key, value: unknown) => (key === 'address' ? undefined : value))) as unknown
}

function expectFailure({ code, stdout, stderr }: Outcome, wanted: number, text: string): void {
  expect(stderr).toContain(text)
  expect(code).toBe(wanted)
  expect(stdout + stderr).not.toContain(new URL(database.url).password)
  expect(stderr).not.toMatch(/\n\s+at /)
}

describe('results in a database', () => {
  it('are evaluated to the same bits as those in a file', async () => {
    const fromFile = await json(['evaluate', 'new.parquet', '--labels', labels])
    const stored = await json(['evaluate', versioned('sample_forest_1.5.2'), '--labels', labels])
    const [one, other] = [stored, fromFile].map(withoutAddresses)
    expect(one).toEqual(other)
    expect(JSON.stringify(one) === JSON.stringify(other)).toBe(true)
    expect(stored['predictions']).toMatchObject({
      address: `${new URL(database.url).href.replace(/:[^:@]*@/, '@')}?classifier_version=sample_forest_1.5.2`,
      objects: 300,
    })
  })

  it('are compared with each other, and with files, to the same bits', async () => {
    const files = withoutAddresses(await json(['diff', 'old.parquet', 'new.parquet']))
    const [old, sample] = [versioned('old_1'), versioned('sample_forest_1.5.2')]
    for (const sides of [
      [old, sample],
      ['old.parquet', sample],
      [old, 'new.parquet'],
    ]) {
      const stored = withoutAddresses(await json(['diff', ...sides, '--model', 'old']))
      expect(stored).toEqual(files)
      expect(JSON.stringify(stored) === JSON.stringify(files)).toBe(true)
    }
  })

  it('of several models need a choice, also by --classifier-version', async () => {
    const run = (address: string, ...more: string[]): Promise<Outcome> =>
      hostedLcclf(['evaluate', address, '--labels', labels, ...more])
    const open = await run(database.url)
    expectFailure(open, 2, 'holds the results of several models: old_1, sample_forest_1.5.2')
    expect(open.stderr).toContain('?classifier_version=')
    expectFailure(await run(versioned('nobody')), 2, 'has no classifier_version nobody')
    expect((await run(database.url, '--classifier-version', 'old_1')).code).toBe(0)
  })

  it('may be in another table, which must have the columns', async () => {
    await database.query(
      'CREATE SCHEMA other; CREATE TABLE other.results AS SELECT * FROM probability WHERE oid < $$ZTF19$$',
    )
    await database.query("DELETE FROM other.results WHERE classifier_version = 'old_1'")
    const report = await json(['evaluate', `${database.url}?table=other.results`, '--labels', labels])
    expect(report['predictions']).toMatchObject({
      classifier_version: 'sample_forest_1.5.2',
      objects: oids.filter((oid) => oid < 'ZTF19').length,
    })
    const run = (name: string): Promise<Outcome> =>
      hostedLcclf(['evaluate', `${database.url}?table=${name}`, '--labels', labels])
    expectFailure(await run('absent'), 3, 'has no table absent')
    expectFailure(await run('object'), 3, 'table object has no column classifier_name')
    await database.query('CREATE TABLE empty_results AS SELECT * FROM probability LIMIT 0')
    expectFailure(await run('empty_results'), 3, 'has no rows')
  })

  it('are refused if an object lacks some of its rows', async () => {
    await database.query("CREATE TABLE partial AS SELECT * FROM probability WHERE classifier_version = 'old_1'")
    await database.query('DELETE FROM partial WHERE oid = $1 AND class_name = $2', [oids[7], 'RRL'])
    const run = await hostedLcclf(['evaluate', `${database.url}?table=partial`, '--labels', labels])
    expectFailure(run, 3, `1 object lacks an oid or the probability of a class`)
    expect(run.stderr).toContain(oids[7])
    expect(run.stderr).toContain('lcclf db check')
  })

  it('are read again from the start if the connection is lost halfway', async () => {
    const { hostname: host, port } = new URL(database.url)
    let cuts = 0
    const proxy = await startProxy({ host, port: Number(port) }, (chunk) =>
      chunk.includes('COPY (') && cuts++ === 0 ? 'last' : 'pass',
    )
    const url = new URL(versioned('old_1'))
    url.port = String(proxy.port)
    const again = await json(['evaluate', url.href, '--labels', labels, '--model', 'old'])
    await proxy.close()
    expect(cuts).toBe(2)
    const once = await json(['evaluate', 'old.parquet', '--labels', labels])
    expect(withoutAddresses(again)).toEqual(withoutAddresses(once))
  })

  it('without the objects that were asked for are an error without the password', async () => {
    writeFileSync(join(work, 'strangers.csv'), 'oid,class\nnobody,RRL\n')
    const run = await hostedLcclf(['evaluate', versioned('old_1'), '--labels', join(work, 'strangers.csv')])
    expectFailure(run, 3, 'no object of postgres://')
  })

  it('that cannot be reached are exit 5', async () => {
    const url = new URL(database.url)
    url.port = String(await freePort())
    expectFailure(await hostedLcclf(['evaluate', url.href, '--labels', labels]), 5, 'no connection')
    expectFailure(await hostedLcclf(['diff', 'old.parquet', url.href], { cwd: work }), 5, 'no connection')
    expectFailure(await hostedLcclf(['explain', url.href, '--oid', 'x']), 5, 'no connection')
    const { url: other } = await database.addRole([], 'another-password')
    expectFailure(await hostedLcclf(['evaluate', other, '--labels', labels]), 5, 'permission denied')
  })
})

describe('lcclf explain', () => {
  /** the sample's features as a wide table and as the pipeline's long one */
  beforeAll(async () => {
    const lines = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
      .toString()
      .trimEnd()
      .split('\n')
    const [header, ...rows] = lines.map((line) => line.split(','))
    const names = header!.slice(2)
    const columns = names.map((name) => `"${name}" float8`).join(', ')
    await database.query(`CREATE TABLE wide (oid text, candid bigint, ${columns})`)
    await database.query('CREATE TABLE long (oid text, name text, value float8, fid int, version text)')
    for (const row of rows.slice(0, 5)) {
      const values = row.slice(2).map((text) => (text === '' ? null : Number(text)))
      const places = row.map((_, i) => `$${i + 1}`).join(', ')
      await database.query(`INSERT INTO wide VALUES (${places})`, [row[0], row[1], ...values])
      await database.query("INSERT INTO long SELECT $1, n, v, 0, '1' FROM unnest($2::text[], $3::float8[]) x(n, v)", [
        row[0],
        names,
        values,
      ])
    }
  })

  it('asks the database for that object alone and explains it as from a file', async () => {
    const args = ['--oid', oids[3]!, '--model', join(samples, 'model')]
    const about = (report: Record<string, unknown>): string =>
      JSON.stringify({ ...report, input: null, candid: null, object: null })
    const fromFile = about(await json(['explain', parquet, ...args]))
    expect(about(await json(['explain', `${database.url}?table=long`, ...args]))).toBe(fromFile)
    expect(about(await json(['explain', `${database.url}?query=SELECT * FROM wide`, ...args]))).toBe(fromFile)
    const absent = await hostedLcclf(['explain', `${database.url}?table=long`, '--oid', 'nobody'])
    expectFailure(absent, 3, 'nobody')
  })

  it('does not read the other rows of a long table', async () => {
    // a row that could not be read as a number would end the whole
    await database.query(
      'CREATE VIEW watched AS SELECT oid, name, value / (oid <> $$never$$)::int AS value, fid, version FROM long',
    )
    await database.query("INSERT INTO long VALUES ('never', 'x', 1, 0, '1')")
    const args = ['--oid', oids[1]!, '--model', join(samples, 'model')]
    expect((await hostedLcclf(['explain', `${database.url}?table=watched`, ...args])).code).toBe(0)
    expectFailure(await hostedLcclf(['classify', `${database.url}?table=watched`, '--quiet']), 5, 'division by zero')
  })

  it('names an id column that a query does not have', async () => {
    const run = await hostedLcclf(['explain', `${database.url}?query=SELECT 1 AS id`, '--oid', 'x'])
    expectFailure(run, 3, 'oid')
  })
})
