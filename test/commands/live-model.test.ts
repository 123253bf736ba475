// Which model answers where others rely on the answers, and none is named.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startHttpModels, type HttpModels } from '../support/http-models.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples, type Outcome } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unpackPickles } from '../support/unpacked-pickles.ts'

const sample = join(samples, 'model')
const rows = join(samples, 'ztf-300.parquet')

let server: HttpModels
let database: TestDatabase
let work: string
let env: Record<string, string>

beforeAll(async () => {
  server = await startHttpModels()
  const pickles = unpackPickles('0.22.2', join(temporaryFolder(), 'pickles'))
  server.putFolder('/pickles/', pickles)
  const entry = { name: 'survey_forest', version: '1.0.0', files: readdirSync(pickles), note: '' }
  const models = [{ ...entry, url: `${server.url}pickles/` }]
  server.put('/known.json', JSON.stringify({ schemaVersion: 1, default: 'survey_forest@1.0.0', models }))
})

afterAll(() => server.close())

beforeEach(async () => {
  work = temporaryFolder()
  const known = join(work, 'known.json')
  writeFileSync(known, Buffer.from(await (await fetch(`${server.url}known.json`)).arrayBuffer()))
  env = { LCCLF_HOME: join(work, 'home'), LCCLF_KNOWN_MODELS: known, LCCLF_PULL: '' }
  database = await createDatabase(await sharedPostgres())
})

afterEach(() => database.drop())

const toTables = (more: Record<string, string> = {}, args: string[] = []): Promise<Outcome> =>
  hostedLcclf(['classify', rows, '--to', database.url, '--missing-object', 'reject', ...args], {
    cwd: work,
    env: { ...env, ...more },
  })

describe('a run into tables without a model', () => {
  it('pulls the known default into an empty store, once, and says so', async () => {
    const first = await toTables()
    expect(first.stderr).toContain('pulling the known default')
    expect(first.stderr).toContain('survey_forest')
    expect(readdirSync(join(work, 'home', 'models', 'survey_forest'))).toEqual(['1.0.0'])
    server.requests.length = 0
    const second = await toTables()
    expect([second.code, first.code, server.requests]).toEqual([first.code, first.code, []])
    expect(second.stderr).not.toContain('pulling')
  })

  it('asks nobody with LCCLF_PULL=never or in a dry run, and exits 4', async () => {
    server.requests.length = 0
    for (const { code, stderr } of [await toTables({ LCCLF_PULL: 'never' }), await toTables({}, ['--dry-run'])]) {
      expect([code, stderr]).toEqual([4, expect.stringContaining('is empty')])
    }
    expect(server.requests).toEqual([])
  })

  it('exits 4 where the known default cannot be downloaded, and says why', async () => {
    writeFileSync(env['LCCLF_KNOWN_MODELS']!, await knownList(`${server.url}gone/`))
    const { code, stderr } = await toTables()
    expect([code, stderr]).toEqual([4, expect.stringMatching(/is empty, and .*could not be downloaded/)])
  })
})

describe('a folder with a lcclf.lock', () => {
  it('gets the pinned model where none is named, not the sample and not the newest', async () => {
    const pickles = join(work, 'pickles')
    unpackPickles('0.22.2', pickles)
    const into = (name: string): Promise<Outcome> =>
      hostedLcclf(['model', 'import', pickles, '--name', name, '--version', '1.0.0'], { cwd: work, env })
    expect([(await into('pinned_forest')).code, (await into('newer_forest')).code]).toEqual([0, 0])
    expect((await hostedLcclf(['model', 'lock', 'pinned_forest'], { cwd: work, env })).code).toBe(0)
    const { stdout, stderr } = await hostedLcclf(['classify', rows, '--limit', '1', '--to-format', 'ndjson'], {
      cwd: work,
      env,
    })
    expect(stderr).not.toContain('demonstration')
    expect(stdout).toContain('"classifier_version":"pinned_forest_1.0.0"')
    await toTables()
    const classifiers = await database.query('SELECT DISTINCT classifier_version FROM taxonomy')
    expect(classifiers).toEqual([['pinned_forest_1.0.0']])
    rmSync(join(work, 'home', 'models', 'pinned_forest'), { recursive: true })
    const gone = await hostedLcclf(['classify', rows, '--limit', '1'], { cwd: work, env })
    expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining('pinned_forest@1.0.0')])
    const other = await hostedLcclf(['classify', rows, '--model', sample, '--limit', '1'], { cwd: work, env })
    expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('lcclf.lock pins')])
  })
})

async function knownList(url: string): Promise<string> {
  const list = (await (await fetch(`${server.url}known.json`)).json()) as { models: { url: string }[] }
  return JSON.stringify({ ...list, models: list.models.map((model) => ({ ...model, url })) })
}
