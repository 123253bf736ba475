// `classify` asked for less: columns, classes and objects, counted to the last one; and what evaluate and diff say of it.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Receipt } from '../../src/jobs/classify/receipt.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work })
const classify = (...args: string[]) => run('classify', join(samples, 'ztf-300.parquet'), ...args)
const labels = join(samples, 'ztf-300-labels.csv')

function rowsOf(path: string): Record<string, string>[] {
  const [header, ...lines] = readFileSync(at(path), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
  return lines.map((cells) => Object.fromEntries(header!.map((name, i) => [name, cells[i]!])))
}

let full: Record<string, string>[]
const leaves = ['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO', 'CEP', 'DSCT', 'E', 'LPV', 'Periodic-Other', 'RRL']
const classes = [...leaves, 'SLSN', 'SNII', 'SNIa', 'SNIbc']

beforeAll(async () => {
  expect((await classify('--to', 'full.csv')).code).toBe(0)
  full = rowsOf('full.csv')
})

describe('classify', () => {
  it('writes the objects that were asked for, and counts the others for each output', async () => {
    const asked = ['--only', 'SNIa,LPV', '--only', 'QSO', '--min-probability', '0.4']
    const outputs = ['a.csv', 'a.ndjson', 'a.parquet', 'a.arrow'].flatMap((to) => ['--to', to])
    const { code, stdout, stderr } = await classify(...asked, ...outputs, '--json', '--report', 'a.html')
    const expected = full.filter((row) => /^(?:SNIa|LPV|QSO)$/.test(row['class']!) && Number(row['probability']) >= 0.4)
    expect(code).toBe(0)
    expect(rowsOf('a.csv')).toEqual(expected)
    const receipt = JSON.parse(stdout) as Receipt
    expect(receipt.outputs.map(({ objects, filtered }) => [objects, filtered])).toEqual(
      Array.from({ length: 4 }, () => [expected.length, 300 - expected.length]),
    )
    expect(receipt).toMatchObject({
      balanced: true,
      options: { only: 'SNIa,LPV,QSO', minProbability: 0.4 },
      inputs: [{ read: 300, classified: 300 }],
    })
    expect(receipt.options).not.toHaveProperty('top')
    expect(stderr).toContain(
      `a.csv: ${expected.length} objects, ${expected.length} rows, ${300 - expected.length} filtered out`,
    )
    expect(readFileSync(at('a.html'), 'utf8')).toContain('classified = objects + filtered + refused + superseded')
    const ndjson = readFileSync(at('a.ndjson'), 'utf8').trimEnd().split('\n')
    expect(ndjson.map((line) => (JSON.parse(line) as { oid: string }).oid)).toEqual(expected.map(({ oid }) => oid))
    expect((await run('diff', 'a.parquet', 'a.arrow', '--fail-if-changed', '0')).stdout).toContain('0 changed class')
  })

  it('writes nothing but a header where nothing is left, which is success', async () => {
    const { code, stderr } = await classify('--only', 'SNIbc', '--min-probability', '1', '--to', 'none.csv')
    expect([code, rowsOf('none.csv')]).toEqual([0, []])
    expect(stderr).toContain('none.csv: 0 objects, 0 rows, 300 filtered out')
    expect((await classify('--only', 'SNIbc', '--min-probability', '1')).stderr).toContain('stdout: 0 objects')
  })

  it('writes the most probable classes, and chosen columns, with the values of the whole', async () => {
    await classify('--top', '3', '--to', 'top.csv', '--columns', 'probability_*,class_*')
    rowsOf('top.csv').forEach((row, i) => {
      const best = classes
        .map((name) => [name, full[i]![name]!] as const)
        .sort(([, a], [, b]) => Number(b) - Number(a))
        .slice(0, 3)
      const { oid, candid } = full[i]!
      expect(row).toEqual({
        oid,
        candid,
        ...Object.fromEntries(
          best.flatMap(([name, value], k) => [
            [`class_${k + 1}`, name],
            [`probability_${k + 1}`, value],
          ]),
        ),
      })
    })
    await classify('--columns', 'SNIa,class', '--columns', 'top/*', '--to', 'some.csv', '--engine', 'onnx')
    expect(readFileSync(at('some.csv'), 'utf8').split('\n')[0]).toBe(
      'oid,candid,SNIa,class,top/Periodic,top/Stochastic,top/Transient',
    )
    expect(rowsOf('some.csv').map((row) => row['class'])).toEqual(full.map((row) => row['class']))
  })

  it.for([[], ['--dry-run']])('refuses what the model does not have before the first row %s', async (more) => {
    for (const [args, message] of [
      [['--columns', 'ANG'], '--columns: the results have no column ANG (nearest: AGN)'],
      [['--only', 'SNIb'], '--only: the model has no class SNIb (nearest: '],
      [['--top', '16'], '--top 16: the model has 15 classes'],
      [['--min-probability', '1.1'], '--min-probability 1.1: expected a number from 0 to 1'],
    ] as const) {
      const { code, stderr } = await classify(...args, '--to', 'refused.csv', ...more)
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })

  it('does a folder again with --resume where something else is asked for', async () => {
    mkdirSync(at('nights'))
    copyFileSync(join(samples, 'ztf-300.parquet'), at('nights/a.parquet'))
    const folder = (...more: string[]) => run('classify', 'nights', '--to', 'out/', '--resume', ...more)
    expect((await folder('--only', 'SNIa', '--columns', 'class')).code).toBe(0)
    const receipt = JSON.parse(readFileSync(at('out/a.parquet.receipt.json'), 'utf8')) as Receipt
    expect(receipt.outputs[0]!.objects + receipt.outputs[0]!.filtered).toBe(300)
    expect((await folder('--only', 'SNIa', '--columns', 'class')).stderr).toContain('1 of 1 inputs are done already')
    expect((await folder('--only', 'SNIa', '--overwrite')).stderr).toContain('--columns was class, now not given')
  })
})

describe('evaluate and diff', () => {
  it.for([
    [['--columns', 'class,probability,AGN'], 'it lacks the column classifier_version'],
    [['--columns', 'class,classifier_version,AGN'], 'as if classes were left out'],
    [['--columns', 'classifier_version,class,SNIa', '--only', 'SNIa'], 'as if classes were left out'],
    [['--columns', 'classifier_version,AGN,stochastic/*'], 'as if classes were left out'],
    [['--top', '15'], 'has only the most probable classes of each object (--top)'],
    [
      ['--layout', 'long', '--columns', 'class_name,probability'],
      'lacks the column classifier_name of the long layout',
    ],
  ] as const)('say what is missing after %s', async ([args, message]) => {
    await classify(...args, '--to', 'part.parquet', '--overwrite')
    for (const command of [
      ['evaluate', 'part.parquet', '--labels', labels],
      ['diff', 'full.csv', 'part.parquet'],
    ]) {
      const { code, stdout, stderr } = await run(...command)
      expect([code, stdout, stderr]).toEqual([3, '', expect.stringContaining(message)])
    }
  })

  it('say how many objects are not among the results', async () => {
    await classify('--only', 'SNIa', '--to', 'rows.parquet')
    const missing = full.filter((row) => row['class'] !== 'SNIa').length
    const evaluated = await run('evaluate', 'rows.parquet', '--labels', labels)
    expect(evaluated.stdout).toContain(`${missing} labels without a prediction (not scored`)
    expect((await run('diff', 'full.csv', 'rows.parquet')).stdout).toContain(`${missing} only in A`)
  })
})
