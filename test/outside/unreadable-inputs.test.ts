// What is named or found and cannot be read: never silence.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canBeOrdinary, lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const noPermission = 't/no: no permission to read it'
let work: string

/** A night under each name. */
function nights(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(work, name)), { recursive: true })
    copyFileSync(parquet, join(work, name))
  }
}

const run = (...args: string[]) => lcclf(args, { cwd: work, isOrdinary: true })

beforeEach(() => {
  work = temporaryFolder()
  nights('t/ok/a.parquet', 't/no/b.parquet')
})

afterEach(() => chmodSync(join(work, 't/no'), 0o700))

describe.skipIf(!canBeOrdinary)('a folder that may not be looked into', { tags: ['long'] }, () => {
  beforeEach(() => chmodSync(join(work, 't/no'), 0))

  it.each([
    ['in a folder', 't/'],
    ['where a pattern leads', 't/*/*.parquet'],
    ['by itself', 't/no'],
  ])('ends a run of one result with its name, and nothing is published: %s', async (_, input) => {
    expect(await run('classify', input, '--to', 'out.csv', '-q')).toEqual({
      code: 3,
      stdout: '',
      stderr: `lcclf: ${noPermission}\n`,
    })
    expect(() => readFileSync(join(work, 'out.csv'))).toThrow('ENOENT')
  })

  it('is passed over where every input has its own result, and has its place in the receipt', async () => {
    const { code, stdout, stderr } = await run('classify', 't/', '--to', 'out/', '--json')
    expect(code).toBe(3)
    expect(stderr).toContain(`lcclf: ${noPermission}\n`)
    const receipt = JSON.parse(stdout) as { inputs: { address: string; read: number; error?: string }[] }
    expect(receipt).toMatchObject({ balanced: true, exitCode: 3 })
    expect(receipt.inputs.map(({ address, read, error }) => [address, read, error])).toEqual([
      ['t/ok/a.parquet', 300, undefined],
      ['t/no', 0, noPermission],
    ])
    // still said when the others are done
    const again = await run('classify', 't/', '--to', 'out/', '--resume', '--where', 'true')
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining(noPermission)])
  })

  it('is a finding of check, and the end of explain', async () => {
    const checked = await run('check', 't')
    expect([checked.code, checked.stdout]).toEqual([3, expect.stringContaining(noPermission)])
    const explained = await run('explain', 't', '--oid', 'x')
    expect([explained.code, explained.stderr]).toEqual([3, expect.stringContaining(noPermission)])
  })

  it('hides the files in it where only their names can be seen', async () => {
    chmodSync(join(work, 't/no'), 0o400)
    const { code, stderr } = await run('classify', 't/', '--to', 'out/', '-q')
    expect([code, stderr]).toEqual([3, expect.stringContaining('t/no/b.parquet: no permission to read it')])
  })
})

describe.skipIf(!canBeOrdinary)('a file that may not be read', () => {
  it('ends the run, or is passed over', async () => {
    chmodSync(join(work, 't/ok/a.parquet'), 0)
    const one = await run('classify', 't/', '--to', 'out.csv', '-q')
    expect([one.code, one.stderr]).toEqual([3, 'lcclf: t/ok/a.parquet: no permission to read it\n'])
    const each = await run('classify', 't/', '--to', 'out/', '-q')
    expect([each.code, each.stderr]).toEqual([3, expect.stringContaining('t/ok/a.parquet: no permission')])
    expect(readFileSync(join(work, 'out/no/b.parquet')).length).toBeGreaterThan(0)
  })
})

describe('a symbolic link', { tags: ['long'] }, () => {
  it.each([
    ['to nothing', 'gone.parquet', 'link.parquet', 't/link.parquet: a symbolic link to something that is not there'],
    ['to no folder', 'gone', 'nights', 't/nights: a symbolic link to something that is not there'],
    ['to itself', 'loop.parquet', 'loop.parquet', 't/loop.parquet is a symbolic link that leads back to itself'],
  ])('%s is named, whether it is found or named', async (_, target, name, message) => {
    symlinkSync(target, join(work, 't', name))
    for (const input of ['t', `t/${name}`, 't/l*.parquet']) {
      const { code, stderr } = await run('classify', input, '--to', 'out.csv', '-q')
      if (input.endsWith('*.parquet') && !name.endsWith('.parquet')) expect(stderr).toContain('no file matches')
      else expect([code, stderr]).toEqual([3, `lcclf: ${message}\n`])
    }
    const each = await run('classify', 't', '--to', 'out/', '-q')
    expect([each.code, each.stderr]).toEqual([3, expect.stringContaining(message)])
  })

  it('to a folder around it is no second reading', async () => {
    symlinkSync('..', join(work, 't/ok/up'))
    const { code, stderr } = await run('classify', 't', '--to', 'out.csv')
    expect([code, stderr]).toEqual([0, expect.stringContaining('600 read, 600 classified')])
  })
})

describe('files of other suffixes', () => {
  it('are counted in one line, and in the notes of the receipt', async () => {
    for (const name of ['x.txt', 'ok/y.log', 'ok/LIESMICH', '_SUCCESS', '.hidden.txt', 'a.parquet.receipt.json']) {
      writeFileSync(join(work, 't', name), '')
    }
    const note = '3 files in t are not of a format lcclf reads: .log, .txt, no suffix'
    const args = ['classify', 't', '--to', 'out.csv', '--receipt', 'r.json']
    const { code, stderr } = await run(...args)
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${note}\n`)])
    expect(JSON.parse(readFileSync(join(work, 'r.json'), 'utf8'))).toMatchObject({ notes: [note] })
    const matching = await run('classify', 't/*/*', '--to', 'out2.csv')
    expect(matching.stderr).toContain('2 files in t/*/* are not of a format lcclf reads: .log, no suffix')
    expect((await run('check', 't')).stderr).toContain(note)
  })

  it('are named where there is nothing else', async () => {
    mkdirSync(join(work, 'e'))
    writeFileSync(join(work, 'e/x.txt'), '')
    const { code, stderr } = await run('classify', 'e', '--to', 'out.csv')
    expect(code).toBe(3)
    expect(stderr).toContain('e: no input files in this folder\n  1 file in e is not of a format lcclf reads: .txt. ')
  })
})

describe('files of one name that a shell has found in several folders', () => {
  it('are refused with the folder to name', async () => {
    nights('hive/x=1/part.parquet', 'hive/x=2/part.parquet')
    const found = ['hive/x=1/part.parquet', 'hive/x=2/part.parquet']
    const { code, stderr } = await run('classify', ...found, '--to', 'out/')
    expect(code).toBe(2)
    expect(stderr).toContain(`two inputs would be written to part.parquet in out/: ${found.join(' and ')}\n`)
    expect(stderr).toContain('Name the folder that holds them all (hive/), or put quotes around the pattern:')
    expect((await run('classify', 'hive/*/*.parquet', '--to', 'out/', '-q')).code).toBe(0)
    expect(readFileSync(join(work, 'out/x=2/part.parquet')).length).toBeGreaterThan(0)
  })
})
