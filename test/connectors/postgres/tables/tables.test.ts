import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../../src/errors.ts'
import { checkTables, type TablesReport } from '../../../../src/connectors/postgres/tables/check-tables.ts'
import { connect, type Connection } from '../../../../src/connectors/postgres/client/connection.ts'
import { initTables, upgradeTables } from '../../../../src/connectors/postgres/tables/init-tables.ts'
import { withDatabase } from '../../../../src/connectors/postgres/client/session.ts'
import type { ConnectionSettings } from '../../../../src/connectors/postgres/settings.ts'
import { openPostgresSink } from '../../../../src/connectors/postgres/postgres-sink.ts'
import { batchOf, context, oidsOf, version } from '../../../support/postgres-batches.ts'
import { createDatabase, referenceTables, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'

let server: string
let database: TestDatabase
let cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await sharedPostgres()
})

beforeEach(async () => {
  database = await createDatabase(server, { tables: 'none' })
})

afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean()
  cleanups = []
  await database.drop()
})

async function connected(settings: ConnectionSettings = database.settings): Promise<Connection> {
  const connection = await connect(settings)
  cleanups.push(() => connection.close())
  return connection
}

/** everything that other programs may rely on, by name */
async function schemaOf({ query }: TestDatabase): Promise<unknown[][]> {
  return [
    ...(await query(`SELECT c.relname::text, a.attnum::int, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND attnum > 0 ORDER BY 1, 2`)),
    ...(await query(`SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2`)),
    ...(await query(
      "SELECT tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    )),
  ]
}

async function check(settings = database.settings): Promise<TablesReport> {
  return checkTables(await connected(settings))
}

async function write(oids: readonly string[]): Promise<void> {
  await database.addObjects(oids)
  const sink = await openPostgresSink(
    { kind: 'postgres', address: 'a', connection: database.settings, missingObject: 'fail' },
    context,
  )
  await sink.write(batchOf(oids, 1))
  await sink.close()
}

describe('db init', () => {
  it("creates the pipeline's own tables, down to every name", async () => {
    const reference = await createDatabase(server)
    cleanups.push(() => reference.drop())
    const report = await initTables(await connected(), { withHistory: false, dryRun: false })
    expect(report).toMatchObject({
      created: ['object', 'step', 'feature_version', 'feature', 'taxonomy', 'probability'],
      existing: [],
      done: true,
    })
    const expected = await schemaOf(reference)
    expect(expected.length).toBeGreaterThan(60)
    expect(await schemaOf(database)).toEqual(expected)
  })

  it('creates the history table on request, and nothing twice', async () => {
    const connection = await connected()
    await initTables(connection, { withHistory: true, dryRun: false })
    const before = await schemaOf(database)
    const again = await initTables(connection, { withHistory: true, dryRun: false })
    expect(again).toMatchObject({ statements: [], created: [], done: true })
    expect(again.existing).toContain('lcclf_history')
    expect(await schemaOf(database)).toEqual(before)
    expect(before.some(([table]) => table === 'lcclf_history')).toBe(true)
  })

  it('leaves existing tables alone, even if they differ', async () => {
    await database.query('CREATE TABLE probability (oid text, mine int)')
    await database.query("INSERT INTO probability VALUES ('kept', 1)")
    const report = await initTables(await connected(), { withHistory: false, dryRun: false })
    expect(report.existing).toEqual(['probability'])
    expect(await database.query('SELECT * FROM probability')).toEqual([['kept', 1]])
  })

  it('with dryRun prints what it would do, and does nothing', async () => {
    const report = await initTables(await connected(), { withHistory: true, dryRun: true })
    expect(report.done).toBe(false)
    expect(await schemaOf(database)).toEqual([])
    await database.query(report.statements.join(';\n'))
    const check = await checkTables(await connected())
    expect(check.checks.filter(({ state }) => state !== 'ok')).toEqual([])
  })

  it('may be run by several at once', async () => {
    const connections = await Promise.all(Array.from({ length: 4 }, () => connected()))
    const reports = await Promise.all(
      connections.map((connection) => initTables(connection, { withHistory: true, dryRun: false })),
    )
    expect(reports.map(({ created }) => created.length).sort()).toEqual([0, 0, 0, 7])
  })

  it('says what is missing if the role may not create tables', async () => {
    await database.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    const { settings } = await database.addRole([])
    const making = withDatabase(settings, (connection) => initTables(connection, { withHistory: false, dryRun: false }))
    await expect(making).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('permission denied for schema public') as string,
      hint: expect.stringContaining('GRANT CREATE ON SCHEMA') as string,
    })
  })

  it('keeps to the statement timeout of the address', async () => {
    const other = await connected()
    await other.run("BEGIN; SELECT pg_advisory_xact_lock(hashtext('lcclf db init'))")
    const connection = await connected()
    for (const make of [initTables, upgradeTables]) {
      if (make === upgradeTables) await database.query(referenceTables)
      const making = make(connection, { withHistory: false, dryRun: false, statementTimeout: 500 })
      await expect(making).rejects.toThrow('statement timeout')
    }
  })

  it('undoes everything if one part fails', async () => {
    // the name of an index that will be wanted
    await database.query('CREATE TABLE other (x int); CREATE INDEX ix_probabilities_oid ON other (x)')
    await expect(initTables(await connected(), { withHistory: false, dryRun: false })).rejects.toThrow(/already exists/)
    expect((await schemaOf(database)).map(([table]) => table)).toEqual(['other', 'other'])
  })
})

describe('db upgrade', () => {
  it('adds the history table, and whoever may write probability may write it', async () => {
    await database.query(referenceTables)
    const { settings } = await database.addRole([
      'SELECT, INSERT, UPDATE, DELETE ON probability, taxonomy, step, object',
    ])
    const report = await upgradeTables(await connected(), { dryRun: false })
    expect(report.created).toEqual(['lcclf_history'])
    expect(report.statements.at(-1)).toMatch(/^GRANT SELECT, INSERT, UPDATE ON lcclf_history TO "lcclf_role_/)
    await database.addObjects(['x'])
    const sink = await openPostgresSink(
      { kind: 'postgres', address: 'a', connection: settings, missingObject: 'fail' },
      context,
    )
    expect(sink.notes).toEqual([])
    await sink.write(batchOf(['x'], 1, 5n))
    await sink.close()
    expect(await database.query('SELECT oid, candid::text FROM lcclf_history')).toEqual([['x', '5']])
    expect((await upgradeTables(await connected(), { dryRun: false })).created).toEqual([])
  })

  it('says that what is already stored is unguarded, and db check counts it', async () => {
    await database.query(referenceTables)
    const oids = oidsOf(3)
    await write(oids)
    const connection = await connected()
    const { notes } = await upgradeTables(connection, { dryRun: false })
    expect(notes).toEqual([expect.stringContaining('has no row in lcclf_history')])
    expect((await upgradeTables(connection, { dryRun: false })).notes).toEqual([])
    await database.query("INSERT INTO lcclf_history SELECT o, $2, 1, 'r', now() FROM unnest($1::text[]) o", [
      [oids[0], 'gone'],
      version,
    ])
    const history = (await check()).checks.find(({ name }) => name === 'lcclf_history against probability')
    expect(history).toMatchObject({
      state: 'note',
      detail: `2 objects of ${version} are not in lcclf_history; 1 objects in lcclf_history have no rows`,
    })
  })

  it('needs a table probability', async () => {
    await expect(upgradeTables(await connected(), { dryRun: true })).rejects.toThrow(ServiceError)
  })
})

describe('db check', () => {
  function found(report: TablesReport, name: string): (string | undefined)[] {
    const { state, detail } = report.checks.find((one) => one.name === name) ?? {}
    return [state, detail]
  }

  it('finds nothing wrong with tables that lcclf has created and filled', async () => {
    await initTables(await connected(), { withHistory: true, dryRun: false })
    await write(oidsOf(12))
    const report = await check()
    expect(report.checks.filter(({ state }) => state !== 'ok')).toEqual([])
    expect(report).toMatchObject({
      ok: true,
      hasHistory: true,
      server: expect.stringMatching(/^PostgreSQL \d/) as string,
    })
    expect(report.versions).toEqual([
      { classifierVersion: version, objects: 12, rows: 396, expectedRows: 33, partialObjects: 0 },
    ])
  })

  it('says what is absent, of another type, and not indexed', async () => {
    await database.query(referenceTables)
    await database.query(
      'DROP TABLE taxonomy; ALTER TABLE probability ALTER COLUMN ranking TYPE bigint; DROP INDEX ix_probabilities_ranking',
    )
    const report = await check()
    expect(report.ok).toBe(false)
    expect(found(report, 'table taxonomy')).toEqual(['problem', 'absent'])
    expect(found(report, 'table lcclf_history')[0]).toBe('note')
    expect(found(report, 'table probability')).toEqual(['problem', 'column ranking is bigint in place of integer'])
    expect(found(report, 'constraints and indexes of probability')).toEqual([
      'note',
      'missing: ix_probabilities_ranking',
    ])
    await database.query('ALTER TABLE probability DROP CONSTRAINT probability_pkey')
    expect(found(await check(), 'constraints and indexes of probability')).toEqual([
      'problem',
      'missing: probability_pkey, ix_probabilities_ranking',
    ])
    await database.query('ALTER TABLE probability ADD CONSTRAINT probability_pkey PRIMARY KEY (oid, class_name)')
    expect(found(await check(), 'constraints and indexes of probability')).toEqual([
      'problem',
      'no unique key of oid, class_name, classifier_name, classifier_version',
    ])
  })

  it('counts partial row sets, and classes that the taxonomy does not have', async () => {
    await database.query(referenceTables)
    const oids = oidsOf(5)
    await write(oids)
    await database.query("DELETE FROM probability WHERE oid = $1 AND classifier_name = 'lc_classifier'", [oids[0]])
    await database.query("INSERT INTO probability VALUES ($1, 'Mira', 'lc_classifier', $2, 0.5, 1)", [oids[1], version])
    await database.query("INSERT INTO probability VALUES ($1, 'x', 'stamp', 'stamp_1', 0.5, 1)", [oids[1]])
    const report = await check()
    expect(report.versions).toEqual([
      { classifierVersion: version, objects: 5, rows: 5 * 33 - 15 + 1, expectedRows: 33, partialObjects: 2 },
      { classifierVersion: 'stamp_1', objects: 1, rows: 1, expectedRows: 1, partialObjects: 0 },
    ])
    expect(found(report, 'taxonomy against stored classes')).toEqual([
      'problem',
      `classes that the taxonomy does not have: Mira of lc_classifier ${version} (1 rows)`,
    ])
  })

  it('says which privileges are missing, and looks at what it may', async () => {
    await database.query(referenceTables)
    const { settings } = await database.addRole(['SELECT, INSERT ON probability', 'SELECT ON step, taxonomy'])
    const report = await check(settings)
    expect(report.ok).toBe(false)
    expect(found(report, 'privileges on probability')).toEqual(['problem', 'this role lacks UPDATE, DELETE'])
    expect(found(report, 'privileges on taxonomy')).toEqual(['problem', 'this role lacks INSERT'])
    expect(found(report, 'privileges on object')).toEqual(['problem', 'this role lacks SELECT'])
  })

  it('gives up on what takes too long, and says so', async () => {
    await database.query(referenceTables)
    await database.query('BEGIN')
    await database.query('LOCK TABLE probability IN ACCESS EXCLUSIVE MODE')
    const report = await checkTables(await connected(), { statementTimeout: 1000 })
    await database.query('ROLLBACK')
    expect(found(report, 'rows by classifier version')[0]).toBe('note')
    expect(found(report, 'table probability')[0]).toBe('ok')
    expect(report.versions).toEqual([])
  })
})
