// `classify --novelty`: how strange each object is to the model, beside its probabilities.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { importedEstimator } from '../support/imported-estimator.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const model = join(samples, 'model')
const classify = (...args: string[]) => run('classify', join(samples, 'ztf-300.parquet'), '--model', model, ...args)
const linesOf = (name: string) => readFileSync(at(name), 'utf8').trimEnd().split('\n')
const lastCells = (name: string) => linesOf(name).map((line) => line.slice(line.lastIndexOf(',') + 1))

beforeAll(async () => {
  const to = ['n.csv', 'n.parquet', 'n.ndjson', 'n.arrow'].flatMap((name) => ['--to', name])
  expect(await classify('--novelty', ...to)).toMatchObject({ code: 0 })
  expect((await classify('--to', 'plain.csv', '--to', 'plain.parquet')).code).toBe(0)
}, 60_000)

describe('--novelty', () => {
  it('is the last column, and changes no other', () => {
    const own = linesOf('n.csv').map((line) => line.slice(0, line.lastIndexOf(',')))
    expect(own).toEqual(linesOf('plain.csv'))
    const [name, ...values] = lastCells('n.csv')
    expect(name).toBe('novelty')
    expect(values.map(Number).every((value) => value > 0 && value < 1)).toBe(true)
  })

  it('is the same in every format', async () => {
    const numbers = lastCells('n.csv').slice(1).map(Number)
    const nested = linesOf('n.ndjson').map((line) => JSON.parse(line) as { lc_classification: { novelty: number } })
    expect(nested.map(({ lc_classification: { novelty } }) => novelty)).toEqual(numbers)
    for (const name of ['n.parquet', 'n.arrow']) {
      const diff = await run('diff', 'n.csv', name, '--json')
      expect(JSON.parse(diff.stdout)).toMatchObject({ common: 300, changed: 0 })
    }
    expect((await classify('--novelty', '--columns', 'novelty', '--layout', 'wide', '--to', 'one.ndjson')).code).toBe(0)
    expect(linesOf('one.ndjson').map((line) => (JSON.parse(line) as { novelty: number }).novelty)).toEqual(numbers)
  })

  it('goes with its objects where others are left out', async () => {
    expect((await classify('--novelty', '--only', 'QSO', '--to', 'qso.csv')).code).toBe(0)
    expect(linesOf('qso.csv').length).toBeGreaterThan(10)
    expect(linesOf('n.csv')).toEqual(expect.arrayContaining(linesOf('qso.csv')))
  })

  it('is no class for evaluate', async () => {
    const labels = ['--labels', join(samples, 'ztf-300-labels.csv'), '--json']
    const reports = await Promise.all(['n.parquet', 'plain.parquet'].map((name) => run('evaluate', name, ...labels)))
    const [with_, without] = reports.map(({ stdout }) => (JSON.parse(stdout) as { levels: unknown }).levels)
    expect(with_).toEqual(without)
  })

  it('is another result for --resume', async () => {
    expect((await classify('--novelty', '--to', 'folder/', '--resume')).code).toBe(0)
    const { stderr } = await classify('--to', 'folder/', '--resume')
    expect(stderr).toContain('it was classified with other options: --novelty was true, now not given')
  })

  it.for([
    [['--layout', 'long', '--to', 'x.csv'], '--novelty: --layout long has a row for each class, and no place for it'],
    [['--to', 'postgres://u:secret@h/d'], '--novelty: postgres://u:***@h/d has no place for it'],
    [['--to', 'kafka://h/t'], '--novelty: kafka://h/t has no place for it'],
    [['--to', 'x.csv', '--engine', 'onnx'], '--novelty: sample_forest_1.5.2 has none: the onnx engine does not tell'],
  ] as const)('has no place with %s', async ([args, message]) => {
    const { code, stderr } = await classify('--novelty', ...args)
    expect([code, stderr.split('\n')[0]]).toEqual([2, expect.stringContaining(`lcclf: ${message}`)])
  })

  it('is refused for a booster', async () => {
    const { model: booster, rows } = await importedEstimator(work, 'gb')
    const { code, stderr } = await run('classify', rows, '--model', booster, '--novelty', '--to', 'x.csv')
    expect([code, stderr.split('\n')[0]]).toEqual([2, 'lcclf: --novelty: gb_1 has none: its trees add up to margins'])
  })
})
