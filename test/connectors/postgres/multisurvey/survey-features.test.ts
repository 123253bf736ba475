import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DataError, UsageError } from '../../../../src/errors.ts'
import { postgresSourceSpec } from '../../../../src/connectors/postgres/address.ts'
import { openPostgresSource, type PostgresSource } from '../../../../src/connectors/postgres/postgres-source.ts'
import { surveyOid } from '../../../../src/connectors/survey-ids.ts'
import { alercePreprocessing } from '../../../../src/pipeline/preprocess.ts'
import { type ReadOptions, readOptions } from '../../../../src/pipeline/source.ts'
import {
  bandlessNames,
  createMultisurvey,
  type Pass,
  storePass,
  surveyFeatures,
} from '../../../support/multisurvey-database.ts'
import type { TestDatabase } from '../../../support/postgres-database.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const features = ['Amplitude_1', 'Amplitude_2', 'Power_rate_1_2_12', 'W1_W2']
const folder = temporaryFolder()
const [first, second, third] = ['ZTF18acuemsf', 'ZTF17aaabauy', 'ZTF21aaaaaaf']
const id = (name: string): string => String(surveyOid(name))

let database: TestDatabase
let opened: PostgresSource[] = []

beforeAll(async () => {
  database = await createMultisurvey()
})

beforeEach(async () => {
  await database.query('TRUNCATE feature, object')
  await database.query("DELETE FROM feature_version_lut; INSERT INTO feature_version_lut VALUES (1, '27.5.7a31')")
})

afterEach(async () => {
  await Promise.all(opened.map((source) => source.close()))
  opened = []
})

afterAll(() => database.drop())

async function open(parameters = '', options: Partial<ReadOptions> = {}): Promise<PostgresSource> {
  const spec = postgresSourceSpec(`${database.url}?table=feature${parameters}`, {})
  const named = { features, preprocessing: alercePreprocessing, batchSize: 3 }
  const source = await openPostgresSource(spec, readOptions({ ...named, ...options }))
  opened.push(source)
  return source
}

/** rows as `oid mjd? value …`, sorted: partitions have no order that matters */
async function read(source: PostgresSource) {
  const rows: string[] = []
  const rejects: string[] = []
  for await (const { batch, rejected } of source.deliveries(new AbortController().signal)) {
    const width = batch.matrix.length / Math.max(1, batch.rowCount)
    batch.oids.forEach((oid, row) => {
      const times = batch.mjds ? [batch.mjds[row]] : []
      rows.push([oid, ...times, ...batch.matrix.subarray(row * width, (row + 1) * width)].join(' '))
    })
    for (const { oid, reason, value } of rejected)
      rejects.push([oid, reason, value].filter((part) => part !== undefined).join(' | '))
  }
  return { rows: rows.sort(), rejects: rejects.sort() }
}

/** values of the four features */
function pass(oid: string, values: readonly (number | null)[], more: Partial<Pass> = {}): Pass {
  return { oid, values: Object.fromEntries(values.map((value, i) => [features[i]!, value])), ...more }
}

async function store(...passes: Pass[]): Promise<void> {
  for (const one of passes) await storePass(database, one)
}

describe('the survey’s feature table of today', () => {
  it('is known by its columns, and becomes a row an object, its id an integer', async () => {
    await store(pass(first, [1, 2, 0.1, null]), pass(second, [5, NaN, Infinity, 1e33]))
    const source = await open()
    expect(source.schema).toEqual({ oidType: 'int64', hasCandid: false })
    expect(await read(source)).toEqual({
      rows: [`${id(second)} 5 -999 -999 0`, `${id(first)} 1 2 ${Math.fround(0.1)} -999`],
      rejects: [],
    })
    expect(source.notes()).toEqual([])
    expect(await read(source)).toEqual(await read(await open('&tables=multisurvey')))
  })

  it('has a stored name and band for each of the 199 features, 118 names in all', async () => {
    expect(surveyFeatures).toHaveLength(199)
    // and the five that the model does not use
    expect(bandlessNames).toHaveLength(123)
    expect(bandlessNames.filter((name) => /[-/]/.test(name))).toHaveLength(21)
    await storePass(database, {
      oid: first,
      values: Object.fromEntries(surveyFeatures.map((name, i) => [name, i + 1])),
    })
    const source = await open('', { features: surveyFeatures })
    expect((await read(source)).rows).toEqual([`${id(first)} ${surveyFeatures.map((_, i) => i + 1).join(' ')}`])
  })

  it('counts only the rows of an object’s newest date', async () => {
    await store(
      pass(first, [1, 2, 3, 4], { date: '2026-08-01' }),
      pass(first, [10, 20], { date: '2026-08-02' }),
      pass(second, [1, 2, 3, 4], { date: '2026-08-02' }),
      // its newest rows come before the older ones in the order of the key
      pass(third, [7], { date: '2026-08-03' }),
      pass(
        third,
        [8, 9, 9, 9].map((value, i) => (i === 0 ? 7 : value)),
        { date: '2026-08-01' },
      ),
      pass(third, [7], { date: '2026-08-03' }),
    )
    const all = await read(await open())
    expect(all.rejects).toEqual([])
    expect(all.rows).toEqual([`${id(second)} 1 2 3 4`, `${id(first)} 10 20 -999 -999`, `${id(third)} 7 -999 -999 -999`])
  })

  it('takes a row without a date as older than any with one, and as good where none has one', async () => {
    await store(
      pass(first, [1, 2, 3, 4], { date: null }),
      pass(second, [1, 2, 3, 4], { date: null }),
      pass(second, [5], { date: '2020-01-01' }),
    )
    expect((await read(await open())).rows).toEqual([`${id(second)} 5 -999 -999 -999`, `${id(first)} 1 2 3 4`])
  })

  it('has one version, or those that are chosen by name or number; mixed ones are rejected', async () => {
    const [newer, other] = [{ version: 2, date: '2026-08-02' }, { version: 3 }]
    await store(pass(first, [1, 2, 3, 4]), pass(first, [5, 6, 7], newer), pass(second, [1, 2, 3, 4], other))
    await store(pass(third, [1, 2, 3, 4]), pass(third, [5], { version: 2 }))
    await database.query("INSERT INTO feature_version_lut VALUES (2, '27.5.8'), (3, 'v3, beta')")
    await expect(open()).rejects.toMatchObject({
      constructor: DataError,
      message: 'feature_version_lut knows several versions: 27.5.7a31, 27.5.8, v3, beta',
      hint: expect.stringContaining('?version=') as string,
    })
    const mixed = `${id(third)} | its newest features are of several versions | 27.5.7a31, 27.5.8`
    const old = await open('&version=27.5.7a31')
    expect(await read(old)).toEqual({
      rows: [],
      rejects: [`${id(first)} | its newest features are of another version | 27.5.8`, mixed],
    })
    expect(old.notes()).toEqual(['1 object has features of other versions only: it is passed over'])
    const rows = [`${id(first)} 5 6 7 -999`]
    for (const version of ['27.5.8', '2'])
      expect(await read(await open(`&version=${version}`))).toEqual({ rows, rejects: [mixed] })
    const both = await read(await open('&version=v3, beta'))
    expect(both.rows).toEqual([`${id(second)} 1 2 3 4`])
    expect((await read(await open('&version=27.5.8, 3'))).rows).toEqual([`${id(second)} 1 2 3 4`, ...rows])
    await expect(open('&version=28')).resolves.toBeDefined()
    await expect(open('&version=v28')).rejects.toThrow('feature_version_lut knows no version v28')
  })

  it('has objects of several surveys: ZTF’s unless another is chosen', async () => {
    await store(
      pass(first, [1, 2, 3, 4]),
      pass(first, [5, 6, 7, 8], { sid: 1 }),
      pass('313888647050821', [9, 9, 9, 9], { sid: 1 }),
    )
    expect((await read(await open())).rows).toEqual([`${id(first)} 1 2 3 4`])
    expect((await read(await open('&sid=1'))).rows).toEqual(['313888647050821 9 9 9 9', `${id(first)} 5 6 7 8`])
    await expect(open('&sid=7')).rejects.toThrow('sid_lut has no survey 7')
  })

  it('may have names of its own for each survey', async () => {
    await database.query(
      'BEGIN; ALTER TABLE feature_name_lut ADD sid smallint DEFAULT 0, DROP CONSTRAINT feature_name_lut_pkey',
    )
    await database.query(
      "INSERT INTO feature_name_lut SELECT feature_id, 'other_' || feature_name, 1 FROM feature_name_lut; COMMIT",
    )
    try {
      await store(pass(first, [1, 2, 3, 4]), pass(second, [5, 6, 7, 8], { sid: 1 }))
      expect((await read(await open())).rows).toEqual([`${id(first)} 1 2 3 4`])
      await expect(open('&sid=1')).rejects.toThrow('feature_name_lut lacks 4 features the model needs')
      const rename = new Map(features.map((name) => [`other_${name}`, name]))
      expect((await read(await open('&sid=1', { rename }))).rows).toEqual([`${id(second)} 5 6 7 8`])
    } finally {
      // an open source reads in a transaction, which would keep the table from being altered
      await Promise.all(opened.map((source) => source.close()))
      await database.query('DELETE FROM feature_name_lut WHERE sid = 1; ALTER TABLE feature_name_lut DROP sid')
    }
  })

  it('gives null for what an object lacks, and refuses a feature that no object has', async () => {
    await store(pass(first, [1, 2]), pass(second, [1, 2, 3]))
    await expect(open()).rejects.toMatchObject({
      constructor: DataError,
      message: 'table feature has no row of the model’s feature W1_W2, of any object',
      hint: expect.stringContaining('--absent-as-null') as string,
    })
    expect((await read(await open('', { absentAsNull: true }))).rows).toEqual([
      `${id(second)} 1 2 3 -999`,
      `${id(first)} 1 2 -999 -999`,
    ])
    await store(pass(third, [1, 2, 3, 4]))
    expect((await read(await open())).rows).toHaveLength(3)
    await expect(open('', { features: [...features, 'Amplitudo_1', 'nothing'] })).rejects.toThrow(
      'feature_name_lut lacks 2 features the model needs: Amplitudo_1 (nearest: Amplitude), nothing',
    )
  })

  it('says what the model does not use, and obeys renames', async () => {
    await store(pass(first, [1, 2, 3, 4]), { oid: first, values: { TDE_mag0_1: 5, Amplitude_12: 6, Timespan: 7 } })
    await database.query("INSERT INTO feature VALUES ($1, 0, 999, 3, 1, 8, '2026-08-01')", [id(first)])
    const source = await open()
    expect((await read(source)).rows).toEqual([`${id(first)} 1 2 3 4`])
    expect(source.notes()).toEqual([
      'the table has features that the model does not use: Amplitude (band 12), TDE_mag0 (band 1), Timespan, feature_id 999 (band 3)',
    ])
    const rename = new Map([
      ['Timespan', 'W1_W2'],
      ['TDE_mag0_1', 'Amplitude_1'],
    ])
    expect((await read(await open('', { rename }))).rows).toEqual([`${id(first)} 5 2 3 7`])
    const older = {
      features: ['Power_rate_1/2', 'W1-W2'],
      renameMap: new Map([['Power_rate_1_2_12', 'Power_rate_1/2']]),
    }
    expect((await read(await open('', older))).rows).toEqual([`${id(first)} 3 4`])
  })

  it('reads a list of names and numbers, each object once, and says which are missing', async () => {
    await store(pass(first, [1, 2, 3, 4]), pass(second, [5, 6, 7, 8]), pass(second, [9], { date: '2026-08-02' }))
    const list = join(folder, 'oids.txt')
    writeFileSync(list, `oid\n${id(second)}\n${third}\n${first}\n${second}\nZTF18abc\n12\n`)
    expect(await read(await open(`&oids=${list}`))).toEqual({
      rows: [`${id(second)} 9 -999 -999 -999`, `${id(first)} 1 2 3 4`],
      rejects: [
        '12 | no features in the table',
        `${id(third)} | no features in the table`,
        'ZTF18abc | oid is neither an integer nor a ZTF name',
      ],
    })
    await database.query("INSERT INTO feature_version_lut VALUES (2, '28')")
    expect((await read(await open(`&version=28&oids=${list}`))).rejects).toContain(
      `${id(first)} | its newest features are of another version | 27.5.7a31`,
    )
  })

  it('gives ids as ZTF names where they stand for one', async () => {
    await store(pass(first, [1, 2, 3, 4]), pass('12', [5, 6, 7, 8]))
    const source = await open('&names=ztf')
    expect(source.schema.oidType).toBe('string')
    expect((await read(source)).rows).toEqual(['12 5 6 7 8', `${first} 1 2 3 4`])
    await expect(open('&names=ps1')).rejects.toThrow(UsageError)
  })

  it('knows from table object when an object was last seen', async () => {
    await store(pass(first, [1, 2, 3, 4]), pass(second, [5, 6, 7, 8]), pass(third, [5, 6, 7, 8]))
    await database.query(
      'INSERT INTO object (oid, sid, tid, lastmjd) VALUES ($1, 0, 0, 61250.125), ($1, 1, 1, 1), ($2, 0, 0, NULL)',
      [id(first), id(second)],
    )
    const rows = [`${id(second)} NaN 5 6 7 8`, `${id(first)} 61250.125 1 2 3 4`, `${id(third)} NaN 5 6 7 8`]
    const source = await open('', { mjdColumn: 'lastmjd' })
    expect(source.schema.hasMjd).toBe(true)
    expect((await read(source)).rows).toEqual(rows)
    const list = join(folder, 'seen.txt')
    writeFileSync(list, [first, second, third].join('\n'))
    expect((await read(await open(`&oids=${list}`, { mjdColumn: 'mjd' }))).rows).toEqual(rows)
    await database.query(
      'CREATE SCHEMA alone; CREATE TABLE alone.feature AS TABLE feature; CREATE TABLE alone.feature_name_lut AS TABLE feature_name_lut; CREATE TABLE alone.feature_version_lut AS TABLE feature_version_lut',
    )
    const spec = postgresSourceSpec(`${database.url}?table=alone.feature`, {})
    const alone = await openPostgresSource(
      spec,
      readOptions({ features, preprocessing: alercePreprocessing, mjdColumn: 'mjd' }),
    )
    opened.push(alone)
    expect(alone.schema.hasMjd).toBeUndefined()
    expect((await read(alone)).rows).toHaveLength(3)
  })

  it('is read whole where its partitions may not be, and one partition alone where it is named', async () => {
    for (let i = 0; i < 40; i++) await storePass(database, pass(String(1000 + i), [i, 2, 3, 4]))
    const { url } = await database.addRole(['SELECT ON feature, feature_name_lut, feature_version_lut, sid_lut'])
    const own = new URL(url)
    const spec = postgresSourceSpec(`${own.href}?table=feature`, {})
    const source = await openPostgresSource(
      spec,
      readOptions({ features, preprocessing: alercePreprocessing, batchSize: 7 }),
    )
    opened.push(source)
    const whole = await read(source)
    expect(whole.rows).toHaveLength(40)
    expect(await read(await open())).toEqual(whole)
    const parts: string[] = []
    for (let part = 0; part < 32; part++) {
      const spec = postgresSourceSpec(`${database.url}?table=feature_part_${part}`, {})
      const one = await openPostgresSource(spec, readOptions({ features, preprocessing: alercePreprocessing }))
      opened.push(one)
      parts.push(...(await read(one)).rows)
      await one.close()
    }
    expect(parts.sort()).toEqual(whole.rows)
    await database.query('CREATE VIEW feature_range AS SELECT * FROM feature WHERE oid BETWEEN 1010 AND 1012')
    const view = postgresSourceSpec(`${database.url}?table=feature_range`, {})
    const ranged = await openPostgresSource(view, readOptions({ features, preprocessing: alercePreprocessing }))
    opened.push(ranged)
    expect((await read(ranged)).rows).toEqual(['1010 10 2 3 4', '1011 11 2 3 4', '1012 12 2 3 4'])
  })

  it('must be what it is said to be', async () => {
    await expect(open('&tables=alerce-2021')).rejects.toThrow('table feature has no column name, fid')
    await expect(open('&tables=2025')).rejects.toThrow(UsageError)
    await database.query('CREATE TABLE IF NOT EXISTS plain (oid text, name text, value float8, fid int, version text)')
    const spec = postgresSourceSpec(`${database.url}?table=plain&sid=1`, {})
    await expect(
      openPostgresSource(spec, readOptions({ features, preprocessing: alercePreprocessing })),
    ).rejects.toThrow(UsageError)
    const wrong = postgresSourceSpec(`${database.url}?table=plain&tables=multisurvey`, {})
    await expect(
      openPostgresSource(wrong, readOptions({ features, preprocessing: alercePreprocessing })),
    ).rejects.toThrow('table plain: column oid is text in place of bigint')
  })
})
