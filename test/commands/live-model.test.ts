// Which model answers where others rely on the answers, and none is named.
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startHttpModels, type HttpModels } from '../support/http-models.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples, type Outcome } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { renamedModel } from '../support/renamed-model.ts'
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

describe('a store with several models', () => {
  it(
    'has one answer to which of them: a name means its highest version, and none the name stored last',
    { tags: ['long'] },
    async () => {
      const models = join(work, 'home/models')
      const stored = ([name, version]: readonly [string, string], seconds: number): void => {
        const folder = renamedModel(join(models, name, version), name, version)
        utimesSync(join(folder, 'manifest.json'), seconds, seconds)
      }
      // an older version comes last, to be compared with
      const order = [
        ['other', '3.0'],
        ['forest', '1.10.0'],
        ['forest', '1.9.0'],
      ] as const
      order.forEach((model, i) => stored(model, 1e9 + i))
      const said = async (args: string[], more: Record<string, string> = {}): Promise<string> =>
        (await hostedLcclf(args, { cwd: work, env: { ...env, ...more } })).stderr
      const toFile = ['classify', rows, '--limit', '1', '--to', 'x.csv', '--overwrite']
      expect(await toTables({}, ['--limit', '1'])).toMatchObject({
        stderr: expect.stringContaining('model: forest 1.10.0 (the newest of the store)\n'),
      })
      const { stdout } = await lcclf(['doctor'], { cwd: work, env })
      expect(stdout).toContain('forest@1.10.0 (the newest of the store)')
      const byName = 'model: forest 1.10.0 (--model, the highest version of forest in the store)\n'
      expect(await said([...toFile, '--model', 'forest'])).toContain(byName)
      expect(await said(['check', rows, '--model', 'forest'])).toContain(byName)
      expect(await said(['explain', rows, '--oid', 'x', '--model', 'forest'])).toContain(byName)
      expect(await said([...toFile, '--model', 'other'])).toContain('model: other 3.0 (--model)\n')
      expect(await said(toFile, { LCCLF_MODEL: 'forest@1.9.0' })).toContain('model: forest 1.9.0 (LCCLF_MODEL)\n')
      expect(await said([...toFile, '--model', 'forest', '--quiet'])).toBe('')
      expect(await said(['classify', rows, '--limit', '1', '--to', 'sample.csv'])).toContain(
        'model: sample_forest 1.5.2 (the sample model of this package: a demonstration, not a classification',
      )
      const report = async (model: string[]): Promise<string> => {
        await said([...toFile.with(-2, 'r.csv'), '--report', 'r.html', ...model])
        return readFileSync(join(work, 'r.html'), 'utf8')
      }
      expect(await report([])).toContain('a demonstration with the sample model')
      expect(await report(['--model', 'forest'])).not.toContain('demonstration')
      expect((await hostedLcclf(['model', 'show', 'forest'], { cwd: work, env })).stdout).toContain('forest@1.10.0')
      await said(['model', 'lock', 'other'])
      expect(await said(toFile)).toContain('model: other 3.0 (pinned by lcclf.lock)\n')
      rmSync(join(work, 'lcclf.lock'))
      expect(await said(['model', 'remove', 'forest'])).toBe(
        'forest@1.10.0 is removed; the store still has forest@1.9.0\n',
      )
    },
  )
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
