import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPostgresSink } from '../../../../src/connectors/postgres/postgres-sink.ts'
import { readNumberText } from '../../../../src/formats/text-values.ts'
import { importModel } from '../../../../src/model/import-model.ts'
import { openClassifier } from '../../../../src/model/open.ts'
import { createMatrix, preprocess } from '../../../../src/pipeline/preprocess.ts'
import { readFixture } from '../../../support/fixture-folders.ts'
import { originalSurveyRows, storedSurveyRows } from '../../../support/multisurvey-batches.ts'
import { createDatabase, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const fixture = 'today/bhrf-2.1.0'
let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'multisurvey' })
})

afterAll(() => database.drop())

it("makes the survey's 1,350 rows of its 30 messages, every rank and every bit", async () => {
  const folder = temporaryFolder()
  const source = join(folder, 'model.pkl')
  writeFileSync(source, readFixture(`${fixture}/hierarchical_random_forest_model.pkl.gz`))
  const bundle = join(folder, 'bundle')
  await importModel({ source, name: 'squidward', version: '2.1.0', out: bundle })
  const classifier = await openClassifier(bundle, { threads: 1 })
  const { features, preprocessing, taxonomy, identity } = classifier
  const all: Record<string, string>[] = parse(readFixture(`${fixture}/input.csv.gz`), { columns: true })
  const rows = all.slice(5, 35)
  const matrix = createMatrix(rows.length * features.length, preprocessing)
  rows.forEach((row, i) =>
    features.forEach((name, at) => {
      // a message's field has a float32
      const value = Math.fround(readNumberText(row[name]!) ?? NaN)
      matrix[i * features.length + at] = preprocess(value, preprocessing)
    }),
  )
  const mjds = Float64Array.from(rows, (_, i) => 60_000 + i)
  const oids = rows.map(({ oid }) => oid!)
  const batch = { rowCount: rows.length, oids, candids: oids.map(() => null), mjds, matrix }
  const sink = await openPostgresSink(
    { kind: 'postgres', address: 'postgres://here', connection: database.settings, missingObject: 'fail' },
    {
      schema: { oidType: 'string', hasCandid: false, hasMjd: true },
      taxonomy,
      classifierVersion: identity.classifierVersion,
      modelVersion: identity.version,
    },
  )
  const outcome = await sink.write(await classifier.classify(batch))
  await sink.close()
  await classifier.close()
  expect(outcome).toEqual({ objects: 30, rows: 1350, refused: [], superseded: 0 })
  const stored = await database.query(storedSurveyRows)
  const expected = [...originalSurveyRows()].sort(
    (a, b) => Number(BigInt(a[0]!) - BigInt(b[0]!)) || Number(a[2]) - Number(b[2]) || Number(a[4]) - Number(b[4]),
  )
  expect(expected).toHaveLength(1350)
  expect(stored.map((row) => row.slice(0, 7))).toStrictEqual(expected)
})
