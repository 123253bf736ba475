import { describe, expect, it } from 'vitest'
import { planClassify, type ClassifyFlags } from '../../../src/jobs/classify/plan.ts'
import { UsageError } from '../../../src/errors.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const typed: ClassifyFlags = {
  inputs: ['night.parquet'],
  idColumn: 'oid',
  candidColumn: 'candid',
  rename: [],
  duplicates: 'all',
  threads: 0,
  batchSize: 1000,
  resume: false,
  commits: false,
  overwrite: false,
  isDryRun: false,
  isQuiet: false,
  showsProgress: true,
  json: false,
}

const plan = (flags: Partial<ClassifyFlags>, isTerminal = false) =>
  planClassify({ ...typed, ...flags }, isTerminal, { DB_PASSWORD: 'from the environment' })

describe('planClassify', () => {
  it('writes CSV to a pipe and a summary to a terminal, without --to', () => {
    expect(plan({}).shared).toEqual([{ kind: 'stdout', address: '-', format: 'csv', layout: 'wide' }])
    expect(plan({}, true).shared).toEqual([{ kind: 'terminal', address: '-' }])
    expect(plan({ to: ['-'] }, true).shared).toEqual([{ kind: 'stdout', address: '-', format: 'csv', layout: 'wide' }])
    expect(plan({ toFormat: 'ndjson' }, true).shared).toEqual([
      { kind: 'stdout', address: '-', format: 'ndjson', layout: 'nested' },
    ])
  })

  it('takes a database with what the environment adds, and never shows its password', () => {
    const planned = plan({ to: ['postgres://me@db.example/alerts'], missingObject: 'reject' })
    const [spec] = planned.shared
    expect(spec).toMatchObject({ kind: 'postgres', missingObject: 'reject', step: { stepId: 'lc_classification' } })
    expect(spec?.kind === 'postgres' && spec.connection.password()).toBe('from the environment')
    expect(JSON.stringify(planned)).not.toContain('from the environment')
    expect(() => plan({ missingObject: 'wait' })).toThrow('--missing-object')
  })

  it('chooses format and layout by the suffix', () => {
    const formats = plan({ to: ['a.parquet', 'b.csv.gz', 'c.ndjson', 'd.feather', 'e.TSV'] }).shared
    expect(formats.map((spec) => spec.kind === 'file' && [spec.format, spec.isGzipped, spec.layout])).toEqual([
      ['parquet', false, 'wide'],
      ['csv', true, 'wide'],
      ['ndjson', false, 'nested'],
      ['arrow', false, 'wide'],
      ['tsv', false, 'wide'],
    ])
  })

  it('takes an existing folder, or a name that ends with /, as one file for each input', () => {
    const existing = temporaryFolder()
    expect(plan({ to: ['classified/'] }).folders).toMatchObject([{ folder: 'classified/', suffix: '.parquet' }])
    expect(plan({ to: [existing], toFormat: 'csv' }).folders).toMatchObject([{ folder: existing, suffix: '.csv' }])
  })

  it.each<[string, Partial<ClassifyFlags>]>([
    ['--json beside results on stdout', { json: true }],
    ['--json beside - given', { json: true, to: ['-'] }],
    ['--resume without a folder', { resume: true, to: ['a.parquet'] }],
    ['--resume with a folder and a file', { resume: true, to: ['a/', 'b.parquet'] }],
    ['nested CSV', { layout: 'nested', to: ['a.csv'] }],
    ['nested CSV on stdout', { layout: 'nested' }],
    ['Parquet on stdout', { toFormat: 'parquet' }],
    ['a name without a format', { to: ['result'] }],
    ['an unknown scheme', { to: ['ftp://host/x.parquet'] }],
    ['one place for two outputs', { to: ['a.csv', './a.csv'] }],
    ['no input', { inputs: [] }],
    ['rejects that are no .ndjson', { rejects: 'night.parquet' }],
    ['a receipt that is no .json', { receipt: 'night.parquet' }],
    [
      'two columns renamed to one',
      {
        rename: [
          { from: 'a', to: 'c' },
          { from: 'b', to: 'c' },
        ],
      },
    ],
    [
      'one column renamed twice',
      {
        rename: [
          { from: 'a', to: 'b' },
          { from: 'a', to: 'c' },
        ],
      },
    ],
  ])('refuses %s', (_, flags) => {
    expect(() => plan(flags)).toThrow(UsageError)
  })

  it('allows --json with --dry-run whatever the output', () => {
    expect(plan({ json: true, isDryRun: true }).shared).toHaveLength(1)
  })
})
