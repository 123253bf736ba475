// Calibrated probabilities in tables and in commands to the scribe: a classifier of their own beside the survey's, and only when asked for.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { surveyOid } from '../../src/connectors/survey-ids.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { samples } from '../support/lcclf.ts'
import { payloadOf } from '../support/messages-of-today.ts'
import { createMultisurvey } from '../support/multisurvey-database.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { takeApart } from '../support/seed-run.ts'
import { startStream } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const work = temporaryFolder()
const at = (name: string): string => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const model = ['--model', 'calibrated']
const calibrated = 'lc_classifier_calibrated'

/** oid, classifier, class, probability, ranking */
type Row = readonly [string, string, string, number, number]
let expected: readonly Row[]
let oids: readonly string[]

async function must(...args: string[]) {
  const outcome = await run(...args)
  if (outcome.code !== 0) throw new Error(outcome.stderr)
  return outcome
}

const sorted = (rows: readonly Row[]): string[] => rows.map((row) => row.join()).sort()
const isOwn = ([, classifier]: Row): boolean => classifier === calibrated

beforeAll(async () => {
  const bundle = join(samples, 'model')
  await must('classify', join(samples, 'ztf-300.parquet'), '--model', bundle, '--limit', '40', '--to', 'forty.csv')
  await must('classify', join(samples, 'ztf-300.parquet'), '--model', bundle, '--to', 'raw.parquet')
  const labels = join(samples, 'ztf-300-labels.csv')
  await must('calibrate', 'raw.parquet', '--labels', labels, '--model', bundle, '--out', 'calibrated')
  const lines = (await import('node:zlib')).gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz'))).toString().split('\n') // prettier-ignore
  // the sample has no MJD, which the tables of 2025 need
  const input = lines.slice(0, 41).map((line, i) => `${line},${i === 0 ? 'mjd' : 61_000 + i}`)
  writeFileSync(at('input.csv'), `${input.join('\n')}\n`)
  await must('classify', 'input.csv', ...model, '--calibrated', '--layout', 'long', '--to', 'long.csv')
  const [, ...rows] = readFileSync(at('long.csv'), 'utf8').trimEnd().split('\n')
  expected = rows.map((line) => {
    const [oid, name, , className, probability, ranking] = line.split(',')
    return [oid!, name!, className!, Number(probability), Number(ranking)]
  })
  oids = [...new Set(expected.map(([oid]) => oid))]
}, 60_000)

afterAll(() => kafka?.remove())

describe('--calibrated into the tables of 2021', () => {
  let database: TestDatabase
  const stored = async (): Promise<Row[]> => {
    const rows = await database.query('SELECT oid, classifier_name, class_name, probability, ranking FROM probability')
    return rows.map(([oid, name, className, p, rank]) => [oid, name, className, Number(p), Number(rank)] as Row)
  }
  beforeAll(async () => {
    database = await createDatabase(await sharedPostgres(), { withHistory: true })
    await database.addObjects([...oids])
  })
  afterAll(() => database.drop())

  it("writes the survey's rows only, unless it is asked for", async () => {
    await must('classify', 'input.csv', ...model, '--to', database.url)
    expect(sorted(await stored())).toEqual(sorted(expected.filter((row) => !isOwn(row))))
  })

  it('adds the rows of a classifier of its own, and leaves the others as they were', async () => {
    const { stderr } = await must('classify', 'input.csv', ...model, '--calibrated', '--to', database.url)
    expect(stderr).toContain('40 objects, 1,920 rows')
    expect(sorted(await stored())).toEqual(sorted(expected))
    const names = await database.query('SELECT classifier_name FROM taxonomy ORDER BY 1')
    expect(names.flat()).toContain(calibrated)
  })

  it('is no fault to db check where only some objects have it, and results are read as the survey’s', async () => {
    await database.query('DELETE FROM probability WHERE classifier_name = $1 AND oid > $2', [
      calibrated,
      [...oids].sort()[20],
    ])
    const { stdout } = await must('db', 'check', database.url)
    expect(stdout).toContain('rows of sample_forest_1.5.2: 40 objects, 1320 rows, 33 per object')
    expect(stdout).toContain('rows of sample_forest_1.5.2, calibrated: 21 objects, 315 rows, 15 per object')
    const { stdout: same } = await must('diff', database.url, 'forty.csv', '--json')
    expect(JSON.parse(same)).toMatchObject({ common: 40, changed: 0, movement: { max: 0 } })
  })
})

describe('--calibrated into the tables of 2025', () => {
  let database: TestDatabase
  beforeAll(async () => void (database = await createMultisurvey()))
  afterAll(() => database.drop())
  const classify = (...args: string[]) => run('classify', 'input.csv', ...model, ...args, '--to', database.url)

  it('needs its classifier registered, which only --register --calibrated does', async () => {
    const register = ['db', 'init', database.url, '--tables', 'multisurvey', '--register', ...model]
    await must(...register)
    expect((await classify()).code).toBe(0)
    const { code, stderr } = await classify('--calibrated')
    expect([code, stderr]).toEqual([
      4,
      expect.stringContaining(`classifier and taxonomy have nothing of ${calibrated}`),
    ])
    expect(stderr).toContain('--register --calibrated adds it')
    expect((await must(...register, '--calibrated')).stderr).toContain(`registered: ${calibrated} 1.5.2`)
  })

  it('adds its rows, with ranks, and reads them back by name', async () => {
    const rows = 'SELECT oid, classifier_name, class_name, probability::float8, ranking FROM probability p JOIN classifier c USING (classifier_id) JOIN taxonomy t USING (classifier_id, class_id)' // prettier-ignore
    const before = await database.query(`${rows} ORDER BY 1, 2, 3`)
    expect((await classify('--calibrated')).code).toBe(0)
    const found = await database.query(rows)
    expect(found.map((row) => row.join()).sort()).toEqual(
      expected.map(([oid, ...row]) => [surveyOid(oid), ...row.with(2, Math.fround(row[2])), row[3]].slice(0, 5).join()).sort(), // prettier-ignore
    )
    expect(await database.query(`${rows} WHERE c.classifier_name <> '${calibrated}' ORDER BY 1, 2, 3`)).toEqual(before)
    expect((await must('db', 'check', database.url)).stdout).not.toContain('PROBLEM')
    const raw = await must('diff', database.url, 'forty.csv', '--json')
    expect(JSON.parse(raw.stdout)).toMatchObject({ common: 40, changed: 0 })
  })
})

describe.skipIf(!kafka)('--calibrated in topics', () => {
  const address = (topic: string): string => `kafka://${kafka.server}/${topic}`
  interface Command {
    criteria: { _id: string }
    data: Record<string, string | number>
  }
  const commandsIn = async (topic: string): Promise<Command[]> =>
    (await readTopic(kafka, topic)).map(({ value }) => JSON.parse(payloadOf(takeApart(value!).record)) as Command)
  /** as rows without ranks, which these commands do not have */
  const rowsOf = (commands: readonly Command[]): string[] =>
    commands
      .flatMap(({ criteria, data: { classifier_name: name, classifier_version: version, ...values } }) => {
        expect(version).toBe('1.5.2')
        return Object.entries(values).map(([className, p]) => [criteria._id, name, className, p].join())
      })
      .sort()
  const expectedOf = (wanted: (row: Row) => boolean): string[] =>
    expected.filter(wanted).map((row) => row.slice(0, 4).join()).sort() // prettier-ignore

  it('gives the scribe one more command an object, the last', async () => {
    await must('classify', 'input.csv', ...model, '--calibrated', '--to', `${address('all')}?as=scribe-top-bottom`)
    const commands = await commandsIn('all')
    expect(rowsOf(commands)).toEqual(expectedOf(() => true))
    const own = commands.filter(({ criteria }) => criteria._id === oids[0])
    expect(own.map(({ data }) => data['classifier_name']).at(-1)).toBe(calibrated)
  })

  it('gives none of it to messages, which name no classifier', async () => {
    const { code, stderr } = await run('classify', 'input.csv', ...model, '--calibrated', '--to', address('plain'))
    expect([code, stderr]).toEqual([2, expect.stringContaining('its messages name no classifier')])
  })

  it('does the same in a stream, exactly once', async () => {
    const input = await kafka.createTopic('features', 2)
    const [header, ...rows] = readFileSync(at('input.csv'), 'utf8').trimEnd().split('\n').map((line) => line.split(',')) // prettier-ignore
    await produce(
      kafka,
      input,
      rows.map(([oid, candid, ...values]) => {
        const cells = values.slice(0, -1).map((text, i) => `"${header![i + 2]}": ${text === '' ? 'null' : text}`)
        return { key: oid!, value: `{"oid": "${oid}", "candid": ${candid}, "features": {${cells.join(', ')}}}` }
      }),
    )
    const { ended, log } = startStream([
      ...['--model', at('calibrated'), '--threads', '1', '--calibrated', '--delivery', 'exactly-once'],
      ...[
        '--from',
        `${address(input)}?group=g`,
        '--to',
        `${address('commands')}?as=scribe`,
        '--to',
        address('messages'),
      ],
      ...['--batch-size', '9', '--batch-timeout', '0.2', '--until-caught-up'],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(rowsOf(await commandsIn('commands'))).toEqual(
      expectedOf((row) => row[1] === 'lc_classifier' || row[1] === calibrated),
    )
    expect(await readTopic(kafka, 'messages')).toHaveLength(40)
    expect(JSON.stringify(log)).toContain("name no classifier, and hold the survey's numbers only")
  })
})
