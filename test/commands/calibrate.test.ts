// `lcclf calibrate`, and what `classify` and `evaluate` make of the bundle that it writes.
import { createHash } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const model = join(samples, 'model')
const labels = join(samples, 'ztf-300-labels.csv')
const calibrate = (...args: string[]) => run('calibrate', 'raw.parquet', '--labels', labels, '--model', model, ...args)

interface Report {
  levels: { name: string; reason: string; parameters: { kind: string } }[]
  product: { none: { logLoss: number }; calibrated: { logLoss: number } }
}

/** The rows of a CSV file by their columns. */
function rowsOf(name: string): Record<string, string>[] {
  const [header, ...lines] = readFileSync(at(name), 'utf8').trimEnd().split('\n')
  const names = header!.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [names[i]!, cell])))
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

beforeAll(async () => {
  const input = join(samples, 'ztf-300.parquet')
  expect((await run('classify', input, '--model', model, '--to', 'raw.parquet', '--to', 'raw.csv')).code).toBe(0)
  expect((await calibrate('--out', 'calibrated')).code).toBe(0)
  const to = ['c.csv', 'c.parquet', 'c.ndjson', 'c.arrow'].flatMap((name) => ['--to', name])
  const asked = ['--model', 'calibrated', '--calibrated', '--sets', '0.9']
  expect(await run('classify', input, ...asked, ...to)).toMatchObject({ code: 0 })
  expect((await run('classify', input, '--model', 'calibrated', '--to', 'plain.csv')).code).toBe(0)
  expect((await run('classify', input, ...asked.slice(0, 3), '--layout', 'long', '--to', 'long.csv')).code).toBe(0)
}, 60_000)

describe('a calibrated bundle', () => {
  it('is the same forest under another identity, and passes verification', async () => {
    expect(sha256(at('calibrated/forest.arrow'))).toBe(sha256(join(model, 'forest.arrow')))
    expect(sha256(at('calibrated/manifest.json'))).not.toBe(sha256(join(model, 'manifest.json')))
    expect((await run('model', 'verify', 'calibrated')).code).toBe(0)
    expect(readFileSync(at('plain.csv'), 'utf8')).toBe(readFileSync(at('raw.csv'), 'utf8'))
  })

  it('is the same bytes for the same results and labels, whatever their layout', async () => {
    expect((await run('classify', join(samples, 'ztf-300.csv.gz'), '--model', model, '--layout', 'long', '--to', 'raw-long.csv')).code).toBe(0) // prettier-ignore
    const again = await run('calibrate', 'raw-long.csv', '--labels', labels, '--model', model, '--out', 'again')
    expect(again.code).toBe(0)
    expect(sha256(at('again/manifest.json'))).toBe(sha256(at('calibrated/manifest.json')))
  })

  it('can be calibrated anew in its place', async () => {
    expect((await calibrate('--out', 'twice')).code).toBe(0)
    expect((await calibrate('--out', 'twice')).code).toBe(2)
    const own = ['raw.csv', '--labels', labels, '--model', 'twice', '--out', 'twice', '--overwrite']
    expect((await run('calibrate', ...own, '--method', 'temperature')).code).toBe(0)
    expect((await run('model', 'verify', 'twice')).code).toBe(0)
    expect(statSync(join(model, 'forest.arrow')).size).toBe(statSync(at('twice/forest.arrow')).size)
  })

  it('leaves a level alone where a class has too few labels, and says so', async () => {
    const all = readFileSync(labels, 'utf8').split('\n')
    const few = all
      .filter((line) => !line.endsWith(',SLSN'))
      .concat(all.filter((line) => line.endsWith(',SLSN')).slice(0, 3))
    writeFileSync(at('few.csv'), few.filter((line) => line !== '').join('\n'))
    const few3 = ['raw.parquet', '--labels', 'few.csv', '--model', model, '--out', 'few']
    const found = JSON.parse((await run('calibrate', ...few3, '--json')).stdout) as Report
    const transient = found.levels.find(({ name }) => name === 'transient')!
    expect(transient.parameters.kind).toBe('none')
    expect(transient.reason).toContain('each class needs 10 labels, and SLSN has 3')
    expect((await run('calibrate', ...few3, '--overwrite')).stdout).toContain('every object has in its set: SLSN (3)')
  })

  it.for(['temperature', 'sigmoid', 'auto'])('has less log loss than the model, by %s', async (method) => {
    const outcome = await calibrate('--out', `by-${method}`, '--method', method, '--json')
    const { product } = JSON.parse(outcome.stdout) as Report
    expect(product.calibrated.logLoss).toBeLessThan(product.none.logLoss)
  })

  it('is not made of the results of another model', async () => {
    writeFileSync(at('other.csv'), readFileSync(at('raw.csv'), 'utf8').replaceAll('sample_forest_1.5.2', 'other_1.0'))
    const { code, stderr } = await run('calibrate', 'other.csv', '--labels', labels, '--model', model, '--out', 'x')
    expect([code, stderr]).toEqual([3, expect.stringContaining('results of other_1.0, not of sample_forest_1.5.2')])
  })
})

describe('classify --calibrated --sets', () => {
  it("keeps the survey's columns in every bit", () => {
    const [raw, calibrated] = [rowsOf('raw.csv'), rowsOf('c.csv')]
    raw.forEach((row, i) => expect(calibrated[i]).toMatchObject(row))
    expect(calibrated).toHaveLength(raw.length)
  })

  it('adds probabilities that sum to one and the class of the largest', () => {
    for (const row of rowsOf('c.csv')) {
      const own = Object.keys(row).filter((name) => name.startsWith('calibrated/'))
      const values = own.map((name) => Number(row[name]))
      expect(values).toHaveLength(15)
      expect(Math.abs(values.reduce((sum, p) => sum + p, 0) - 1)).toBeLessThan(1e-12)
      expect(row[`calibrated/${row['calibrated_class']}`]).toBe(row[own[values.indexOf(Math.max(...values))]!])
    }
  })

  it('gives of each class nine in ten their own class in the set, and its size', () => {
    const known = new Map(readFileSync(labels, 'utf8').trimEnd().split('\n').map((line) => line.split(',') as [string, string])) // prettier-ignore
    const hits = new Map<string, number>()
    for (const { oid, set, set_size: size } of rowsOf('c.csv')) {
      const members = set === '' ? [] : set!.split('|')
      expect(members).toHaveLength(Number(size))
      const label = known.get(oid!)!
      hits.set(label, (hits.get(label) ?? 0) + (members.includes(label) ? 1 : 0))
    }
    // of 20 labels the one at place ⌈21 × 0.9⌉ = 19 decides
    for (const count of hits.values()) expect(count).toBeGreaterThanOrEqual(19)
  })

  it('says the same in every format, and evaluate shows both', async () => {
    const scores = async (name: string) => {
      const { stdout } = await run('evaluate', name, '--labels', labels, '--json', '--model', model)
      const { calibrated, log_loss: raw } = JSON.parse(stdout) as { calibrated: { log_loss: number }; log_loss: number }
      return [calibrated.log_loss, raw]
    }
    const expected = await scores('c.csv')
    expect(expected[0]!).toBeLessThan(expected[1]!)
    for (const name of ['c.parquet', 'c.ndjson', 'c.arrow', 'long.csv']) expect(await scores(name)).toEqual(expected)
    const first = JSON.parse(readFileSync(at('c.ndjson'), 'utf8').split('\n')[0]!) as {
      lc_classification: { set: string[]; set_size: number; calibrated_class: string }
    }
    const row = rowsOf('c.csv')[0]!
    const { set, set_size, calibrated_class } = first.lc_classification
    expect([set.join('|'), String(set_size), calibrated_class]).toEqual([row['set'], row['set_size'], row['calibrated_class']]) // prettier-ignore
    expect((await run('evaluate', 'c.csv', '--labels', labels, '--report', 'r.html')).code).toBe(0)
    expect(readFileSync(at('r.html'), 'utf8')).toContain('With squares: the calibrated probabilities')
  })

  it('are a classifier of their own in the long layout', () => {
    const rows = rowsOf('long.csv')
    expect(rows.length).toBe(300 * (33 + 15))
    expect(rows.filter((row) => row['classifier_name'] === 'lc_classifier_calibrated').length).toBe(300 * 15)
  })

  it.for([
    [['--sets', '0.9', '--to', 'postgres://u:secret@h/d'], '--sets: postgres://u:***@h/d has no place for them'],
    [['--calibrated', '--to', 'kafka://h/t'], '--calibrated: kafka://h/t has no place for them, its messages name no'],
    [['--sets', '0.9', '--to', 'kafka://h/t'], '--sets: kafka://h/t has no place for them'],
    [['--sets', '0.9', '--layout', 'long', '--to', 'x.csv'], '--sets: --layout long has a row for each class'],
    [['--sets', '1', '--to', 'x.csv'], '--sets 1: expected a share between 0 and 1'],
  ] as const)('have no place with %s', async ([args, message]) => {
    const { code, stderr } = await run('classify', join(samples, 'ztf-300.parquet'), '--model', 'calibrated', ...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(`lcclf: ${message}`)])
  })

  it('are compared with the survey’s by diff --calibrated, object by object', async () => {
    const { stdout } = await run('diff', 'c.parquet', 'c.csv', '--calibrated', 'b', '--json')
    const found = JSON.parse(stdout) as DiffReport
    const rows = rowsOf('c.csv')
    const moved = rows.map((row) => {
      const names = Object.keys(row).filter((name) => name.startsWith('calibrated/'))
      const gaps = names.map((name) => Math.abs(Number(row[name]) - Number(row[name.slice(11)])))
      return gaps.reduce((sum, gap) => sum + gap, 0) / 2
    })
    expect(found).toMatchObject({
      calibrated: 'b',
      common: rows.length,
      changed: rows.filter((row) => row['class'] !== row['calibrated_class']).length,
      levels_only_in_a: [],
    })
    expect(found.movement.max).toBeCloseTo(Math.max(...moved), 12)
    expect((await run('diff', 'c.csv', 'long.csv', '--calibrated', 'both', '--json')).stdout).toContain('"changed":0')
    expect((await run('diff', 'c.csv', 'c.csv', '--calibrated', 'b')).stdout).toContain('300 objects, calibrated\n')
    const none = await run('diff', 'raw.csv', 'raw.csv', '--calibrated', 'a')
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('raw.csv has no calibrated probabilities')])
  })

  it('are refused for a model that nobody calibrated', async () => {
    const args = ['classify', join(samples, 'ztf-300.parquet'), '--model', model, '--to', 'x.csv', '--calibrated']
    const { code, stderr } = await run(...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining('--calibrated: sample_forest_1.5.2 is not calibrated')])
  })
})
