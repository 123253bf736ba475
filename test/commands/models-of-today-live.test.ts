// A booster where the survey's model is otherwise: at a topic, before a database, in a program; NaN included.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { classifyObjects, openModel } from '../../src/index.ts'
import { estimatorFixtures } from '../support/estimator-fixtures.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { produce } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { lcclf } from '../support/lcclf.ts'
import { createDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const at = (name: string) => join(work, name)
const env = { LCCLF_HOME: at('home') }
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env })
const [booster] = estimatorFixtures(/^lgb-multi\.json/)
const { classes, inputs, probabilities } = booster!
const rowCount = probabilities.length / classes.length
const width = inputs.length / rowCount
const names = Array.from({ length: width }, (_, i) => `feat_${i}`)
const rows = Array.from({ length: rowCount }, (_, row) => ({
  oid: `ZTF${row}`,
  candid: row + 1,
  values: [...inputs.subarray(row * width, (row + 1) * width)],
  expected: Object.fromEntries(classes.map((name, i) => [name, probabilities[row * classes.length + i]!])),
}))
const bundle = at('home/models/booster/1')

beforeAll(async () => {
  writeFileSync(at('model.txt'), booster!.bytes)
  writeFileSync(at('features.json'), JSON.stringify(names))
  writeFileSync(at('classes.json'), JSON.stringify(classes))
  const named = ['--features', 'features.json', '--taxonomy', 'classes.json']
  const imported = await run('model', 'import', 'model.txt', '--name', 'booster', '--version', '1', ...named)
  expect(imported).toMatchObject({ code: 0 })
})

describe('a booster', () => {
  it('answers a program as its library does', async () => {
    const model = await openModel(bundle)
    const objects = rows.map(({ oid, values }) => ({
      oid,
      features: Object.fromEntries(names.map((name, i) => [name, values[i]])),
    }))
    try {
      const answers = await classifyObjects(model, objects)
      expect(answers.map(({ oid, probabilities, levels }) => ({ oid, probabilities, levels }))).toEqual(
        rows.map(({ oid, expected }) => ({ oid, probabilities: expected, levels: {} })),
      )
    } finally {
      await model.close()
    }
  })

  it('writes its classes into the survey’s table', { tags: ['long'] }, async () => {
    const database = await createDatabase(await sharedPostgres())
    try {
      await database.addObjects(rows.map(({ oid }) => oid))
      const lines = rows.map(({ oid, candid, values }) => [oid, candid, ...values].join())
      writeFileSync(at('input.csv'), `${[['oid', 'candid', ...names].join(), ...lines].join('\n')}\n`)
      const { code, stderr } = await run('classify', 'input.csv', '--model', 'booster', '--to', database.url)
      expect([code, stderr]).toEqual([
        0,
        expect.stringContaining(`${rowCount} objects, ${rowCount * classes.length} rows`),
      ])
      const stored = await database.query(
        'SELECT oid, class_name, probability, classifier_name, classifier_version FROM probability',
      )
      for (const [oid, name, probability, classifier, version] of stored) {
        const { expected } = rows.find((row) => row.oid === oid)!
        expect([Number(probability), classifier, version]).toEqual([
          expected[String(name)],
          'lc_classifier',
          'booster_1',
        ])
      }
      expect(stored).toHaveLength(rowCount * classes.length)
    } finally {
      await database.drop()
    }
  })
})

const kafka = await kafkaForTests()

describe.skipIf(!kafka)('a booster at a topic', () => {
  afterAll(() => kafka?.remove())

  it('answers every message', { tags: ['long'] }, async () => {
    const topic = await kafka!.createTopic('booster', 1)
    // JSON has no infinities
    const finite = rows.filter(({ values }) => values.every((value) => Math.abs(value) !== Infinity))
    const messages = finite.map(({ oid, candid, values }) => {
      const features = Object.fromEntries(names.map((name, i) => [name, Number.isNaN(values[i]!) ? null : values[i]]))
      return { key: oid, value: Buffer.from(JSON.stringify({ oid, candid, features })) }
    })
    await produce(kafka!, topic, messages)
    const from = [
      '--from',
      `kafka://${kafka!.server}/${topic}?group=booster`,
      '--until-caught-up',
      '--batch-timeout',
      '0.2',
    ]
    const { code, stdout, stderr } = await lcclf(['stream', '--model', bundle, ...from, '--to', '-'], { env })
    expect(code, stderr).toBe(0)
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer)
    expect(answers.map(({ oid, lc_classification }) => [oid, lc_classification.probabilities])).toEqual(
      finite.map(({ oid, expected }) => [oid, expected]),
    )
  })
})

interface Answer {
  readonly oid: string
  readonly lc_classification: { readonly probabilities: Record<string, number> }
}
