import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Manifest } from '../../src/model/bundle/manifest.ts'
import { readFixture } from '../support/fixture-folders.ts'
import { cutAfter, startHttpModels, type HttpModels } from '../support/http-models.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples, startLcclf, type Outcome } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unpackPickles } from '../support/unpacked-pickles.ts'

const sample = join(samples, 'model')
/** only root may, and not in every container */
const canMount = ((): boolean => {
  const folder = temporaryFolder()
  try {
    execFileSync('mount', ['--bind', folder, folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  }
})()
const named = ['--name', 'forest', '--version', '1.0.0']
let server: HttpModels
let work: string
let pickles: string
let env: Record<string, string>

beforeAll(async () => {
  server = await startHttpModels()
  pickles = unpackPickles('0.22.2', join(temporaryFolder(), 'pickles'))
})

afterAll(() => server.close())

beforeEach(() => {
  work = temporaryFolder()
  env = { LCCLF_HOME: join(work, 'home') }
  server.fault = null
  server.requests.length = 0
  server.putFolder('/pickles/', pickles)
  server.putFolder('/bundle/', sample)
})

const pull = (args: string[], more: Record<string, string> = {}): Promise<Outcome> =>
  hostedLcclf(['model', 'pull', ...args], { cwd: work, env: { ...env, ...more } })
/** `count` processes that pull the same at once */
const pullAtOnce = (count: number, args: string[]): Promise<Outcome[]> =>
  Promise.all(Array.from({ length: count }, () => lcclf(['model', 'pull', ...args], { cwd: work, env })))

/** name/version of everything in the store, hidden things too */
function stored(): string[] {
  const store = join(work, 'home', 'models')
  if (!existsSync(store)) return []
  return readdirSync(store).flatMap((name) => readdirSync(join(store, name)).map((version) => `${name}/${version}`))
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('lcclf model pull', () => {
  it('imports pickles on the way, pins them, and leaves no download behind', async () => {
    const { code, stdout, stderr } = await pull([`${server.url}pickles`, ...named, '--json'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('reproduced in every bit')])
    expect(JSON.parse(stdout)).toMatchObject({ name: 'forest', version: '1.0.0', status: 'is now in' })
    const listed = await hostedLcclf(['model', 'list', '--json'], { env })
    expect(JSON.parse(listed.stdout)).toMatchObject({
      models: [{ name: 'forest', version: '1.0.0', trees: 48, verified: true, origin: `${server.url}pickles/` }],
    })
    const shown = JSON.parse((await hostedLcclf(['model', 'show', 'forest', '--json'], { env })).stdout) as {
      manifest: { origin: { file: string; sha256: string }[] }
    }
    for (const { file, sha256: sum } of shown.manifest.origin) {
      expect([file, sum]).toEqual([file, sha256(readFileSync(join(pickles, file)))])
    }
    expect(readdirSync(join(work, 'home', 'cache', 'downloads'))).toEqual([])
    server.requests.length = 0
    const again = await pull([`${server.url}pickles`, ...named])
    expect([again.code, server.requests]).toEqual([0, []])
    expect(again.stderr).toContain('is already in')
  })

  it('gets the default model, and says where else to look when its address is gone', async () => {
    const known = join(work, 'known.json')
    const entry = {
      name: 'hierarchical_random_forest',
      version: '1.0.0',
      url: `${server.url}pickles/`,
      files: readdirSync(pickles),
      note: 'The address says something else.',
    }
    const other = { ...entry, version: '1.1.1', url: `${server.url}gone/` }
    const list = { schemaVersion: 1, default: 'hierarchical_random_forest@1.0.0', models: [entry, other] }
    writeFileSync(known, JSON.stringify(list))
    const here = await pull([], { LCCLF_KNOWN_MODELS: known })
    expect([here.code, stored()]).toEqual([0, ['hierarchical_random_forest/1.0.0']])
    expect(here.stderr).toContain('note: The address says something else.')
    const gone = await pull(['hierarchical_random_forest@1.1.1'], { LCCLF_KNOWN_MODELS: known })
    expect(gone.code).toBe(4)
    expect(gone.stderr).toMatch(/could not be downloaded.*gone/)
    expect(gone.stderr).toContain('Other known models: hierarchical_random_forest@1.0.0')
    expect((await pull(['nonsense'])).stderr).toContain('hierarchical_random_forest@1.1.1')
  })

  it('pulls the survey’s model of 2025, one file of a known size and MD5, by name, and by its address alone', async () => {
    const bytes = readFixture('today/bhrf-2.1.0/hierarchical_random_forest_model.pkl.gz')
    const file = 'hierarchical_random_forest_model.pkl'
    server.put(`/squidward/2.1.0/${file}`, bytes)
    const url = `${server.url}squidward/2.1.0/`
    const md5 = createHash('md5').update(bytes).digest('hex')
    const list = (size: number, sum: string) => {
      const entry = {
        name: 'squidward',
        version: '2.1.0',
        url,
        files: [file],
        size: { [file]: size },
        md5: { [file]: sum },
      }
      const known = join(work, 'known.json')
      writeFileSync(known, JSON.stringify({ schemaVersion: 1, default: 'squidward@2.1.0', models: [entry] }))
      return { LCCLF_KNOWN_MODELS: known }
    }
    const named = ['--name', 'squidward', '--version', '2.1.0']
    const wrong = await pull(named, list(bytes.length, '0'.repeat(32)))
    expect([wrong.code, stored()]).toEqual([4, []])
    expect(wrong.stderr).toContain(`its MD5 is ${md5}, and should be ${'0'.repeat(32)}`)
    const short = await pull(named, list(bytes.length - 1, md5))
    expect(short.stderr).toContain(`has ${bytes.length} bytes, and should have ${bytes.length - 1}`)
    expect((await pull(named, list(bytes.length, md5))).code).toBe(0)
    expect(stored()).toEqual(['squidward/2.1.0'])
    const shown = await hostedLcclf(['model', 'show', 'squidward', '--json'], { env })
    const { manifest } = JSON.parse(shown.stdout) as { manifest: Manifest }
    expect(manifest.classifierName).toBe('lc_classifier_BHRF_forced_phot')
    const unlisted = await pull([url, '--name', 'mine', '--version', '1'])
    expect([unlisted.code, stored()]).toEqual([0, ['mine/1', 'squidward/2.1.0']])
  })

  it('takes a bundle as it is, also as a .tar.gz, and also from an index', async () => {
    expect((await pull([`${server.url}bundle/`])).code).toBe(0)
    expect(stored()).toEqual(['sample_forest/1.5.2'])
    const archive = join(work, 'm.tar.gz')
    const exported = await hostedLcclf(['model', 'export', sample, '--format', 'tar.gz', '--out', archive], { env })
    expect(exported.code).toBe(0)
    const bytes = readFileSync(archive)
    expect(exported.stderr).toContain(sha256(bytes))
    await hostedLcclf(['model', 'export', sample, '--format', 'tar.gz', '--out', archive, '--overwrite'], { env })
    expect(readFileSync(archive).equals(bytes)).toBe(true)
    server.put('/m.tar.gz', bytes)
    for (const address of [`${server.url}m.tar.gz?token=secret`, `file://${archive}`, archive]) {
      rmSync(join(work, 'home'), { recursive: true, force: true })
      const { code, stderr } = await pull([address])
      expect([address, code, stored()]).toEqual([address, 0, ['sample_forest/1.5.2']])
      expect(stderr).not.toContain('secret')
    }
    const pushed = await hostedLcclf(['model', 'push', sample, join(work, 'www')], { env })
    expect(pushed.code).toBe(0)
    server.putFolder('/www/sample_forest/1.5.2/', join(work, 'www/sample_forest/1.5.2'))
    server.put('/www/lcclf-index.json', readFileSync(join(work, 'www/lcclf-index.json')))
    for (const address of [`${server.url}www/`, join(work, 'www')]) {
      rmSync(join(work, 'home'), { recursive: true, force: true })
      expect((await pull([address, '--name', 'sample_forest'])).code).toBe(0)
    }
    expect((await pull([`${server.url}www/`, '--name', 'other'])).stderr).toContain('It has sample_forest@1.5.2')
  })

  it('resumes where it broke, also when it was killed, and never shows half a model', async () => {
    const fast = { ...env }
    server.fault = (request, response, file) => {
      if (!request.url!.includes('periodic')) return false
      response.writeHead(200, { 'content-length': file!.bytes.length, etag: file!.etag })
      response.write(file!.bytes.subarray(0, 300_000))
      return true
    }
    const child = startLcclf(['model', 'pull', `${server.url}pickles/`, ...named], { cwd: work, env: fast })
    const downloads = join(work, 'home', 'cache', 'downloads')
    const part = (): string | undefined =>
      existsSync(downloads)
        ? readdirSync(downloads, { recursive: true, encoding: 'utf8' }).find((name) => /periodic.*\.part$/.test(name))
        : undefined
    await expect
      .poll(() => part() && readFileSync(join(downloads, part()!)).length, { timeout: 20_000 })
      .toBeGreaterThan(200_000)
    child.kill('SIGKILL')
    expect(stored()).toEqual([])
    server.fault = null
    server.requests.length = 0
    expect((await pull([`${server.url}pickles/`, ...named])).code).toBe(0)
    expect(server.requests.find((line) => line.includes('periodic'))).toMatch(/bytes=[2-3]\d{5}-/)
    expect(stored()).toEqual(['forest/1.0.0'])
    expect((await hostedLcclf(['model', 'verify', 'forest'], { env })).code).toBe(0)
  })

  it('ten times at once ends with one good copy, downloaded once', async () => {
    const outcomes = await pullAtOnce(10, [`${server.url}pickles/`, ...named])
    expect(outcomes.map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 0))
    expect(outcomes.filter(({ stderr }) => stderr.includes('is now in'))).toHaveLength(1)
    expect(server.requests.filter((line) => line.includes('periodic'))).toHaveLength(1)
    expect(stored()).toEqual(['forest/1.0.0'])
    expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(0)
  })

  it('three times at once downloads a bundle once, though only its manifest says its name', async () => {
    const outcomes = await pullAtOnce(3, [`${server.url}bundle/`])
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(server.requests.filter((line) => line.includes('forest.arrow'))).toHaveLength(1)
    expect(stored()).toEqual(['sample_forest/1.5.2'])
  })

  it('refuses what --sha256 does not name, or names with another sum, and stores nothing', async () => {
    const sums = readdirSync(pickles).map((name) => `${sha256(readFileSync(join(pickles, name)))}  ./${name}\n`)
    const list = join(work, 'SHA256SUMS')
    const attempt = async (text: string): Promise<Outcome> => {
      writeFileSync(list, text)
      return pull([`${server.url}pickles/`, ...named, '--sha256', list])
    }
    const missing = await attempt(sums.slice(0, 3).join(''))
    expect([missing.code, missing.stderr]).toEqual([4, expect.stringContaining('does not name it')])
    const wrong = await attempt(sums.join('').replaceAll(/^.{4}/gm, '0000'))
    expect([wrong.code, wrong.stderr]).toEqual([4, expect.stringContaining('and should be 0000')])
    expect((await attempt('not a list')).code).toBe(2)
    expect(stored()).toEqual([])
    expect((await attempt(sums.join(''))).code).toBe(0)
    const other = await attempt(sums.join('').replaceAll(/^.{4}/gm, '0000'))
    expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('was made from another')])
  })

  it('believes a model of the store no more than a download: --sha256 must name what it came from', async () => {
    const archive = join(work, 'm.tar.gz')
    await hostedLcclf(['model', 'export', sample, '--format', 'tar.gz', '--out', archive], { env })
    const bytes = readFileSync(archive)
    server.put('/m.tar.gz', bytes)
    const list = join(work, 'SHA256SUMS')
    const attempt = async (sum: string, name = 'm.tar.gz'): Promise<Outcome> => {
      writeFileSync(list, `${sum}  ${name}\n`)
      server.requests.length = 0
      const address = `${server.url.replace('//', '//me:hunter2@')}m.tar.gz`
      return pull([address, '--name', 'sample_forest', '--version', '1.5.2', '--sha256', list, '--json'])
    }
    expect((await attempt(sha256(bytes))).code).toBe(0)
    const again = await attempt(sha256(bytes))
    expect([again.code, server.requests]).toEqual([0, []])
    expect(again.stdout + again.stderr).not.toContain('hunter2')
    const bad = await attempt('0'.repeat(64))
    expect([bad.code, bad.stderr]).toEqual([4, expect.stringContaining('and should be 000')])
    const other = await attempt(sha256(bytes), 'other.tar.gz')
    expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('does not name it')])
    const manifest = await attempt(sha256(readFileSync(join(sample, 'manifest.json'))), 'manifest.json')
    expect([manifest.code, server.requests]).toEqual([0, []])
  })

  it.each<[string, () => void, number, RegExp]>([
    [
      'a pickle that would run something',
      () => put('transient_level_RF_model.pkl', "cposix\nsystem\n(S'x'\ntR."),
      4,
      /posix\.system/,
    ],
    [
      'a web page where a pickle should be',
      () => put('transient_level_RF_model.pkl', '<html>login</html>'),
      4,
      /web page/,
    ],
    ['half a pickle', () => put('transient_level_RF_model.pkl', half('transient_level_RF_model.pkl')), 4, /transient/],
    ['swapped files', swap, 4, /stochastic.*Transient/s],
    ['a server that always cuts', () => void (server.fault = cutAfter(2000)), 5, /cut.*gave up/],
    ['a server that refuses', () => void (server.fault = (_, response) => !!response.writeHead(403).end()), 5, /403/],
  ])(
    'from %s leaves the store as it was',
    async (_, spoil, exitCode, message) => {
      expect((await pull([`${server.url}pickles/`, ...named])).code).toBe(0)
      const before = readFileSync(join(work, 'home/models/forest/1.0.0/manifest.json'), 'utf8')
      spoil()
      const { code, stderr } = await pull([`${server.url}pickles/`, ...named, '--overwrite'])
      expect([code, stderr]).toEqual([exitCode, expect.stringMatching(message)])
      expect(readFileSync(join(work, 'home/models/forest/1.0.0/manifest.json'), 'utf8')).toBe(before)
      expect(stored()).toEqual(['forest/1.0.0'])
      expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(0)
      // what could not be imported is fetched anew, what could not be fetched goes on
      const isFetched = message.source !== 'web page' && exitCode === 4
      expect(readdirSync(join(work, 'home/cache/downloads'))).toHaveLength(isFetched ? 0 : 1)
    },
    120_000,
  )

  it.each<[string, (manifest: string) => string, RegExp]>([
    [
      'names a file outside its folder',
      (text) => text.replace('"forest.arrow"', '"../../forest.arrow"'),
      /invalid name or sha256 of a file/,
    ],
    ['names itself out of the store', (text) => text.replace('"sample_forest"', '"../../evil"'), /invalid manifest/],
    ['says another sha256', (text) => text.replace(/("forest.arrow",\s+"sha256": ")..../, '$10000'), /should be 0000/],
    ['says another size', (text) => text.replace(/("size": )\d+/g, '$112345'), /should have 12345/],
    ['says other classes', (text) => text.replaceAll('"AGN"', '"XXX"'), /not what it says/],
    ['says fewer trees', (text) => text.replace('"trees": 12', '"trees": 11'), /not what it says/],
    ['is no manifest', () => '{"formatVersion": 1}', /manifest/],
  ])('refuses a bundle whose manifest %s', async (_, change, message) => {
    server.put('/bundle/manifest.json', change(readFileSync(join(sample, 'manifest.json'), 'utf8')))
    const { code, stderr } = await pull([`${server.url}bundle/`])
    expect([code, stderr]).toEqual([4, expect.stringMatching(message)])
    expect(stored().filter((entry) => !entry.includes('.'))).toEqual([])
  })

  it('repairs a damaged model, and replaces another only with --overwrite', async () => {
    await pull([`${server.url}bundle/`])
    const file = join(work, 'home/models/sample_forest/1.5.2/forest.arrow')
    writeFileSync(file, readFileSync(file).subarray(0, 1000))
    expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(4)
    expect((await pull([`${server.url}bundle/`, '--name', 'sample_forest', '--version', '1.5.2'])).code).toBe(0)
    expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(0)
    const manifest = join(work, 'home/models/sample_forest/1.5.2/manifest.json')
    writeFileSync(manifest, `${readFileSync(manifest, 'utf8')} `)
    const other = await pull([`${server.url}bundle/`])
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--overwrite')])
    const replaced = await pull([`${server.url}bundle/`, '--overwrite'])
    expect([replaced.code, replaced.stderr]).toEqual([0, expect.stringContaining('is replaced in')])
    // a bundle keeps its name
    expect(other.stderr).not.toContain('--name')
  })

  it('repairs a model that lost its manifest, which is listed as damaged and can be removed', async () => {
    await pull([`${server.url}bundle/`])
    const manifest = join(work, 'home/models/sample_forest/1.5.2/manifest.json')
    rmSync(manifest)
    const listed = await hostedLcclf(['model', 'list'], { env })
    expect([listed.code, listed.stderr]).toEqual([4, expect.stringContaining('sample_forest@1.5.2 is damaged')])
    const used = await hostedLcclf(['classify', join(samples, 'ztf-300.parquet'), '-m', 'sample_forest', '-q'], { env })
    expect([used.code, used.stderr]).toEqual([4, expect.stringContaining('no manifest.json')])
    expect((await pull([`${server.url}bundle/`])).code).toBe(0)
    expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(0)
    rmSync(manifest)
    expect((await hostedLcclf(['model', 'remove', 'sample_forest'], { env })).code).toBe(0)
    expect(stored()).toEqual([])
  })

  it('is refused by a lcclf.lock that pins something else, and gets the pinned model without an address', async () => {
    await pull([`${server.url}bundle/`])
    expect((await hostedLcclf(['model', 'lock', 'sample_forest'], { cwd: work, env })).code).toBe(0)
    await pull([`${server.url}pickles/`, ...named])
    const input = join(samples, 'ztf-300.parquet')
    const classify = (model: string): Promise<Outcome> =>
      hostedLcclf(['classify', input, '--limit', '1', '-m', model, '-q'], { cwd: work, env })
    expect((await classify('sample_forest')).code).toBe(0)
    const refused = await classify('forest')
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/lcclf\.lock pins sample_forest@1\.5\.2/)])
    expect((await hostedLcclf(['model', 'verify', 'forest'], { cwd: work, env })).code).toBe(0)
    rmSync(join(work, 'home'), { recursive: true })
    expect((await pull([])).code).toBe(0)
    expect(stored()).toEqual(['sample_forest/1.5.2'])
    rmSync(join(work, 'home'), { recursive: true })
    server.put('/bundle/manifest.json', `${readFileSync(join(sample, 'manifest.json'), 'utf8')} `)
    const changed = await pull([`${server.url}bundle/`])
    expect([changed.code, changed.stderr, stored()]).toEqual([4, expect.stringContaining('pins'), []])
    writeFileSync(join(work, 'lcclf.lock'), 'nonsense')
    expect((await classify(sample)).code).toBe(4)
  })

  it('asks for names where pickles have none, and for https', async () => {
    const { code, stderr } = await pull([`${server.url}pickles/`])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--name and --version are needed')])
    expect((await pull(['http://models.example.org/'])).stderr).toContain('plain http')
    expect((await pull(['ftp://models.example.org/'])).code).toBe(2)
  })

  it('is interrupted by SIGINT with 130, and keeps what has arrived', async () => {
    server.fault = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).flushHeaders()
      return true
    }
    const child = startLcclf(['model', 'pull', `${server.url}pickles/`, ...named], { cwd: work, env })
    await expect.poll(() => server.requests.length, { timeout: 20_000 }).toBeGreaterThan(0)
    child.kill('SIGINT')
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(130)
    expect(stored()).toEqual([])
  })
})

function put(name: string, bytes: Uint8Array | string): void {
  server.put(`/pickles/${name}`, bytes)
}

function half(name: string): Buffer {
  const bytes = readFileSync(join(pickles, name))
  return bytes.subarray(0, bytes.length / 2)
}

function swap(): void {
  put('stochastic_level_RF_model.pkl', readFileSync(join(pickles, 'transient_level_RF_model.pkl')))
  put('transient_level_RF_model.pkl', readFileSync(join(pickles, 'stochastic_level_RF_model.pkl')))
}

describe('the store', () => {
  beforeEach(() => {
    cpSync(sample, join(work, 'home/models/forest/1.9.0'), { recursive: true })
    cpSync(sample, join(work, 'home/models/forest/1.10.0'), { recursive: true })
  })

  it('lists versions by value, and removes one', async () => {
    const { stdout } = await hostedLcclf(['model', 'list', '--no-verify'], { env })
    expect(stdout.split('\n').map((line) => line.split(/\s+/)[1])).toEqual(['VERSION', '1.9.0', '1.10.0', undefined])
    const removed = await hostedLcclf(['model', 'remove', 'forest'], { env })
    expect([removed.code, removed.stderr]).toEqual([0, 'forest@1.10.0 is removed; the store still has forest@1.9.0\n'])
    expect((await hostedLcclf(['model', 'remove', 'forest@1.9.0'], { env })).stderr).toBe('forest@1.9.0 is removed\n')
    expect(readdirSync(join(work, 'home/models'))).toEqual([])
    expect((await hostedLcclf(['model', 'remove', 'forest'], { env })).code).toBe(4)
    expect((await hostedLcclf(['model', 'remove', '../models'], { env })).code).toBe(4)
    expect((await hostedLcclf(['model', 'remove', sample], { env })).code).toBe(2)
  })

  it('is cleaned of what crashed processes left, and gets back a model whose replacement was interrupted', async () => {
    const store = join(work, 'home/models/forest')
    const staging = join(store, '.1.9.0.partial-abc')
    mkdirSync(staging)
    writeFileSync(
      join(staging, 'owner.json'),
      JSON.stringify({ pid: 2 ** 22 + 5, host: (await import('node:os')).hostname() }),
    )
    cpSync(join(store, '1.9.0'), join(staging, 'old'), { recursive: true })
    rmSync(join(store, '1.9.0'), { recursive: true })
    const busy = join(store, '.1.10.0.partial-def')
    mkdirSync(busy)
    copyFileSync(join(staging, 'owner.json'), join(busy, 'x'))
    const download = join(work, 'home/cache/downloads/abc')
    mkdirSync(download, { recursive: true })
    const dry = await hostedLcclf(['model', 'gc', '--dry-run'], { env })
    expect(dry.stdout).toMatch(/would be restored .*1\.9\.0/)
    expect(existsSync(staging)).toBe(true)
    expect((await hostedLcclf(['model', 'gc'], { env })).code).toBe(0)
    expect(readdirSync(store).sort()).toEqual(['.1.10.0.partial-def', '1.10.0', '1.9.0'])
    expect(existsSync(download)).toBe(false)
    expect((await hostedLcclf(['model', 'verify', 'forest@1.9.0'], { env })).code).toBe(0)
  })

  it.skipIf(!canMount)(
    'that is mounted read-only lists, shows and classifies, and says why it cannot be changed',
    async () => {
      const home = join(work, 'home')
      execFileSync('mount', ['--bind', home, home])
      try {
        execFileSync('mount', ['-o', 'remount,ro,bind', home])
        expect((await hostedLcclf(['model', 'list'], { env })).code).toBe(0)
        const input = join(samples, 'ztf-300.parquet')
        expect((await hostedLcclf(['classify', input, '--limit', '1', '-m', 'forest', '-q'], { env })).code).toBe(0)
        for (const args of [
          ['pull', sample],
          ['remove', 'forest@1.9.0'],
        ]) {
          const refused = await hostedLcclf(['model', ...args], { env })
          expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('read-only for you')])
        }
      } finally {
        execFileSync('umount', [home])
      }
    },
  )

  it.skipIf(!canMount)('on a full disk says so, and is as it was', async () => {
    const home = join(work, 'small')
    mkdirSync(home)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=900k', 'tmpfs', home])
    try {
      const args = ['model', 'pull', `${server.url}pickles/`, ...named]
      const { code, stderr } = await hostedLcclf(args, { env: { LCCLF_HOME: home } })
      expect([code, stderr]).toEqual([5, expect.stringContaining('no space left')])
      expect(readdirSync(join(home, 'models'))).toEqual([])
    } finally {
      execFileSync('umount', [home])
    }
  })
})
