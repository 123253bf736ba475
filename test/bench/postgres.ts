// The goals for Postgres as ratios within one run: `node --import tsx test/bench/postgres.ts [--explain]`.
import { existsSync, readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { alercePreprocessing } from '../../src/pipeline/preprocess.ts'
import { placesOf, selectRows } from '../../src/connectors/postgres/wanted-rows.ts'
import { upsertStatement } from '../../src/connectors/postgres/statements.ts'
import { openPostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { openPostgresSource } from '../../src/connectors/postgres/postgres-source.ts'
import { batchOf, context, oidsOf, taxonomy, version } from '../support/postgres-batches.ts'
import { createDatabase, type DatabaseOptions, type TestDatabase } from '../support/postgres-database.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'

const rounds = 5
const batches = 4
const batchSize = 1000
const readObjects = 3000
/** objects a second of the original (Python, SQLAlchemy), measured once on the machine where the goals were set */
const original = 58

/** What one way of doing it took. */
export interface Taken {
  /** objects a second, by the clock */
  readonly rate: number
  /** milliseconds of the server's processors for 1000 objects, where it runs here */
  readonly cpu: number
}

/**
 * Prints the tables. The server is the embedded one, with fsync, or the one that LCCLF_TEST_POSTGRES names.
 *
 * @param withPlan also EXPLAIN (ANALYZE, BUFFERS) of the upsert
 */
export async function benchPostgres(withPlan: boolean): Promise<void> {
  await withBenchDatabase({}, async (database) => {
    await benchWriting(database)
    if (withPlan) await explain(database)
    await benchReading(database)
  })
}

/** A new database on a server that is as careful as production's. */
export async function withBenchDatabase(options: DatabaseOptions, work: (database: TestDatabase) => Promise<void>) {
  const own = process.env['LCCLF_TEST_POSTGRES']
    ? undefined
    : await startOwnPostgres({ settings: ['fsync = on', 'max_wal_size = 4GB'] })
  const database = await createDatabase(own?.url ?? (await sharedPostgres()), options)
  try {
    await work(database)
  } finally {
    await database.drop()
    await own?.stop()
  }
}

async function benchWriting(database: TestDatabase): Promise<void> {
  const oids = oidsOf(batches * batchSize)
  await database.addObjects(oids)
  await database.query('VACUUM ANALYZE object')
  const slices = Array.from({ length: batches }, (_, i) => oids.slice(i * batchSize, (i + 1) * batchSize))
  const [first, second] = [1, 2].map((seed) => slices.map((slice) => batchOf(slice, seed))) as [
    ClassifiedBatch[],
    ClassifiedBatch[],
  ]
  const texts = first.map(copyText)
  const taken = new Map<string, Taken[]>()
  const note = async (what: string, objects: number, work: () => Promise<void>): Promise<void> => {
    await database.query('CHECKPOINT')
    taken.set(what, [...(taken.get(what) ?? []), await measured(database, objects, work)])
  }
  for (let round = 0; round < rounds; round++) {
    await database.query('TRUNCATE probability')
    await note('bare COPY', oids.length, () => copyAll(database, texts))
    await database.query('TRUNCATE probability')
    await note('row by row', 100, () => rowByRow(database, first[0]!, 100))
    for (const connections of [1, 2]) {
      const suffix = connections > 1 ? `, ${connections} connections` : ''
      await database.query('TRUNCATE probability')
      await note(`new${suffix}`, oids.length, () => writeAll(database, first, connections))
      await note(`unchanged${suffix}`, oids.length, () => writeAll(database, first, connections))
      await note(`changed${suffix}`, oids.length, () => writeAll(database, second, connections))
    }
  }
  const rate = (what: string): Taken => medianOf(taken.get(what)!)
  const fresh = rate('new')
  print('writing, 33 rows an object, batches of 1000', [
    ['bare COPY', rate('bare COPY')],
    ['the statements of the original, from Node', rate('row by row')],
    ['new', fresh, `${(fresh.rate / original).toFixed(1)}x the original's ${original}/s (13, 19)`],
    ['', undefined, `${ratio(fresh, rate('bare COPY'))} of bare COPY (0.75, 0.9)`],
    ['unchanged', rate('unchanged'), `${ratio(rate('unchanged'), fresh)} of new (2.5, 5)`],
    ['changed', rate('changed'), `${ratio(rate('changed'), fresh)} of new (0.6, 0.9)`],
    ...['new', 'unchanged', 'changed'].map((what): Line => [
      `${what}, 2 connections`,
      rate(`${what}, 2 connections`),
      `${ratio(rate(`${what}, 2 connections`), rate(what))} of one`,
    ]),
  ])
}

async function benchReading(database: TestDatabase): Promise<void> {
  await database.query('TRUNCATE object CASCADE')
  const names = Array.from({ length: 89 }, (_, i) => `Some_feature_${i}`)
  await database.query("INSERT INTO feature_version VALUES ('v1', NULL, NULL)")
  await database.addObjects(oidsOf(readObjects))
  await database.query(
    `INSERT INTO feature SELECT o.oid, f, CASE WHEN random() < 0.1 THEN NULL ELSE random() * 100 END, band, 'v1'
       FROM object o CROSS JOIN unnest($1::text[]) f CROSS JOIN generate_series(1, 2) band`,
    [names],
  )
  await database.query('VACUUM ANALYZE feature')
  const features = names.flatMap((name) => [`${name}_1`, `${name}_2`]).slice(0, 152)
  const taken = { copy: [] as Taken[], source: [] as Taken[] }
  for (let round = 0; round < rounds; round++) {
    taken.copy.push(await measured(database, readObjects, () => copyOrdered(database)))
    taken.source.push(await measured(database, readObjects, () => readAll(database, features)))
  }
  const [copy, source] = [medianOf(taken.copy), medianOf(taken.source)]
  print('reading the long table, 178 features an object', [
    ['ordered COPY … TO STDOUT', copy],
    ['source', source, `${ratio(source, copy)} of COPY (0.5, 0.8)`],
  ])
}

/** the servers of connections that were closed are counted when they are gone */
async function quiet(database: TestDatabase): Promise<void> {
  for (;;) {
    const [[others]] = (await database.query(
      "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()",
    )) as [[number]]
    await new Promise((resolve) => setTimeout(resolve, 50))
    if (others === 0) return
  }
}

export async function measured(database: TestDatabase, objects: number, work: () => Promise<void>): Promise<Taken> {
  const before = await serverTime(database)
  const started = performance.now()
  await work()
  const elapsed = performance.now() - started
  await quiet(database)
  return { rate: (objects / elapsed) * 1000, cpu: (((await serverTime(database)) - before) / objects) * 1000 }
}

/** milliseconds of all processes of the server, gone ones included; NaN if it is not here */
async function serverTime(database: TestDatabase): Promise<number> {
  const [[path]] = (await database.query("SELECT current_setting('data_directory') || '/postmaster.pid'")) as [[string]]
  if (!existsSync(path)) return NaN
  const parent = readFileSync(path, 'utf8').split('\n', 1)[0]!
  const [[pids]] = (await database.query('SELECT array_agg(pid::text) FROM pg_stat_activity')) as [[string[]]]
  const ticks = (pid: string, fields: readonly number[]): number => {
    const values = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    return fields.reduce((sum, field) => sum + Number(values[field]), 0)
  }
  // of the postmaster also what its children took that have ended
  let total = ticks(parent, [11, 12, 13, 14])
  for (const pid of pids) if (existsSync(`/proc/${pid}/stat`)) total += ticks(pid, [11, 12])
  return total * 10
}

function copyText({ oids, probabilities, ...batch }: ClassifiedBatch): Buffer {
  const places = placesOf(taxonomy)
  const { wanted } = selectRows({ oids, probabilities, ...batch }, places, 'bench')
  const lines = wanted.oids.flatMap((oid, object) =>
    places.map(({ className, classifierName }, place) => {
      const cell = object * places.length + place
      return `${oid}\t${className}\t${classifierName}\t${version}\t${wanted.probabilities[cell]!}\t${wanted.rankings[cell]!}\n`
    }),
  )
  return Buffer.from(lines.join(''))
}

export async function withClient(database: TestDatabase, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await work(client)
  await client.end()
}

async function copyAll(database: TestDatabase, texts: readonly Buffer[]): Promise<void> {
  await withClient(database, async (client) => {
    for (const text of texts) await pipeline([text], client.query(copyFrom('COPY probability FROM STDIN')))
  })
}

async function rowByRow(database: TestDatabase, batch: ClassifiedBatch, objects: number): Promise<void> {
  const { wanted } = selectRows(batch, placesOf(taxonomy), 'bench')
  await withClient(database, async (client) => {
    await client.query('BEGIN')
    for (let cell = 0; cell < objects * wanted.places.length; cell++) {
      const { className, classifierName } = wanted.places[cell % wanted.places.length]!
      const oid = wanted.oids[Math.floor(cell / wanted.places.length)]
      await client.query('INSERT INTO probability VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING', [
        ...[oid, className, classifierName, version],
        ...[wanted.probabilities[cell], wanted.rankings[cell]],
      ])
    }
    await client.query('COMMIT')
  })
}

async function writeAll(database: TestDatabase, all: readonly ClassifiedBatch[], connections: number): Promise<void> {
  const { settings: connection } = database
  const spec = { kind: 'postgres', address: 'bench', connection, missingObject: 'fail', connections } as const
  const sink = await openPostgresSink(spec, context)
  for (const batch of all) await sink.write(batch)
  await sink.close()
}

async function copyOrdered(database: TestDatabase): Promise<void> {
  await withClient(database, async (client) => {
    const sql = "COPY (SELECT oid, name, fid, value FROM feature WHERE version = 'v1' ORDER BY oid) TO STDOUT"
    const nowhere = new Writable({ highWaterMark: 1 << 20, write: (_chunk, _encoding, done) => done() })
    await pipeline(client.query(copyTo(sql)), nowhere)
  })
}

async function readAll({ settings: connection }: TestDatabase, features: readonly string[]): Promise<void> {
  const reading = { kind: 'table', table: 'feature', version: 'v1', oidsFile: undefined } as const
  const source = await openPostgresSource(
    { kind: 'postgres', address: 'bench', connection, reading },
    {
      features,
      preprocessing: alercePreprocessing,
      batchSize: 1000,
      idColumn: 'oid',
      candidColumn: 'candid',
      rename: new Map(),
      allowance: { remaining: Infinity },
    },
  )
  let rows = 0
  for await (const { batch } of source.deliveries(new AbortController().signal)) rows += batch.rowCount
  await source.close()
  if (rows !== readObjects) throw new Error(`${rows} objects were read in place of ${readObjects}`)
}

/** The upsert of a batch of which every row changes. */
async function explain(database: TestDatabase): Promise<void> {
  const oids = oidsOf(batchSize)
  await database.query('TRUNCATE probability')
  await writeAll(database, [batchOf(oids, 1)], 1)
  await database.query('VACUUM ANALYZE probability')
  const { wanted } = selectRows(batchOf(oids, 2), placesOf(taxonomy), 'bench')
  const cells = [...wanted.probabilities.keys()]
  const placeOf = (cell: number): (typeof wanted.places)[number] => wanted.places[cell % wanted.places.length]!
  const rows = await database.query(`EXPLAIN (ANALYZE, BUFFERS) ${upsertStatement}`, [
    cells.map((cell) => wanted.oids[Math.floor(cell / wanted.places.length)]),
    cells.map((cell) => placeOf(cell).className),
    cells.map((cell) => placeOf(cell).classifierName),
    cells.map((cell) => wanted.probabilities[cell]),
    cells.map((cell) => wanted.rankings[cell]),
    version,
  ])
  process.stdout.write(`\nEXPLAIN (ANALYZE, BUFFERS) of the upsert, ${cells.length} rows\n${rows.join('\n')}\n`)
}

export type Line = readonly [what: string, taken: Taken | undefined, remark?: string]

export function print(title: string, lines: readonly Line[]): void {
  process.stdout.write(`\n${title}\n${' '.repeat(44)}objects/s  server ms/1000\n`)
  for (const [what, taken, remark = ''] of lines) {
    const figures = taken ? [taken.rate.toFixed(0).padStart(9), taken.cpu.toFixed(0).padStart(14)] : [' '.repeat(25)]
    process.stdout.write(`${what.padEnd(44)}${figures.join('  ')}  ${remark}\n`)
  }
}

export function ratio(a: Taken, b: Taken): string {
  return `${(a.rate / b.rate).toFixed(2)} (by server time ${(b.cpu / a.cpu).toFixed(2)})`
}

export function medianOf(taken: readonly Taken[]): Taken {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!
  return { rate: middle(taken.map(({ rate }) => rate)), cpu: middle(taken.map(({ cpu }) => cpu)) }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await benchPostgres(process.argv.includes('--explain'))
