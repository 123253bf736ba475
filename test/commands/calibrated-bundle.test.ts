// What is told of a calibrated bundle, and what is wrong with one whose calibration.json does not fit.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { verifyBundle } from '../../src/model/bundle/verify-bundle.ts'
import { writeExtendedBundle } from '../../src/model/bundle/write-bundle.ts'
import { openClassifier } from '../../src/model/open.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string): string => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const input = join(samples, 'ztf-300.parquet')
const bundle = join(samples, 'model')

interface Saved {
  method: string
  forest: string
  data: { objects: number }
  levels: {
    name: string
    labels: number[]
    parameters: { kind: string; degree: number; x: number[][]; y: number[][] }
  }[]
  sets: { class: string; labels: number; probabilities: number[] }[]
  usual: { objects: number; single: number; confidence: { mean: number } }
}
const saved = (): Saved => JSON.parse(readFileSync(at('isotonic/calibration.json'), 'utf8')) as Saved

beforeAll(async () => {
  expect((await run('classify', input, '--model', bundle, '--to', 'raw.parquet')).code).toBe(0)
  const learn = ['calibrate', 'raw.parquet', '--labels', join(samples, 'ztf-300-labels.csv'), '--model', bundle]
  expect((await run(...learn, '--out', 'isotonic', '--method', 'isotonic')).code).toBe(0)
  expect((await run(...learn, '--out', 'cool', '--method', 'temperature')).code).toBe(0)
}, 60_000)

describe('a calibrated bundle', () => {
  it('says of its calibration what it learnt from, how, and what that did', async () => {
    const { stdout } = await run('model', 'show', 'cool')
    expect(stdout).toMatch(/learnt {5}from 300 labelled objects \(20 labels of \S+\): top temperature, stochastic temp/)
    expect(stdout).toMatch(/ECE 0\.\d{4} → 0\.\d{4}, log loss \d\.\d{4} → \d\.\d{4}/)
    const { calibration } = JSON.parse((await run('model', 'show', 'cool', '--json')).stdout) as { calibration: Saved }
    expect(calibration).toMatchObject({ method: 'temperature', data: { objects: 300 }, usual: { objects: 300 } })
    expect(calibration.sets).toHaveLength(15)
    expect(JSON.parse((await run('model', 'show', bundle, '--json')).stdout)).toMatchObject({ calibration: null })
  })

  // in a process of its own, which the doctor ends when it is done
  it('is known to the doctor', async () => {
    const { stdout } = await lcclf(['doctor'], { cwd: work, env: { LCCLF_HOME: at('home'), LCCLF_MODEL: at('cool') } }) // prettier-ignore
    expect(stdout).toContain('checksums and golden answers verified, calibrated with 300 objects')
  })

  it('passes verification, which names its methods', async () => {
    const { code, stdout } = await run('model', 'verify', 'isotonic')
    expect([code, stdout]).toEqual([0, expect.stringContaining('calibration.json: 300 objects; isotonic, isotonic')])
  })
})

describe('--watch-quality with a calibrated model', () => {
  const watched = async (name: string, ...args: string[]) => {
    const to = ['--to', 'watched.csv', '--overwrite', '--receipt', 'receipt.json']
    const { code, stderr } = await run('classify', name, '--model', 'isotonic', '--watch-quality', ...args, ...to)
    expect(code).toBe(0)
    const { notes } = JSON.parse(readFileSync(at('receipt.json'), 'utf8')) as { notes: string[] }
    return { stderr, notes: notes.filter((note) => note.includes('where it was learnt')) }
  }

  it('tells that objects are of another kind than those that it learnt from, where they are calibrated', async () => {
    const lines = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
      .toString()
      .trimEnd()
      .split('\n')
    const bare = lines.map((line, i) => (i === 0 ? line : line.replace(/^(.*?,.*?,)(.*)$/, (_, ids: string, rest: string) => ids + rest.replace(/[^,]+/g, '')))) // prettier-ignore
    writeFileSync(at('bare.csv'), `${[...bare, ...bare.slice(1), ...bare.slice(1), ...bare.slice(1)].join('\n')}\n`)
    const { stderr, notes } = await watched('bare.csv', '--calibrated')
    expect(stderr).toMatch(
      /warning: calibrated confidence: 0\.\d{3} on average of 1,\d00 objects; 0\.\d{3} where it was learnt/,
    )
    expect(notes.length).toBeGreaterThan(0)
    expect((await watched('bare.csv')).notes).toEqual([])
    expect((await watched(input, '--calibrated', '--sets', '0.8')).notes).toEqual([])
  })
})

const other = 'ab'.repeat(32)
const faults: readonly (readonly [string, (saved: Saved) => void, string])[] = [
  ['of another forest', (one) => (one.forest = other), 'it was learnt from another forest than the bundle has'],
  [
    'with an unknown method',
    (one) => (one.method = 'beta'),
    'method beta is none of temperature, sigmoid, isotonic, auto',
  ],
  ['with a level too few', (one) => one.levels.pop(), 'levels: 3, and the model has 4'],
  ['with levels in another order', (one) => one.levels.reverse(), 'levels: top is not where it should be'],
  [
    'with a count too few',
    (one) => one.levels[1]!.labels.pop(),
    'labels of stochastic: 4, and the level has 5 classes',
  ],
  ['with a map too few', (one) => one.levels[0]!.parameters.x.pop() && one.levels[0]!.parameters.y.pop(), 'parameters of top: 2 maps, and 3 are needed'], // prettier-ignore
  [
    'with a map that falls',
    (one) => one.levels[0]!.parameters.y[1]!.reverse(),
    'parameters of top: map 2 does not rise',
  ],
  ['with a map beyond 1', (one) => (one.levels[0]!.parameters.y[0]![one.levels[0]!.parameters.y[0]!.length - 1] = 1.5), 'parameters of top: map 1 leaves 0 to 1'], // prettier-ignore
  [
    'with a threshold beyond 1',
    (one) => (one.sets[0]!.probabilities[0] = 1.25),
    'sets: AGN: a probability is not from 0 to 1',
  ],
  [
    'with thresholds that rise',
    (one) => one.sets[0]!.probabilities.reverse(),
    'sets: AGN: its probabilities do not fall',
  ],
  ['with labels that are not there', (one) => (one.sets[0]!.labels = 21), 'sets: AGN: 20 probabilities, and 21 labels'],
  ['with sets of other classes', (one) => (one.sets[1]!.class = 'Quasar'), 'sets: Blazar is not where it should be'],
  ['with facts of other objects', (one) => (one.usual.single = 301), 'usual: not of the objects of the calibration'],
]

describe('a calibration.json', () => {
  it.for(faults)('%s is named by verification and never used', async ([, damage, message]) => {
    const value = saved()
    damage(value)
    const file = { file: 'calibration.json', bytes: Buffer.from(JSON.stringify(value)) }
    await writeExtendedBundle(at('isotonic'), file, { out: at('damaged'), overwrite: true })
    const failed = (await verifyBundle(at('damaged'))).checks.filter(({ ok }) => !ok)
    expect(failed).toEqual([{ name: 'contents calibration.json', ok: false, detail: expect.stringContaining(message) as string }]) // prettier-ignore
    await expect(openClassifier(at('damaged'), { threads: 1 })).rejects.toThrow(message)
  })

  it('that does not fit costs exit code 4, with or without --calibrated', async () => {
    const value = { ...saved(), forest: other }
    const file = { file: 'calibration.json', bytes: Buffer.from(JSON.stringify(value)) }
    await writeExtendedBundle(at('isotonic'), file, { out: at('damaged'), overwrite: true })
    for (const args of [
      ['classify', input, '--to', 'x.csv', '--model'],
      ['model', 'verify'],
    ]) {
      const { code, stdout, stderr } = await run(...args, 'damaged')
      expect([args[0], code]).toEqual([args[0], 4])
      expect(stdout + stderr).toContain('it was learnt from another forest than the bundle has')
    }
  })

  it('that is not JSON is a damaged bundle', async () => {
    const file = { file: 'calibration.json', bytes: readFileSync(at('raw.parquet')).subarray(0, 100) }
    await writeExtendedBundle(at('isotonic'), file, { out: at('damaged'), overwrite: true })
    const { code, stderr } = await run('classify', input, '--model', 'damaged', '--to', 'x.csv')
    expect([code, stderr]).toEqual([4, expect.stringContaining('calibration.json: ')])
  })
})
