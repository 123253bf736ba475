import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const drawn = fileURLToPath(new URL('../fixtures/evaluation/drawn.csv', import.meta.url))
let folder: string
let work: string

beforeAll(async () => {
  folder = temporaryFolder()
  const input = join(samples, 'ztf-300.parquet')
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await hostedLcclf(args, { cwd: folder })
    if (code !== 0) throw new Error(stderr)
  }
  await run('model', 'import', unpackFixture('sklearn-1.0.2'), '--name', 'old', '--version', '1', '--out', 'old')
  await run('classify', input, '--model', 'old', '--to', 'old.parquet', '--to', 'old.arrow', '--to', 'old.ndjson')
  await run('classify', input, '--to', 'new.parquet', '--to', 'new.csv')
  await run('classify', input, '--layout', 'long', '--to', 'new-long.parquet')
})

beforeEach(() => {
  work = temporaryFolder()
})

async function reportOf(args: string[]): Promise<DiffReport> {
  const { code, stdout, stderr } = await hostedLcclf(['diff', ...args, '--json'], { cwd: folder })
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as DiffReport
}

type Row = Record<string, string>
const rowsOf = (text: string): Row[] => parse(text, { columns: true })

describe('lcclf diff', () => {
  it('counts what a plain reading of both files counts', async () => {
    const classified = async (model: string[]): Promise<Row[]> =>
      rowsOf(
        (await hostedLcclf(['classify', join(samples, 'ztf-300.parquet'), ...model, '--quiet'], { cwd: folder }))
          .stdout,
      )
    const [a, b] = [await classified(['--model', 'old']), await classified([])]
    const report = await reportOf(['old.parquet', 'new.parquet'])
    const changed = a.filter((row, i) => row['class'] !== b[i]!['class'])
    expect(report).toMatchObject({
      common: 300,
      changed: changed.length,
      changed_share: changed.length / 300,
      limit: null,
    })
    const { classes_a: classes, counts } = report.levels[0]!.transitions
    classes.forEach((from, i) =>
      classes.forEach((to, j) =>
        expect(counts[i]![j]).toBe(a.filter((row, k) => row['class'] === from && b[k]!['class'] === to).length),
      ),
    )
    const distance = (i: number): number =>
      classes.reduce((sum, name) => sum + Math.abs(Number(a[i]![name]) - Number(b[i]![name])) / 2, 0)
    const farthest = a.map((_, i) => i).sort((x, y) => distance(y) - distance(x))[0]!
    expect(report.most_moved[0]!.oid).toBe(a[farthest]!['oid'])
    expect(report.most_moved[0]!.distance).toBeCloseTo(distance(farthest), 14)
    expect(report.movement.mean).toBeCloseTo(
      a.reduce((sum, _, i) => sum + distance(i) / 300, 0),
      12,
    )
    expect(report.movement.histogram.reduce((sum, bin) => sum + bin.objects, 0)).toBe(300)
    expect(report.changed_objects.every((object) => object.class_a !== object.class_b)).toBe(true)
  })

  it('gives population shares and the two-sample statistics of each class', async () => {
    const { levels } = await reportOf(['old.parquet', 'new.parquet'])
    for (const { classes } of levels) {
      expect(classes.reduce((sum, one) => sum + one.share_a!, 0)).toBeCloseTo(1, 12)
      for (const one of classes) expect(one.ks).toBeGreaterThan(0)
    }
    const branches = levels.filter(({ branch }) => branch !== null)
    expect(branches.map(({ branch }) => branch)).toEqual(['Stochastic', 'Periodic', 'Transient'])
    const top = levels[1]!.transitions
    branches.forEach(({ branch, objects }) => {
      const place = top.classes_a.indexOf(branch!)
      expect(objects).toBe(top.counts[place]![place])
    })
  })

  it('finds nothing between the same results in other formats and layouts', async () => {
    for (const other of ['new.csv', 'new-long.parquet']) {
      const report = await reportOf(['new.parquet', other, '--fail-if-changed', '0'])
      expect(report).toMatchObject({ common: 300, changed: 0, movement: { max: 0 }, limit: { exceeded: false } })
    }
    expect(await reportOf(['old.arrow', 'old.ndjson'])).toMatchObject({ changed: 0, movement: { max: 0 } })
  })

  it('exits 3 if more changed than allowed, after it has told what', async () => {
    const { changed } = await reportOf(['old.parquet', 'new.parquet'])
    const run = (bound: string) =>
      hostedLcclf(['diff', 'old.parquet', 'new.parquet', '--fail-if-changed', bound, '--json'], { cwd: folder })
    expect((await run(`${changed}`)).code).toBe(0)
    const failed = await run(`${changed - 1}`)
    expect(failed.code).toBe(3)
    expect((JSON.parse(failed.stdout) as DiffReport).limit).toEqual({ text: `${changed - 1}`, exceeded: true })
    expect(failed.stderr).toContain('more than --fail-if-changed')
    expect((await run('2%')).code).toBe(3)
    expect((await run('99%')).code).toBe(0)
    expect((await run('most')).code).toBe(2)
  })

  it('names objects of one side only', async () => {
    const [header, ...rows] = readFileSync(drawn, 'utf8').trimEnd().split('\n')
    writeFileSync(join(work, 'a.csv'), [header, ...rows.slice(0, 100)].join('\n'))
    writeFileSync(join(work, 'b.csv'), [header, ...rows.slice(3)].join('\n'))
    const report = await reportOf([join(work, 'a.csv'), join(work, 'b.csv')])
    expect(report).toMatchObject({ common: 97, a: { objects: 100 }, b: { objects: 157 } })
    expect(report.a.only_here).toEqual({ objects: 3, first: rows.slice(0, 3).map((row) => row.split(',')[0]) })
    expect(report.b.only_here.objects).toBe(60)
    const args = ['diff', join(work, 'a.csv'), join(work, 'b.csv')]
    const more = ['--top', '40', '--csv', join(work, 'tables'), '--report', join(work, 'diff.html')]
    const { stdout } = await hostedLcclf([...args, ...more, '--json'], { cwd: folder })
    const ids = rows.slice(100).map((row) => row.split(',')[0]!)
    expect((JSON.parse(stdout) as DiffReport).b.only_here.first).toEqual(ids.slice(0, 40))
    const listed = rowsOf(readFileSync(join(work, 'tables/only_in.csv'), 'utf8'))
    expect(listed.filter(({ side }) => side === 'a')).toHaveLength(3)
    expect(listed.filter(({ side }) => side === 'b').map(({ oid }) => oid)).toEqual(ids)
    expect(readdirSync(join(work, 'tables'))).toHaveLength(9)
    expect(readFileSync(join(work, 'diff.html'), 'utf8')).toContain('Objects of B alone: 40 of 60')
  })

  it('compares two models in one file, and models with other classes', async () => {
    const text = readFileSync(drawn, 'utf8')
    const [header, ...rows] = text.trimEnd().split('\n')
    writeFileSync(
      join(work, 'both.csv'),
      [header, ...rows, ...rows.map((row) => row.replace('drawn_1.0', 'drawn_2.0'))].join('\n'),
    )
    const side = (version: string): string => `${join(work, 'both.csv')}?classifier_version=drawn_${version}`
    expect(await reportOf([side('1.0'), side('2.0')])).toMatchObject({ common: 160, changed: 0 })
    // Blazar is another model's class: its probability is 0 here, and the name on the other side too
    writeFileSync(join(work, 'renamed.csv'), [header!.replaceAll('Blazar', 'BLLac'), ...rows].join('\n'))
    const report = await reportOf([drawn, join(work, 'renamed.csv')])
    const blazars = report.levels[0]!.classes.find((one) => one.class === 'Blazar')!
    expect(blazars).toMatchObject({ share_b: 0, mean_probability_b: 0 })
    expect(report.changed).toBe(Math.round(160 * blazars.share_a!))
  })

  it('prints tables for people and writes them as CSV', async () => {
    const { code, stdout } = await hostedLcclf(
      ['diff', 'old.parquet', 'new.parquet', '--csv', join(work, 'tables'), '--top', '7'],
      { cwd: folder },
    )
    expect(code).toBe(0)
    expect(stdout).toContain('300 objects in both')
    expect(stdout).toContain('A ↓ B →')
    expect(readdirSync(join(work, 'tables'))).toHaveLength(9)
    expect(rowsOf(readFileSync(join(work, 'tables/changed_objects.csv'), 'utf8'))).toHaveLength(7)
  })

  it('refuses sides without a common object, a file that is none, and a version that is not there', async () => {
    const cases: [string[], number, string][] = [
      [[drawn, 'new.parquet'], 3, 'no object in common'],
      [['new.parquet', 'none.parquet'], 3, 'there is no such file'],
      [['new.parquet', join(samples, 'ztf-300-labels.csv')], 3, 'holds no predictions'],
      [['new.parquet', 'new.parquet?classifier_version=x'], 2, 'no classifier_version x'],
    ]
    for (const [args, code, message] of cases) {
      const outcome = await hostedLcclf(['diff', ...args], { cwd: folder })
      expect(outcome).toMatchObject({ code, stdout: '' })
      expect(outcome.stderr).toContain(message)
    }
  })
})
