// The survey's model of 2025 by the command line: imported, shown, run, compared, exported as ONNX and imported again.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const folder = 'today/bhrf-2.1.0'

beforeAll(async () => {
  writeFileSync(at('model.pkl'), readFixture(`${folder}/hierarchical_random_forest_model.pkl.gz`))
  writeFileSync(at('input.csv'), readFixture(`${folder}/input.csv.gz`))
  const { code, stderr } = await run('model', 'import', 'model.pkl', '--name', 'sq', '--version', '2.1.0')
  expect([code, stderr]).toEqual([0, expect.stringContaining('reproduced in every bit')])
})

describe('the survey’s model of 2025', () => {
  it('says what becomes of missing values, and is verified', async () => {
    expect((await run('model', 'show', 'sq')).stdout).toContain('missing    values become -999')
    expect((await run('model', 'verify', 'sq')).code).toBe(0)
  })

  it('writes its classes in its own order, and long and wide results are the same', async () => {
    expect((await run('classify', 'input.csv', '--model', 'sq', '--to', 'wide.csv')).code).toBe(0)
    expect(readFileSync(at('wide.csv'), 'utf8')).toMatch(
      /^oid,class,probability,classifier_version,AGN,Blazar,CEP,CV\/Nova,/,
    )
    expect((await run('classify', 'input.csv', '--model', 'sq', '--to', 'long.csv', '--layout', 'long')).code).toBe(0)
    expect(readFileSync(at('long.csv'), 'utf8')).toContain(
      'ZTF21aaaaaaa,lc_classifier_BHRF_forced_phot_transient,sq_2.1.0,',
    )
    const { code, stdout } = await run('diff', 'wide.csv', 'long.csv', '--model', 'sq', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ common: 150, changed: 0, levels_only_in_a: [], levels_only_in_b: [] })
  })

  it('goes to ONNX and back with its order, its names and its rules', { tags: ['long'] }, async () => {
    expect((await run('model', 'export', 'sq', '--format', 'onnx', '--out', 'm.onnx')).code).toBe(0)
    expect((await run('model', 'import', 'm.onnx', '--name', 'graph', '--version', '1')).code).toBe(0)
    const manifestOf = async (name: string) =>
      (JSON.parse((await run('model', 'show', name, '--json')).stdout) as { manifest: Record<string, unknown> })
        .manifest
    const [forest, graph] = [await manifestOf('sq'), await manifestOf('graph')]
    for (const key of ['classifierName', 'productClasses', 'taxonomy', 'features', 'preprocessing', 'formatVersion']) {
      expect([key, graph[key]]).toEqual([key, forest[key]])
    }
  })

  it('is imported with rules and a name of one’s own, or not at all', async () => {
    const imported = ['model', 'import', 'model.pkl', '--name', 'own', '--version', '1']
    expect((await run(...imported, '--missing', 'nan', '--classifier-name', 'mine')).code).toBe(0)
    expect((await run('model', 'show', 'own')).stdout).toContain('values stay missing')
    const wrong = await run(...imported, '--missing', 'often')
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('--missing often: neither nan nor a number'),
    ])
  })
})
