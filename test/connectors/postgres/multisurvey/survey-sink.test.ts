import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ztfName } from '../../../../src/connectors/survey-ids.ts'
import { openPostgresSink, type PostgresSink } from '../../../../src/connectors/postgres/postgres-sink.ts'
import type { PostgresSinkSpec } from '../../../../src/connectors/postgres/settings.ts'
import { DataError, ModelError, ServiceError, UsageError } from '../../../../src/errors.ts'
import type { ClassifiedBatch } from '../../../../src/pipeline/batch.ts'
import type { SinkContext } from '../../../../src/pipeline/sink.ts'
import {
  expectedSurveyRows,
  storedSurveyRows,
  surveyBatch,
  surveyContext,
  surveyTaxonomy,
} from '../../../support/multisurvey-batches.ts'
import { batchOf, context as context2021, oidsOf } from '../../../support/postgres-batches.ts'
import { createDatabase, settingsOf, surveyTables, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'

let server: string
let database: TestDatabase
let opened: PostgresSink[] = []

beforeAll(async () => {
  server = await sharedPostgres()
  database = await createDatabase(server, { tables: 'multisurvey' })
})

afterAll(() => database.drop())

beforeEach(async () => {
  await database.query('DELETE FROM probability; TRUNCATE sid_lut, classifier, taxonomy')
  await database.query(surveyTables.slice(surveyTables.indexOf('insert into')))
})

const closeAll = async (): Promise<void> => {
  await Promise.all(opened.map((sink) => sink.close()))
  opened = []
}

afterEach(closeAll)

async function open(spec: Partial<PostgresSinkSpec> = {}, context: SinkContext = surveyContext): Promise<PostgresSink> {
  const connection = { ...database.settings, patience: 5000 }
  const place = { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail' } as const
  const sink = await openPostgresSink({ ...place, ...spec }, context)
  opened.push(sink)
  return sink
}

const stored = () => database.query(storedSurveyRows)
const rowVersions = () =>
  database.query(
    'SELECT oid::text, classifier_id, class_id, xmin::text, xmax::text, ctid::text FROM probability ORDER BY 1, 2, 3',
  )

describe('the sink of the multisurvey tables', () => {
  it('writes 45 rows an object: float32, dense ranks, lastmjd, and no step', async () => {
    const batch = surveyBatch(oidsOf(50), 1, 60_000.25)
    const sink = await open()
    expect(await sink.write(batch)).toEqual({ objects: 50, rows: 2250, refused: [], superseded: 0 })
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
    expect(sink.notes).toEqual([])
  })

  it('writes ranks of the float64 values, even where float32 cannot tell them apart', async () => {
    const batch = surveyBatch(['1'], 1, 1)
    batch.probabilities[1]!.set([0.5, 0.5 - 2 ** -40, 2 ** -40])
    await (await open()).write(batch)
    const rows = await database.query(
      'SELECT probability::float8, ranking FROM probability WHERE classifier_id = 6 ORDER BY 2',
    )
    expect(rows).toEqual([
      [0.5, 1],
      [0.5, 2],
      [Math.fround(2 ** -40), 3],
    ])
  })

  it('takes a bigint as it is, a ZTF name by the rule, both as one object, and refuses the rest by name', async () => {
    const oids = ['36028941624528297', 'ZTF18acuemsf', '-7', '9223372036854775808', 'SN2023ixf', 'ztf18acuemsf', '1e3']
    const outcome = await (await open()).write(surveyBatch(oids, 1, 60_000))
    expect(outcome).toMatchObject({ objects: 2, superseded: 1 })
    expect(outcome.refused.map(({ oid, reason }) => [oid, reason])).toEqual(
      oids.slice(3).map((oid) => [oid, 'oid is neither an int64 nor a ZTF name']),
    )
    const found = await database.query('SELECT DISTINCT oid::text FROM probability ORDER BY 1')
    expect(found.flat().map((oid) => ztfName(BigInt(String(oid))) ?? oid)).toEqual(['-7', 'ZTF18acuemsf'])
  })

  it('refuses rows without lastmjd, says once how to name it, and writes the others', async () => {
    const outcome = await (await open()).write(surveyBatch(['1', '2', '3', '1'], 1, [NaN, 5, Infinity, 7]))
    expect(outcome).toMatchObject({
      objects: 2,
      rows: 90,
      refused: [
        { oid: '1', where: 'postgres://here', reason: 'lastmjd is missing' },
        { oid: '3', reason: 'lastmjd is infinite' },
      ],
      superseded: 0,
      advice: expect.stringContaining('--mjd-column NAME') as string,
    })
    const { mjds, ...without } = surveyBatch(['4'], 1, 1)
    expect(mjds).toHaveLength(1)
    expect(await (await open()).write(without)).toMatchObject({ objects: 0, refused: [{ oid: '4' }] })
  })

  it('ends before the first row if the input has no MJD at all', async () => {
    const opening = open({}, { ...surveyContext, schema: { oidType: 'string', hasCandid: true } })
    await expect(opening).rejects.toThrow(DataError)
    await expect(opening).rejects.toMatchObject({ hint: expect.stringContaining('--mjd-column NAME') as string })
  })

  it('keeps the newest of a batch: larger mjd, then larger candid, then the later row', async () => {
    const oids = ['1', '1', '2', '2', '3', '3']
    const batch = { ...surveyBatch(oids, 1, [9, 8, 5, 5, 4, 4]), candids: [1n, 2n, 7n, 6n, null, null] }
    for (let row = 0; row < oids.length; row++) batch.probabilities[1]!.set([row, 0, 0], row * 3)
    expect(await (await open()).write(batch)).toMatchObject({ objects: 3, superseded: 3 })
    const kept = await database.query(
      'SELECT oid::int, probability FROM probability WHERE classifier_id = 6 AND class_id = 0 ORDER BY 1',
    )
    expect(kept).toEqual([
      [1, 0],
      [2, 2],
      [3, 5],
    ])
  })

  it('refuses a probability that is not a number', async () => {
    const batch = surveyBatch(['1', '2'], 1, 1)
    batch.probabilities[3]![7] = NaN
    await expect((await open()).write(batch)).rejects.toThrow('2: the model answers with a probability that is not a')
    expect(await stored()).toEqual([])
  })

  it('touches no row when it writes the same again, and only those that changed otherwise', async () => {
    const oids = oidsOf(40)
    const sink = await open()
    const batch = surveyBatch(oids, 1, 60_000)
    await sink.write(batch)
    const before = await rowVersions()
    expect(await sink.write(surveyBatch([...oids].reverse(), 1, 60_000))).toMatchObject({ objects: 40, superseded: 0 })
    expect(await rowVersions()).toEqual(before)
    batch.probabilities[1]!.set([0.25, 0.125, 0.0625], 7 * 3)
    await sink.write(batch)
    const changed = (await rowVersions()).filter((row, i) => row[3] !== before[i]![3])
    expect(changed.length).toBeGreaterThan(0)
    expect(new Set(changed.map(([oid, classifier]) => `${String(oid)} ${String(classifier)}`)).size).toBe(1)
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
  })

  it('replaces changed objects, adds new ones, completes partial ones and removes stale rows in one batch', async () => {
    const oids = oidsOf(90)
    const sink = await open({ connections: 2 })
    await sink.write(surveyBatch(oids.slice(0, 60), 1, 60_000))
    await database.query('DELETE FROM probability WHERE ranking > 3 AND oid % 3 = 0')
    await database.query(
      'INSERT INTO probability SELECT oid, 0, 5, 210, 77, 0, 9, 1 FROM probability WHERE classifier_id = 6 AND class_id = 0',
    )
    await database.query('INSERT INTO probability VALUES (36028965686977669, 0, 1, 201, 0, 1, 1, 99999)')
    const batch = surveyBatch(oids, 2, 60_001)
    expect(await sink.write(batch)).toEqual({ objects: 90, rows: 4050, refused: [], superseded: 0 })
    // another classifier's row is nobody's business
    expect((await stored()).filter(([, , classifier]) => classifier !== 1)).toStrictEqual(expectedSurveyRows(batch))
    expect(await database.query('SELECT count(*)::int FROM probability WHERE classifier_id = 1')).toEqual([[1]])
  })
})

describe('newer wins', () => {
  it('by lastmjd: older is superseded, equal and newer replace, and lastmjd alone is a change too', async () => {
    const oids = ['1', '2', '3', '4']
    const sink = await open()
    await sink.write(surveyBatch(oids, 1, 60_000))
    const second = surveyBatch(oids, 2, [59_999.5, 60_000, 60_000.5, 1])
    expect(await sink.write(second)).toEqual({ objects: 2, rows: 90, refused: [], superseded: 2 })
    const first = expectedSurveyRows(surveyBatch(oids, 1, 60_000))
    const rows = await stored()
    const of = (oid: string) => (row: readonly unknown[]) => row[0] === oid
    for (const oid of ['1', '4']) expect(rows.filter(of(oid))).toStrictEqual(first.filter(of(oid)))
    for (const oid of ['2', '3']) {
      expect(rows.filter(of(oid))).toStrictEqual(expectedSurveyRows(second).filter(of(oid)))
    }
    expect(await sink.write(surveyBatch(['1'], 1, 60_001))).toMatchObject({ objects: 1 })
    expect((await stored()).filter(of('1')).every((row) => row[7] === 60_001)).toBe(true)
  })

  it('under another version of the model as well, whose rows are replaced', async () => {
    const sink = await open()
    await sink.write(surveyBatch(['1'], 1, 60_000))
    await database.query("UPDATE classifier SET classifier_version = '2.1.1' WHERE classifier_id > 4")
    const next = await open({}, { ...surveyContext, modelVersion: '2.1.1' })
    expect(await next.write(surveyBatch(['1'], 1, 59_999))).toMatchObject({ superseded: 1 })
    await next.write(surveyBatch(['1'], 1, 60_000))
    expect(
      await database.query('SELECT DISTINCT classifier_version, count(*)::int FROM probability GROUP BY 1'),
    ).toEqual([[211, 45]])
  })

  it('over a stored lastmjd that is no number, and under one row that is newer', async () => {
    const sink = await open()
    await sink.write(surveyBatch(['1', '2'], 1, 60_000))
    await database.query("UPDATE probability SET lastmjd = 'NaN' WHERE oid = 1 AND class_id < 3")
    await database.query('UPDATE probability SET lastmjd = 70000 WHERE oid = 2 AND classifier_id = 6 AND class_id = 2')
    const batch = surveyBatch(['1', '2'], 2, 60_001)
    expect(await sink.write(batch)).toMatchObject({ objects: 1, superseded: 1 })
    expect((await stored()).filter(([oid]) => oid === '1')).toStrictEqual(
      expectedSurveyRows(batch).filter(([oid]) => oid === '1'),
    )
  })
})

describe('a model that the tables do not know', () => {
  const unknown = (classifierName: string) => ({
    levels: [{ classifierName, prefix: '', branch: null, classes: ["it's", 'b'] }],
  })

  it('is exit 4, with the SQL that adds it', async () => {
    const levels = [...surveyTaxonomy.levels, ...unknown('mine').levels]
    const context = { ...surveyContext, taxonomy: { levels }, modelVersion: '2.2.0' }
    const error = await open({}, context).catch((thrown: unknown) => thrown as ModelError)
    expect(error).toBeInstanceOf(ModelError)
    const { message, hint } = error as ModelError
    expect(message).toContain('nothing of lc_classifier_BHRF_forced_phot, lc_classifier_BHRF_forced_phot_top')
    expect(hint).toContain('--register')
    await database.query(hint!.slice(hint!.indexOf('INSERT')))
    const ids = await database.query('SELECT classifier_id FROM classifier WHERE classifier_version = $1', ['2.2.0'])
    expect(ids.flat()).toEqual([10, 11, 12, 13, 14, 15])
    const batch = { ...surveyBatch(['1'], 1, 1), taxonomy: { levels } }
    const sink = await open({}, context)
    const probabilities = [...batch.probabilities, Float64Array.of(0.25, 0.75)]
    expect(await sink.write({ ...batch, probabilities })).toMatchObject({ rows: 47 })
  })

  it('with other classes under its name is exit 4, with the differences, in both directions', async () => {
    await database.query("UPDATE taxonomy SET class_name = 'TDE?' WHERE class_name = 'TDE' AND classifier_id = 7")
    const opening = open()
    await expect(opening).rejects.toThrow(ModelError)
    await expect(opening).rejects.toThrow(/_transient 2\.1\.0 has other .*: the database has TDE\?, the model has TDE$/)
    await database.query("DELETE FROM taxonomy WHERE class_name = 'TDE?'")
    await expect(open()).rejects.toThrow(/: the model has TDE$/)
    await database.query("INSERT INTO taxonomy VALUES (5, 'TDE', 5, 7), (6, 'Kilonova', 6, 7)")
    await expect(open()).rejects.toThrow(/: the database has Kilonova$/)
  })

  it('is one without classes, of another telescope, or of a version that has no number', async () => {
    await expect(open({ sid: 1 })).rejects.toThrow('with tid 1')
    await expect(open({}, { ...surveyContext, modelVersion: 'beta' })).rejects.toThrow(ModelError)
    await database.query('DELETE FROM taxonomy WHERE classifier_id = 7')
    await expect(open()).rejects.toMatchObject({
      hint: expect.stringMatching(/:\nINSERT INTO taxonomy [^;]*;$/) as string,
    })
    await database.query("INSERT INTO classifier VALUES (50, 'lc_classifier_BHRF_forced_phot', '2.1.0', 0)")
    await expect(open()).rejects.toThrow('several rows in classifier: ids 5, 50')
  })

  it('is found by name, whatever the numbers are', async () => {
    await database.query('UPDATE classifier SET classifier_id = classifier_id * 100')
    await database.query('UPDATE taxonomy SET classifier_id = classifier_id * 100, class_id = 50 - class_id')
    const batch = surveyBatch(['1'], 1, 1)
    await (await open()).write(batch)
    const translated = (await stored()).map(([oid, sid, classifier, version, classId, ...rest]) => [
      ...[oid, sid, Number(classifier) / 100, version, 50 - Number(classId), ...rest],
    ])
    expect(translated.sort((a, b) => Number(a[2]) - Number(b[2]) || Number(a[4]) - Number(b[4]))).toStrictEqual(
      expectedSurveyRows(batch),
    )
  })
})

describe('another survey', () => {
  it('has its own rows, and no ZTF names', async () => {
    await database.query('UPDATE classifier SET tid = 1')
    const outcome = await (await open({ sid: 2 })).write(surveyBatch(['5', 'ZTF18acuemsf'], 1, 1))
    expect(outcome.refused).toMatchObject([{ oid: 'ZTF18acuemsf', reason: expect.stringContaining('?sid=') as string }])
    expect(await stored()).toStrictEqual(expectedSurveyRows(surveyBatch(['5'], 1, 1), 2))
  })

  it('that sid_lut does not have is a mistake of the address', async () => {
    const opening = open({ sid: 3 })
    await expect(opening).rejects.toThrow(UsageError)
    await expect(opening).rejects.toMatchObject({ hint: '?sid= names one of 0 (ztf), 1 (lsst dia), 2 (lsst ss).' })
    await database.query('ALTER TABLE sid_lut RENAME TO gone')
    await expect(open({ sid: 3 })).rejects.toThrow(UsageError)
    await expect(open()).resolves.toBeDefined()
    await database.query('ALTER TABLE gone RENAME TO sid_lut')
  })
})

describe('the tables', () => {
  let shared: TestDatabase

  beforeEach(async () => {
    shared = database
    database = await createDatabase(server, { tables: 'multisurvey' })
  })

  afterEach(async () => {
    await closeAll()
    await database.drop()
    database = shared
  })

  it('are recognised in any schema, and those that are asked for must be there', async () => {
    await database.query('CREATE SCHEMA old; CREATE TABLE old.probability (oid text, classifier_name text)')
    const connection = settingsOf(`${database.url}?options=-c search_path%3Dold`)
    await expect(open({ connection, tables: 'multisurvey' })).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('has the columns of alerce-2021, and multisurvey was asked for') as string,
    })
    await expect(open({ tables: 'alerce-2021' })).rejects.toThrow('has the columns of multisurvey, and alerce-2021')
    await database.query('CREATE SCHEMA new; SET search_path = new')
    await database.query(surveyTables)
    const elsewhere = settingsOf(`${database.url}?options=-c search_path%3Dnew,old`)
    const batch = surveyBatch(oidsOf(5), 1, 1)
    await (await open({ connection: elsewhere })).write(batch)
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
    await database.query('SET search_path = public')
    expect(await stored()).toEqual([])
  })

  it('are refused at once without a table, a partition, a key, a column or a privilege', async () => {
    const { settings } = await database.addRole(['SELECT ON probability, classifier, taxonomy, sid_lut'])
    await expect(open({ connection: settings })).rejects.toMatchObject({
      constructor: ServiceError,
      hint: 'GRANT INSERT, UPDATE ON probability TO your role.',
    })
    await database.query('ALTER TABLE probability DROP CONSTRAINT probability_pkey')
    await expect(open()).rejects.toThrow('no PRIMARY KEY (oid, sid, classifier_id, class_id)')
    await database.query('ALTER TABLE probability ADD PRIMARY KEY (oid, sid, classifier_id, class_id)')
    await database.query('DROP TABLE probability_part_9')
    await expect(open()).rejects.toThrow('no partition for remainder 9 of modulus 16')
    await database.query('ALTER TABLE taxonomy DROP class_name')
    await expect(open()).rejects.toThrow(ServiceError)
    await database.query('DROP TABLE taxonomy, probability')
    await expect(open({ tables: 'multisurvey' })).rejects.toMatchObject({
      message: expect.stringContaining('has no table probability, taxonomy') as string,
      hint: 'lcclf db init --tables multisurvey creates missing tables.',
    })
  })

  it('may lose a partition during a run: exit 5, with what to do, and the other objects stay', async () => {
    const sink = await open()
    await database.query('DROP TABLE probability_part_9')
    await expect(sink.write(surveyBatch(oidsOf(100), 1, 1))).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('no partition of relation "probability" found for row') as string,
      hint: expect.stringContaining('lcclf db check') as string,
    })
    expect(await stored()).toEqual([])
  })

  it('may be of one piece, divided otherwise, or under row-level security', async () => {
    const oids = oidsOf(30)
    await database.query(
      'DROP TABLE probability; CREATE TABLE probability (oid bigint not null, sid smallint not null, classifier_id smallint not null, classifier_version smallint not null, class_id smallint not null, probability real not null, ranking smallint not null, lastmjd double precision not null, primary key (oid, sid, classifier_id, class_id))',
    )
    const { settings, name } = await database.addRole([
      'SELECT, INSERT, UPDATE, DELETE ON probability',
      'SELECT ON classifier, taxonomy, sid_lut',
    ])
    await database.query('ALTER TABLE probability ENABLE ROW LEVEL SECURITY')
    await database.query(`CREATE POLICY all_rows ON probability TO ${name} USING (true)`)
    const sink = await open({ connection: settings })
    for (const seed of [1, 2]) await sink.write(surveyBatch(oids, seed, seed))
    expect(await stored()).toStrictEqual(expectedSurveyRows(surveyBatch(oids, 2, 2)))
  })

  it('of 2021 are written as ever, whatever the mjd', async () => {
    const old = await createDatabase(server)
    await old.addObjects(['x'])
    const sink = await open({ connection: old.settings, tables: 'alerce-2021' }, context2021)
    const batch: ClassifiedBatch = batchOf(['x'], 1)
    expect(await sink.write(batch)).toMatchObject({ objects: 1, rows: 33 })
    await sink.close()
    await old.drop()
  })
})
