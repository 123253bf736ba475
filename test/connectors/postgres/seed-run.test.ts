import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openClassifier } from '../../../src/model/open.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { classifyInput } from '../../../src/pipeline/classify-input.ts'
import { openPostgresSink } from '../../../src/connectors/postgres/postgres-sink.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { unpackFixture } from '../../support/fixture-folders.ts'
import { originalRows } from '../../support/postgres-batches.ts'
import { createDatabase, type TestDatabase } from '../../support/postgres-database.ts'
import { sharedPostgres } from '../../support/postgres-shared.ts'
import { seedRun } from '../../support/seed-run.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres())
})

afterAll(() => database.drop())

it("makes the original's 1,320 rows of its 40 messages, every rank and every bit", async () => {
  const folder = temporaryFolder()
  const bundle = join(folder, 'bundle')
  const model = { source: unpackFixture('sklearn-0.22.2'), name: 'hierarchical_random_forest', version: '1.0.0' }
  await importModel({ ...model, out: bundle })
  mkdirSync(join(folder, 'messages'))
  const paths = seedRun('input').map((message, i) => {
    const path = join(folder, 'messages', `${i}.avro`)
    writeFileSync(path, message)
    return path
  })
  await database.addObjects([...new Set(originalRows.map(([oid]) => oid))])
  const classifier = await openClassifier(bundle, { threads: 1 })
  const sink = await openPostgresSink(
    { kind: 'postgres', address: 'postgres://here', connection: database.settings, missingObject: 'fail' },
    {
      schema: { oidType: 'string', hasCandid: true },
      taxonomy: classifier.taxonomy,
      classifierVersion: classifier.identity.classifierVersion,
    },
  )
  for (const path of paths) {
    const source = await openSource(
      { kind: 'file', address: path, path, format: 'avro' },
      {
        features: classifier.features,
        preprocessing: classifier.preprocessing,
        batchSize: 1000,
        idColumn: 'oid',
        candidColumn: 'candid',
        rename: new Map(),
        allowance: { remaining: Infinity },
      },
    )
    const signal = new AbortController().signal
    await classifyInput({ source, classifier, sinks: [sink], signal, onBatch: () => Promise.resolve() })
    await source.close()
  }
  await sink.close()
  await classifier.close()
  const rows = await database.query(
    `SELECT oid, classifier_name, classifier_version, class_name, probability, ranking
       FROM probability ORDER BY oid COLLATE "C", classifier_name COLLATE "C", class_name COLLATE "C"`,
  )
  expect(rows).toHaveLength(1320)
  expect(rows).toStrictEqual(originalRows)
  const taxonomy = await database.query('SELECT classifier_name, cardinality(classes) FROM taxonomy ORDER BY 2')
  expect(taxonomy.map(([, size]) => size)).toEqual([3, 4, 5, 6, 15])
})
