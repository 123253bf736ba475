import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const model = ['--model', join(samples, 'model')]
const lines = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
const [header, ...rows] = lines.map((line) => line.split(','))
const oids = rows.map((row) => row[header!.indexOf('oid')]!)

let database: TestDatabase
let work: string

beforeEach(async () => {
  work = temporaryFolder()
  database = await createDatabase(await sharedPostgres())
})

afterEach(() => database.drop())

/** The sample's features as the pipeline stores them: the filter in a column of its own. */
async function storeFeatures(): Promise<void> {
  await database.addObjects(oids)
  await database.query("INSERT INTO feature_version (version) VALUES ('1.1.6')")
  const names = header!.filter((name) => name !== 'oid' && name !== 'candid')
  const split = names.map((name) => /^(.*)_([12])$/.exec(name))
  const columns = names.map((name, i) => [split[i]?.[1] ?? name, Number(split[i]?.[2] ?? 0)] as const)
  const places = names.map((name) => header!.indexOf(name))
  await database.query(
    `INSERT INTO feature (oid, name, value, fid, version)
     SELECT oid, n.name, CASE WHEN v = '' THEN NULL ELSE v::float8 END, n.fid, '1.1.6'
       FROM json_to_recordset($1) AS o(oid text, "values" json)
       CROSS JOIN LATERAL json_array_elements_text("values") WITH ORDINALITY AS x(v, place)
       JOIN unnest($2::text[], $3::int[]) WITH ORDINALITY AS n(name, fid, place) USING (place)`,
    [
      JSON.stringify(rows.map((row, i) => ({ oid: oids[i], values: places.map((place) => row[place]) }))),
      columns.map(([name]) => name),
      columns.map(([, fid]) => fid),
    ],
  )
}

/** A CSV of results as lines without the candid, which the feature table does not have. */
function resultLines(path: string): string[] {
  const cells = readFileSync(join(work, path), 'utf8').trimEnd().split('\n')
  const at = cells[0]!.split(',').indexOf('candid')
  return cells
    .map((line) =>
      line
        .split(',')
        .filter((_, i) => i !== at || at < 0)
        .join(','),
    )
    .sort()
}

describe('lcclf classify to Postgres', () => {
  it('writes 33 rows per object, says so in the receipt, and changes nothing the second time', async () => {
    await database.addObjects(oids)
    const receipt = join(work, 'receipt.json')
    const run = await hostedLcclf(['classify', parquet, ...model, '--to', database.url, '--receipt', receipt])
    expect(run.code).toBe(0)
    expect(run.stderr).toContain('300 objects, 9,900 rows')
    const { outputs, notes, balanced } = JSON.parse(readFileSync(receipt, 'utf8')) as Record<string, unknown>
    expect(outputs).toMatchObject([{ objects: 300, rows: 9900, refused: 0, superseded: 0 }])
    expect(balanced).toBe(true)
    expect(JSON.stringify(notes)).toContain('has no history table')
    expect(JSON.stringify([outputs, notes, run])).not.toContain(new URL(database.url).password)
    const before = await database.query('SELECT count(*), sum(xmin::text::bigint) FROM probability')
    expect(before[0]![0]).toBe('9900')
    expect((await hostedLcclf(['classify', parquet, ...model, '--to', database.url])).code).toBe(0)
    expect(await database.query('SELECT count(*), sum(xmin::text::bigint) FROM probability')).toEqual(before)
  })

  it('stores what a file of the long layout holds', async () => {
    await database.addObjects(oids)
    const file = join(work, 'long.csv')
    await hostedLcclf(['classify', parquet, ...model, '--to', database.url, '--to', file, '--layout', 'long'])
    const stored = await database.query(
      'SELECT oid, classifier_name, classifier_version, class_name, probability, ranking FROM probability',
    )
    const written = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1)
    expect(stored.map((row) => row.join(',')).sort()).toEqual(
      written
        .map((line) => {
          const [oid, name, version, className, probability, ranking] = line.split(',')
          return [oid, name, version, className, Number(probability), ranking].join(',')
        })
        .sort(),
    )
  })

  it('rejects the objects without a row in object, with the reason, and writes the others', async () => {
    await database.addObjects(oids.slice(2))
    const rejects = join(work, 'rejects.ndjson')
    const { code, stderr } = await hostedLcclf([
      'classify',
      parquet,
      ...model,
      ...['--to', database.url, '--missing-object', 'reject', '--rejects', rejects],
    ])
    expect(code).toBe(0)
    expect(stderr).toContain('298 objects, 9,834 rows, 2 refused')
    expect(stderr).toContain('2 × no row in table object')
    const refused = readFileSync(rejects, 'utf8').trimEnd().split('\n')
    expect(refused.map((line) => (JSON.parse(line) as { oid: string }).oid)).toEqual(oids.slice(0, 2))
  })

  it('says once what fills a table object that is empty, and the statement that does', async () => {
    const { code, stderr } = await hostedLcclf([
      ...['classify', parquet, ...model, '--to', database.url, '--missing-object', 'reject', '--batch-size', '100'],
    ])
    expect(code).toBe(3)
    expect(stderr).toContain('300 × no row in table object')
    expect(stderr.match(/lcclf never fills table object/g)).toHaveLength(1)
    await database.query(/INSERT INTO object .*/.exec(stderr)![0])
    expect(await database.query('SELECT oid FROM object')).toEqual([[oids[0]]])
  })

  it('never writes the answers of the sample model unless it is named', async () => {
    const { code, stderr } = await hostedLcclf(['classify', parquet, '--to', database.url])
    expect(code).toBe(4)
    expect(stderr).toContain('never writes to Kafka or Postgres')
  })

  it('refuses tables that hold another model under this version, with exit 4', async () => {
    await database.addObjects(oids)
    await database.query(
      `INSERT INTO taxonomy (classifier_name, classifier_version, classes) VALUES ('lc_classifier', $1, '{AGN,QSO}')`,
      [await sampleVersion()],
    )
    const { code } = await hostedLcclf(['classify', parquet, ...model, '--to', database.url])
    expect(code).toBe(4)
    expect(await database.query('SELECT count(*) FROM probability')).toEqual([['0']])
  })

  it('without tables names the command that creates them, and so does --dry-run', async () => {
    await database.query('DROP TABLE probability')
    for (const more of [[], ['--dry-run']]) {
      const { code, stderr } = await hostedLcclf(['classify', parquet, ...model, '--to', database.url, ...more])
      expect(code).toBe(5)
      expect(stderr).toContain('lcclf db init')
    }
  })

  it('--missing-object without a database is a usage error', async () => {
    const { code, stderr } = await hostedLcclf(['classify', parquet, '--missing-object', 'fail'])
    expect(code).toBe(2)
    expect(stderr).toContain('--missing-object is only for results that go to Postgres')
  })
})

async function sampleVersion(): Promise<string> {
  const { stdout } = await hostedLcclf(['classify', parquet, ...model, '--limit', '1'])
  const [names, cells] = stdout.split('\n').map((line) => line.split(','))
  return cells![names!.indexOf('classifier_version')]!
}

describe('lcclf classify from Postgres', () => {
  it('gives the results of the file, from the long table', async () => {
    await storeFeatures()
    await hostedLcclf(['classify', parquet, ...model, '--to', join(work, 'file.csv')])
    const table = `${database.url}?table=feature&version=1.1.6`
    const { code, stderr } = await hostedLcclf(['classify', table, ...model, '--to', join(work, 'table.csv')])
    expect(code).toBe(0)
    expect(stderr).toContain('300 read, 300 classified')
    expect(stderr).toContain('the table has features that the model does not use')
    expect(resultLines('table.csv')).toEqual(resultLines('file.csv'))
  })

  it('gives the features again of which lcclf diff --why asks, each version those of its results', async () => {
    await storeFeatures()
    await database.query("INSERT INTO feature_version (version) VALUES ('1.1.7')")
    await database.query(`INSERT INTO feature (oid, name, value, fid, version)
      SELECT oid, name, CASE WHEN name ~ 'W[123]' THEN NULL ELSE value END, fid, '1.1.7' FROM feature`)
    const at = (version: string): string => `${database.url}?table=feature&version=${version}`
    for (const version of ['1.1.6', '1.1.7'])
      await hostedLcclf(['classify', at(version), ...model, '--to', join(work, `${version}.parquet`)])
    const results = [join(work, '1.1.6.parquet'), join(work, '1.1.7.parquet')]
    const features = ['--features-a', at('1.1.6'), '--features-b', at('1.1.7'), ...model]
    const { code, stdout, stderr } = await hostedLcclf(['diff', ...results, '--why', ...features, '--json'])
    const isTold = (stdout + stderr).includes(new URL(database.url).password)
    expect({ code, isTold }).toEqual({ code: 0, isTold: false })
    const { why, changed } = JSON.parse(stdout) as DiffReport
    expect(changed).toBeGreaterThan(20)
    expect(why).toMatchObject({
      explained: changed,
      causes: [{ cause: 'WISE colours: now missing', objects: changed }],
    })
  })

  it('of a list of oids reads these, and rejects those that have no features', async () => {
    await storeFeatures()
    const list = join(work, 'oids.txt')
    writeFileSync(list, `${oids[7]}\nnobody\n${oids[3]}\n`)
    const from = `${database.url}?oids=${list}`
    const { stdout, stderr } = await hostedLcclf(['classify', from, ...model, '--to', '-'])
    const found = stdout.trimEnd().split('\n').slice(1)
    expect(found.map((line) => line.split(',')[0])).toEqual([oids[7], oids[3]])
    expect(stderr).toContain('3 read, 2 classified, 1 rejected')
  })

  it('cannot be made to write by a query', async () => {
    await database.addObjects(oids)
    const query = encodeURIComponent('WITH gone AS (DELETE FROM object RETURNING oid) SELECT * FROM gone')
    const { code } = await hostedLcclf([
      'classify',
      `${database.url}?query=${query}`,
      ...model,
      '--to',
      join(work, 'q.csv'),
    ])
    expect(code).toBeGreaterThan(1)
    expect(await database.query('SELECT count(*) FROM object')).toEqual([[String(oids.length)]])
    expect(existsSync(join(work, 'q.csv'))).toBe(false)
  })

  it('--where works on a query and not on the long table', async () => {
    const query = encodeURIComponent('SELECT oid FROM object')
    const asQuery = await hostedLcclf(['classify', `${database.url}?query=${query}`, ...model, '--where', 'true'])
    expect(asQuery.stderr).toContain('lacks 152 columns')
    const asTable = await hostedLcclf(['classify', `${database.url}?table=feature`, ...model, '--where', 'true'])
    expect(asTable.code).toBe(2)
    expect(asTable.stderr).toContain('--where works only on Parquet and on a Postgres query')
  })
})
