// The survey's tables of today by the command line: features in, results read back.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { surveyOid } from '../../src/connectors/survey-ids.ts'
import { readNumberText } from '../../src/formats/text-values.ts'
import { readFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { createMultisurvey, storePass } from '../support/multisurvey-database.ts'
import type { TestDatabase } from '../support/postgres-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string): string => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const linesOf = (name: string): string[] => readFileSync(at(name), 'utf8').trimEnd().split('\n')

let database: TestDatabase

async function must(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await must(...args, '--json')) as Record<string, unknown>
}

beforeAll(async () => {
  writeFileSync(at('model.pkl'), readFixture('today/bhrf-2.1.0/hierarchical_random_forest_model.pkl.gz'))
  writeFileSync(at('input.csv'), readFixture('today/bhrf-2.1.0/input.csv.gz'))
  await must('model', 'import', 'model.pkl', '--name', 'sq', '--version', '2.1.0')
  await must('classify', 'input.csv', '--model', 'sq', '--to', 'wide.csv')
  await must('classify', 'input.csv', '--model', 'sq', '--to', 'long.csv', '--layout', 'long')
  database = await createMultisurvey()
  await storeFeatures()
  await storeResults()
})

afterAll(() => database.drop())

/** The survey stores no row for a missing value; a NULL is taken too. */
async function storeFeatures(): Promise<void> {
  const [header, ...rows] = linesOf('input.csv').map((line) => line.split(','))
  for (const [index, [oid, ...texts]] of rows.entries()) {
    const values = texts.map((text, i) => [header![i + 1]!, text === '' ? null : readNumberText(text)!] as const)
    const kept = index % 2 === 0 ? values : values.filter(([, value]) => value !== null)
    // half of a pass of the day before is superseded whole
    await storePass(database, {
      oid: oid!,
      values: Object.fromEntries(values.slice(0, 90).map(([name]) => [name, 7])),
      date: '2026-07-31',
    })
    if (index % 2 === 1)
      await storePass(database, { oid: oid!, values: { Timespan: 9, ulens_mag0_1: 4 }, date: '2026-07-30' })
    await storePass(database, { oid: oid!, values: { ...Object.fromEntries(kept), TDE_mag0_2: 4 } })
  }
}

/** What a program of the survey would store, and the same as a file: probabilities in float32. */
async function storeResults(): Promise<void> {
  const [header, ...rows] = linesOf('long.csv').map((line) => line.split(','))
  const columns = ['oid', 'classifier_name', 'class_name', 'probability', 'ranking'].map((name) =>
    header!.indexOf(name),
  )
  const [oid, classifier, className, probability, ranking] = columns as [number, number, number, number, number]
  const rounded = rows.map((row) =>
    row.map((cell, i) => (i === probability ? String(Math.fround(Number(cell))) : cell)),
  )
  writeFileSync(at('rounded.csv'), `${[header!, ...rounded].map((row) => row.join()).join('\n')}\n`)
  await database.query(
    `INSERT INTO probability SELECT oid, 0, c.classifier_id, 210, t.class_id, p::real, ranking, 61000
       FROM unnest($1::int8[], $2::text[], $3::text[], $4::float8[], $5::int2[]) x(oid, name, class, p, ranking)
       JOIN classifier c ON c.classifier_name = x.name JOIN taxonomy t ON t.classifier_id = c.classifier_id AND t.class_name = x.class`,
    [
      rows.map((row) => String(surveyOid(row[oid]!))),
      ...[classifier, className, probability, ranking].map((place) => rows.map((row) => row[place])),
    ],
  )
  writeFileSync(at('labels.csv'), `oid,class\n${labelsOf((name) => name)}`)
  writeFileSync(at('numbers.csv'), `oid,class\n${labelsOf((name) => String(surveyOid(name)))}`)
}

/** one class for each object, by its place */
function labelsOf(idOf: (name: string) => string): string {
  const [header, ...rows] = linesOf('wide.csv').map((line) => line.split(','))
  const classes = header!.slice(4, 25)
  return rows.map(([oid], i) => `${idOf(oid!)},${classes[i % classes.length]!}\n`).join('')
}

/** Everything but where it came from and what its version is called; levels by name. */
function comparable(report: unknown): unknown {
  return JSON.parse(
    JSON.stringify(report, (key, value: unknown) =>
      ['address', 'classifier_version'].includes(key) ? undefined : value,
    ),
  ) as unknown
}

describe('the survey’s tables of today', () => {
  it('give the answers of the file they were filled from, in every bit', async () => {
    const spelled = await run('classify', `${database.url}?table=feature&names=ztf`, '--model', 'sq', '--to', 'db.csv')
    expect(spelled.code).toBe(0)
    expect(spelled.stderr).toContain('the table has features that the model does not use: TDE_mag0 (band 2)')
    expect(linesOf('db.csv')[0]).toBe(linesOf('wide.csv')[0])
    expect(linesOf('db.csv').sort()).toEqual(linesOf('wide.csv').sort())
    await must('classify', `${database.url}?table=feature`, '--model', 'sq', '--to', 'numbers-out.csv')
    const named = linesOf('wide.csv').map((line) => line.replace(/^ZTF\w+/, (name) => String(surveyOid(name))))
    expect(linesOf('numbers-out.csv').sort()).toEqual(named.sort())
  })

  it('are explained as the file is, by name and by number', async () => {
    const about = async (input: string, oid: string): Promise<string> =>
      JSON.stringify({
        ...(await json('explain', input, '--oid', oid, '--model', 'sq')),
        input: 0,
        oid: 0,
        candid: 0,
        object: 0,
      })
    const fromFile = await about('input.csv', 'ZTF21aaaaaaf')
    const address = `${database.url}?table=feature`
    expect(await about(address, 'ZTF21aaaaaaf')).toBe(fromFile)
    expect(await about(address, String(surveyOid('ZTF21aaaaaaf')))).toBe(fromFile)
  })

  it('hold results that are evaluated as those of a file in float32', async () => {
    const stored = await json('evaluate', database.url, '--labels', 'labels.csv')
    expect(stored).toMatchObject({ tie_order_known: true, predictions: { classifier_version: '2.1.0', objects: 150 } })
    const file = await json('evaluate', 'rounded.csv', '--labels', 'labels.csv', '--model', 'sq')
    expect(comparable(stored)).toEqual(comparable(file))
    for (const version of ['2.1.0', '210']) {
      const chosen = await json('evaluate', `${database.url}?classifier_version=${version}`, '--labels', 'labels.csv')
      expect(comparable(chosen)).toEqual(comparable(stored))
    }
  })

  it('join labels with integers where they are asked for, and say so where nothing joins', async () => {
    const wrong = await run('evaluate', database.url, '--labels', 'numbers.csv')
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining('?names=integers')])
    const right = await json('evaluate', `${database.url}?names=integers`, '--labels', 'numbers.csv')
    const byName = await json('evaluate', database.url, '--labels', 'labels.csv')
    expect(JSON.stringify([right['coverage'], right['product']])).toBe(
      JSON.stringify([byName['coverage'], byName['product']]),
    )
  })

  it('hold results that are compared as those of a file in float32', async () => {
    const files = await json('diff', 'rounded.csv', 'long.csv', '--model', 'sq')
    expect(files).toMatchObject({ common: 150 })
    expect(comparable(await json('diff', database.url, 'long.csv', '--model', 'sq'))).toEqual(comparable(files))
    expect(await json('diff', database.url, 'rounded.csv', '--model', 'sq')).toMatchObject({ common: 150, changed: 0 })
  })

  it('of several models need a choice; without names, or rows, or a class of an object they are refused', async () => {
    const evaluate = (parameters: string) => run('evaluate', `${database.url}?${parameters}`, '--labels', 'labels.csv')
    await database.query(
      `INSERT INTO classifier VALUES (1, 'stamp', '2.1.0', 0); INSERT INTO taxonomy VALUES (0, 'SN', 0, 1), (1, 'AGN', 1, 1);
       INSERT INTO probability SELECT DISTINCT oid, 0, 1, 210, k, 0.5::real, 1, 0::float8 FROM probability, generate_series(0, 1) k`,
    )
    const several = await evaluate('sid=0')
    expect([several.code, several.stderr]).toEqual([
      2,
      expect.stringContaining('several models: stamp 2.1.0, lc_classifier_BHRF_forced_phot 2.1.0'),
    ])
    expect((await evaluate('classifier=lc_classifier_BHRF_forced_phot')).code).toBe(0)
    expect((await evaluate('classifier=nobody')).stderr).toContain('has no classifier nobody')
    expect((await evaluate('classifier_version=2.2.0')).stderr).toContain('has no classifier_version 2.2.0')
    expect((await evaluate('sid=1')).stderr).toContain('has no rows of survey 1')
    await database.query('DELETE FROM taxonomy WHERE classifier_id = 1 AND class_id = 1')
    expect((await evaluate('classifier=stamp')).stderr).toContain('no table names class 1 of classifier 1')
    await database.query('DELETE FROM probability WHERE classifier_id = 1')
    await database.query('DELETE FROM probability WHERE oid = $1 AND classifier_id = 5 AND class_id = 3', [
      String(surveyOid('ZTF21aaaaaal')),
    ])
    const partial = await evaluate('table=probability')
    expect([partial.code, partial.stderr]).toEqual([3, expect.stringContaining('ZTF21aaaaaal')])
  })
})
