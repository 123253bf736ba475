import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openPostgresSink, type PostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { expectedSurveyRows, storedSurveyRows, surveyBatch, surveyContext } from '../support/multisurvey-batches.ts'
import { oidsOf } from '../support/postgres-batches.ts'
import { createDatabase, settingsOf, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { startProxy, type Proxy, type Verdict } from '../support/tcp-proxy.ts'

let database: TestDatabase
let cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'multisurvey' })
})

afterAll(() => database.drop())

beforeEach(() => database.query('DELETE FROM probability'))

afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean()
  cleanups = []
})

async function open(url = database.url, connections = 1): Promise<PostgresSink> {
  const connection = { ...settingsOf(url), patience: 20_000 }
  const place = { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail' } as const
  const sink = await openPostgresSink({ ...place, connections }, surveyContext)
  cleanups.push(() => sink.close())
  return sink
}

async function proxyWith(judge: Parameters<typeof startProxy>[1]): Promise<Proxy & { url: string }> {
  const { hostname, port } = new URL(database.url)
  const proxy = await startProxy({ host: hostname, port: Number(port) }, judge)
  cleanups.push(() => proxy.close())
  const url = new URL(database.url)
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  url.searchParams.set('sslmode', 'disable')
  return Object.assign(proxy, { url: url.href })
}

const stored = () => database.query(storedSurveyRows)
const deadlocks = () => database.query('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()')

/** objects by the number of their rows and of the lastmjds that these have */
const shapes = () =>
  database.query(
    'SELECT DISTINCT count(*)::int, count(DISTINCT lastmjd)::int FROM probability GROUP BY oid, sid ORDER BY 1, 2',
  )

describe('writers of the same objects', () => {
  it('all come to an end, with no deadlock, and each object is wholly that of the newest', async () => {
    const oids = oidsOf(150)
    const writers = await Promise.all(Array.from({ length: 6 }, (_, i) => open(database.url, 1 + (i % 2))))
    const [before] = await deadlocks()
    for (let round = 0; round < 3; round++) {
      // in the first round nothing is there: all of them copy
      await Promise.all(
        writers.map(async (sink, seed) => {
          const some = oids.filter((_, i) => (i * 7 + seed * 3 + round) % 5 !== 0)
          const batch = surveyBatch(seed % 2 === 0 ? some : some.reverse(), seed, 60_000 + seed)
          const outcome = await sink.write(batch)
          expect(outcome.objects + outcome.superseded).toBe(some.length)
        }),
      )
    }
    await sleep(200)
    expect(await deadlocks()).toEqual([before])
    // each object was in some batch of the newest writer
    expect(await stored()).toStrictEqual(expectedSurveyRows(surveyBatch(oids, 5, 60_005)))
  })

  it('may be killed at any time: no object ever has a part of its rows', async () => {
    const script = fileURLToPath(new URL('../support/postgres-survey-writer.ts', import.meta.url))
    const start = async (seed: number) => {
      const args = ['--import', 'tsx', script, database.url, '300', String(seed)]
      const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      cleanups.push(() => Promise.resolve(writer.kill('SIGKILL')))
      await once(writer.stdout, 'data')
      return writer
    }
    const writers = await Promise.all([1, 100].map(start))
    for (const [i, writer] of writers.entries()) {
      for (let look = 0; look < 3; look++) {
        expect(await shapes()).toEqual([[45, 1]])
        await sleep(150 + 90 * i)
      }
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      expect(await shapes()).toEqual([[45, 1]])
    }
    const oids = oidsOf(300)
    const last = surveyBatch(oids, 7, 90_000)
    expect(await (await open()).write(last)).toMatchObject({ objects: 300, superseded: 0 })
    expect(await stored()).toStrictEqual(expectedSurveyRows(last))
  })
})

describe('a connection that is cut', () => {
  it('in the middle of COPY, and with the answer to COMMIT: nothing is lost or written twice', async () => {
    let sent = 0
    let hasCut = false
    let commits = 0
    const proxy = await proxyWith((chunk) => {
      if (!hasCut && (sent > 0 || chunk.includes('COPY probability ('))) sent += chunk.length
      if (!hasCut && sent > 300_000) {
        hasCut = true
        return 'cut'
      }
      return hasCut && chunk.includes('COMMIT') && ++commits === 1 ? 'last' : 'pass'
    })
    const sink = await open(proxy.url)
    const batch = surveyBatch(oidsOf(300), 1, 60_000)
    expect(await sink.write(batch)).toEqual({ objects: 300, rows: 13_500, refused: [], superseded: 0 })
    expect([hasCut, proxy.connections]).toEqual([true, 3])
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
    expect(await database.query('SELECT count(DISTINCT xmin::text)::int FROM probability')).toEqual([[1]])
  })
})

describe('between the comparison of a batch and its write', () => {
  const oids = oidsOf(3)

  /** Writes a second batch, 10 days newer, over a first one; `meanwhile` happens once before its rows are locked. */
  async function writeWith(meanwhile: () => Promise<unknown>): Promise<[unknown, ClassifiedBatch]> {
    let isArmed = false
    const proxy = await proxyWith(async (chunk): Promise<Verdict> => {
      if (isArmed && chunk.includes('INSERT INTO probability AS stored')) {
        isArmed = false
        await meanwhile()
      }
      return 'pass'
    })
    const sink = await open(proxy.url)
    await sink.write(surveyBatch(oids, 1, 60_000))
    isArmed = true
    const second = surveyBatch(oids, 2, 60_010)
    return [await sink.write(second), second]
  }

  it('an object may get newer rows: it stays as it is, and counts as superseded', async () => {
    const other = await open()
    const newer = surveyBatch(oids.slice(0, 1), 3, 60_020)
    const [outcome, second] = await writeWith(() => other.write(newer))
    expect(outcome).toEqual({ objects: 2, rows: 90, refused: [], superseded: 1 })
    const others = { ...surveyBatch(oids.slice(1), 2, 60_010) }
    expect(second.rowCount).toBe(3)
    const byOid = (a: readonly unknown[], b: readonly unknown[]) =>
      BigInt(String(a[0])) < BigInt(String(b[0])) ? -1 : 1
    const expected = [...expectedSurveyRows(newer), ...expectedSurveyRows(others)].sort(byOid)
    expect(await stored()).toStrictEqual(expected)
  })

  it('an object may get some newer rows from elsewhere: none of ours stand beside them', async () => {
    const meanwhile = () =>
      database.query('UPDATE probability SET lastmjd = 60020 WHERE classifier_id = 9 AND oid % 2 = 0')
    const even = expectedSurveyRows(surveyBatch(oids, 1, 1)).filter(([oid]) => Number(oid.at(-1)) % 2 === 0).length / 45
    const [outcome] = await writeWith(meanwhile)
    expect(outcome).toMatchObject({ objects: 3 - even, superseded: even })
    const mixed = await database.query(
      'SELECT DISTINCT lastmjd FROM probability WHERE oid % 2 = 0 UNION SELECT DISTINCT lastmjd + 0.5 FROM probability WHERE oid % 2 <> 0 ORDER BY 1',
    )
    expect(mixed.flat()).toEqual([...(even > 0 ? [60_000, 60_020] : []), ...(even < 3 ? [60_010.5] : [])].sort())
  })
})

describe('errors of the server', () => {
  /** @returns what ends it */
  async function failWith(code: string, times: number): Promise<() => Promise<unknown>> {
    await database.query('CREATE SEQUENCE failures')
    await database.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('failures') <= ${times} THEN RAISE EXCEPTION 'as asked' USING ERRCODE = '${code}'; END IF; RETURN NEW; END $$`)
    await database.query('CREATE TRIGGER fail BEFORE INSERT ON probability FOR EACH STATEMENT EXECUTE FUNCTION fail()')
    return () => database.query('DROP TRIGGER fail ON probability; DROP FUNCTION fail; DROP SEQUENCE failures')
  }

  it('a deadlock is tried again, and a full disk is exit 5 with nothing written', async () => {
    const stop = await failWith('40P01', 3)
    const batch = surveyBatch(oidsOf(3), 1, 1)
    const sink = await open()
    expect(await sink.write(batch)).toMatchObject({ objects: 3 })
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
    await stop()
    cleanups.push(await failWith('53100', 1))
    const next = surveyBatch(oidsOf(5), 2, 2)
    await expect(sink.write(next)).rejects.toMatchObject({ exitCode: 5 })
    expect(await stored()).toStrictEqual(expectedSurveyRows(batch))
    expect(await sink.write(next)).toMatchObject({ objects: 5 })
    expect(await stored()).toStrictEqual(expectedSurveyRows(next))
  })

  it('a statement that takes too long is exit 5, and says what to do', async () => {
    const sink = await open(`${database.url}?statement_timeout=1500`)
    await database.query('BEGIN; LOCK TABLE probability IN SHARE MODE')
    const writing = sink.write(surveyBatch(['1'], 1, 1))
    await expect(writing).rejects.toMatchObject({
      exitCode: 5,
      hint: expect.stringContaining('statement_timeout') as string,
    })
    await database.query('ROLLBACK')
    expect(await sink.write(surveyBatch(['1'], 1, 1))).toMatchObject({ objects: 1 })
  })
})
