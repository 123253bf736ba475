import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Explanation } from '../../src/jobs/explain/explain-object.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { importedEstimator } from '../support/imported-estimator.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const csv = join(samples, 'ztf-300.csv.gz')
const oid = 'ZTF19aaaaaab'
let work: string

beforeEach(() => {
  work = temporaryFolder()
})

async function explained(args: string[]): Promise<Explanation> {
  const { code, stdout, stderr } = await hostedLcclf(['explain', ...args, '--json'])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Explanation
}

describe('lcclf explain', () => {
  it('shares out exactly the probabilities that classify writes, for every class of every level', async () => {
    const { stdout } = await hostedLcclf(['classify', parquet, '--quiet'])
    const [header, ...rows] = stdout.trimEnd().split('\n')
    const cells = rows.find((row) => row.startsWith(oid))!.split(',')
    const written = new Map(header!.split(',').map((name, i) => [name, cells[i]]))
    const explanation = await explained([parquet, '--oid', oid])
    expect(explanation).toMatchObject({ method: 'tree_shap', is_exact: true, predicted_class: written.get('class') })
    expect(explanation.candid).toBe(written.get('candid'))
    expect(explanation.additivity_error).toBeLessThan(1e-12)
    for (const { classifier_name: name, classes } of explanation.levels) {
      const prefix = name === 'lc_classifier' ? '' : `${name.slice('lc_classifier_'.length)}/`
      for (const { class: className, probability, base, contributions } of classes) {
        expect(probability).toBe(Number(written.get(prefix + className)))
        expect(contributions).toHaveLength(152)
        expect(contributions.reduce((sum, value) => sum + value, base)).toBeCloseTo(probability, 12)
      }
    }
  })

  it('shares the product out between its two levels as its help says', async () => {
    const { levels, ranking, features } = await explained([parquet, '--oid', oid])
    const find = (level: string, name: string) =>
      levels.find((one) => one.classifier_name === level)!.classes.find((one) => one.class === name)!
    const f = find('lc_classifier_top', 'Periodic')
    const g = find('lc_classifier_periodic', 'RRL')
    const product = find('lc_classifier', 'RRL')
    expect(product.base).toBe(f.base * g.base)
    product.contributions.forEach((value, i) => {
      const halves = (g.probability + g.base) * f.contributions[i]! + (f.probability + f.base) * g.contributions[i]!
      expect(value).toBeCloseTo(halves / 2, 15)
    })
    const first = features.findIndex(({ name }) => name === ranking[0]!.name)
    expect(ranking[0]).toMatchObject({
      contribution: product.contributions[first],
      top_contribution: f.contributions[first],
      branch_contribution: g.contributions[first],
    })
  })

  it('says the same of an object in CSV, in a pipe and under other column names', async () => {
    const first = await explained([parquet, '--oid', oid])
    expect(await explained([csv, '--oid', oid])).toEqual({ ...first, input: csv })
    const text = gunzipSync(readFileSync(csv)).toString().replace('oid,', 'objectId,').replace(',Std_1,', ',sigma,')
    const flags = ['--from-format', 'csv', '--id-column', 'objectId', '--rename', 'sigma=Std_1', '--json']
    const piped = await lcclf(['explain', '-', '--oid', oid, ...flags], { input: text })
    expect(JSON.parse(piped.stdout)).toEqual({ ...first, input: '-' })
  })

  it('prints a table for people, with as many features as were asked for', async () => {
    const { code, stdout } = await hostedLcclf(['explain', parquet, '--oid', oid, '--top', '3'])
    expect(code).toBe(0)
    expect(stdout).toContain(`${oid} (candid 1200000000007654321) is RRL`)
    expect(stdout).toContain('149 others')
    expect(stdout).toContain('to P(RRL, if Periodic)')
    expect(stdout).toContain('Exact Shapley values')
  })

  it('explains a class that the object is not, on request', async () => {
    const other = await explained([parquet, '--oid', oid, '--class', 'E'])
    expect(other).toMatchObject({ predicted_class: 'RRL', class: 'E', branch: 'Periodic' })
    const { code, stderr } = await hostedLcclf(['explain', parquet, '--oid', oid, '--class', 'Quasar'])
    expect(code).toBe(2)
    expect(stderr).toContain('AGN, Blazar')
  })

  it('explains a branch, which is a class of the top, with the top alone', async () => {
    const report = join(work, 'branch.html')
    const branch = await explained([parquet, '--oid', oid, '--class', 'Periodic', '--report', report])
    const top = branch.levels[1]!.classes.find((one) => one.class === 'Periodic')!
    expect(branch).toMatchObject({ predicted_class: 'RRL', class: 'Periodic', branch: null })
    expect([branch.probability, branch.base]).toEqual([top.probability, top.base])
    const added = branch.ranking.reduce((sum, { contribution }) => sum + contribution, branch.base)
    expect(added + branch.others.contribution).toBeCloseTo(top.probability, 12)
    expect(branch.ranking[0]).toMatchObject({ top_contribution: null, branch_contribution: null })
    expect(readFileSync(report, 'utf8')).toContain('Contributions to P(Periodic)')
    const { code, stdout } = await hostedLcclf(['explain', parquet, '--oid', oid, '--class', 'Periodic'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/is RRL; this is about Periodic.*\nP\(Periodic\) = 0\.\d{4};/)
    expect(stdout).toContain('to P(Periodic)')
    expect(stdout).not.toContain('if Periodic')
    const unknown = await hostedLcclf(['explain', parquet, '--oid', oid, '--class', 'Variable'])
    expect(unknown.stderr).toContain('and of the top Stochastic, Periodic, Transient.')
  })

  it('calls the approximation one, which adds up all the same', async () => {
    const approximate = await explained([parquet, '--oid', oid, '--approximate'])
    expect(approximate).toMatchObject({ method: 'path_attribution', is_exact: false })
    const exact = await explained([parquet, '--oid', oid])
    expect(approximate.base).toBeCloseTo(exact.base, 12)
    expect(approximate.ranking).not.toEqual(exact.ranking)
    const { stdout } = await hostedLcclf(['explain', parquet, '--oid', oid, '--approximate'])
    expect(stdout).toContain('APPROXIMATE')
  })

  it('takes the newest of an object’s rows', async () => {
    const features = (JSON.parse(readFileSync(join(samples, 'model/manifest.json'), 'utf8')) as { features: string[] })
      .features
    const row = (candid: string, value: number): string => [oid, candid, ...features.map(() => value)].join(',')
    const text = [['oid', 'candid', ...features].join(','), row('20', 1), row('30', 2), row('25', 3)].join('\n')
    writeFileSync(join(work, 'three.csv'), `${text}\n`)
    const { candid, features: seen } = await explained([join(work, 'three.csv'), '--oid', oid])
    expect(candid).toBe('30')
    expect(seen[0]).toMatchObject({ value: 2, is_missing: false })
  })
})

describe('lcclf explain of the classifiers of today', () => {
  it('shares out the margins of a booster, and shows values as they were read', async () => {
    const { model, rows, fixture } = await importedEstimator(work, 'xgb-multi')
    const flags = ['--oid', 'o20', '--model', model]
    const report = join(work, 'booster.html')
    const explanation = await explained([rows, ...flags, '--report', report])
    expect(explanation).toMatchObject({ space: 'margin', method: 'tree_shap' })
    const missing = explanation.features.filter((feature) => feature.is_missing)
    expect(missing.length).toBeGreaterThan(0)
    expect(missing.every(({ value }) => value === null)).toBe(true)
    const { classes } = explanation.levels[0]!
    expect(classes.map(({ margin }) => margin)).toEqual([...fixture.margins!.subarray(80, 84)])
    for (const { margin, base, contributions } of classes) {
      expect(contributions.reduce((sum, value) => sum + value, base)).toBeCloseTo(margin!, 5)
    }
    expect(readFileSync(report, 'utf8')).toContain('From the margin with nothing known')
    const { stdout } = await hostedLcclf(['explain', rows, ...flags])
    expect(stdout).toMatch(/^P\(\d\) = 0\.\d+, of a margin of .*; with nothing known about the object that would be/m)
    expect(stdout).toContain('Base and contributions add up to the margin')
    expect(stdout).toContain('missing')
  })

  it('writes an infinite value, which JSON does not have, as text', async () => {
    const { model, rows } = await importedEstimator(work, 'lgb-multi')
    const { features } = await explained([rows, '--oid', 'o9', '--model', model])
    expect(features[0]).toMatchObject({ value: 'Infinity', is_missing: false })
  })

  it('says of a calibrated classifier that it shares out what was there before the calibration', async () => {
    const { model, rows } = await importedEstimator(work, 'cal-sigmoid-multi-True')
    const { code, stdout } = await hostedLcclf(['explain', rows, '--oid', 'o20', '--model', model])
    expect(code).toBe(0)
    expect(stdout).toContain(', of a probability before calibration of 0.')
    expect(stdout).toContain('before calibration')
  })
})

describe('what lcclf explain refuses', () => {
  it('an object that is not there, or cannot be classified', async () => {
    for (const file of [parquet, csv]) {
      const outcome = await hostedLcclf(['explain', file, '--oid', "ZTF' OR 1=1"])
      expect(outcome).toMatchObject({ code: 3, stdout: '' })
      expect(outcome.stderr).toContain('there is no object')
    }
    const features = (JSON.parse(readFileSync(join(samples, 'model/manifest.json'), 'utf8')) as { features: string[] })
      .features
    writeFileSync(join(work, 'bad.csv'), `oid,${features.join(',')}\nx,${features.map(() => -1e300).join(',')}\n`)
    const bad = await hostedLcclf(['explain', join(work, 'bad.csv'), '--oid', 'x'])
    expect(bad).toMatchObject({ code: 3 })
    expect(bad.stderr).toContain('is beyond float32')
  })

  it('a bundle without covers, and says how to make one that has them', async () => {
    const model = join(work, 'model')
    cpSync(join(samples, 'model'), model, { recursive: true })
    const path = join(model, 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { files: { file: string }[] }
    const files = manifest.files.filter(({ file }) => file !== 'covers.arrow')
    writeFileSync(path, JSON.stringify({ ...manifest, files }))
    rmSync(join(model, 'covers.arrow'))
    expect((await hostedLcclf(['classify', parquet, '--model', model, '--quiet', '--limit', '1'])).code).toBe(0)
    const outcome = await hostedLcclf(['explain', parquet, '--oid', oid, '--model', model])
    expect(outcome).toMatchObject({ code: 4, stdout: '' })
    expect(outcome.stderr).toContain('make it again from the pickles with lcclf model import')
  })

  it('a damaged covers.arrow, which does not disturb classifying', async () => {
    const model = join(work, 'model')
    cpSync(join(samples, 'model'), model, { recursive: true })
    writeFileSync(join(model, 'covers.arrow'), 'nonsense')
    const outcome = await hostedLcclf(['explain', parquet, '--oid', oid, '--model', model])
    expect(outcome).toMatchObject({ code: 4 })
    expect(outcome.stderr).toContain('sha256')
    expect((await hostedLcclf(['model', 'verify', model])).code).toBe(4)
  })

  it('a model that is no forest', async () => {
    const onnx = fileURLToPath(new URL('../fixtures/onnx/', import.meta.url))
    const args = [
      '--features',
      join(onnx, 'features.json'),
      '--name',
      'net',
      '--version',
      '1',
      '--out',
      join(work, 'net'),
    ]
    const imported = await hostedLcclf(['model', 'import', join(onnx, 'network-matrix.onnx'), ...args])
    expect(imported.code, imported.stderr).toBe(0)
    const outcome = await hostedLcclf(['explain', parquet, '--oid', oid, '--model', join(work, 'net')])
    expect(outcome).toMatchObject({ code: 4 })
    expect(outcome.stderr).toContain('only forests can be explained')
  })
})
