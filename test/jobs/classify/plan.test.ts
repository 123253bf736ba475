import { describe, expect, it } from 'vitest'
import { refuseSharedStdout } from '../../../src/jobs/classify/classify.ts'
import { type ClassifyOptions, planClassify } from '../../../src/jobs/classify/plan.ts'
import { UsageError } from '../../../src/errors.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const plan = (asked: Partial<ClassifyOptions>, isTerminal = false) =>
  planClassify({ inputs: ['night.parquet'], ...asked }, isTerminal, { DB_PASSWORD: 'from the environment' })

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
    expect(plan({ to: ['classified/'] }).folders).toMatchObject([{ address: 'classified/', format: 'parquet' }])
    expect(plan({ to: [existing], toFormat: 'csv' }).folders).toMatchObject([{ address: existing, format: 'csv' }])
  })

  it.each<[string, Partial<ClassifyOptions>]>([
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
          ['a', 'c'],
          ['b', 'c'],
        ],
      },
    ],
    [
      'one column renamed twice',
      {
        rename: [
          ['a', 'b'],
          ['a', 'c'],
        ],
      },
    ],
  ])('refuses %s', (_, flags) => {
    expect(() => plan(flags)).toThrow(UsageError)
  })

  it.each([undefined, ['-']])('refuses --json beside results on stdout (--to %s), but not with --dry-run', (to) => {
    expect(() => refuseSharedStdout(plan({ to }), { json: true, dryRun: false })).toThrow(UsageError)
    expect(() => refuseSharedStdout(plan({ to }), { json: true, dryRun: true })).not.toThrow()
  })

  it('takes sources and sinks of a program beside addresses', () => {
    const open = () => Promise.reject(new Error('not opened'))
    const { inputs, shared } = plan({ inputs: ['night.parquet', open], to: ['a.csv', open] })
    expect(inputs).toEqual(['night.parquet', open])
    expect(shared).toMatchObject([{ kind: 'file' }, { kind: 'custom', open }])
  })
})
