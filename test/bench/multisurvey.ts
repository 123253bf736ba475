// Writing the multisurvey tables against bare COPY in one run: `npm run bench -- --multisurvey`.
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { openPostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { resolveModel } from '../../src/connectors/postgres/multisurvey/model-ids.ts'
import { inspectSurveyTables } from '../../src/connectors/postgres/multisurvey/open-tables.ts'
import { copyStatement, encodeSurveyRows } from '../../src/connectors/postgres/multisurvey/statements.ts'
import { type SurveyRows, selectSurveyRows } from '../../src/connectors/postgres/multisurvey/survey-rows.ts'
import type { PartitionOf } from '../../src/connectors/postgres/tables/partitions.ts'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { surveyBatch, surveyContext, surveyTaxonomy } from '../support/multisurvey-batches.ts'
import { oidsOf } from '../support/postgres-batches.ts'
import type { TestDatabase } from '../support/postgres-database.ts'
import { type Line, measured, medianOf, print, ratio, type Taken, withBenchDatabase, withClient } from './postgres.ts'

const rounds = 7
const batches = 6
const batchSize = 1000

/** Prints the table; the server is as `benchPostgres` has it. */
export async function benchMultisurvey(): Promise<void> {
  await withBenchDatabase({ tables: 'multisurvey' }, benchWriting)
}

async function benchWriting(database: TestDatabase): Promise<void> {
  const oids = oidsOf(batches * batchSize)
  const slices = Array.from({ length: batches }, (_, i) => oids.slice(i * batchSize, (i + 1) * batchSize))
  const [first, second] = [1, 2].map((seed) => slices.map((slice) => surveyBatch(slice, seed, 60_000 + seed))) as [
    ClassifiedBatch[],
    ClassifiedBatch[],
  ]
  const { partitionOf, bytesOf } = await preparation(database)
  const bare = first.map((batch) => bytesOf(batch, () => 0))
  const sorted = first.map((batch) => bytesOf(batch, partitionOf))
  const taken = new Map<string, Taken[]>()
  const note = async (what: string, work: () => Promise<void>): Promise<void> => {
    await database.query('CHECKPOINT')
    taken.set(what, [...(taken.get(what) ?? []), await measured(database, oids.length, work)])
  }
  const fresh = async (what: string, work: () => Promise<void>): Promise<void> => {
    await database.query('TRUNCATE probability')
    await note(what, work)
  }
  for (let round = 0; round < rounds; round++) {
    await fresh('bare COPY', () => copyAll(database, bare))
    await fresh('new', () => writeAll(database, first, 1))
    await note('unchanged', () => writeAll(database, first, 1))
    await note('changed', () => writeAll(database, second, 1))
    await fresh('bare COPY, by partition', () => copyAll(database, sorted))
    await fresh('new, 2 connections', () => writeAll(database, first, 2))
  }
  const of = (what: string): Taken => medianOf(taken.get(what)!)
  const against = (what: string, base: string): Line => [what, of(what), `${ratio(of(what), of(base))} of ${base}`]
  print(`45 rows an object into 16 partitions, batches of ${batchSize}, medians of ${rounds}`, [
    ['bare COPY', of('bare COPY'), 'binary, objects by oid, a transaction a batch'],
    against('bare COPY, by partition', 'bare COPY'),
    against('new', 'bare COPY'),
    against('unchanged', 'new'),
    against('changed', 'new'),
    against('new, 2 connections', 'new'),
  ])
}

/** The bytes of COPY that the sink would write for a batch, in any order of the objects. */
async function preparation(database: TestDatabase) {
  const connection = await database.connect()
  const { partitionOf, tid } = await inspectSurveyTables(connection, 0)
  const ids = await resolveModel(connection, { taxonomy: surveyTaxonomy, version: '2.1.0', tid })
  await connection.close()
  const context = { sid: 0, ...ids }
  const encode = (rows: SurveyRows): Buffer => Buffer.concat([...encodeSurveyRows(rows, context)])
  const bytesOf = (batch: ClassifiedBatch, order: PartitionOf): Buffer =>
    encode(selectSurveyRows(batch, context, order, 'bench').wanted)
  return { partitionOf, bytesOf }
}

async function copyAll(database: TestDatabase, all: readonly Buffer[]): Promise<void> {
  await withClient(database, async (client) => {
    for (const bytes of all) await pipeline([bytes], client.query(copyFrom(copyStatement)))
  })
}

async function writeAll(database: TestDatabase, all: readonly ClassifiedBatch[], connections: number): Promise<void> {
  const { settings: connection } = database
  const spec = { kind: 'postgres', address: 'bench', connection, missingObject: 'fail', connections } as const
  const sink = await openPostgresSink(spec, surveyContext)
  for (const batch of all) await sink.write(batch)
  await sink.close()
}
