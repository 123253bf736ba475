// Into a folder that holds results already: what is done, what is done again, and whose results are kept.
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { ownerMark } from '../../src/owner.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { type Outcome, samples, startLcclf } from '../support/lcclf.ts'
import { renamedModel } from '../support/renamed-model.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let work: string
let result: string
let receipt: string

beforeEach(() => {
  work = temporaryFolder()
  mkdirSync(join(work, 'nights'))
  copyFileSync(join(samples, 'ztf-300.parquet'), join(work, 'nights/a.parquet'))
  renamedModel(join(work, 'real'), 'real', '1.1.1')
  result = join(work, 'out/a.parquet')
  receipt = `${result}.receipt.json`
})

const run = (args: string[]): Promise<Outcome> => hostedLcclf(['classify', ...args], { cwd: work })
const intoFolder = (...more: string[]): Promise<Outcome> => run(['nights/', '--to', 'out/', ...more])
const byReal = (...more: string[]): Promise<Outcome> => intoFolder('--model', 'real', ...more)

describe('a result that is not what its receipt says', () => {
  it('is done again, and the reason is said', { tags: ['long'] }, async () => {
    expect((await byReal()).code).toBe(0)
    const [bytes, kept] = [readFileSync(result), readFileSync(receipt, 'utf8')]
    expect(JSON.parse(kept)).toMatchObject({
      result: { size: bytes.length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    const size = bytes.length.toLocaleString('en')
    const changed = Buffer.from(bytes)
    changed[bytes.length >> 1]! ^= 1
    const damages: [damage: () => void, reason: string][] = [
      [() => truncateSync(result, 10_000), `its result has 10,000 bytes where the receipt says ${size}`],
      [() => truncateSync(result, 0), `its result has 0 bytes where the receipt says ${size}`],
      [() => writeFileSync(result, Buffer.alloc(bytes.length, 'x')), 'its result has other bytes than it was given'],
      [
        () => {
          writeFileSync(result, changed)
          utimesSync(result, 1e9, 1e9)
        },
        'its result has other bytes than it was given',
      ],
      [() => rmSync(result), 'its result is gone'],
      [() => rmSync(receipt), 'its result has no receipt'],
      [
        () =>
          writeFileSync(receipt, kept.replace(/"inputs": \[[^]*?\],\n  "outputs"/, '"inputs": [null],\n  "outputs"')),
        'its receipt cannot be read: invalid inputs',
      ],
      [() => writeFileSync(receipt, '[]'), 'its receipt cannot be read: invalid receipt'],
      [
        () => writeFileSync(receipt, kept.replace(/,\s*"result": \{[^}]*\}/, '')),
        'an earlier version of lcclf wrote it',
      ],
    ]
    for (const [damage, reason] of damages) {
      damage()
      const { code, stderr } = await byReal('--resume')
      expect([code, stderr]).toEqual([0, expect.stringContaining('0 of 1 inputs are done already')])
      expect(stderr).toContain('nights/a.parquet again: ')
      expect(stderr).toContain(reason)
      expect(readFileSync(result).equals(bytes)).toBe(true)
    }
    expect((await byReal('--resume')).stderr).toContain('1 of 1 inputs are done already')
  })

  it('names the option that differs; a shard of whole files is none', async () => {
    for (const shard of ['1/2', '2/2']) expect((await byReal('--shard', shard)).code).toBe(0)
    expect((await byReal('--resume')).stderr).toContain('1 of 1 inputs are done already')
    expect((await byReal('--resume', '--shard', '1/1')).stderr).toContain('1 of 1 inputs are done already')
    const { stderr } = await byReal('--resume', '--rename-map', 'alerce-2024', '--layout', 'long')
    expect(stderr).toContain(
      'it was classified with other options: --layout was not given, now long; --rename-map was not given, now alerce-2024',
    )
    expect((await byReal('--resume', '--layout', 'long')).stderr).toContain(
      'options: --rename-map was alerce-2024, now not given\n',
    )
  })
})

describe('another model’s results', () => {
  it('are not replaced by --resume, and never by the sample model', { tags: ['long'] }, async () => {
    expect((await byReal()).code).toBe(0)
    const bytes = readFileSync(result)
    renamedModel(join(work, 'other'), 'other', '2')
    const refused = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await run(args)
      expect([args, code, stderr]).toEqual([
        args,
        2,
        expect.stringMatching(/out\/a\.parquet holds results of real[ _]1\.1\.1/),
      ])
      expect(readFileSync(result).equals(bytes)).toBe(true)
    }
    const folder = ['nights/', '--to', 'out/']
    const bySample = [
      [...folder, '--resume'],
      [...folder, '--resume', '-q'],
      [...folder, '--overwrite', '-q'],
      [...folder, '--resume', '--overwrite'],
      ['nights/', '--to', 'out/a.parquet', '--overwrite'],
    ]
    for (const args of bySample) await refused(...args)
    await refused(...folder, '--resume', '--model', 'other')
    // without a receipt the file itself says whose it is
    rmSync(receipt)
    for (const args of bySample) await refused(...args)
    await refused(...folder, '--resume', '--model', 'other')
    writeFileSync(receipt, JSON.stringify({ ...JSON.parse(readFileSync(join(work, 'real/manifest.json'), 'utf8')) }))
    await refused(...folder, '--resume')
    const replaced = await run([...folder, '--resume', '--overwrite', '--model', 'other'])
    expect([replaced.code, JSON.parse(readFileSync(receipt, 'utf8')).model.name]).toEqual([0, 'other'])
  })

  it('are told apart by what the file says also where the receipt beside it is of another', async () => {
    expect((await intoFolder()).code).toBe(0)
    expect((await run(['nights/', '--to', 'out/a.parquet', '--overwrite', '--model', 'real'])).code).toBe(0)
    const { code, stderr } = await intoFolder('--resume')
    expect([code, stderr]).toEqual([2, expect.stringContaining('out/a.parquet holds results of real_1.1.1')])
  })

  it('and what nothing can be read of is kept from --resume, but not from --overwrite', async () => {
    mkdirSync(join(work, 'out'))
    writeFileSync(result, 'precious')
    const { code, stderr } = await intoFolder('--resume')
    expect([code, stderr]).toEqual([2, expect.stringContaining('out/a.parquet does not say which model it comes from')])
    expect(readFileSync(result, 'utf8')).toBe('precious')
    expect((await intoFolder('--overwrite')).code).toBe(0)
    // its own
    for (const more of [['--resume'], ['--overwrite']]) expect((await intoFolder(...more)).code).toBe(0)
  })
})

describe('what a killed run leaves', () => {
  const partials = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.partial'))

  it('is removed by --resume and by a run that writes the same output', { tags: ['long'] }, async () => {
    const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
      .toString()
      .trimEnd()
      .split('\n')
    writeFileSync(
      join(work, 'big.csv'),
      `${[header, ...Array.from({ length: 40 }, () => rows.join('\n'))].join('\n')}\n`,
    )
    const kill = async (to: string, folder: string): Promise<string[]> => {
      const child = startLcclf(['classify', 'big.csv', '--to', to, '--threads', '1'], { cwd: work })
      const ended = new Promise((resolve) => child.on('exit', resolve))
      while (partials(folder).length === 0 && child.exitCode === null) await sleep(10)
      child.kill('SIGKILL')
      await ended
      return partials(folder)
    }
    mkdirSync(join(work, 'out'))
    expect(await kill('out.csv', work)).toHaveLength(1)
    expect(await kill('out/', join(work, 'out'))).toHaveLength(1)
    // of a process that lives, of another machine, and of a run that writes something else
    const others = [`.big.parquet.${ownerMark()}00000000.partial`, '.big.parquet.1-0000000000000000.partial']
    for (const name of others) writeFileSync(join(work, 'out', name), '')
    expect((await run(['big.csv', '--to', 'out.csv'])).code).toBe(0)
    expect(partials(work)).toEqual([])
    expect((await run(['big.csv', '--to', 'out/', '--resume'])).code).toBe(0)
    expect(partials(join(work, 'out')).sort()).toEqual(others.sort())
  })
})
