// `classify --margins`: what a booster's trees add up to, beside its probabilities.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { estimatorFixtures } from '../support/estimator-fixtures.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const classify = (...args: string[]) => run('classify', ...args, '--model', 'booster', '--margins')
const [booster] = estimatorFixtures(/^gb\.json/)
const { classes, inputs, margins } = booster!
const width = inputs.length / (margins!.length / classes.length)
const names = Array.from({ length: width }, (_, i) => `f${i}`)
const columns = classes.map((name) => `margin/${name}`)

/** Rows of CSV, each object with a candid. */
function csv(rows: readonly number[], candid = 1): string[] {
  return rows.map((row) => [`ZTF${row}`, candid, ...inputs.subarray(row * width, (row + 1) * width)].join())
}

/** The margins in a file of CSV, row by row. */
function marginsIn(path: string): number[][] {
  const [header, ...rows] = readFileSync(at(path), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
  return rows.map((row) => columns.map((name) => Number(row[header!.indexOf(name)])))
}

const all = [...Array(margins!.length / classes.length).keys()]
const expected = all.map((row) => [...margins!.subarray(row * classes.length, (row + 1) * classes.length)])
const header = ['oid', 'candid', ...names].join()

beforeAll(async () => {
  writeFileSync(at('model.pkl'), booster!.bytes)
  writeFileSync(at('features.json'), JSON.stringify(names))
  writeFileSync(at('input.csv'), `${[header, ...csv(all)].join('\n')}\n`)
  const imported = ['model', 'import', 'model.pkl', '--name', 'booster', '--version', '1']
  expect(await run(...imported, '--features', 'features.json')).toMatchObject({ code: 0 })
})

describe('--margins', () => {
  it('come after the probabilities, in every output, equal in every bit', async () => {
    const outputs = ['a.csv', 'a.parquet', 'a.arrow', 'a.ndjson']
    expect((await classify('input.csv', ...outputs.flatMap((to) => ['--to', to]))).code).toBe(0)
    expect(readFileSync(at('a.csv'), 'utf8').split('\n')[0]).toBe(
      ['oid,candid,class,probability,classifier_version', ...classes, ...columns].join(),
    )
    expect(marginsIn('a.csv')).toEqual(expected)
    const first = JSON.parse(readFileSync(at('a.ndjson'), 'utf8').split('\n')[0]!) as {
      lc_classification: { margins: Record<string, number> }
    }
    expect(first.lc_classification.margins).toEqual(
      Object.fromEntries(classes.map((name, i) => [name, expected[0]![i]])),
    )
    expect((await classify('input.csv', '--layout', 'wide', '--to', 'wide.ndjson')).code).toBe(0)
    expect(JSON.parse(readFileSync(at('wide.ndjson'), 'utf8').split('\n')[0]!)).toHaveProperty(
      [columns[0]!],
      expected[0]![0],
    )
  })

  it('are no classes for evaluate and diff', async () => {
    await classify('input.csv', '--to', 'm.csv', '--to', 'm.parquet')
    const labels = readFileSync(at('m.csv'), 'utf8').split('\n')
    writeFileSync(
      at('labels.csv'),
      labels
        .map((line) =>
          line
            .split(',')
            .filter((_, i) => i === 0 || i === 2)
            .join(),
        )
        .join('\n'),
    )
    const evaluated = await run('evaluate', 'm.parquet', '--labels', 'labels.csv', '--json')
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      levels: [{ classes: classes.map((name) => expect.objectContaining({ class: name })) }],
    })
    expect(JSON.parse((await run('diff', 'm.csv', 'm.parquet', '--json')).stdout)).toMatchObject({
      common: all.length,
      changed: 0,
    })
  })

  it('go through shards, the newest rows, folders and --resume', async () => {
    for (const shard of ['1/2', '2/2']) await classify('input.csv', '--shard', shard, '--to', `${shard[0]}.csv`)
    expect([...marginsIn('1.csv'), ...marginsIn('2.csv')].sort()).toEqual([...expected].sort())
    writeFileSync(at('twice.csv'), `${[header, ...csv(all), ...csv(all, 2)].join('\n')}\n`)
    await classify('twice.csv', '--duplicates', 'newest', '--to', 'newest.csv')
    expect(marginsIn('newest.csv')).toEqual(expected)
    mkdirSync(at('nights'))
    writeFileSync(at('nights/1.csv'), `${[header, ...csv(all.slice(0, 9))].join('\n')}\n`)
    const folder = ['nights', '--to', 'results/', '--to-format', 'csv', '--resume']
    expect((await classify(...folder)).code).toBe(0)
    expect(marginsIn('results/1.csv')).toEqual(expected.slice(0, 9))
    expect((await classify(...folder)).stderr).toContain('1 of 1 inputs are done already')
    const without = await run('classify', ...folder, '--model', 'booster')
    expect(without.stderr).toContain('it was classified with other options: --margins was true, now not given')
  })

  it.for([
    [['--layout', 'long', '--to', 'x.csv'], '--margins: --layout long has a row for each class, and no place for them'],
    [['--to', 'postgres://u:secret@h/d'], '--margins: postgres://u:***@h/d has no place for them'],
    [['--to', 'kafka://h/t'], '--margins: kafka://h/t has no place for them'],
  ] as const)('have no place with %s', async ([args, message]) => {
    const { code, stderr } = await classify('input.csv', ...args)
    expect([code, stderr.split('\n')[0]]).toEqual([2, `lcclf: ${message}`])
  })

  it.for([[], ['--dry-run']])('are refused for a model that has none %s', async (more) => {
    const args = ['classify', 'input.csv', '--model', join(samples, 'model'), '--margins', '--to', 'x.csv', ...more]
    const { code, stderr } = await run(...args)
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--margins: sample_forest_1.5.2 has none\n  A booster has margins'),
    ])
  })
})
