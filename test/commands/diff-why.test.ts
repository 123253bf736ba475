// Why objects changed class: families planted into the sample's objects, found again by what is typed.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples, type Outcome } from '../support/lcclf.ts'
import { renamedModel } from '../support/renamed-model.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Why = NonNullable<DiffReport['why']>
type Row = Record<string, string>

const folder = temporaryFolder()
const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => line.split(','))
const at = (name: string): string => join(folder, name)
const lcclf = (...args: string[]): Promise<Outcome> =>
  hostedLcclf(args, { cwd: folder, env: { LCCLF_HOME: at('home') } })
const rowsOf = (name: string): Row[] => parse(readFileSync(at(name), 'utf8'), { columns: true })

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await lcclf(...args)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

async function why(...args: string[]): Promise<Why> {
  return (JSON.parse(await run('diff', ...args, '--why', '--json')) as DiffReport).why!
}

/** The sample's rows with some columns written anew, in some rows. */
function plant(
  name: string,
  isColumn: RegExp,
  cell: (text: string) => string,
  isRow: (row: number) => boolean = () => true,
) {
  const places = new Set(header!.flatMap((column, i) => (isColumn.test(column) ? [i] : [])))
  const planted = rows.map((row, r) => (isRow(r) ? row.map((text, i) => (places.has(i) ? cell(text) : text)) : row))
  writeFileSync(at(name), [header!, ...planted].map((row) => row.join()).join('\n'))
}

const colours = /^(W1-W2|W2-W3|[gr]-W[23])$/
const periods = /^(Multiband_period|PPE|Period_band_[12]|delta_period_[12]|Power_rate_.*|Psi_.*)$/
const features = ['--features-a', 'old.csv', '--features-b', 'new.csv']

beforeAll(async () => {
  plant('old.csv', /^$/, (text) => text)
  // every other object loses its colours, the others get their periods in other units
  plant(
    'half.csv',
    colours,
    () => '',
    (row) => row % 2 === 0,
  )
  const [first, ...half] = readFileSync(at('half.csv'), 'utf8').split('\n')
  const scaled = half.map((line, row) =>
    row % 2 === 0
      ? line
      : line
          .split(',')
          .map((text, i) => (periods.test(header![i]!) && text !== '' ? String(1000 * Number(text)) : text))
          .join(),
  )
  writeFileSync(at('new.csv'), [first, ...scaled].join('\n'))
  for (const name of ['old', 'new']) {
    await run('classify', `${name}.csv`, '--to', `${name}-classes.csv`)
    mkdirSync(at(name))
    copyFileSync(at(`${name}.csv`), at(`${name}/night.csv`))
  }
})

describe('lcclf diff --why', () => {
  it('names the family that was planted in each object, with its margins', async () => {
    const found = await why('old-classes.csv', 'new-classes.csv', ...features, '--to', 'why.csv')
    const [old, fresh] = [rowsOf('old-classes.csv'), rowsOf('new-classes.csv')]
    const changed = old.flatMap((row, i) => (row['class'] === fresh[i]!['class'] ? [] : [i]))
    expect(changed.length).toBeGreaterThan(20)
    const told = new Map(rowsOf('why.csv').map((row) => [row['oid'], row]))
    expect([...told.keys()].sort()).toEqual(changed.map((i) => old[i]!['oid']).sort())
    const leaves = Object.keys(old[0]!)
      .slice(5)
      .filter((name) => !name.includes('/') || name === 'CV/Nova')
    const marginOf = (row: Row): number => {
      const [best, second] = leaves.map((name) => Number(row[name])).sort((a, b) => b - a)
      return best! - second!
    }
    for (const i of changed) {
      const row = told.get(old[i]!['oid'])!
      expect(row['cause']).toBe(i % 2 === 0 ? 'WISE colours: now missing' : 'periods: × 1000')
      expect([row['class_before'], row['class_after']]).toEqual([old[i]!['class'], fresh[i]!['class']])
      expect(Number(row['margin_before'])).toBe(marginOf(old[i]!))
      expect(Number(row['margin_after'])).toBe(marginOf(fresh[i]!))
      expect(row['near_tie']).toBe(String(marginOf(old[i]!) <= found.near_tie_below))
    }
    expect(found).toMatchObject({
      changed: changed.length,
      explained: changed.length,
      distinct_causes: 2,
      approximate: 0,
    })
    expect(found.causes.reduce((sum, { objects }) => sum + objects, 0)).toBe(changed.length)
    const lost = found.causes.find(({ cause }) => cause.startsWith('WISE'))!
    expect(lost.families).toEqual([{ family: 'WISE colours', effect: 'missing', factor: null }])
    expect(found.causes.find((one) => one !== lost)!.families).toEqual([
      { family: 'periods', effect: 'scaled', factor: 1000 },
    ])
  })

  it('takes features, options and models from the receipts beside results', async () => {
    for (const name of ['old', 'new']) await run('classify', name, '--to', `out-${name}/`)
    const found = await why('out-old', 'out-new')
    const typed = await why('old-classes.csv', 'new-classes.csv', ...features)
    expect(found).toEqual({
      ...typed,
      a: { ...typed.a, features: ['old/night.csv'] },
      b: { ...typed.b, features: ['new/night.csv'] },
    })
  })

  it('prints the table for people, writes it as CSV and into the report, and rows in every format', async () => {
    const more = ['--csv', 'tables', '--report', 'why.html', '--to', 'why.parquet', '--why-limit', '9']
    const text = await run('diff', 'old-classes.csv', 'new-classes.csv', '--why', ...features, ...more)
    expect(text).toMatch(/9 of the \d+ objects that changed class explained \(9 were drawn by their ids: --why-limit\)/)
    expect(text).toMatch(/^WISE colours: now missing +\d/m)
    expect(rowsOf('tables/causes.csv').map(({ kind }) => kind)).toEqual(['features', 'features'])
    expect(readFileSync(at('why.html'), 'utf8')).toContain('Why they changed class')
    const again = ['--to', 'why.ndjson', '--why-limit', '9']
    await run('diff', 'old-classes.csv', 'new-classes.csv', '--why', ...features, ...again)
    const objects = readFileSync(at('why.ndjson'), 'utf8').trimEnd().split('\n')
    expect(objects).toHaveLength(9)
    expect(JSON.parse(objects[0]!)).toMatchObject({ kind: 'features', alternatives: 0, approximate: false })
    expect(readFileSync(at('why.parquet')).subarray(0, 4).toString()).toBe('PAR1')
    expect((await lcclf('diff', 'old-classes.csv', 'new-classes.csv', '--why', ...features, ...again)).code).toBe(2)
  })

  it('says that it is the model where the new one calls the old features something else', async () => {
    const renamed = renamedModel(at('renamed'), 'again', '1')
    await run('classify', 'new.csv', '--model', renamed, '--to', 'renamed-classes.csv')
    const same = await why('old-classes.csv', 'renamed-classes.csv', ...features, '--model-b', renamed)
    expect(same.causes.map(({ kind }) => kind)).toEqual(['features', 'features'])
    // the store has the other model, by its version
    await run('model', 'import', unpackFixture('sklearn-1.0.2'), '--name', 'other', '--version', '1')
    await run('classify', 'new.csv', '--model', 'other@1', '--to', 'other-classes.csv')
    const other = await why(
      'new-classes.csv',
      'other-classes.csv',
      '--features-a',
      'new.csv',
      '--features-b',
      'new.csv',
    )
    expect(other.causes).toMatchObject([{ cause: 'the model', kind: 'model', objects: other.changed, families: [] }])
    expect([other.a.model.name, other.b.model.name]).toEqual(['sample_forest', 'other'])
    const both = await why('old-classes.csv', 'other-classes.csv', ...features)
    expect(both.causes.map(({ kind }) => kind)).toContain('model')
  })

  it('explains what it can, and names objects whose features are absent or not those of the results', async () => {
    const before = await why('old-classes.csv', 'new-classes.csv', ...features)
    const [lost, other] = rowsOf('why.csv').map((row) => row['oid']!)
    const lines = readFileSync(at('new.csv'), 'utf8').split('\n')
    const strange = lines.find((line) => line.startsWith(`${other},`))!.split(',')
    const kept = lines
      .filter((line) => !line.startsWith(`${lost},`))
      .map((line) => (line.startsWith(`${other},`) ? strange.map((text, i) => (i > 1 ? '1' : text)).join() : line))
    writeFileSync(at('part.csv'), kept.join('\n'))
    const args = ['old-classes.csv', 'new-classes.csv', '--features-a', 'old.csv', '--features-b', 'part.csv']
    const found = await why(...args)
    expect(found.explained).toBe(before.explained - 2)
    expect(found.b).toMatchObject({
      without_features: { objects: 1, first: [lost] },
      not_reproduced: { objects: 1, first: [other] },
    })
    const text = await run('diff', ...args, '--why')
    expect(text).toContain(`1 are not in the features of B, part.csv: ${lost}`)
    expect(text).toContain(`says something else: ${other}`)
  })

  it('refuses features that are not those of the results, and says what is missing', async () => {
    const results = ['old-classes.csv', 'new-classes.csv']
    const cases: [string[], number, RegExp][] = [
      [['--why'], 2, /needs the features that old-classes.csv was made of.*\n.*--features-a/],
      [['--why', '--features-a', 'old.csv', '--features-b', '-'], 2, /not from stdin/],
      [['--features-a', 'old.csv'], 2, /--features-a is only for --why/],
      [['--why', ...features, '--to', 'why.txt'], 2, /expected a file on this machine/],
      [['--why', ...features, '--model-a', 'none'], 4, /none/],
      [
        ['--why', '--features-a', 'new.csv', '--features-b', 'new.csv'],
        3,
        /old-classes.csv: these results do not belong to these features: sample_forest_1.5.2 says something else of new.csv/,
      ],
    ]
    for (const [args, code, message] of cases) {
      const outcome = await lcclf('diff', ...results, ...args)
      expect({ code: outcome.code, stdout: outcome.stdout, args }).toEqual({ code, stdout: '', args })
      expect(outcome.stderr).toMatch(message)
    }
    const none = await why('old-classes.csv', 'old-classes.csv', '--features-a', 'old.csv', '--features-b', 'old.csv')
    expect(none).toMatchObject({ changed: 0, explained: 0, causes: [] })
  })
})
