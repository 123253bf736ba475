// A REF that is an archive or an address: unpacked once a machine, verified, shared, and as good as the folder it came from.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { cutAfter, type HttpModels, startHttpModels } from '../support/http-models.ts'
import { lcclf, type Outcome, samples } from '../support/lcclf.ts'
import { renamedModel } from '../support/renamed-model.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unpackPickles } from '../support/unpacked-pickles.ts'

const rows = join(samples, 'ztf-300.parquet')
const archives = temporaryFolder()
let server: HttpModels
let work: string
let env: Record<string, string>
/** what the sample model answers to the first rows */
let truth: Buffer

const packed = (folder: string, name: string): string => {
  const path = join(archives, name)
  execFileSync('tar', ['-czf', path, '-C', join(folder, '..'), basename(folder)])
  return path
}

beforeAll(async () => {
  server = await startHttpModels()
  packed(join(samples, 'model'), 'sample.tar.gz')
  renamedModel(join(archives, 'newer'), 'newer', '2')
  packed(join(archives, 'newer'), 'newer.tar.gz')
  const out = join(archives, 'truth.csv')
  await hostedLcclf(['classify', rows, '--limit', '20', '--to', out, '--model', join(samples, 'model')])
  truth = readFileSync(out)
})

afterAll(() => server.close())

beforeEach(() => {
  work = temporaryFolder()
  env = { LCCLF_HOME: join(work, 'home'), LCCLF_PULL: '' }
  server.fault = null
  server.requests.length = 0
  server.put('/m.tar.gz', readFileSync(join(archives, 'sample.tar.gz')))
})

const classify = (model: string, to: string, more: Record<string, string> = {}, run = hostedLcclf): Promise<Outcome> =>
  run(['classify', rows, '--limit', '20', '--model', model, '--to', join(work, to)], {
    cwd: work,
    env: { ...env, ...more },
  })
const unpacked = (): string[] => {
  const shelf = join(work, 'home/cache/models/unpacked')
  return existsSync(shelf) ? readdirSync(shelf) : []
}
const downloads = (): string[] => readdirSync(join(work, 'home/cache/downloads'))

describe('an archive as --model', () => {
  it('is unpacked by one of eight processes that start at once, and answers as its folder does', async () => {
    copyFileSync(join(archives, 'sample.tar.gz'), join(work, 'm.tar.gz'))
    const runs = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        classify('m.tar.gz', `${i}.csv`, {}, (args, options) => lcclf(args, options)),
      ),
    )
    expect(runs.map(({ code }) => code)).toEqual(Array(8).fill(0))
    for (let i = 0; i < 8; i++) expect(readFileSync(join(work, `${i}.csv`)).equals(truth)).toBe(true)
    expect(runs.filter(({ stderr }) => stderr.includes('unpacking the model'))).toHaveLength(1)
    expect([unpacked().length, downloads()]).toEqual([1, []])
    expect(runs[0]!.stderr).toContain('model: sample_forest 1.5.2 (--model, unpacked from m.tar.gz)')
  })

  it('is taken wherever a REF is, by LCCLF_MODEL too', async () => {
    const model = join(archives, 'sample.tar.gz')
    const oid = readFileSync(join(samples, 'ztf-300-labels.csv'), 'utf8').split('\n')[1]!.split(',')[0]!
    const inputs: [string[], Record<string, string>][] = [
      [['check', rows, '--limit', '5', '--model', model], {}],
      [['explain', rows, '--oid', oid, '--top', '1', '--model', model], {}],
      [['model', 'verify', model], {}],
      [['model', 'show', model], {}],
      [['model', 'export', model, '--format', 'tar.gz', '--out', join(work, 'again.tar.gz')], {}],
      [['classify', rows, '--limit', '5', '--dry-run'], { LCCLF_MODEL: model }],
    ]
    for (const [args, more] of inputs) {
      expect([args, (await hostedLcclf(args, { env: { ...env, ...more } })).code]).toEqual([args, 0])
    }
    expect(unpacked()).toHaveLength(1)
  })

  it('that is replaced by a newer one is unpacked again; one that was only moved or touched is not', async () => {
    const model = join(work, 'm.tar.gz')
    copyFileSync(join(archives, 'sample.tar.gz'), model)
    expect((await classify(model, 'a.csv')).code).toBe(0)
    utimesSync(model, 1e9, 1e9)
    expect((await classify(model, 'b.csv')).code).toBe(0)
    expect(unpacked()).toHaveLength(1)
    copyFileSync(join(archives, 'newer.tar.gz'), model)
    const newer = await classify(model, 'c.csv')
    expect([newer.code, newer.stderr]).toEqual([0, expect.stringContaining('model: newer 2 (')])
    expect(unpacked()).toHaveLength(2)
    expect(readFileSync(join(work, 'c.csv'), 'utf8')).toContain('newer_2')
  })

  it('whose unpacked files were damaged is unpacked again', async () => {
    const model = join(archives, 'sample.tar.gz')
    expect((await classify(model, 'a.csv')).code).toBe(0)
    truncateSync(join(work, 'home/cache/models/unpacked', unpacked()[0]!, 'forest.arrow'), 100)
    expect((await classify(model, 'b.csv')).code).toBe(0)
    expect(readFileSync(join(work, 'b.csv')).equals(truth)).toBe(true)
  })

  it('that is cut, changed, a bomb, or holds pickles is refused with what to do, and leaves nothing', async () => {
    const bytes = readFileSync(join(archives, 'sample.tar.gz'))
    writeFileSync(join(work, 'cut.tar.gz'), bytes.subarray(0, bytes.length >> 1))
    cpSync(join(samples, 'model'), join(work, 'changed'), { recursive: true })
    const forest = readFileSync(join(work, 'changed/forest.arrow'))
    forest[forest.length >> 1]! ^= 1
    writeFileSync(join(work, 'changed/forest.arrow'), forest)
    mkdirSync(join(work, 'bomb'))
    writeFileSync(join(work, 'bomb/forest.arrow'), '')
    truncateSync(join(work, 'bomb/forest.arrow'), 120_000_000)
    unpackPickles('0.22.2', join(work, 'pickles'))
    const refused: [model: string, message: RegExp][] = [
      [join(work, 'cut.tar.gz'), /not a complete \.tar\.gz/],
      [packed(join(work, 'changed'), 'changed.tar.gz'), /the bundle is not what it says: .*forest\.arrow/],
      [packed(join(work, 'bomb'), 'bomb.tar.gz'), /unpacks to more than 200 times its own size/],
      [
        packed(join(work, 'pickles'), 'pickles.tar.gz'),
        /holds pickles, which must be imported first\n.*lcclf model pull/,
      ],
    ]
    for (const [model, message] of refused) {
      const { code, stderr } = await classify(model, 'x.csv')
      expect([model, code, stderr]).toEqual([model, 4, expect.stringMatching(message)])
    }
    expect([unpacked(), downloads(), existsSync(join(work, 'x.csv'))]).toEqual([[], [], false])
  })
})

describe('an address as --model', () => {
  it('is fetched once, is asked whether it is the same, and is kept for when nobody answers', async () => {
    const address = `${server.url}m.tar.gz?signature=secret`
    server.fault = cutAfter(100_000)
    const cut = classify(address, 'a.csv')
    setTimeout(() => (server.fault = null), 400)
    const first = await cut
    expect([first.code, readFileSync(join(work, 'a.csv')).equals(truth)]).toEqual([0, true])
    expect(first.stderr).not.toContain('secret')
    server.requests.length = 0
    expect((await classify(address, 'b.csv')).code).toBe(0)
    const last = readFileSync(join(archives, 'sample.tar.gz')).length - 1
    expect(server.requests).toEqual([`/m.tar.gz bytes=${last}-`])
    server.put('/m.tar.gz', readFileSync(join(archives, 'newer.tar.gz')))
    expect((await classify(address, 'c.csv')).stderr).toContain('model: newer 2 (')
    server.fault = (request) => request.destroy() !== undefined
    const away = await classify(address, 'd.csv')
    expect([away.code, away.stderr]).toEqual([0, expect.stringMatching(/the connection was cut; using the copy of 20/)])
    expect((await classify(address, 'e.csv', { LCCLF_PULL: 'never' })).code).toBe(0)
    expect(readFileSync(join(work, 'e.csv')).equals(readFileSync(join(work, 'c.csv')))).toBe(true)
    const kept = readdirSync(join(work, 'home/cache/models'), { recursive: true, encoding: 'utf8' })
    const texts = kept
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFileSync(join(work, 'home/cache/models', name), 'utf8'))
    expect(texts.some((text) => text.includes('secret'))).toBe(false)
  })

  it('may be a folder with a bundle, or one with an index, of which only what is new is fetched', async () => {
    server.putFolder('/bundle/', join(samples, 'model'))
    expect((await classify(`${server.url}bundle`, 'a.csv')).code).toBe(0)
    expect(readFileSync(join(work, 'a.csv')).equals(truth)).toBe(true)
    const pushed = join(work, 'pushed')
    expect((await hostedLcclf(['model', 'push', join(samples, 'model'), pushed], { env })).code).toBe(0)
    for (const name of readdirSync(pushed, { recursive: true, encoding: 'utf8' })) {
      if (/\.\w+$/.test(name) && !/\d$/.test(name)) server.put(`/models/${name}`, readFileSync(join(pushed, name)))
    }
    server.requests.length = 0
    expect((await classify(`${server.url}models/`, 'b.csv')).code).toBe(0)
    expect(server.requests.filter((path) => path.includes('.arrow'))).toEqual([])
    expect(unpacked()).toHaveLength(1)
  })

  it('is refused over plain http, without a copy where nothing may be pulled, and where nothing is', async () => {
    const refused: [address: string, more: Record<string, string>, message: RegExp][] = [
      [
        'http://models.example/m.tar.gz',
        {},
        /plain http.*\n.*lcclf model pull http:\/\/models\.example\/m\.tar\.gz --allow-http/,
      ],
      [
        `${server.url}m.tar.gz`,
        { LCCLF_PULL: 'never' },
        /is not on this machine, and nothing may be downloaded\n.*LCCLF_PULL=never/,
      ],
      [`${server.url}none.tar.gz`, {}, /no model there/],
    ]
    for (const [address, more, message] of refused) {
      const { code, stderr } = await classify(address, 'x.csv', more)
      expect([address, code, stderr]).toEqual([address, 4, expect.stringMatching(message)])
    }
  })

  it('is cleaned away by gc once nobody has used it for a month, and not before', async () => {
    expect((await classify(`${server.url}m.tar.gz`, 'a.csv')).code).toBe(0)
    const models = join(work, 'home/cache/models')
    const [record] = readdirSync(models).filter((name) => name.endsWith('.json'))
    expect((await hostedLcclf(['model', 'gc'], { env })).stderr).toBe('nothing to remove\n')
    const monthAgo = Date.now() / 1000 - 31 * 24 * 3600
    for (const path of [record!, `unpacked/${unpacked()[0]!}`]) utimesSync(join(models, path), monthAgo, monthAgo)
    const { code, stdout } = await hostedLcclf(['model', 'gc'], { env })
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/removed .*unpacked\/[0-9a-f]{64} .*nobody used for 30 days/),
    ])
    expect([unpacked(), readdirSync(models)]).toEqual([[], ['unpacked']])
  })
})
