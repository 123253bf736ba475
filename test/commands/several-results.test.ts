// evaluate and diff read what classify writes into a folder as one result.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const labels = join(samples, 'ztf-300-labels.csv')
let work: string

const run = (...args: string[]) => hostedLcclf(args, { cwd: work })

/** What evaluate finds, but for the name of the results. */
async function evaluated(results: string): Promise<unknown> {
  const { code, stdout, stderr } = await run('evaluate', results, '--labels', labels, '--json')
  expect([code, stderr]).toEqual([0, ''])
  const report = JSON.parse(stdout) as { predictions: { address: string } }
  expect(report.predictions.address).toBe(results)
  return { ...report, predictions: null }
}

beforeAll(async () => {
  work = temporaryFolder()
  const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
    .toString()
    .trimEnd()
    .split('\n')
  for (const part of [0, 1, 2]) {
    mkdirSync(join(work, `nights/${part}`), { recursive: true })
    const lines = [header, ...rows.slice(100 * part, 100 * (part + 1))]
    writeFileSync(join(work, `nights/${part}/x.csv`), `${lines.join('\n')}\n`)
  }
  await run('classify', parquet, '--to', 'whole.parquet', '-q')
  for (const format of ['parquet', 'csv', 'ndjson', 'arrow']) {
    await run('classify', 'nights/', '--to', `${format}/`, '--to-format', format, '-q')
  }
})

describe('results in several files', () => {
  it.each(['parquet', 'csv', 'ndjson', 'arrow'])('say what they say in one: a folder of %s', async (format) => {
    expect(await evaluated(format)).toEqual(await evaluated('whole.parquet'))
    const { stdout } = await run('diff', format, 'whole.parquet', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ common: 300, changed: 0, movement: { max: 0 }, a: { address: format } })
  })

  it('are chosen by a pattern, and by a version', async () => {
    expect(await evaluated('csv/*/x.csv')).toEqual(await evaluated('whole.parquet'))
    const { stdout } = await run('diff', 'parquet/[01]/*.parquet', 'whole.parquet', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ common: 200, changed: 0, b: { only_here: { objects: 100 } } })
    const version = await run('evaluate', 'csv/?classifier_version=none', '--labels', labels)
    expect([version.code, version.stderr]).toEqual([2, expect.stringContaining('has no classifier_version none')])
  })

  it('may have a candid in some files only', async () => {
    const text = readFileSync(join(work, 'csv/1/x.csv'), 'utf8')
    mkdirSync(join(work, 'some'))
    writeFileSync(join(work, 'some/a.csv'), readFileSync(join(work, 'csv/0/x.csv')))
    writeFileSync(join(work, 'some/b.csv'), text.replace(/^([^,]*),[^,]*,/gm, '$1,'))
    const { stdout } = await run('diff', 'some', 'whole.parquet', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ common: 200, changed: 0, movement: { max: 0 } })
  })

  it('of other formats, layouts or models, and none at all, are refused by name', async () => {
    const refusal = async (results: string): Promise<string> => {
      const { code, stderr } = await run('evaluate', results, '--labels', labels)
      expect(code).toBe(3)
      return stderr
    }
    mkdirSync(join(work, 'mixed'))
    await run('classify', 'nights/0/x.csv', '--to', 'mixed/a.csv', '-q')
    await run('classify', 'nights/1/x.csv', '--to', 'mixed/b.csv', '--layout', 'long', '-q')
    expect(await refusal('mixed')).toContain('mixed/a.csv has the column class, and mixed/b.csv has not')
    writeFileSync(join(work, 'mixed/c.parquet'), readFileSync(join(work, 'whole.parquet')))
    expect(await refusal('mixed')).toContain('several formats, such as mixed/a.csv and mixed/c.parquet')
    writeFileSync(join(work, 'mixed/b.csv'), readFileSync(join(work, 'csv/1/x.csv'), 'utf8').replaceAll('_1.5.2', '_2'))
    expect(await refusal('mixed/*.csv')).toContain('holds the results of several models')
    mkdirSync(join(work, 'empty'))
    expect(await refusal('empty')).toContain('empty: no input files in this folder')
    expect(await refusal('empty/*')).toContain('empty/*: no file matches')
  })
})
