import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ClassifiedBatch } from '../../../src/pipeline/batch.ts'
import { DataError, ModelError, ServiceError } from '../../../src/errors.ts'
import { upgradeTables } from '../../../src/connectors/postgres/tables/init-tables.ts'
import type { PostgresSinkSpec } from '../../../src/connectors/postgres/settings.ts'
import { openPostgresSink, type PostgresSink } from '../../../src/connectors/postgres/postgres-sink.ts'
import type { SinkContext } from '../../../src/pipeline/sink.ts'
import {
  batchOf,
  context,
  expectedRows,
  oidsOf,
  originalBatch,
  originalRows,
  storedRowsQuery,
  taxonomy,
  version,
} from '../../support/postgres-batches.ts'
import { createDatabase, type TestDatabase } from '../../support/postgres-database.ts'
import { sharedPostgres } from '../../support/postgres-shared.ts'

let server: string
let database: TestDatabase
let opened: PostgresSink[] = []

beforeAll(async () => {
  server = await sharedPostgres()
})

beforeEach(async () => {
  database = await createDatabase(server)
})

afterEach(async () => {
  await Promise.all(opened.map((sink) => sink.close()))
  opened = []
  await database.drop()
})

async function open(spec: Partial<PostgresSinkSpec> = {}, sinkContext: SinkContext = context): Promise<PostgresSink> {
  const address = 'postgres://here'
  const connection = { ...database.settings, patience: 5000 }
  const sink = await openPostgresSink(
    { kind: 'postgres', address, connection, missingObject: 'reject', ...spec },
    sinkContext,
  )
  opened.push(sink)
  return sink
}

const rowVersions =
  'SELECT oid, class_name, classifier_name, xmin::text, xmax::text, ctid::text FROM probability ORDER BY 1, 2, 3'

async function stored(): Promise<unknown[][]> {
  return database.query(storedRowsQuery)
}

function withCandids(batch: ClassifiedBatch, candids: (bigint | null)[]): ClassifiedBatch {
  return { ...batch, candids }
}

describe('the Postgres sink', () => {
  it('writes the 1,320 rows of the original, every float64 and every rank', async () => {
    const batch = originalBatch()
    await database.addObjects(batch.oids)
    const sink = await open()
    expect(await sink.write(batch)).toEqual({ objects: 40, rows: 1320, refused: [], superseded: 0 })
    const rows = await database.query(
      `SELECT oid, classifier_name, classifier_version, class_name, probability, ranking
         FROM probability ORDER BY oid COLLATE "C", classifier_name COLLATE "C", class_name COLLATE "C"`,
    )
    expect(rows).toStrictEqual(originalRows)
  })

  it('writes the taxonomy once, and the step with the time in UTC', async () => {
    const step = { stepId: 'lc_classification', name: 'late classification', version: 'dev', comments: '' }
    await open({ step })
    await open({ step })
    const rows = await database.query('SELECT classifier_name, classifier_version, classes FROM taxonomy')
    expect(rows.map(([name, , classes]) => [name, classes]).sort()).toEqual(
      taxonomy.levels.map(({ classifierName, classes }) => [classifierName, classes]).sort(),
    )
    const [[id, name, stepVersion, comments, age]] = (await database.query(
      "SELECT step_id, name, version, comments, abs(extract(epoch FROM now() AT TIME ZONE 'UTC' - date))::float8 FROM step",
    )) as [[string, string, string, string, number]]
    expect([id, name, stepVersion, comments]).toEqual(Object.values(step))
    expect(age).toBeLessThan(60)
  })

  it('leaves a step of another version as it is, and says so', async () => {
    const step = { stepId: 'lc', name: 'n', version: '1', comments: '' }
    await open({ step })
    const sink = await open({ step: { ...step, version: '2' } })
    expect(sink.notes.join()).toContain('step lc is stored with version 1, this is 2')
    expect(await database.query('SELECT version FROM step')).toEqual([['1']])
  })

  it('refuses a version that is stored with other classes, and accepts another order', async () => {
    const reversed = taxonomy.levels.map((level) => ({ ...level, classes: [...level.classes].reverse() }))
    await open({}, { ...context, taxonomy: { levels: reversed } })
    await open()
    const other = taxonomy.levels.map((level) => ({
      ...level,
      classes: level.classes.map((name) => name.replace('E', 'EB')),
    }))
    const opening = open({}, { ...context, taxonomy: { levels: other } })
    await expect(opening).rejects.toThrow(ModelError)
    await expect(opening).rejects.toThrow(
      /taxonomy of lc_classifier .* has other classes: the database has E, CEP, the model has CEBP, EB/,
    )
    await expect(open()).resolves.toBeDefined()
  })

  it('touches no row when it writes the same again', async () => {
    const oids = oidsOf(60)
    await database.addObjects(oids)
    const sink = await open()
    await sink.write(batchOf(oids, 1))
    const before = await database.query(rowVersions)
    const outcome = await sink.write(batchOf([...oids].reverse(), 1))
    expect(outcome).toEqual({ objects: 60, rows: 60 * 33, refused: [], superseded: 0 })
    expect(await database.query(rowVersions)).toEqual(before)
  })

  it('touches only the rows that changed', async () => {
    const oids = oidsOf(30)
    await database.addObjects(oids)
    const sink = await open()
    const first = batchOf(oids, 1)
    await sink.write(first)
    const before = await database.query(
      'SELECT oid, classifier_name, class_name, xmin::text FROM probability ORDER BY 1, 2, 3',
    )
    const second = structuredClone(first)
    // one object of the batch gets other answers at the level of transients
    const at = 7 * 4
    second.probabilities[4]!.set([0.1, 0.2, 0.3, 0.4], at)
    await sink.write(second)
    const after = await database.query(
      'SELECT oid, classifier_name, class_name, xmin::text FROM probability ORDER BY 1, 2, 3',
    )
    const changed = after.filter((row, i) => row[3] !== before[i]![3])
    expect(changed.length).toBeGreaterThan(0)
    expect(changed.every(([oid, name]) => oid === oids[7] && name === 'lc_classifier_transient')).toBe(true)
    expect(await stored()).toEqual(expectedRows(second))
  })

  it('replaces changed objects, adds new ones and completes partial row sets in one batch', async () => {
    const oids = oidsOf(90)
    await database.addObjects(oids)
    const sink = await open()
    await sink.write(batchOf(oids.slice(0, 60), 1))
    await database.query('DELETE FROM probability WHERE oid = ANY($1) AND ranking > 3', [oids.slice(30, 50)])
    await database.query('DELETE FROM probability WHERE oid = $1', [oids[50]])
    const batch = batchOf(oids, 2)
    expect(await sink.write(batch)).toEqual({ objects: 90, rows: 90 * 33, refused: [], superseded: 0 })
    expect(await stored()).toEqual(expectedRows(batch))
    const unranked = await database.query(
      `SELECT count(*)::int FROM (SELECT ranking, dense_rank() OVER (PARTITION BY oid, classifier_name ORDER BY probability DESC) d
         FROM probability) r WHERE ranking <> d`,
    )
    expect(unranked).toEqual([[0]])
  })

  it('removes classes that the model does not have, and leaves other models and versions alone', async () => {
    const [oid] = oidsOf(1)
    await database.addObjects([oid!])
    const insert = 'INSERT INTO probability VALUES ($1, $2, $3, $4, 0.5, 1)'
    await database.query(insert, [oid, 'Mira', 'lc_classifier', version])
    await database.query(insert, [oid, 'Mira', 'stamp_classifier', version])
    await database.query(insert, [oid, 'Mira', 'lc_classifier', 'older'])
    const sink = await open()
    await sink.write(batchOf([oid!], 1))
    const others = await database.query(
      "SELECT classifier_name, classifier_version FROM probability WHERE class_name = 'Mira' ORDER BY 1",
    )
    expect(others).toEqual([
      ['lc_classifier', 'older'],
      ['stamp_classifier', version],
    ])
    expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[35]])
  })

  it('keeps the newest of a batch: the larger candid, any before none, of equal ones the later row', async () => {
    const [a, b, c, d] = oidsOf(4) as [string, string, string, string]
    await database.addObjects([a, b, c, d])
    const sink = await open()
    const one = batchOf([a, a, b, b, c, c, c, d, d], 1)
    for (let row = 0; row < 9; row++) one.probabilities[4]!.set([row / 10, 0, 0, 1 - row / 10], row * 4)
    const large = 2n ** 62n
    const outcome = await sink.write(withCandids(one, [large + 1n, large, large, large, 5n, null, 3n, null, null]))
    expect(outcome).toEqual({ objects: 4, rows: 132, refused: [], superseded: 5 })
    const kept = await database.query(
      "SELECT oid, probability FROM probability WHERE classifier_name = 'lc_classifier_transient' AND class_name = 'SLSN'",
    )
    expect(Object.fromEntries(kept)).toEqual({ [a]: 0, [b]: 0.3, [c]: 0.4, [d]: 0.8 })
  })

  it('refuses ids that Postgres cannot hold, and writes the others', async () => {
    const oids = ['good', 'nul\0in', '\ud800', 'naïve ☄ 𝄞', `it's a "test" \\ {,}`, '']
    await database.addObjects(['good', 'naïve ☄ 𝄞', `it's a "test" \\ {,}`, ''])
    const sink = await open()
    const outcome = await sink.write(batchOf(oids, 1))
    expect(outcome.objects).toBe(4)
    expect(outcome.refused.map(({ oid }) => oid)).toEqual(['nul\0in', '\ud800'])
    const again = await sink.write(batchOf(oids, 2))
    expect(again.objects).toBe(4)
    expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[4 * 33]])
  })

  it('accepts an empty batch, and one with a single level', async () => {
    const levels = [
      { classifierName: 'stars', prefix: '', branch: null, classes: ['star', 'galaxy "far"', "it's", 'a,b\\'] },
    ]
    const flat = { levels }
    await database.addObjects(['x'])
    const sink = await open({}, { ...context, taxonomy: flat, classifierVersion: 'flat_1' })
    expect(await sink.write({ ...batchOf([], 1), taxonomy: flat })).toEqual({
      objects: 0,
      rows: 0,
      refused: [],
      superseded: 0,
    })
    for (const values of [
      [0.1, 0.2, 0.3, 0.4],
      [0.4, 0.2, 0.3, 0.1],
    ]) {
      const batch = {
        ...batchOf(['x'], 1),
        taxonomy: flat,
        classifierVersion: 'flat_1',
        probabilities: [Float64Array.from(values)],
      }
      await sink.write(batch)
      expect(await stored()).toEqual(expectedRows(batch))
    }
  })

  it('writes the same with several connections', async () => {
    const oids = oidsOf(101)
    await database.addObjects(oids.slice(1))
    const sink = await open({ connections: 3 })
    const outcome = await sink.write(batchOf(oids, 1))
    expect({ ...outcome, refused: outcome.refused.map(({ oid }) => oid) }).toEqual({
      objects: 100,
      rows: 3300,
      refused: [oids[0]],
      superseded: 0,
      advice: expect.stringContaining(`'${oids[0]!}'`) as string,
    })
    expect(await stored()).toEqual(expectedRows(batchOf(oids.slice(1), 1)))
  })

  it('is durable on write, and can be closed twice', async () => {
    await database.addObjects(['x'])
    const sink = await open()
    expect(sink.durable).toBe('on-write')
    await sink.write(batchOf(['x'], 1))
    expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[33]])
    await sink.finish()
    await sink.publish()
    await sink.close()
    await sink.close()
  })
})

describe('an object without a row in table object', () => {
  it('is refused alone', async () => {
    const oids = oidsOf(20)
    await database.addObjects(oids.filter((_, i) => i % 5 !== 0))
    const sink = await open({ missingObject: 'reject' })
    const outcome = await sink.write(batchOf(oids, 1))
    expect(outcome.objects).toBe(16)
    expect(outcome.refused.map(({ oid }) => oid).sort()).toEqual(oids.filter((_, i) => i % 5 === 0).sort())
    expect(outcome.refused[0]).toMatchObject({ where: 'postgres://here', reason: 'no row in table object' })
    expect(await database.query('SELECT count(*)::int FROM object')).toEqual([[16]])
  })

  it('is refused with all its rows of the batch: none of them is superseded by one that is stored', async () => {
    await database.addObjects(['b'])
    const sink = await open({ missingObject: 'reject' })
    const outcome = await sink.write(batchOf(['a', 'b', 'a', 'b', 'a'], 1))
    expect({ ...outcome, refused: outcome.refused.map(({ oid }) => oid) }).toEqual({
      objects: 1,
      rows: 33,
      refused: ['a', 'a', 'a'],
      superseded: 1,
      advice: expect.stringContaining('INSERT INTO object') as string,
    })
  })

  it('is refused with the statement that adds it, in the same words for every batch', async () => {
    const oids = ["Barnard's \\ star", 'b', 'c']
    const sink = await open({ missingObject: 'reject' })
    const { advice } = await sink.write(batchOf(oids, 1))
    expect((await sink.write(batchOf(['d'], 1))).advice).toBe(advice)
    expect(advice).toContain("lcclf never fills table object, the survey's pipeline does")
    await database.query(/INSERT INTO .*/.exec(advice!)![0])
    expect(await database.query('SELECT oid FROM object')).toEqual([[oids[0]]])
    const { refused, ...outcome } = await sink.write(batchOf(oids.slice(0, 1), 1))
    expect({ ...outcome, refused }).toEqual({ objects: 1, rows: 33, refused: [], superseded: 0 })
  })

  it('is refused with the message that it came in, as every row is, for whoever keeps dead letters', async () => {
    await database.addObjects(['b'])
    const sink = await open({ missingObject: 'reject' })
    const oids = ['a', 'b', 'not\0text', 'a']
    const messages = oids.map((_, row) => ({
      ...{ topic: 't', partition: 0, offset: BigInt(row), timestamp: 0n, key: null, value: null },
    }))
    const { refused } = await sink.write({ ...batchOf(oids, 1), messages })
    const found = refused.map(({ oid, message }) => [oid, message?.offset])
    expect(found).toEqual([
      ['not\0text', 2n],
      ['a', 0n],
      ['a', 3n],
    ])
  })

  it('is waited for, and written when its row comes', async () => {
    const oids = oidsOf(10)
    await database.addObjects(oids.slice(2))
    const sink = await open({ missingObject: 'wait', objectWait: 1500 })
    const writing = sink.write(batchOf(oids, 1))
    setTimeout(() => void database.addObjects([oids[0]!]), 300)
    const outcome = await writing
    expect(outcome.objects).toBe(9)
    expect(outcome.refused.map(({ oid }) => oid)).toEqual([oids[1]])
    expect(await database.query('SELECT count(*)::int FROM object')).toEqual([[9]])
  })

  it('ends the run on request, with nothing of the batch written', async () => {
    const oids = oidsOf(10)
    await database.addObjects(oids.slice(2))
    const sink = await open({ missingObject: 'fail' })
    const writing = sink.write(batchOf(oids, 1))
    await expect(writing).rejects.toThrow(DataError)
    await expect(writing).rejects.toThrow(/and 1 more: no row in table object/)
    await expect(writing).rejects.toMatchObject({
      hint: expect.stringMatching(/INSERT INTO object \(oid\) VALUES \('ZTF\w+'\) ON CONFLICT DO NOTHING\.$/) as string,
    })
    expect(await database.query('SELECT count(*)::int FROM probability')).toEqual([[0]])
  })

  it('is waited for if the foreign key is checked late', async () => {
    const oids = oidsOf(300).sort()
    await database.addObjects(oids.slice(100))
    await database.query('ALTER TABLE probability ALTER CONSTRAINT probability_oid_fkey DEFERRABLE INITIALLY DEFERRED')
    const sink = await open({ missingObject: 'wait', objectWait: 1500 })
    const writing = sink.write(batchOf(oids, 1))
    setTimeout(() => void database.addObjects(oids.slice(0, 10)), 500)
    const outcome = await writing
    expect(outcome.objects).toBe(210)
    expect(outcome.refused.map(({ oid }) => oid)).toEqual(oids.slice(10, 100))
    expect(await stored()).toEqual(expectedRows(batchOf([...oids.slice(0, 10), ...oids.slice(100)], 1)))
  })

  it('needs a role that may read object: others are refused at the start, with what to grant', async () => {
    const { settings } = await database.addRole(['SELECT, INSERT, UPDATE, DELETE ON probability, taxonomy, step'])
    await expect(open({ connection: settings })).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('permission denied for table object (SELECT)') as string,
      hint: 'GRANT SELECT ON object TO your role.',
    })
  })

  it('needs a role that sees all of object: others are refused at the start', async () => {
    await database.query('ALTER TABLE object ENABLE ROW LEVEL SECURITY')
    const { settings } = await database.addRole([
      'SELECT, INSERT, UPDATE, DELETE ON probability, taxonomy, step, object',
    ])
    await expect(open({ connection: settings })).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('row-level security may hide rows of table object') as string,
      hint: expect.stringContaining('BYPASSRLS') as string,
    })
  })

  it('is written if the table has no foreign key', async () => {
    await database.query('ALTER TABLE probability DROP CONSTRAINT probability_oid_fkey')
    const sink = await open({ missingObject: 'reject' })
    expect((await sink.write(batchOf(['nowhere'], 1))).objects).toBe(1)
  })
})

describe('newer wins', () => {
  beforeEach(async () => {
    await database.drop()
    database = await createDatabase(server, { withHistory: true })
  })

  const values = async (): Promise<unknown> =>
    Object.fromEntries(
      await database.query(
        "SELECT oid, probability FROM probability WHERE class_name = 'SLSN' AND classifier_name = 'lc_classifier_transient'",
      ),
    )

  it('lets no older candid replace a newer one, and counts it as superseded', async () => {
    const oids = oidsOf(4)
    await database.addObjects(oids)
    const sink = await open()
    expect(sink.notes).toEqual([])
    const newer = batchOf(oids, 1, 2n ** 60n + 1n)
    await sink.write(newer)
    const older = withCandids(batchOf(oids, 2), [2n ** 60n, 2n ** 60n + 1n, 2n ** 60n + 2n, null])
    expect(await sink.write(older)).toEqual({ objects: 3, rows: 99, refused: [], superseded: 1 })
    const [first, second] = [newer, older].map((batch) => (row: number) => batch.probabilities[4]![row * 4])
    expect(await values()).toEqual(Object.fromEntries(oids.map((oid, i) => [oid, i === 0 ? first!(i) : second!(i)])))
    const candids = await database.query('SELECT oid, candid::text FROM lcclf_history')
    expect(Object.fromEntries(candids)).toEqual({
      [oids[0]!]: String(2n ** 60n + 1n),
      [oids[1]!]: String(2n ** 60n + 1n),
      [oids[2]!]: String(2n ** 60n + 2n),
      [oids[3]!]: String(2n ** 60n + 1n),
    })
  })

  it('records a newer candid even if the probabilities are the same, and then changes no row of probability', async () => {
    const rowVersions =
      'SELECT oid, class_name, classifier_name, xmin::text, ctid::text FROM probability ORDER BY 1, 2, 3'
    const oids = oidsOf(5)
    await database.addObjects(oids)
    const sink = await open()
    await sink.write(batchOf(oids, 1, 10n))
    const before = await database.query(rowVersions)
    expect(await sink.write(batchOf(oids, 1, 11n))).toMatchObject({ objects: 5, superseded: 0 })
    expect(await sink.write(batchOf(oids, 2, 10n))).toMatchObject({ objects: 0, superseded: 5 })
    expect(await database.query(rowVersions)).toEqual(before)
  })

  it('changes nothing at all when the same alerts come again', async () => {
    const oids = oidsOf(5)
    await database.addObjects(oids)
    const sink = await open()
    await sink.write(batchOf(oids, 1, 10n))
    const state = async (): Promise<unknown> => [
      await database.query(rowVersions),
      await database.query('SELECT oid, xmin::text, xmax::text FROM lcclf_history ORDER BY 1'),
    ]
    const before = await state()
    await sink.write(batchOf(oids, 1, 10n))
    expect(await state()).toEqual(before)
  })

  it('does not work without the history table, and the sink says so', async () => {
    await database.query('DROP TABLE lcclf_history')
    const sink = await open()
    expect(sink.notes.join()).toContain('no history table')
    await database.addObjects(['x'])
    await sink.write(batchOf(['x'], 1, 10n))
    expect(await sink.write(batchOf(['x'], 2, 9n))).toMatchObject({ objects: 1, superseded: 0 })
    expect(await stored()).toEqual(expectedRows(batchOf(['x'], 2)))
  })

  it('holds for a running sink as soon as the history table comes, and counts what it could not guard', async () => {
    await database.query('DROP TABLE lcclf_history')
    await database.addObjects(['x', 'y'])
    const live = await open()
    await live.write(batchOf(['x', 'y'], 1, 100n))
    const connection = await database.connect()
    await upgradeTables(connection, { dryRun: false })
    await connection.close()
    expect(await live.write(batchOf(['x'], 2, 101n))).toMatchObject({ objects: 1, unguarded: 1 })
    const replay = await open()
    expect(replay.notes).toEqual([])
    const again = batchOf(['x', 'y'], 3, 50n)
    expect(await replay.write(again)).toEqual({ objects: 1, rows: 33, refused: [], superseded: 1, unguarded: 1 })
    expect(replay.notes).toEqual([expect.stringContaining('1 objects were stored without a row in lcclf_history')])
    expect(await stored()).toEqual([...expectedRows(batchOf(['x'], 2)), ...expectedRows(batchOf(['y'], 3))])
    expect(await replay.write(again)).toEqual({ objects: 1, rows: 33, refused: [], superseded: 1 })
    await database.query('DROP TABLE lcclf_history')
    await replay.write(again)
    expect(replay.notes.join()).toContain('no history table')
  })

  it('keeps nothing out that has no rows any more', async () => {
    const oids = oidsOf(3)
    await database.addObjects(oids)
    const sink = await open()
    await sink.write(batchOf(oids, 1, 200n))
    await database.query('DELETE FROM probability WHERE oid <> $1', [oids[0]])
    const older = batchOf(oids, 2, 150n)
    expect(await sink.write(older)).toEqual({ objects: 2, rows: 66, refused: [], superseded: 1 })
    expect(await sink.write(batchOf(oids, 3, 140n))).toMatchObject({ objects: 0, superseded: 3 })
    expect(await database.query('SELECT candid::text, count(*)::int FROM lcclf_history GROUP BY 1 ORDER BY 1')).toEqual(
      [
        ['150', 2],
        ['200', 1],
      ],
    )
  })
})

describe('a database that is not ready', () => {
  it('is refused at once, with the command that helps, if a table is missing', async () => {
    await database.query('DROP TABLE probability, taxonomy')
    await expect(open()).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('has no table probability, taxonomy') as string,
      hint: expect.stringContaining('lcclf db init') as string,
    })
  })

  it('is refused if a column has another type or is unknown and required', async () => {
    await database.query('ALTER TABLE probability ALTER COLUMN ranking TYPE bigint')
    await expect(open()).rejects.toThrow('column ranking is bigint in place of integer')
    await database.query(
      'ALTER TABLE probability ALTER COLUMN ranking TYPE integer, ADD COLUMN last_updated date NOT NULL',
    )
    await expect(open()).rejects.toThrow('column last_updated is required and unknown to lcclf')
    await database.query('ALTER TABLE probability ALTER COLUMN last_updated SET DEFAULT now()')
    await database.addObjects(['x'])
    const sink = await open()
    expect(await sink.write(batchOf(['x'], 1))).toMatchObject({ objects: 1 })
  })

  it('is refused if the key that upserts need is missing, whatever its name', async () => {
    await database.query('ALTER TABLE probability DROP CONSTRAINT probability_pkey')
    await expect(open()).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('table probability has no PRIMARY KEY (oid, class_name') as string,
      hint: 'Add it: ALTER TABLE probability ADD PRIMARY KEY (oid, class_name, classifier_name, classifier_version).',
    })
    await database.query(
      'CREATE UNIQUE INDEX ours ON probability (classifier_version, oid, classifier_name, class_name)',
    )
    await database.addObjects(['x'])
    const sink = await open()
    for (const seed of [1, 2]) await sink.write(batchOf(['x'], seed))
    expect(await stored()).toEqual(expectedRows(batchOf(['x'], 2)))
  })

  it('is refused if the role may not write', async () => {
    const { settings } = await database.addRole(['SELECT ON probability, taxonomy, step, object'])
    await expect(open({ connection: settings })).rejects.toMatchObject({
      constructor: ServiceError,
      message: expect.stringContaining('permission denied for table probability (INSERT, UPDATE)') as string,
      hint: 'GRANT INSERT, UPDATE ON probability TO your role.',
    })
  })
})

describe.each([
  ['with TEMP', ''],
  ['without TEMP', 'REVOKE TEMP ON DATABASE %I FROM PUBLIC'],
])('a role that may only select, insert, update and delete, %s', (_, revoke) => {
  it('writes, changes, removes and completes', async () => {
    if (revoke !== '') await database.query(revoke.replace('%I', database.name))
    const { settings } = await database.addRole([
      'SELECT, INSERT, UPDATE, DELETE ON probability, taxonomy, step, object',
    ])
    const oids = oidsOf(40)
    await database.addObjects(oids)
    const sink = await open({ connection: settings })
    await sink.write(batchOf(oids.slice(0, 30), 1))
    await database.query("INSERT INTO probability VALUES ($1, 'Mira', 'lc_classifier', $2, 0.5, 1)", [oids[0], version])
    await database.query('DELETE FROM probability WHERE oid = $1 AND ranking = 2', [oids[1]])
    const batch = batchOf(oids, 2)
    expect(await sink.write(batch)).toEqual({ objects: 40, rows: 1320, refused: [], superseded: 0 })
    expect(await stored()).toEqual(expectedRows(batch))
  })
})

it('writes under row-level security, where COPY cannot', async () => {
  const { settings, name } = await database.addRole([
    'SELECT, INSERT, UPDATE, DELETE ON probability, taxonomy, step, object',
  ])
  await database.query('ALTER TABLE probability ENABLE ROW LEVEL SECURITY')
  await database.query(`CREATE POLICY all_rows ON probability TO ${name} USING (true)`)
  await database.addObjects(['x'])
  const sink = await open({ connection: settings })
  const batch = batchOf(['x'], 1)
  await sink.write(batch)
  expect(await stored()).toEqual(expectedRows(batch))
})
