// The figures of docs/reprocessing.md, all of one run: `npm run bench -- --reprocessing --model BUNDLE [--rows OBJECTS]`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { openPostgresSource } from '../../src/connectors/postgres/postgres-source.ts'
import { postgresSourceSpec } from '../../src/connectors/postgres/address.ts'
import { openClassifier } from '../../src/model/open.ts'
import { readOptions } from '../../src/pipeline/source.ts'
import { bandlessNames, createMultisurvey, storedName } from '../support/multisurvey-database.ts'
import type { TestDatabase } from '../support/postgres-database.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'

const bin = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
/** ALeRCE's run of August 2026 */
const surveyObjects = 19_335_678
const rowsAnObject = 45
const firstOid = 36_028_965_686_977_664n
const rounds = 5
const featureColumns = 'oid, feature_id, band, version, value, updated_date'

type Classifier = Awaited<ReturnType<typeof openClassifier>>

/**
 * Prints the table.
 *
 * @param model a bundle with the survey's features; it costs what its trees cost, so take one of the real size
 * @param objects how many there are, with all features of the model
 */
export async function benchReprocessing(model: string, objects: number): Promise<void> {
  const server = await startOwnPostgres({ settings: ['fsync = on', 'max_wal_size = 8GB', 'shared_buffers = 1GB'] })
  const classifier = await openClassifier(model, { threads: 1 })
  const folder = mkdtempSync(join(tmpdir(), 'lcclf-reprocessing-'))
  try {
    const database = await createMultisurvey(server.url)
    await fill(database, classifier.features, objects)
    const taken = await alternated(waysOf(database, { classifier, model, objects, folder }))
    print(taken, await sizesOf(database, objects), objects)
    await database.drop()
  } finally {
    rmSync(folder, { recursive: true })
    await classifier.close()
    await server.stop()
  }
}

async function fill(database: TestDatabase, features: readonly string[], objects: number): Promise<void> {
  const stored = features.map(storedName)
  const oids = `SELECT ${firstOid} + o * 7919::int8 AS oid FROM generate_series(1, ${objects}) o`
  await database.query(
    `INSERT INTO feature SELECT oid, 0, f.id, f.band, 1, random() * 100, '2026-08-01'
       FROM (${oids}) o CROSS JOIN unnest($1::int2[], $2::int2[]) f(id, band)`,
    [stored.map(({ name }) => bandlessNames.indexOf(name)), stored.map(({ band }) => band)],
  )
  await database.query(`INSERT INTO object (oid, sid, tid, lastmjd) SELECT oid, 0, 0, 61000 FROM (${oids}) o`)
  await database.query('VACUUM ANALYZE')
}

/** What is done with all objects: its name, and how. */
type Way = readonly [name: string, work: () => Promise<void>]

function waysOf(
  database: TestDatabase,
  use: { classifier: Classifier; model: string; objects: number; folder: string },
): readonly Way[] {
  const { classifier, model, objects, folder } = use
  const ordered = `COPY (SELECT ${featureColumns} FROM feature WHERE sid = 0 ORDER BY oid) TO STDOUT (FORMAT binary)`
  const rows = probabilityRows(objects)
  const halves = [rows.slice(0, rows.length / 2), rows.slice(rows.length / 2)]
  const emptied = (work: () => Promise<unknown>) => async () => {
    await database.query('TRUNCATE probability')
    await work()
  }
  const command = (...args: string[]) => {
    const to = join(folder, 'out.parquet')
    const given = [`${database.url}?table=feature`, '--model', model, '--to', to, '--overwrite', '--quiet', ...args]
    const { status, stderr } = spawnSync(process.execPath, [bin, 'classify', ...given], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return Promise.resolve()
  }
  return [
    ['ordered COPY of `feature`', () => copyOut(database, ordered)],
    ['source', () => readAll(database, classifier, objects)],
    ['source with `lastmjd`', () => readAll(database, classifier, objects, { mjdColumn: 'lastmjd' })],
    ['source and forest, 1 thread', () => readAll(database, classifier, objects, { isClassified: true })],
    ['`lcclf classify` to Parquet, 1 thread', () => command('--threads', '1')],
    ['`lcclf classify` to Parquet', () => command()],
    ['bare COPY into `probability`, 1 connection', emptied(() => copyIn(database, rows))],
    [
      'bare COPY into `probability`, 2 connections',
      emptied(() => Promise.all(halves.map((half) => copyIn(database, half)))),
    ],
  ]
}

/** @returns seconds, of each way the median; the rounds go through all ways, so that a busy minute meets them all */
async function alternated(ways: readonly Way[]): Promise<ReadonlyMap<string, number>> {
  const taken = new Map<string, number[]>(ways.map(([name]) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, work] of ways) {
      const started = performance.now()
      await work()
      taken.get(name)!.push((performance.now() - started) / 1000)
    }
  }
  return new Map([...taken].map(([name, all]) => [name, all.sort((a, b) => a - b)[rounds >> 1]!]))
}

async function withClient(database: TestDatabase, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await work(client)
  await client.end()
}

async function copyOut(database: TestDatabase, sql: string): Promise<void> {
  const nowhere = new Writable({ highWaterMark: 1 << 20, write: (_chunk, _encoding, done) => done() })
  await withClient(database, (client) => pipeline(client.query(copyTo(sql)), nowhere))
}

async function copyIn(database: TestDatabase, rows: readonly string[]): Promise<void> {
  await withClient(database, (client) => pipeline(rows, client.query(copyFrom('COPY probability FROM STDIN'))))
}

/** 45 rows an object, as text, an object a piece */
function probabilityRows(objects: number): string[] {
  const heads = [21, 3, 6, 6, 9]
  return Array.from({ length: objects }, (_, object) => {
    const oid = firstOid + BigInt(object + 1) * 7919n
    const lines = heads.flatMap((classes, head) =>
      Array.from({ length: classes }, (_, k) => {
        const probability = Math.fround(((object * 31 + head * 7 + k * 13) % 500) / 500)
        return `${oid}\t0\t${5 + head}\t210\t${k}\t${probability}\t${k + 1}\t61000\n`
      }),
    )
    return lines.join('')
  })
}

async function readAll(
  database: TestDatabase,
  classifier: Classifier,
  objects: number,
  { mjdColumn, isClassified = false }: { mjdColumn?: string; isClassified?: boolean } = {},
): Promise<void> {
  const spec = postgresSourceSpec(`${database.url}?table=feature`, {})
  const source = await openPostgresSource(spec, readOptions({ ...classifier, mjdColumn }))
  let rows = 0
  for await (const { batch } of source.deliveries(new AbortController().signal)) {
    rows += batch.rowCount
    if (isClassified) await classifier.classify(batch)
  }
  await source.close()
  if (rows !== objects) throw new Error(`${rows} objects were read in place of ${objects}`)
}

/** bytes a row */
async function sizesOf(database: TestDatabase, objects: number) {
  const of = async (table: string, rows: number): Promise<[heap: number, indexes: number]> => {
    const [[heap, all]] = (await database.query(
      `SELECT sum(pg_relation_size(relid))::float8, sum(pg_total_relation_size(relid))::float8 FROM pg_partition_tree('${table}') WHERE isleaf`,
    )) as [[number, number]]
    return [heap / rows, (all - heap) / rows]
  }
  const [[features]] = (await database.query('SELECT count(*)::int FROM feature')) as [[number]]
  await database.query('TRUNCATE probability; CHECKPOINT')
  const place = async () => String((await database.query('SELECT pg_current_wal_insert_lsn()'))[0]![0])
  const before = await place()
  await copyIn(database, probabilityRows(objects))
  const sql = 'SELECT pg_wal_lsn_diff($1, $2)::float8'
  const [[wal]] = (await database.query(sql, [await place(), before])) as [[number]]
  return {
    feature: await of('feature', features),
    probability: await of('probability', objects * rowsAnObject),
    wal: wal / (objects * rowsAnObject),
  }
}

function print(taken: ReadonlyMap<string, number>, sizes: Awaited<ReturnType<typeof sizesOf>>, objects: number): void {
  const lines = [...taken].map(([name, seconds]) => {
    const rate = objects / seconds
    return `| ${name} | ${rate.toFixed(0)} | ${(surveyObjects / rate / 3600).toFixed(1)} |`
  })
  const ratio = taken.get('ordered COPY of `feature`')! / taken.get('source')!
  const bytes = ([heap, indexes]: readonly [number, number]) => `${heap.toFixed(0)} + ${indexes.toFixed(0)}`
  const total = (bytesARow: number) => `${((bytesARow * surveyObjects * rowsAnObject) / 1e9).toFixed(0)} GB`
  const { feature, probability, wal } = sizes
  process.stdout.write(`
${objects} objects, median of ${rounds}; ${cpus()[0]!.model}, ${availableParallelism()} cores, the server on them too; ${new Date().toISOString().slice(0, 10)}

| way | objects/s | hours for ${surveyObjects.toLocaleString('en')} |
|---|---|---|
${lines.join('\n')}

Source: ${ratio.toFixed(2)} of ordered COPY.

| a row of | bytes (table + indexes) | of ${(surveyObjects * rowsAnObject).toLocaleString('en')} rows |
|---|---|---|
| \`feature\` | ${bytes(feature)} | |
| \`probability\` | ${bytes(probability)} | ${total(probability[0] + probability[1])} |
| WAL of \`probability\` | ${wal.toFixed(0)} | ${total(wal)} |
`)
}
