import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import { DataError, ServiceError, UsageError } from '../../../src/errors.ts'
import { parsePostgresAddress } from '../../../src/connectors/postgres/address.ts'
import type { ConnectionSettings } from '../../../src/connectors/postgres/settings.ts'
import { openPostgresSource, type PostgresSource } from '../../../src/connectors/postgres/postgres-source.ts'
import type { Delivery, ReadOptions } from '../../../src/pipeline/source.ts'
import { readOnce } from '../../support/objects.ts'
import { createDatabase, type TestDatabase } from '../../support/postgres-database.ts'
import { sharedPostgres } from '../../support/postgres-shared.ts'
import { startProxy } from '../../support/tcp-proxy.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const features = ['Amplitude_1', 'Amplitude_2', 'Power_rate_1/2', 'W1-W2', 'naïve_1']
const folder = temporaryFolder()

let database: TestDatabase
let opened: PostgresSource[] = []

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres())
})

beforeEach(async () => {
  await database.query('TRUNCATE feature, feature_version, object, step CASCADE')
  await database.query("INSERT INTO feature_version VALUES ('v1', NULL, NULL), ('v2', NULL, NULL)")
})

afterEach(async () => {
  await Promise.all(opened.map((source) => source.close()))
  opened = []
})

afterAll(async () => {
  await database.drop()
})

const never = new AbortController().signal

function optionsOf(options: Partial<ReadOptions> = {}): ReadOptions {
  return {
    features,
    preprocessing: alercePreprocessing,
    batchSize: 3,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: new Map(),
    allowance: { remaining: Infinity },
    ...options,
  }
}

async function open(
  parameters: string,
  options: Partial<ReadOptions> = {},
  change: Partial<ConnectionSettings> = {},
): Promise<PostgresSource> {
  const { address, connection, reading } = parsePostgresAddress(`${database.url}?${parameters}`, {}, 'input')
  const source = await openPostgresSource(
    { kind: 'postgres', address, connection: { ...connection, ...change }, reading: reading! },
    optionsOf(options),
  )
  opened.push(source)
  return source
}

/** rows as `oid value value …`, rejects as `oid reason value` */
async function read(
  source: PostgresSource,
  signal = never,
): Promise<{ rows: string[]; rejects: string[]; sizes: number[]; read: number }> {
  const all = { rows: [] as string[], rejects: [] as string[], sizes: [] as number[], read: 0 }
  for await (const delivery of source.deliveries(signal)) {
    add(all, delivery)
    await delivery.ack()
  }
  return all
}

function add(
  all: { rows: string[]; rejects: string[]; sizes: number[]; read: number },
  { batch, rejected, read: count }: Delivery,
): void {
  all.sizes.push(batch.rowCount)
  all.read += count
  const width = batch.rowCount === 0 ? 0 : batch.matrix.length / batch.rowCount
  batch.oids.forEach((oid, row) => {
    const candid = batch.candids[row]
    const ids = candid === null ? [oid] : [oid, String(candid)]
    all.rows.push([...ids, ...batch.matrix.subarray(row * width, (row + 1) * width)].join(' '))
  })
  for (const { oid, reason, value } of rejected)
    all.rejects.push([oid, reason, value].filter((part) => part !== undefined).join(' | '))
}

/** how the pipeline stores an object's features: without the band's number since 1.1.0 */
const stored = [
  ['Amplitude', 1],
  ['Amplitude', 2],
  ['Power_rate_1/2', 12],
  ['W1-W2', 0],
  ['naïve', 1],
] as const

async function addFeatures(
  oid: string,
  values: readonly (number | null)[],
  version = 'v1',
  names: readonly (readonly [string, number])[] = stored,
): Promise<void> {
  await database.addObjects([oid])
  await database.query(
    'INSERT INTO feature (oid, name, fid, value, version) SELECT $1, * , $5 FROM unnest($2::text[], $3::int[], $4::float8[])',
    [oid, names.map(([name]) => name), names.map(([, fid]) => fid), values, version],
  )
}

describe('the long feature table', () => {
  it('becomes one row per object, by the stored name or with the number of its band', async () => {
    await addFeatures('b', [1, 2, 3, null, 5])
    await addFeatures('a', [0.1, NaN, Infinity, 1e33, -0])
    await addFeatures(
      'old',
      [1, 2, 3, 4, 5],
      'v1',
      features.map((name, i) => [name, i < 2 ? i + 1 : 0] as const),
    )
    const source = await open('table=feature')
    expect(source.schema).toMatchObject({ oidType: 'string', hasCandid: false })
    const { rows, rejects, read: count } = await read(source)
    expect(rows).toEqual([`a ${Math.fround(0.1)} -999 -999 0 0`, 'b 1 2 3 -999 5', 'old 1 2 3 4 5'])
    expect(rejects).toEqual([])
    expect(count).toBe(3)
    expect(source.notes()).toEqual([])
  })

  it('keeps order and batch size over many objects and chunks', async () => {
    await database.query("INSERT INTO object (oid) SELECT 'o' || lpad(i::text, 6, '0') FROM generate_series(1, 3000) i")
    await database.query(
      `INSERT INTO feature SELECT o.oid, f.name, substr(o.oid, 2)::float8 + f.fid, f.fid, 'v1'
         FROM object o CROSS JOIN unnest($1::text[], $2::int[]) f(name, fid)`,
      [stored.map(([name]) => name), stored.map(([, fid]) => fid)],
    )
    const { rows, sizes } = await read(await open('table=feature', { batchSize: 999 }))
    expect(sizes).toEqual([999, 999, 999, 3])
    expect(rows).toEqual(
      Array.from(
        { length: 3000 },
        (_, i) => `o${String(i + 1).padStart(6, '0')} ${i + 2} ${i + 3} ${i + 13} ${i + 1} ${i + 2}`,
      ),
    )
  })

  it('reports what it cannot use, and guesses nothing', async () => {
    await addFeatures('absent', [1, 2, 3], 'v1', stored.slice(0, 3))
    await addFeatures('good', [1, 2, 3, 4, 5, 6, 7], 'v1', [...stored, ['rb', 0], ['amplitude', 1]])
    await addFeatures('twice', [1, 2, 3, 4, 5, 6], 'v1', [...stored, ['Amplitude_1', 1]])
    await addFeatures('beyond', [-1e39, 2, 3, 4, 5])
    const source = await open('table=feature')
    const { rows, rejects } = await read(source)
    expect(rows).toEqual(['good 1 2 3 4 5'])
    expect(rejects.sort()).toEqual([
      'absent | W1-W2 is absent | and 1 more',
      'beyond | Amplitude_1 is beyond float32 | -1e+39',
      'twice | Amplitude_1 is stored twice',
    ])
    expect(source.notes()).toEqual(['the table has features that the model does not use: amplitude (fid 1), rb'])
  })

  it('has one version, which must be chosen if there are several', async () => {
    await addFeatures('x', [1, 2, 3, 4, 5], 'v1')
    await addFeatures('x', [6, 7, 8, 9, 10], 'v2')
    expect((await read(await open('table=feature&version=v2'))).rows).toEqual(['x 6 7 8 9 10'])
    await expect(open('table=feature')).rejects.toMatchObject({
      constructor: DataError,
      message: expect.stringContaining('several versions, such as v1 and v2') as string,
      hint: 'Choose one with ?version=.',
    })
    await expect(open('table=feature&version=v3')).rejects.toThrow(/no features of version v3/)
  })

  it('reads a list of objects, in its order, and says which are missing', async () => {
    for (const [i, oid] of ['a', 'b', "it's", 'd'].entries()) await addFeatures(oid, [i, i, i, i, i])
    const list = join(folder, 'oids.txt')
    writeFileSync(list, `oid\r\nd\n\nnowhere\n"quoted", \\ {\nit's\nd\na`)
    const { rows, rejects } = await read(await open(`table=feature&oids=${list}`))
    expect(rows).toEqual(['d 3 3 3 3 3', "it's 2 2 2 2 2", 'a 0 0 0 0 0'])
    expect(rejects).toEqual(['nowhere | no features in the table', '"quoted", \\ { | no features in the table'])
    await expect(open('table=feature&oids=/nonexistent')).rejects.toThrow(UsageError)
  })

  it('reads a list that is longer than one statement', async () => {
    await database.query("INSERT INTO object (oid) SELECT 'o' || i FROM generate_series(1, 4100) i")
    await database.query(
      `INSERT INTO feature SELECT o.oid, f.name, 7, f.fid, 'v1' FROM object o CROSS JOIN unnest($1::text[], $2::int[]) f(name, fid)`,
      [stored.map(([name]) => name), stored.map(([, fid]) => fid)],
    )
    const list = join(folder, 'many.txt')
    const oids = Array.from({ length: 4100 }, (_, i) => `o${4100 - i}`)
    writeFileSync(list, oids.join('\n'))
    const { rows } = await read(await open(`table=feature&oids=${list}`, { batchSize: 500 }))
    expect(rows).toEqual(oids.map((oid) => `${oid} 7 7 7 7 7`))
  })

  it('obeys renames, the limit and shards', async () => {
    for (const oid of ['a', 'b', 'c', 'd', 'e', 'f'])
      await addFeatures(oid, [1, 2, 3, 4, 5, 6], 'v1', [...stored, ['PPE', 12]])
    const renamed = await read(await open('table=feature', { rename: new Map([['PPE', 'W1-W2']]) }))
    expect(renamed.rows[0]).toBe('a 1 2 3 6 5')
    const limited = await read(await open('table=feature', { allowance: { remaining: 4 } }))
    expect(limited).toMatchObject({ read: 4, sizes: [3, 1] })
    const shards = await Promise.all(
      [0, 1].map(async (index) => read(await open('table=feature', { shard: { index, count: 2 } }))),
    )
    expect(shards.flatMap(({ rows }) => rows.map((row) => row[0])).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('is renamed by the name that a row has with the number of its band', async () => {
    await addFeatures('a', [1, 2, 3, 4, 5], 'v1', [['Amp', 1], ...stored.slice(1)])
    const { rows } = await read(await open('table=feature', { rename: new Map([['Amp_1', 'Amplitude_1']]) }))
    expect(rows).toEqual(['a 1 2 3 4 5'])
  })

  it('is a snapshot, even when it is read twice', async () => {
    await addFeatures('a', [1, 2, 3, 4, 5])
    const source = await open('table=feature')
    await addFeatures('b', [1, 2, 3, 4, 5])
    await database.query('UPDATE feature SET value = 9')
    expect(source.replayable).toBe(true)
    expect((await read(source)).rows).toEqual(['a 1 2 3 4 5'])
    expect((await read(source)).rows).toEqual(['a 1 2 3 4 5'])
  })

  it('may be empty', async () => {
    expect(await read(await open('table=feature'))).toEqual({ rows: [], rejects: [], sizes: [], read: 0 })
  })

  it('takes tables with other types: integer ids, values as text', async () => {
    await database.query(
      'CREATE TABLE IF NOT EXISTS "Other.Features" (id bigint, name text, value text, fid smallint, version text)',
    )
    await database.query(
      `INSERT INTO "Other.Features" SELECT i, f, CASE WHEN i = 2 AND f = 'W1-W2' THEN 'many' ELSE '0.5' END, 0, 'v'
         FROM unnest($1::text[]) f CROSS JOIN generate_series(1, 3) i`,
      [features],
    )
    const source = await open('table="Other.Features"', { idColumn: 'id' })
    expect(source.schema.oidType).toBe('int64')
    const { rows, rejects } = await read(source)
    expect(rows).toEqual(['1 0.5 0.5 0.5 0.5 0.5', '3 0.5 0.5 0.5 0.5 0.5'])
    expect(rejects).toEqual(['2 | W1-W2 is not a number | many'])
    await source.close()
    await database.query('DROP TABLE "Other.Features"')
  })

  it('may lack the key of the pipeline: what has no id is rejected, what has no name is reported', async () => {
    await database.query('CREATE TABLE loose (oid text, name text, value float8, fid int, version int)')
    await database.query(
      'INSERT INTO loose SELECT oid, name, 1, CASE WHEN fid = 12 THEN NULL ELSE fid END, 7 FROM unnest($1::text[], $2::int[]) f(name, fid) CROSS JOIN unnest($3::text[]) oid',
      [stored.map(([name]) => name), stored.map(([, fid]) => fid), ['a', 'b', null]],
    )
    await database.query("INSERT INTO loose VALUES ('a', NULL, 1, NULL, 7)")
    const list = join(folder, 'loose.txt')
    writeFileSync(list, 'b\na\nc')
    const whole = await open('table=loose&version=7')
    expect(await read(whole)).toMatchObject({
      rows: ['a 1 1 1 1 1', 'b 1 1 1 1 1'],
      rejects: [' | oid is missing'],
    })
    expect(whole.notes()).toEqual(['the table has features that the model does not use: (no name)'])
    expect(await read(await open(`table=loose&oids=${list}`))).toMatchObject({
      rows: ['b 1 1 1 1 1', 'a 1 1 1 1 1'],
      rejects: ['c | no features in the table'],
    })
    await expect(open('table=loose&version=v1')).rejects.toThrow(/no features of version v1/)
  })

  it.each(['bigint', 'integer', 'numeric'])('takes a list of ids that are %s, and says which are not', async (type) => {
    await database.query(`CREATE TABLE numbered_${type} (id ${type}, name text, value float8, fid int, version text)`)
    await database.query(
      `INSERT INTO numbered_${type} SELECT i, f, i, 0, 'v' FROM unnest($1::text[]) f CROSS JOIN generate_series(1, 3) i`,
      [features],
    )
    const list = join(folder, 'numbers.txt')
    writeFileSync(list, '3\nZTF18abc\n99999999999999999999\n99999999999\n1')
    const { rows, rejects } = await read(await open(`table=numbered_${type}&oids=${list}`, { idColumn: 'id' }))
    expect(rows).toEqual(['3 3 3 3 3 3', '1 1 1 1 1 1'])
    expect(rejects).toEqual(
      ['ZTF18abc', '99999999999999999999', '99999999999'].map((oid) => `${oid} | no features in the table`),
    )
  })

  it('must exist and have its columns', async () => {
    await expect(open('table=nothing')).rejects.toThrow(/has no table nothing/)
    await expect(open('table=object')).rejects.toMatchObject({
      constructor: DataError,
      message: 'table object has no column name, value, fid, version: it is not a long feature table',
      hint: "Read a table with one row per object with '?query=SELECT * FROM object'.",
    })
    await expect(open('table=feature', { where: 'oid > 1' })).rejects.toThrow(UsageError)
  })
})

describe('a query', () => {
  const columns = features.map((name, i) => `${i + 1} AS "${name}"`).join(', ')

  it('gives one row per object, its columns matched by name', async () => {
    const sql = `SELECT ${columns}, o.oid, 9007199254740993 + n AS candid, 'x' AS other FROM unnest(ARRAY['b','a']) WITH ORDINALITY o(oid, n)`
    const source = await open(`query=${sql}`)
    expect(source.schema).toMatchObject({ oidType: 'string', hasCandid: true })
    expect((await read(source)).rows).toEqual(['b 9007199254740994 1 2 3 4 5', 'a 9007199254740995 1 2 3 4 5'])
  })

  it('says when each object was last seen, where that is asked', async () => {
    const sql = `SELECT 'a' AS oid, 1 AS naive, 60000.25::float8 AS mjd UNION ALL SELECT 'b', 2, NULL ORDER BY 1`
    const source = await open(`query=${sql}`, { features: ['naive'], mjdColumn: 'mjd' })
    expect(source.schema).toMatchObject({ hasMjd: true })
    expect((await readOnce(source)).mjds).toEqual([60_000.25, NaN])
  })

  it('may have values of many types', async () => {
    const sql = `SELECT * FROM (VALUES
      (1::int2, 0.1::float4, 1e400::numeric, true, '0.25', ARRAY[3,7,5]::int8[]),
      (2::int2, 'NaN'::float4, 12345678901234567890::numeric, null, 'many', NULL),
      (3::int2, -1.5::float4, null, false, ' 1e3 ', ARRAY[]::int8[])) AS t(oid, "Amplitude_1", "Amplitude_2", "Power_rate_1/2", "W1-W2", candid)
      CROSS JOIN (SELECT 7::int8 AS "naïve_1") x`
    const source = await open(`query=${sql}`)
    expect(source.schema).toMatchObject({ oidType: 'int32', hasCandid: true })
    const { rows, rejects } = await read(source)
    expect(rows).toEqual([`1 7 ${Math.fround(0.1)} -999 1 0.25 7`, '3 -1.5 -999 0 1000 7'])
    expect(rejects).toEqual(['2 | W1-W2 is not a number | many'])
  })

  it('is filtered by --where, which sees its names', async () => {
    const sql = `SELECT ${columns}, oid, oid || 'x' AS "Where" FROM unnest(ARRAY['a','b','c']) oid`
    expect(
      (await read(await open(`query=${sql}`, { where: `"Where" <> 'bx' -- not b` }))).rows.map((row) => row[0]),
    ).toEqual(['a', 'c'])
    await expect(open(`query=${sql}`, { where: 'nothing = 1' })).rejects.toThrow(
      /--where: column "nothing" does not exist/,
    )
    await expect(open(`query=${sql}`, { where: 'true); DROP TABLE step; SELECT (1' })).rejects.toThrow(UsageError)
  })

  it('says which columns are missing and which names come closest', async () => {
    await expect(open('query=SELECT 1 AS oid, 2 AS amplitude_1')).rejects.toThrow(
      /the query on .* lacks 5 columns the model needs: Amplitude_1 \(nearest: amplitude_1\)/,
    )
    await expect(open(`query=SELECT ${columns}, 1 AS oid, 2 AS oid`)).rejects.toThrow(/has the column oid 2 times/)
    await expect(open(`query=SELECT ${columns}, 1.5::float8 AS oid`)).rejects.toThrow(
      /oid is of type double precision, which breaks ids/,
    )
    await expect(open(`query=SELECT ${columns}, 1 AS oid, 1::float8 AS candid`)).rejects.toThrow(
      /candid is of type double precision/,
    )
    await expect(
      open(
        `query=SELECT 'x' AS oid, now() AS "W1-W2", 1 AS "Amplitude_1", 1 AS "Amplitude_2", 1 AS "Power_rate_1/2", 1 AS "naïve_1"`,
      ),
    ).rejects.toThrow(/W1-W2 is of type timestamp with time zone, which is not a number/)
  })

  it.each([
    ['no SQL', 'SELEC 1'],
    ['two statements', 'SELECT 1; DROP TABLE step'],
    ['an end and a beginning', 'SELECT 1) AS q LIMIT 0; DROP TABLE step; SELECT (1'],
    ['a comment left open', 'SELECT 1 /*'],
    ['no SELECT', "INSERT INTO step VALUES ('a', 'b', 'c', 'd', now()) RETURNING step_id"],
  ])('is refused if it is %s', async (_, sql) => {
    await expect(open(`query=${sql}`)).rejects.toThrow(UsageError)
    expect(await database.query('SELECT count(*)::int FROM step')).toEqual([[0]])
  })

  it('cannot write', async () => {
    await database.query(
      'CREATE OR REPLACE FUNCTION sly() RETURNS int LANGUAGE sql AS $$ DELETE FROM feature_version; SELECT 1 $$',
    )
    const source = await open(`query=SELECT ${columns}, sly() AS oid`)
    await expect(read(source)).rejects.toThrow(/cannot execute DELETE in a read-only transaction/)
    expect(await database.query('SELECT count(*)::int FROM feature_version')).toEqual([[2]])
  })

  it.each([
    ['a common table expression', 'WITH gone AS (DELETE FROM feature_version RETURNING version) SELECT * FROM gone'],
    ['a sequence', `SELECT ${columns}, nextval('numbers')::text AS oid`],
    [
      'a function that first asks for the right to',
      `SELECT ${columns}, set_config('transaction_read_only', 'off', true) || sly() AS oid`,
    ],
    ['a large object', `SELECT ${columns}, lo_create(0)::text AS oid`],
  ])('cannot write by %s', async (_, sql) => {
    await database.query(
      'CREATE OR REPLACE FUNCTION sly() RETURNS int LANGUAGE sql AS $$ DELETE FROM feature_version; SELECT 1 $$; CREATE SEQUENCE IF NOT EXISTS numbers',
    )
    const reading = (async () => read(await open(`query=${sql}`)))()
    await expect(reading).rejects.toThrow(/read-only|only read|top level|before any query/)
    await expect(reading).rejects.not.toThrow(ServiceError)
    expect(await database.query('SELECT count(*)::int FROM feature_version')).toEqual([[2]])
    expect(await database.query('SELECT is_called FROM numbers')).toEqual([[false]])
  })

  it('on a table that the role may not read is an error of the service', async () => {
    const role = await database.addRole([])
    await expect(
      open(`query=SELECT ${columns}, oid FROM object`, {}, { user: role.name, password: role.settings.password }),
    ).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('permission denied') as string,
    })
  })

  it('that fails halfway is an error of the data, with its place', async () => {
    const sql = `SELECT ${columns.replace('1 AS', '1 / (5000 - n) AS')}, n AS oid FROM generate_series(1, 9000) n`
    await expect(read(await open(`query=${sql}`))).rejects.toMatchObject({
      constructor: DataError,
      message: expect.stringMatching(/the query, after \d+ rows: division by zero/) as string,
    })
  })
})

describe('a source without an end', () => {
  const endless = `query=SELECT i::text AS oid, ${features.map((name) => `i AS "${name}"`).join(', ')} FROM (SELECT generate_series(1, 100000000) AS i) s`

  it('waits for a slow reader and gathers nothing meanwhile', async () => {
    const held = (): number => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const source = await open(endless, { batchSize: 1000 })
    const before = held()
    for await (const { batch } of source.deliveries(never)) {
      expect(batch.rowCount).toBe(1000)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      break
    }
    // the server makes some 50 MB a second where nobody stops it
    expect(held() - before).toBeLessThan(30e6)
  })

  it('stopped by the signal ends soon, without an error', async () => {
    const source = await open(endless, { batchSize: 1000 })
    const controller = new AbortController()
    let rows = 0
    for await (const { batch } of source.deliveries(controller.signal)) {
      rows += batch.rowCount
      if (rows >= 3000) controller.abort()
    }
    expect(rows).toBeLessThan(200_000)
  })

  it('stopped by the signal before the server has answered ends too', async () => {
    const source = await open(
      `query=SELECT ${features.map((name) => `1 AS "${name}"`).join(', ')}, 'a' AS oid FROM pg_sleep(120)`,
    )
    const started = Date.now()
    expect(await read(source, AbortSignal.timeout(300))).toMatchObject({ read: 0 })
    expect(Date.now() - started).toBeLessThan(60_000)
  })

  it('abandoned by its reader leaves no query behind', async () => {
    const source = await open(endless)
    for await (const { batch } of source.deliveries(never)) if (batch.rowCount > 0) break
    await source.close()
    await source.close()
    for (let tries = 0; tries < 100; tries++) {
      const [[left]] = (await database.query(
        "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lcclf'",
      )) as [[number]]
      if (left === 0) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect.unreachable('the server is still busy')
  })

  it('cut off by the network is an error of the service', async () => {
    const { hostname, port } = new URL(database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    const source = await open(endless, {}, { host: '127.0.0.1', port: proxy.port })
    const reading = (async () => {
      for await (const { batch } of source.deliveries(never)) if (batch.rowCount > 0) proxy.cutAll()
    })()
    await expect(reading).rejects.toMatchObject({ constructor: ServiceError, exitCode: 5 })
    await proxy.close()
  })
})
