import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EvaluationReport } from '../../src/jobs/evaluate/evaluation-report.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fixtures = fileURLToPath(new URL('../fixtures/evaluation/', import.meta.url))
const labels = join(samples, 'ztf-300-labels.csv')
const drawn = join(fixtures, 'drawn.csv')
const drawnLabels = join(fixtures, 'drawn-labels.csv')
const results = ['wide.parquet', 'wide.csv', 'wide.tsv.gz', 'wide.arrow', 'nested.ndjson']
const longResults = ['long.parquet', 'long.csv.gz', 'long.arrow', 'long.ndjson.gz']
let classified: string
let work: string

beforeAll(async () => {
  classified = temporaryFolder()
  const input = join(samples, 'ztf-300.parquet')
  const to = (names: string[]): string[] => names.flatMap((name) => ['--to', name])
  const runs = [to(results), ['--layout', 'long', ...to(longResults)], ['--layout', 'nested', '--to', 'nested.parquet']]
  for (const flags of runs) expect((await hostedLcclf(['classify', input, ...flags], { cwd: classified })).code).toBe(0)
})

beforeEach(() => {
  work = temporaryFolder()
})

async function reportOf(args: string[]): Promise<EvaluationReport> {
  const { code, stdout, stderr } = await hostedLcclf(['evaluate', ...args, '--json'])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as EvaluationReport
}

describe('lcclf evaluate', () => {
  it('gives scikit-learn’s scores of the sample model', async () => {
    const report = await reportOf([join(classified, 'wide.parquet'), '--labels', labels])
    const { sample } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as {
      sample: Record<string, Record<string, unknown>>
    }
    for (const level of report.levels) {
      const wanted = sample[level.classifier_name]!
      for (const [name, value] of Object.entries(wanted)) {
        if (typeof value !== 'number') continue
        const own = level[name as keyof typeof level] as number
        expect(Math.abs(own - value), `${level.classifier_name} ${name}`).toBeLessThanOrEqual(1e-12)
      }
      expect(level.confusion.counts).toEqual(wanted['confusion'])
    }
    expect(report.accuracy).toBe(sample['lc_classifier']!['accuracy'])
  })

  it('says the same of every format and layout that lcclf writes', async () => {
    const findings = async (name: string): Promise<unknown> => {
      const { predictions, ...rest } = await reportOf([join(classified, name), '--labels', labels])
      expect(predictions).toMatchObject({ classifier_version: 'sample_forest_1.5.2', objects: 300 })
      return rest
    }
    const first = await findings(results[0]!)
    for (const name of [...results.slice(1), ...longResults, 'nested.parquet'])
      expect(await findings(name)).toEqual(first)
  })

  it('prints coverage, scores and confusion matrices for people', async () => {
    const { code, stdout } = await hostedLcclf(['evaluate', drawn, '--labels', drawnLabels])
    expect(code).toBe(0)
    expect(stdout).toContain('135 objects evaluated')
    expect(stdout).toContain('6 with a label outside the taxonomy, left out: Galaxy 6')
    expect(stdout).toContain('label ↓ predicted →')
    expect(stdout).toContain('hierarchical precision')
  })

  it('writes every table as CSV, in full precision, and replaces nothing unasked', async () => {
    const args = ['evaluate', drawn, '--labels', drawnLabels, '--csv', join(work, 'tables')]
    const { stdout } = await hostedLcclf([...args, '--json'])
    const report = JSON.parse(stdout) as EvaluationReport
    const read = (name: string): Record<string, string>[] =>
      parse(readFileSync(join(work, 'tables', `${name}.csv`)), { columns: true })
    expect(readdirSync(join(work, 'tables')).sort()).toEqual(
      [
        'classes',
        'confusion',
        'coverage',
        'curves',
        'levels',
        'most_confident_errors',
        'most_in_doubt',
        'reliability',
      ].map((name) => `${name}.csv`),
    )
    expect(read('levels').map((row) => Number(row['accuracy']))).toEqual(report.levels.map(({ accuracy }) => accuracy))
    expect(read('confusion').filter((row) => row['classifier_name'] === 'lc_classifier')).toHaveLength(225)
    expect((await hostedLcclf(args)).code).toBe(2)
    expect((await hostedLcclf([...args, '--overwrite'])).code).toBe(0)
  })

  it('takes labels under other names and from another column', async () => {
    writeFileSync(join(work, 'known.csv'), 'ID,kind\nZTF18aaaaaaa,Superluminous\nZTF19aaaaaab,RRL\n')
    const names = ['--labels', join(work, 'known.csv'), '--id-column', 'ID', '--label-column', 'kind']
    const predictions = join(classified, 'wide.parquet')
    const plain = await reportOf([predictions, ...names])
    expect(plain.coverage).toMatchObject({ evaluated: 1, outside_taxonomy: { Superluminous: 1 } })
    const renamed = await reportOf([predictions, ...names, '--rename-class', 'Superluminous=SLSN'])
    expect(renamed.coverage).toMatchObject({ evaluated: 2, labels_outside_taxonomy: 0, objects_without_label: 298 })
  })

  it('counts labels that contradict each other or are empty, and leaves them out', async () => {
    const rows = [
      'oid,class',
      'ZTF18aaaaaaa,SLSN',
      'ZTF18aaaaaaa,RRL',
      'ZTF19aaaaaab,RRL',
      'ZTF19aaaaaab,RRL',
      'ZTF20aaaaaac,',
    ]
    writeFileSync(join(work, 'known.csv'), `\ufeff${rows.join('\r\n')}\r\n`)
    const { coverage } = await reportOf([join(classified, 'wide.parquet'), '--labels', join(work, 'known.csv')])
    expect(coverage).toMatchObject({ evaluated: 1, conflicting_labels: 1, empty_labels: 1 })
  })

  it('takes the newest prediction of an object that comes twice', async () => {
    const [header, first, ...rest] = readFileSync(drawn, 'utf8').trimEnd().split('\n')
    const older = first!
      .replace('1000000000000000000', '999999999999999999')
      .replace(/,[^,]*,[^,]*,drawn/, ',AGN,1,drawn')
    const cells = older.split(',').map((cell, i) => (i > 4 ? (i === 5 ? '1' : '0') : cell))
    writeFileSync(join(work, 'twice.csv'), [header, first, ...rest, cells.join(',')].join('\n'))
    const once = await reportOf([drawn, '--labels', drawnLabels])
    const twice = await reportOf([join(work, 'twice.csv'), '--labels', drawnLabels])
    expect(twice.coverage.duplicate_predictions).toBe(1)
    expect(twice.levels).toEqual(once.levels)
  })

  it('asks which model is meant where a file has the results of two', async () => {
    const text = readFileSync(drawn, 'utf8')
    const other = text.replaceAll('drawn_1.0', 'drawn_2.0').split('\n').slice(1).join('\n')
    writeFileSync(join(work, 'both.csv'), text + other)
    const args = ['evaluate', join(work, 'both.csv'), '--labels', drawnLabels]
    const { code, stderr } = await hostedLcclf(args)
    expect(code).toBe(3)
    expect(stderr).toContain('drawn_1.0, drawn_2.0')
    expect((await hostedLcclf([...args, '--classifier-version', 'drawn_2.0'])).code).toBe(0)
    expect((await hostedLcclf([...args, '--classifier-version', 'drawn_3.0'])).code).toBe(2)
  })
})

describe('what lcclf evaluate refuses', () => {
  const cases: [string, string, string, number, string][] = [
    ['a file that is not there', 'none.parquet', 'oid,class\nx,AGN\n', 3, 'there is no such file'],
    ['a file of another kind', labels, 'oid,class\nx,AGN\n', 3, 'holds no predictions'],
    ['labels of other objects', drawn, 'oid,class\nx,AGN\n', 3, 'no object'],
    ['labels of another taxonomy', drawn, 'oid,class\nZTF200000001,Quasar\n', 3, 'none of its labels'],
    [
      'labels without the column',
      drawn,
      'oid,klass\nx,AGN\n',
      3,
      'Name the column with --label-column; there are klass',
    ],
    ['labels with a broken row', drawn, 'oid,class\nx\n', 3, 'cannot be read'],
    ['labels that are empty', drawn, '', 3, 'is empty'],
  ]
  it.each(cases)('%s', async (_, predictions, text, code, message) => {
    writeFileSync(join(work, 'known.csv'), text)
    const outcome = await hostedLcclf(['evaluate', predictions, '--labels', join(work, 'known.csv')], { cwd: work })
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(outcome.stderr).not.toMatch(/\n\s+at /)
  })

  it('a probability that is none, and an object that lacks a class', async () => {
    const text = readFileSync(drawn, 'utf8')
    writeFileSync(join(work, 'bad.csv'), text.replace(/(drawn_1\.0),[^,]*/, '$1,1.5'))
    const bad = await hostedLcclf(['evaluate', join(work, 'bad.csv'), '--labels', drawnLabels])
    expect(bad).toMatchObject({ code: 3 })
    expect(bad.stderr).toContain('outside 0 to 1')
    const rows = ['oid,classifier_name,classifier_version,class_name,probability,ranking']
    for (const oid of ['a', 'b']) rows.push(`${oid},lc_classifier,v,AGN,0.5,1`, `${oid},lc_classifier,v,QSO,0.5,1`)
    writeFileSync(join(work, 'long.csv'), rows.slice(0, -1).join('\n'))
    const lacking = await hostedLcclf(['evaluate', join(work, 'long.csv'), '--labels', drawnLabels])
    expect(lacking).toMatchObject({ code: 3 })
    expect(lacking.stderr).toContain('1 object lacks an oid or the probability of a class')
  })
})
