// What lcclf writes for programs, held to the schemas that it ships.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { gunzipSync } from 'node:zlib'
import { deadLetterText } from '../src/connectors/kafka/dead-letters.ts'
import { InterruptedError } from '../src/terminal/interrupt.ts'
import { BalanceError, DataError, ModelError, ServiceError, UsageError } from '../src/errors.ts'
import { createLedger } from '../src/pipeline/ledger.ts'
import { receiptOf } from '../src/jobs/classify/receipt.ts'
import { estimatorFixtures } from './support/estimator-fixtures.ts'
import { hostedLcclf } from './support/hosted-lcclf.ts'
import { lcclf, samples } from './support/lcclf.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const folder = fileURLToPath(new URL('../schemas', import.meta.url))
const work = temporaryFolder()
const at = (name: string) => join(work, name)
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
const parquet = join(samples, 'ztf-300.parquet')
const labels = join(samples, 'ztf-300-labels.csv')

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictTuples: false })
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const schemas = new Map<string, ValidateFunction>()
for (const file of readdirSync(folder)) {
  schemas.set(file.replace('.json', ''), ajv.compile(JSON.parse(readFileSync(join(folder, file), 'utf8')) as object))
}

/** What a text is by a schema: nothing, or what is wrong with it. */
function problems(name: string, text: string): string[] {
  const validate = schemas.get(name)!
  validate(JSON.parse(text))
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${instancePath}: ${message} ${JSON.stringify(params)}`
  })
}

/** Runs a command with --json, whose answer must fit its schema. */
async function fits(name: string, args: readonly string[], code = 0): Promise<unknown> {
  const outcome = await run(...args, '--json')
  expect({ code: outcome.code, problems: problems(name, outcome.stdout) }).toEqual({ code, problems: [] })
  return JSON.parse(outcome.stdout)
}

function objectsOf(schema: unknown, path = ''): { path: string; schema: Record<string, unknown> }[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = schema as Record<string, unknown>
  const inner = Object.entries(own).flatMap(([key, value]) => objectsOf(value, `${path}/${key}`))
  return own['type'] === 'object' ? [{ path, schema: own }, ...inner] : inner
}

beforeAll(async () => {
  const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
    .toString()
    .trimEnd()
    .split('\n')
  const broken = rows[1]!.split(',').map((cell, i) => (i === 5 ? 'x' : cell))
  writeFileSync(at('broken.csv'), [header, rows[0], broken.join(), 'too,few', ...rows.slice(2, 30)].join('\n'))
  const classify = ['classify', parquet, '--to', 'a.parquet', '--to', 'a.csv']
  expect((await run(...classify)).code).toBe(0)
})

describe('the schemas', () => {
  it('allow no field that they do not name, and refer to nothing outside themselves', () => {
    for (const file of readdirSync(folder)) {
      const text = readFileSync(join(folder, file), 'utf8')
      const schema = JSON.parse(text) as Record<string, unknown>
      expect([schema['$id'], schema['$schema']]).toEqual([file, 'https://json-schema.org/draft/2020-12/schema'])
      expect(text.match(/:\/\//g)).toHaveLength(1)
      for (const one of objectsOf(schema)) {
        const { properties, additionalProperties, required } = one.schema
        const isMap = properties === undefined && typeof additionalProperties === 'object'
        expect([file, one.path, isMap || (additionalProperties === false && Array.isArray(required))]).toEqual([
          file,
          one.path,
          true,
        ])
      }
    }
  })

  it('find a field too many, one too few, and one of another type', () => {
    const reject = { oid: 'x', where: 'a.csv line 2', reason: 'r' }
    expect(problems('reject', JSON.stringify(reject))).toEqual([])
    expect(problems('reject', JSON.stringify({ ...reject, line: 2 }))[0]).toContain('"additionalProperty":"line"')
    expect(problems('reject', JSON.stringify({ ...reject, reason: undefined }))[0]).toContain('reason')
    expect(problems('reject', JSON.stringify({ ...reject, oid: 1 }))[0]).toContain('/oid')
  })
})

describe('the receipt', () => {
  it('of a run with every kind of output, rejects and a part of the results', async () => {
    const less = [
      '--only',
      'QSO,AGN',
      '--min-probability',
      '0.1',
      '--columns',
      'class,AGN',
      '--rename-map',
      'alerce-2024',
    ]
    const files = ['--to', 'b.csv', '--to', 'b.ndjson', '--rejects', 'b.rejects.ndjson', '--receipt', 'b.json']
    const receipt = await fits('receipt', [
      'classify',
      'broken.csv',
      ...files,
      ...less,
      '--delimiter',
      ',',
      '--decimal',
      '.',
    ])
    expect(receipt).toMatchObject({ inputs: [{ read: 31, rejected: 2 }], outputs: [{ refused: 0 }, { refused: 0 }] })
    expect(problems('receipt', readFileSync(at('b.json'), 'utf8'))).toEqual([])
    const rejects = readFileSync(at('b.rejects.ndjson'), 'utf8').trimEnd().split('\n')
    expect(rejects.map((line) => problems('reject', line))).toEqual([[], []])
  })

  it('beside the result of a folder, and of inputs that were given up', async () => {
    mkdirSync(at('nights'))
    copyFileSync(parquet, at('nights/a.parquet'))
    writeFileSync(at('nights/b.csv'), 'oid\nx\n')
    await fits('receipt', ['classify', 'nights', '--to', 'out/', '--shard', '1/1'], 3)
    expect(problems('receipt', readFileSync(at('out/a.parquet.receipt.json'), 'utf8'))).toEqual([])
  })

  it('of a topic has offsets', () => {
    const ledger = createLedger()
    ledger.openInput({ address: 'kafka://h/t', offsets: { '0': ['3', '9'] } })
    ledger.openOutput('postgres://h/d')
    const model = { name: 'n', version: '1', classifierVersion: 'n_1', sha256: 'f0'.repeat(32) }
    const base = JSON.parse(readFileSync(at('b.json'), 'utf8')) as { options: Record<string, null> }
    const options = { ...base.options, since: 1, until: null, commit: true, outputSchema: 'legal' }
    const receipt = receiptOf(
      { command: 'classify', startedAt: new Date(), model, options, notes: [] },
      ledger,
      undefined,
    )
    expect(problems('receipt', JSON.stringify(receipt))).toEqual([])
  })
})

describe('what commands print with --json', () => {
  it('evaluate', async () => {
    await fits('evaluate', ['evaluate', 'a.parquet', '--labels', labels])
    writeFileSync(at('some.csv'), 'oid,class\nZTF18aaaaaaa,SLSN\nZTF19aaaaaab,nothing\nstranger,AGN\nZTF20aaaaaac,\n')
    await fits('evaluate', ['evaluate', 'a.csv', '--labels', 'some.csv'])
  })

  it('diff', async () => {
    await fits('diff', ['diff', 'a.parquet', 'a.csv'])
    const [header, ...rows] = readFileSync(at('a.csv'), 'utf8').trimEnd().split('\n')
    const cells = rows.map((row) => row.split(','))
    const moved = cells.map((row, i) => [...row.slice(0, 2), ...cells[(i + 1) % cells.length]!.slice(2)].join())
    writeFileSync(at('moved.csv'), [header, ...moved.slice(10)].join('\n'))
    await fits('diff', ['diff', 'a.csv', 'moved.csv', '--fail-if-changed', '1%'], 3)
    // features of two rows each in the wrong place: of some objects the class is another one, by all that differs
    const text = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
    const [names, ...objects] = text.toString().trimEnd().split('\n')
    const shifted = objects.map((row, i) => [row.split(',', 1), ...objects[(i + 1) % 300]!.split(',').slice(1)].join())
    writeFileSync(at('shifted-rows.csv'), [names, ...shifted].join('\n'))
    expect((await run('classify', 'shifted-rows.csv', '--to', 'shifted.csv')).code).toBe(0)
    const why = ['--why', '--features-a', parquet, '--features-b', 'shifted-rows.csv']
    const report = await fits('diff', ['diff', 'a.parquet', 'shifted.csv', ...why])
    expect(report).toMatchObject({ why: { causes: expect.anything() as unknown } })
  })

  it('explain, also of a booster', async () => {
    await fits('explain', ['explain', parquet, '--oid', 'ZTF18aaaaaaa'])
    await fits('explain', ['explain', parquet, '--oid', 'ZTF18aaaaaaa', '--class', 'Transient', '--approximate'])
    const [booster] = estimatorFixtures(/^gb\.json/)
    const { inputs, margins, classes } = booster!
    const width = inputs.length / (margins!.length / classes.length)
    const names = Array.from({ length: width }, (_, i) => `f${i}`)
    writeFileSync(at('model.pkl'), booster!.bytes)
    writeFileSync(at('features.json'), JSON.stringify(names))
    writeFileSync(at('input.csv'), `oid,${names.join()}\nx,${inputs.subarray(0, width).join()}\n`)
    const imported = [
      'model',
      'import',
      'model.pkl',
      '--name',
      'booster',
      '--version',
      '1',
      '--features',
      'features.json',
    ]
    expect((await run(...imported)).code).toBe(0)
    await fits('explain', ['explain', 'input.csv', '--oid', 'x', '--model', 'booster'])
  })

  it('check', async () => {
    await fits('check', ['check', parquet])
    await fits('check', ['check', 'broken.csv', labels], 3)
  })

  it('doctor', async () => {
    // it ends its process
    const { code, stdout } = await lcclf(['doctor', parquet, 's3:/', '--json'], { cwd: work })
    expect([code, problems('doctor', stdout)]).toEqual([5, []])
  })
})

describe('errors', () => {
  it('of every kind', async () => {
    await fits('error', ['classify', 'nope.csv', '--to', 'n.csv'], 3)
    await fits('error', ['classify', parquet, '--no-such-flag'], 2)
    await fits('error', ['explain', parquet, '--oid', 'x', '--model', 'nope'], 4)
    const errors = [UsageError, DataError, ModelError, ServiceError, BalanceError].map((Kind) => new Kind('m'))
    for (const { code } of [...errors, new InterruptedError('SIGINT', 'm')]) {
      expect(problems('error', JSON.stringify({ error: { code, message: 'm', hint: null } }))).toEqual([])
    }
  })
})

describe('dead letters', () => {
  const letter = { reason: 'r', topic: 't', partition: 0, offset: 2n ** 40n, timestamp: -1n }
  it.for([
    { ...letter, key: null, value: null },
    { ...letter, key: Buffer.from('ZTF☄'), value: Buffer.from([0, 255]) },
    { ...letter, key: Buffer.from([255]), value: null, omittedBytes: 2e6 },
  ])('%s', (one) => {
    expect(problems('dead-letter', deadLetterText(one))).toEqual([])
  })
})
