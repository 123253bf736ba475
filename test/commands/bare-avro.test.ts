// The pipeline's bare Avro messages through a real broker, beside containers and JSON: a snapshot into a file, and a stream.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { container } from '../support/avro-writer.ts'
import { readFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { bareSchema, messagesOfToday } from '../support/messages-of-today.ts'
import { startStream } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const work = temporaryFolder()
const at = (name: string) => join(work, name)
const env = { LCCLF_HOME: at('home') }
const run = (...args: string[]) => hostedLcclf(args, { cwd: work, env })
const featureFile = bareSchema.replace('output', 'features_record_ztf')
const schemas = `schema=${featureFile}&schema=${bareSchema}`
const messages = messagesOfToday('input')
const [header, ...rows] = readFixture('today/bhrf-2.1.0/input.csv.gz').toString().trimEnd().split(/\r?\n/)

/** Row i of the input as a message of one of the three kinds, by turns. */
function mixed(i: number): Buffer {
  if (i % 3 === 0) return messages[i]!
  if (i % 3 === 1) return container(wholeSchema(), [messages[i]!], { codec: 'deflate' })
  const [oid, ...cells] = rows[5 + i]!.split(',')
  const names = header!.split(',').slice(1)
  const features = Object.fromEntries(names.map((name, f) => [name, cells[f] === '' ? null : Number(cells[f])]))
  return Buffer.from(JSON.stringify({ oid, candid: [String(10n ** 18n + BigInt(i))], features }))
}

function wholeSchema(): unknown {
  const schema = JSON.parse(readFileSync(bareSchema, 'utf8')) as { fields: { name: string; type: unknown }[] }
  const features = JSON.parse(readFileSync(featureFile, 'utf8')) as unknown
  return {
    ...schema,
    fields: schema.fields.map((one) => (one.name === 'features' ? { ...one, type: ['null', features] } : one)),
  }
}

/** A wide CSV without what the messages have and the file has not: the candid. */
function answersIn(path: string): string[] {
  const [names, ...lines] = readFileSync(path, 'utf8')
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.split(','))
  const candid = names!.indexOf('candid')
  const without = [names!, ...lines].map((cells) => cells.filter((_, place) => place !== candid).join())
  return [without[0]!, ...without.slice(1).sort()]
}

beforeAll(async () => {
  writeFileSync(at('model.pkl'), readFixture('today/bhrf-2.1.0/hierarchical_random_forest_model.pkl.gz'))
  writeFileSync(at('rows.csv'), `${[header, ...rows.slice(5, 35)].join('\n')}\n`)
  const imported = await run('model', 'import', 'model.pkl', '--name', 'sq', '--version', '2.1.0')
  expect(imported.code, imported.stderr).toBe(0)
  expect((await run('classify', 'rows.csv', '--model', 'sq', '--to', 'truth.csv')).code).toBe(0)
})

describe.skipIf(!kafka)('bare Avro data in a topic', () => {
  afterAll(() => kafka.remove())

  it('are classified by lcclf classify as the rows that they were made of, and as scikit-learn does', async () => {
    const topic = await kafka.createTopic('bare', 2)
    await produce(
      kafka,
      topic,
      messages.map((value, i) => ({ key: `${i}`, value })),
    )
    const address = `kafka://${kafka.server}/${topic}?${schemas}`
    const { code, stderr } = await run('classify', address, '--model', 'sq', '--to', 'bare.csv')
    expect(code, stderr).toBe(0)
    expect(answersIn(at('bare.csv'))).toEqual(answersIn(at('truth.csv')))
    const { product } = JSON.parse(readFixture('today/bhrf-2.1.0/truth.json.gz').toString()) as {
      product: { classes: string[]; values: number[][] }
    }
    const [names, ...lines] = answersIn(at('bare.csv')).map((line) => line.split(','))
    const found = lines.map((cells) => product.classes.map((name) => Number(cells[names!.indexOf(name)])))
    expect(found).toEqual(product.values.slice(5, 35))
  })

  it('are read beside containers and JSON, with what is none of them named', async () => {
    const topic = await kafka.createTopic('beside', 1)
    const values = [...messages.keys()].map((i) => ({ value: mixed(i) }))
    await produce(kafka, topic, [...values, { value: messages[0]!.subarray(0, -1) }, { value: 'ZTF' }])
    const args = ['--model', 'sq', '--to', 'beside.csv', '--rejects', 'rejects.ndjson']
    const { code, stderr } = await run('classify', `kafka://${kafka.server}/${topic}?schema=${bareSchema}`, ...args)
    expect(code, stderr).toBe(0)
    expect(answersIn(at('beside.csv'))).toEqual(answersIn(at('truth.csv')))
    const rejects = readFileSync(at('rejects.ndjson'), 'utf8').trimEnd().split('\n')
    expect(rejects.map((line) => JSON.parse(line) as unknown)).toEqual(
      [30, 31].map((offset) =>
        expect.objectContaining({
          where: `${topic} partition 0 offset ${offset}`,
          reason: 'the value does not fit the schema',
        }),
      ),
    )
  })

  it('are a stream, of the environment too, whose bad ones are kept and whose strange oids are named once', async () => {
    const topic = await kafka.createTopic('live', 2)
    // as many as say what oids look like
    const many = Array.from({ length: 1020 }, (_, i) => ({ value: messages[i % 30]!, partition: 0 }))
    const other = Buffer.concat([Buffer.from([24]), Buffer.from('a stranger!?'), messages[7]!.subarray(13)])
    await produce(kafka, topic, [...many, { value: other, partition: 0 }, { value: other, partition: 0 }])
    await produce(
      kafka,
      topic,
      [...messages.keys()].map((i) => ({ value: mixed(i), partition: 1 })),
    )
    await produce(kafka, topic, [{ value: messages[2]!.subarray(1), partition: 1 }])
    const from = `kafka://${kafka.server}/${topic}?group=bare`
    const to = ['--to', `kafka://${kafka.server}/answers`, '--dead-letter', `kafka://${kafka.server}/letters`]
    const { ended, log } = startStream(['--model', 'sq', '--from', from, ...to, '--until-caught-up'], {
      ...env,
      CONSUMER_SCHEMA_PATH: `${featureFile},${bareSchema}`,
    })
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(log.at(-1)).toMatchObject({ read: 1053, classified: 1052, rejected: 1 })
    expect(await readTopic(kafka, 'answers')).toHaveLength(1052)
    const letters = (await readTopic(kafka, 'letters')).map(({ value }) => JSON.parse(value!.toString()) as unknown)
    expect(letters).toMatchObject([{ topic, partition: 1, offset: 30, reason: 'the value does not fit the schema' }])
    const strange = log.filter(({ message }) => /looks unlike/.test(String(message)))
    expect(strange).toEqual([expect.objectContaining({ level: 'warn' })])
    expect(String(strange[0]!['message'])).toContain('a stranger!?')
  })

  it('are not read by a schema that is wrong, and nothing is connected to', async () => {
    writeFileSync(
      at('other.avsc'),
      JSON.stringify({ type: 'record', name: 'x', fields: [{ name: 'oid', type: 'Who' }] }),
    )
    for (const command of [['classify'], ['stream', '--no-commit', '--to', '-', '--from']]) {
      const address = 'kafka://127.0.0.1:1/t?patience=1&schema='
      const wrong = await run(...command, `${address}${at('other.avsc')}`, '--model', 'sq')
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('other.avsc: the type Who is unknown')])
      const partial = await run(...command, `${address}${featureFile}`, '--model', 'sq')
      expect([partial.code, partial.stderr]).toEqual([
        2,
        expect.stringContaining(`${basename(featureFile)}: its records have no field features`),
      ])
    }
  })
})
