import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Header } from 'tar'
import { beforeEach, describe, expect, it } from 'vitest'
import { LcclfError, ModelError } from '../../../src/errors.ts'
import { unpackModel } from '../../../src/jobs/models/unpack.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let work: string
let target: string
let archive: string

beforeEach(() => {
  work = temporaryFolder()
  target = join(work, 'out')
  archive = join(work, 'a.tar.gz')
})

interface Entry {
  readonly path: string
  readonly type?: 'File' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO' | 'Directory'
  readonly content?: string | Buffer
  readonly linkpath?: string
}

/** an archive as an attacker makes it: nothing is put right */
function tarOf(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = 'File', content = '', linkpath }) => {
    const bytes = Buffer.from(content)
    const header = new Header({ path, type, size: bytes.length, mode: 0o644, ...(linkpath ? { linkpath } : {}) })
    const block = Buffer.alloc(512)
    header.encode(block)
    return [block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

function write(entries: readonly Entry[]): void {
  writeFileSync(archive, gzipSync(tarOf(entries)))
}

const limits = { bytes: 1_000_000, ratio: 50, ratioFrom: 100_000, entries: 20 }
const unpack = (bounds = limits) => unpackModel(archive, target, 'a.tar.gz', bounds)

async function refusal(bounds = limits): Promise<string> {
  const error = await unpack(bounds).then(
    () => expect.unreachable('it should have been refused'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ModelError)
  expect(existsSync(target)).toBe(false)
  expect(readdirSync(work)).toEqual(['a.tar.gz'])
  return (error as Error).message
}

describe('an archive', () => {
  it('gives the files of a model, wherever in it they lie, and nothing else', async () => {
    write([
      { path: './m_1/', type: 'Directory' },
      { path: './m_1/manifest.json', content: '{}' },
      { path: './m_1/forest.arrow', content: 'x'.repeat(3000) },
      { path: './m_1/README.md', content: 'hello' },
      { path: './m_1/._forest.arrow', content: 'from a Mac' },
      { path: './m_1/pulled.json', content: '{}' },
    ])
    expect(await unpack()).toBe('bundle')
    expect(readdirSync(target).sort()).toEqual(['forest.arrow', 'manifest.json'])
  })

  it('that tar itself has made is read', async () => {
    mkdirSync(join(work, 'in'))
    writeFileSync(join(work, 'in', 'top_level_BRF_model.pkl'), randomBytes(100_000))
    execFileSync('tar', ['-czf', archive, '-C', work, 'in'])
    expect(await unpack()).toBe('pickles')
  })

  it.each<[string, Entry]>([
    ['a path upwards', { path: '../manifest.json' }],
    ['a path upwards in its middle', { path: 'a/../../manifest.json' }],
    ['an absolute path', { path: '/etc/cron.d/x.pkl' }],
    ['a path of Windows', { path: 'C:\\x\\manifest.json' }],
    ['backslashes', { path: '..\\manifest.json' }],
  ])('with %s is refused', async (_, entry) => {
    write([entry])
    expect(await refusal()).toContain('leads out of')
  })

  it.each<[string, Entry]>([
    ['a symbolic link', { path: 'manifest.json', type: 'SymbolicLink', linkpath: '/etc/passwd' }],
    ['a hard link', { path: 'manifest.json', type: 'Link', linkpath: '/etc/passwd' }],
    ['a device', { path: 'x.pkl', type: 'CharacterDevice' }],
    ['a pipe', { path: 'x.pkl', type: 'FIFO' }],
  ])('with %s is refused', async (_, entry) => {
    write([{ path: 'a.pkl', content: 'x' }, entry])
    expect(await refusal()).toMatch(/is a (SymbolicLink|Link|CharacterDevice|FIFO), not a file/)
  })

  it('with the same file twice, or the files of two models, is refused', async () => {
    write([{ path: 'a.pkl' }, { path: './a.pkl' }])
    expect(await refusal()).toContain('is there twice')
    write([{ path: 'a/x.pkl' }, { path: 'b/y.pkl' }])
    expect(await refusal()).toContain('one archive, one model')
  })

  it('that unpacks to more than any model needs is refused before the disk is full', async () => {
    write([{ path: 'a.pkl', content: Buffer.alloc(2_000_000) }])
    expect(await refusal()).toContain('more than 1000000 bytes')
    write([{ path: 'readme', content: Buffer.alloc(900_000) }, { path: 'a.pkl' }])
    expect(await refusal()).toContain('more than 50 times its own size')
    write(Array.from({ length: 21 }, (_, index) => ({ path: `${index}.pkl` })))
    expect(await refusal()).toContain('more than 20 entries')
  })

  it('that is compressed twice is refused, because nobody would count what is inside', async () => {
    writeFileSync(archive, gzipSync(gzipSync(tarOf([{ path: 'a.pkl', content: Buffer.alloc(900_000) }]))))
    expect(await refusal()).toContain('is compressed twice')
  })

  it('that is refused while a file of it is written leaves nothing behind', async () => {
    for (let i = 0; i < 20; i++) {
      write([
        { path: 'a.pkl', content: randomBytes(300_000) },
        { path: 'b.pkl', content: randomBytes(300_000) },
        { path: '../x.pkl' },
      ])
      expect(await refusal()).toContain('leads out of')
    }
  })

  it('without a model in it is refused', async () => {
    write([{ path: 'holiday.jpg', content: 'x' }])
    expect(await refusal()).toContain('holds no model')
  })

  it('that is cut, changed or not an archive at all is refused', async () => {
    const whole = gzipSync(tarOf([{ path: 'a.pkl', content: Buffer.from(Array.from({ length: 9000 }, Math.random)) }]))
    for (const bytes of [
      whole.subarray(0, whole.length / 2),
      Buffer.from('<html>'),
      gzipSync('no tar'),
      Buffer.alloc(0),
    ]) {
      writeFileSync(archive, bytes)
      expect(await refusal()).toMatch(/not a complete \.tar\.gz|holds no model/)
    }
  })

  it('of any bytes is read or refused, and never writes outside its folder', async () => {
    const names = fc.constantFrom(
      'a.pkl',
      'manifest.json',
      '../x.pkl',
      '/tmp/x.pkl',
      'd/a.pkl',
      'x'.repeat(120) + '.pkl',
    )
    const types = fc.constantFrom('File', 'SymbolicLink', 'Link', 'Directory', 'FIFO') as fc.Arbitrary<Entry['type']>
    const entry = fc.record({ path: names, type: types, content: fc.string({ maxLength: 700 }), linkpath: names })
    const damage = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(entry as fc.Arbitrary<Entry>, { maxLength: 4 }), damage, async (entries, changes) => {
        const tar = tarOf(entries)
        for (const [at, value] of changes) if (at < tar.length) tar[at] = value
        writeFileSync(archive, gzipSync(tar))
        const outcome = await unpack().catch((error: unknown) => error)
        expect(typeof outcome === 'string' || outcome instanceof LcclfError).toBe(true)
        expect(readdirSync(work).filter((name) => !['a.tar.gz', 'out'].includes(name))).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  it('is not followed through a link that lies in its place', async () => {
    mkdirSync(join(work, 'secret'))
    writeFileSync(join(work, 'secret', 'keep'), 'x')
    symlinkSync(join(work, 'secret'), target)
    write([{ path: 'a.pkl', content: 'x' }])
    await unpack()
    expect(readdirSync(join(work, 'secret'))).toEqual(['keep'])
  })
})
