import { afterAll, beforeAll, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'none' })
})

afterAll(() => database.drop())

it('lcclf db makes the multisurvey tables with a model in them, checks them, and says which flags do not fit', async () => {
  const init = ['db', 'init', database.url]
  expect(await hostedLcclf([...init, '--register'])).toMatchObject({ code: 2 })
  expect(await hostedLcclf([...init, '--tables', 'multisurvey', '--with-history'])).toMatchObject({ code: 2 })
  const made = await hostedLcclf([...init, '--tables', 'multisurvey', '--register', '--model', 'samples/model'])
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('registered: lc_classifier 1.')])
  const { code, stdout } = await hostedLcclf(['db', 'check', database.url, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, tables: 'multisurvey', versions: [] })
})
