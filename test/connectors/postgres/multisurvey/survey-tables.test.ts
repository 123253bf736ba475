import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect } from '../../../../src/connectors/postgres/client/connection.ts'
import { initSurveyTables } from '../../../../src/connectors/postgres/multisurvey/init-tables.ts'
import { openPostgresSink } from '../../../../src/connectors/postgres/postgres-sink.ts'
import { checkTables, type TablesReport } from '../../../../src/connectors/postgres/tables/check-tables.ts'
import { initTables, upgradeTables } from '../../../../src/connectors/postgres/tables/init-tables.ts'
import { ModelError, ServiceError } from '../../../../src/errors.ts'
import { surveyBatch, surveyContext, surveyTaxonomy } from '../../../support/multisurvey-batches.ts'
import { oidsOf } from '../../../support/postgres-batches.ts'
import { createDatabase, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'

let server: string
let database: TestDatabase

const model = { taxonomy: surveyTaxonomy, version: '2.1.0' }

beforeAll(async () => {
  server = await sharedPostgres()
})

beforeEach(async () => {
  database = await createDatabase(server, { tables: 'none' })
})

afterEach(() => database.drop())

async function withConnection<T>(work: (connection: Awaited<ReturnType<typeof connect>>) => Promise<T>): Promise<T> {
  const connection = await connect(database.settings)
  return work(connection).finally(() => connection.close())
}

const init = (options: Partial<Parameters<typeof initSurveyTables>[1]> = {}) =>
  withConnection((connection) => initSurveyTables(connection, { dryRun: false, sid: 0, ...options }))

const check = (): Promise<TablesReport> => withConnection((connection) => checkTables(connection))

function found({ checks }: TablesReport, name: string): unknown[] {
  const { state, detail, hint } = checks.find((one) => one.name === name) ?? {}
  return hint === undefined ? [state, detail] : [state, detail, hint]
}

async function write(oids: readonly string[]): Promise<void> {
  const place = { kind: 'postgres', address: 'a', connection: database.settings, missingObject: 'fail' } as const
  const sink = await openPostgresSink(place, surveyContext)
  await sink.write(surveyBatch(oids, 1, 60_000))
  await sink.close()
}

/** everything that other programs may rely on, by name, and the rows that say what numbers mean */
async function contentsOf({ query }: TestDatabase): Promise<unknown[][]> {
  return [
    ...(await query(`SELECT c.relname::text, c.relkind::text, pg_get_expr(c.relpartbound, c.oid), a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND attnum > 0 ORDER BY 1, attnum`)),
    ...(await query(`SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2`)),
    ...(await query(
      "SELECT tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    )),
    ...(await query('SELECT * FROM sid_lut ORDER BY 1')),
    ...(await query('SELECT * FROM classifier ORDER BY 1')),
    ...(await query('SELECT class_id, class_name, "order", classifier_id FROM taxonomy ORDER BY 4, 1')),
  ]
}

describe('db init --tables multisurvey', () => {
  it("creates the survey's own tables, down to every name and number, and nothing twice", async () => {
    const reference = await createDatabase(server, { tables: 'multisurvey' })
    const expected = await contentsOf(reference)
    await reference.drop()
    const report = await init({ model })
    expect(report.created).toEqual([
      ...['sid_lut', 'classifier', 'taxonomy', 'object', 'probability'],
      ...['feature', 'feature_name_lut', 'feature_version_lut', 'band'],
    ])
    expect(report.notes).toContain('registered: lc_classifier_BHRF_forced_phot 2.1.0 as classifier_id 5')
    expect(expected.length).toBeGreaterThan(400)
    expect(await contentsOf(database)).toEqual(expected)
    expect(await init({ model })).toMatchObject({
      statements: [],
      created: [],
      notes: ['lc_classifier_BHRF_forced_phot 2.1.0 is registered already'],
    })
    expect(await contentsOf(database)).toEqual(expected)
    await write(oidsOf(3))
  })

  it('with dryRun prints what it would do, for psql to run, and does nothing', async () => {
    const { statements, done, notes } = await init({ model, dryRun: true })
    expect([done, notes[0]]).toEqual([false, expect.stringContaining('would be registered')])
    expect(await database.query("SELECT count(*)::int FROM pg_class WHERE relname = 'probability'")).toEqual([[0]])
    await database.query(statements.join(';\n'))
    await write(oidsOf(3))
  })

  it('registers a model under free numbers, completes one that is half there, and refuses other classes', async () => {
    await init()
    await database.query("INSERT INTO classifier VALUES (6, 'stamp', '2.0.1', 0), (40, 'other', '1.0.0', 1)")
    await database.query("INSERT INTO classifier VALUES (9, 'lc_classifier_BHRF_forced_phot_periodic', '2.1.0', 0)")
    await init({ model })
    const ids = await database.query(
      "SELECT classifier_name, classifier_id FROM classifier WHERE classifier_version = '2.1.0'",
    )
    const name = 'lc_classifier_BHRF_forced_phot'
    expect(Object.fromEntries(ids)).toEqual({
      [name]: 5,
      [`${name}_top`]: 41,
      [`${name}_transient`]: 7,
      [`${name}_stochastic`]: 8,
      [`${name}_periodic`]: 9,
    })
    await write(oidsOf(3))
    await database.query("UPDATE taxonomy SET class_name = 'Nova' WHERE class_name = 'YSO' AND classifier_id = 8")
    await expect(init({ model })).rejects.toThrow(ModelError)
    await expect(init({ model })).rejects.toThrow('the database has Nova, the model has YSO')
  })

  it('keeps away from the tables of 2021, which do not become them', async () => {
    await withConnection((connection) => initTables(connection, { withHistory: false, dryRun: false }))
    await expect(init()).rejects.toThrow(ServiceError)
    await expect(init()).rejects.toThrow('has the columns of alerce-2021, and multisurvey was asked for')
    expect(await database.query("SELECT to_regclass('sid_lut')")).toEqual([[null]])
  })

  it('leaves nothing to upgrade', async () => {
    await init()
    const upgrading = withConnection((connection) => upgradeTables(connection, { dryRun: false }))
    await expect(upgrading).rejects.toThrow('the newer lastmjd wins there')
  })
})

describe('db check of the multisurvey tables', () => {
  it('finds nothing wrong with what lcclf has created and filled', async () => {
    await init({ model })
    await write(oidsOf(12))
    const report = await check()
    expect(report.checks.filter(({ state }) => state !== 'ok')).toEqual([])
    expect(report).toMatchObject({ ok: true, tables: 'multisurvey', hasHistory: false })
    expect(found(report, 'partitions of probability')).toEqual(['ok', '16 by HASH (oid), all there'])
    expect(report.versions).toEqual([
      {
        ...{ classifierVersion: 'lc_classifier_BHRF_forced_phot 2.1.0', objects: 12, rows: 540 },
        ...{ expectedRows: 45, partialObjects: 0 },
      },
    ])
  })

  it('counts partial objects and mixed ones, and names unknown numbers and other versions', async () => {
    await init({ model })
    const [first, second, third] = oidsOf(3) as [string, string, string]
    await write([first, second, third])
    const [[a], [b], [c]] = (await database.query(
      'SELECT DISTINCT oid::text FROM probability ORDER BY 1',
    )) as string[][] as [[string], [string], [string]]
    await database.query('DELETE FROM probability WHERE oid = $1 AND classifier_id = 7', [a])
    await database.query('UPDATE probability SET lastmjd = 60001 WHERE oid = $1 AND classifier_id = 6', [b])
    await database.query('UPDATE probability SET classifier_version = 209 WHERE oid = $1', [c])
    await database.query(
      'INSERT INTO probability VALUES ($1, 0, 5, 210, 30, 0, 9, 60000), ($1, 0, 77, 1, 0, 1, 1, 60000)',
      [b],
    )
    const report = await check()
    const name = 'lc_classifier_BHRF_forced_phot'
    expect(report.ok).toBe(false)
    expect(report.versions).toEqual([
      { classifierVersion: `${name} (209)`, objects: 1, rows: 45, expectedRows: 45, partialObjects: 0 },
      { classifierVersion: `${name} 2.1.0`, objects: 2, rows: 39 + 46, expectedRows: 45, partialObjects: 2 },
    ])
    expect(found(report, `rows of ${name} 2.1.0`)[0]).toBe('problem')
    expect(found(report, `version of ${name}`)[1]).toBe('some are of classifier_version 209, and classifier says 2.1.0')
    expect(found(report, `lastmjd of ${name} 2.1.0`)[1]).toBe('1 objects have rows of several lastmjds')
    expect(found(report, 'classifier and taxonomy against stored classes')).toEqual([
      'problem',
      `unknown: class_id 30 of classifier_id 5, ${name} 2.1.0 (1 rows); class_id 0 of classifier_id 77, a classifier that is not in the table (1 rows)`,
    ])
  })

  it('says what is absent, of another type, not indexed, in no partition and not allowed', async () => {
    await init({ model })
    await database.query(
      'DROP TABLE taxonomy, band, probability_part_3; ALTER TABLE probability ALTER COLUMN ranking TYPE integer; DROP INDEX ix_probability_ranking',
    )
    const { settings } = await database.addRole(['SELECT, INSERT ON probability'])
    const connection = await connect(settings)
    const report = await checkTables(connection)
    await connection.close()
    expect(report.ok).toBe(false)
    expect(found(report, 'table taxonomy')).toEqual([
      'problem',
      'absent',
      'lcclf db init --tables multisurvey creates it.',
    ])
    expect(found(report, 'table band')[0]).toBe('note')
    expect(found(report, 'table probability')).toEqual(['problem', 'column ranking is integer in place of smallint'])
    expect(found(report, 'constraints and indexes of probability')).toEqual(['note', 'missing: ix_probability_ranking'])
    const [state, detail, hint] = found(report, 'partitions of probability')
    expect([state, detail]).toEqual(['problem', 'missing: remainder 3 of 16'])
    await database.query(String(hint))
    expect(found(await check(), 'partitions of probability')[0]).toBe('ok')
    expect(found(report, 'privileges on probability').slice(0, 2)).toEqual([
      'problem',
      'this role lacks UPDATE, DELETE',
    ])
    expect(found(report, 'privileges on classifier').slice(0, 2)).toEqual(['problem', 'this role lacks SELECT'])
    const asked = withConnection((connection) => checkTables(connection, { tables: 'alerce-2021' }))
    await expect(asked).rejects.toThrow('has the columns of multisurvey, and alerce-2021 was asked for')
  })
})
