// One rule for every file that a command writes: its folders are made.
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { canBeOrdinary, lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const labels = join(samples, 'ztf-300-labels.csv')
const bundle = join(samples, 'model')
let work: string

beforeEach(() => {
  work = temporaryFolder()
})

describe('an output in a folder that is not there', () => {
  it.each([
    ['--to FILE', ['classify', parquet, '--to', 'new/deep/x.csv'], 'new/deep/x.csv'],
    ['--to FOLDER', ['classify', parquet, '--to', 'new/deep/'], 'new/deep/ztf-300.parquet'],
    ['--report', ['classify', parquet, '--to', 'x.csv', '--report', 'new/deep/r.html'], 'new/deep/r.html'],
    ['--receipt', ['classify', parquet, '--to', 'x.csv', '--receipt', 'new/deep/r.json'], 'new/deep/r.json'],
    ['--rejects', ['classify', parquet, '--to', 'x.csv', '--rejects', 'new/deep/r.ndjson'], 'new/deep/r.ndjson'],
    ['--rejects of a folder', ['classify', parquet, '--to', 'o/', '--rejects', 'new/r.ndjson'], 'new/r.ndjson'],
    ['explain --report', ['explain', parquet, '--oid', 'ZTF18aaaaaaa', '--report', 'new/r.html'], 'new/r.html'],
    ['evaluate --csv', ['evaluate', 'c.csv', '--labels', labels, '--csv', 'new/deep'], 'new/deep/classes.csv'],
    ['evaluate --report', ['evaluate', 'c.csv', '--labels', labels, '--report', 'new/r.html'], 'new/r.html'],
    ['diff --report', ['diff', 'c.csv', 'c.csv', '--report', 'new/deep/r.html'], 'new/deep/r.html'],
    ['model export', ['model', 'export', bundle, '--format', 'tar.gz', '--out', 'new/x.tar.gz'], 'new/x.tar.gz'],
    ['model export', ['model', 'export', bundle, '--format', 'onnx', '--out', 'new/x.onnx'], 'new/x.onnx'],
    ['model push', ['model', 'push', bundle, 'new/models/'], 'new/models/lcclf-index.json'],
  ])('has its folder made: %s', async (_, args, written) => {
    if (args.includes('c.csv')) await hostedLcclf(['classify', parquet, '--to', 'c.csv', '-q'], { cwd: work })
    const { code, stderr } = await hostedLcclf(args, { cwd: work })
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/^lcclf: /m)])
    expect(existsSync(join(work, written))).toBe(true)
  })

  it('leaves no folder behind if the run fails', async () => {
    writeFileSync(join(work, 'bad.csv'), 'oid\nx\n')
    expect((await hostedLcclf(['classify', 'bad.csv', '--to', 'new/x.csv'], { cwd: work })).code).toBe(3)
    const wrong = ['explain', parquet, '--oid', 'none', '--report', 'new/r.html']
    expect((await hostedLcclf(wrong, { cwd: work })).code).toBe(3)
    expect(readdirSync(work)).toEqual(['bad.csv'])
  })

  it('is only planned with --dry-run', async () => {
    const { code } = await hostedLcclf(['classify', parquet, '--to', 'new/x.csv', '--dry-run'], { cwd: work })
    expect([code, readdirSync(work)]).toEqual([0, []])
  })

  it.skipIf(!canBeOrdinary)('is exit 5 with its name where the folder cannot be made', async () => {
    mkdirSync(join(work, 'closed'), { mode: 0o500 })
    for (const to of ['closed/new/x.csv', 'closed/new/']) {
      const { code, stderr } = await lcclf(['classify', parquet, '--to', to], { cwd: work, isOrdinary: true })
      expect(stderr).toMatch(/^lcclf: cannot write closed\/new\/\S+: no permission to make the folder closed\/new$/m)
      expect(code).toBe(5)
    }
    chmodSync(join(work, 'closed'), 0o700)
  })
})
