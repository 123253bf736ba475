// Today's pipeline from end to end: settings in a file of production's shape, bare data in, and what the survey's own step
// made of them out, in its topic, in its scribe's and in its tables.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readFixture } from '../support/fixture-folders.ts'
import { committedIn, produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { lcclf } from '../support/lcclf.ts'
import { bareSchema, messagesOfToday, outputOfToday, payloadOf, textOfToday } from '../support/messages-of-today.ts'
import { createMultisurvey } from '../support/multisurvey-database.ts'
import type { TestDatabase } from '../support/postgres-database.ts'
import { takeApart } from '../support/seed-run.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const work = temporaryFolder()
const at = (name: string) => join(work, name)
const schemaText = textOfToday('lc_classification_step-output_ztf.avsc')
/** oid, sid, classifier_id, classifier_version, class_id, probability, ranking, as text */
const rows = textOfToday('multisurvey_probability.csv.gz')
  .trim()
  .split(/\r?\n/)
  .slice(1)
  .map((line) => line.split(',').filter((_, column) => column !== 5))

const settings = `
CONSUMER_CONFIG:
  CLASS: apf.consumers.KafkaSchemalessConsumer
  SCHEMA_PATH: "\${SCHEMAS}"
  TOPICS: ["features-today"]
  PARAMS: {bootstrap.servers: "\${SERVER}", group.id: today, auto.offset.reset: beginning}
  consume.timeout: 1
  consume.messages: 12
PRODUCER_CONFIG:
  CLASS: apf.producers.kafka.KafkaSchemalessProducer
  SCHEMA_PATH: "\${OUTPUT_SCHEMA}"
  TOPIC: classes-today
  PARAMS: {bootstrap.servers: "\${SERVER}"}
SCRIBE_PRODUCER_CONFIG:
  CLASS: apf.producers.KafkaProducer
  TOPIC: w_object-today
  SCHEMA_PATH: "\${SCRIBE_SCHEMA}"
  PARAMS: {bootstrap.servers: "\${SERVER}"}
SCRIBE_PARSER_CLASS: lc_classification.core.parsers.scribe_parser.TopBottomScribeParser
STEP_PARSER_CLASS: lc_classification.core.parsers.alerce_parser.AlerceParser
MODEL_VERSION: "2.1.0"
MODEL_CONFIG:
  CLASS: alerce_classifiers.squidward.model.SquidwardFeaturesClassifier
  NAME: lc_classifier_BHRF_forced_phot
  PARAMS: {model_path: "\${MODEL_FILE}", mapper: alerce_classifiers.squidward.mapper.SquidwardMapper}
MIN_DETECTIONS: 1
FEATURE_FLAGS: {PROMETHEUS: false}
`

describe.skipIf(!kafka)('today’s pipeline', () => {
  let database: TestDatabase
  let running: StreamProcess[] = []
  const environment = {
    SERVER: kafka?.server ?? '',
    SCHEMAS: bareSchema,
    OUTPUT_SCHEMA: at('output_ztf.avsc'),
    SCRIBE_SCHEMA: at('scribe.avsc'),
    MODEL_FILE: at('model.pkl'),
    LCCLF_HOME: at('home'),
  }

  beforeAll(async () => {
    writeFileSync(at('config.yaml'), settings)
    writeFileSync(at('output_ztf.avsc'), schemaText)
    writeFileSync(at('scribe.avsc'), textOfToday('scribe_step-scribe.avsc'))
    writeFileSync(at('model.pkl'), readFixture('today/bhrf-2.1.0/hierarchical_random_forest_model.pkl.gz'))
    database = await createMultisurvey()
    const topic = await kafka.createTopic('features-today', 2)
    await kafka.createTopic('w_object-today', 1)
    await produce(
      kafka,
      topic,
      messagesOfToday('input').map((value) => ({ value })),
    )
  })
  afterEach(async () => {
    for (const { child } of running) child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    running = []
  })
  afterAll(async () => {
    await database.drop()
    await kafka.remove()
  })

  async function run(args: readonly string[], more: Record<string, string> = {}) {
    const stream = startStream(['--config', at('config.yaml'), '--until-caught-up', ...args], {
      ...environment,
      ...more,
    })
    running.push(stream)
    const code = await stream.ended
    return { code, log: stream.log }
  }

  const stored = () =>
    database.query(
      `SELECT oid::text, sid::text, classifier_id::text, classifier_version::text, class_id::text, probability::float8, ranking::text, lastmjd
         FROM probability p ORDER BY p.oid, p.classifier_id, p.class_id`,
    )

  it('writes the step’s own messages, commands and rows, all from one file of settings', async () => {
    const { host, port, user, password, database: name } = database.settings
    const place = { DB_HOST: host, DB_PORT: String(port), DB_USER: user, DB_NAME: name, DB_PASSWORD: password()! }
    const { code, log } = await run([], place)
    expect(code, JSON.stringify(log)).toBe(0)
    expect(log.at(-1)).toMatchObject({ read: 30, classified: 30, rejected: 0 })

    const outputs = (await readTopic(kafka, 'classes-today')).map(({ value }) => outputOfToday(value!, schemaText))
    const wanted = messagesOfToday('output').map((value) => outputOfToday(value, schemaText))
    expect(outputs.sort((a, b) => (a.oid < b.oid ? -1 : 1))).toEqual(wanted)

    const commands = await readTopic(kafka, 'w_object-today')
    expect(commands.map(({ key }) => String(key)).sort()).toEqual(
      wanted.flatMap(({ oid }) => Array(5).fill(oid)).sort(),
    )
    const payloads = commands.map(({ value }) => payloadOf(takeApart(value!).record))
    const lines = textOfToday('scribe.ndjson.gz').trim().split('\n')
    const canonical = (texts: readonly string[]) => texts.map((text) => JSON.stringify(JSON.parse(text))).sort()
    expect(canonical(payloads)).toEqual(canonical(lines))

    const found = await stored()
    expect(found).toHaveLength(1350)
    expect(found.map((row) => [...row.slice(0, 5), row[6]])).toEqual(rows.map((row) => [...row.slice(0, 5), row[6]]))
    expect(found.map((row) => row[5])).toEqual(rows.map((row) => Math.fround(Number(row[5]))))
    expect(found.every((row) => Number(row[7]) >= 59_000)).toBe(true)
    expect((await committedIn(kafka, 'today', 'features-today')).reduce((sum, n) => sum + n, 0n)).toBe(30n)
  })

  it('leaves what is stored as it is when it is read again, and older detections change nothing', async () => {
    const versions = () =>
      database.query('SELECT xmin::text, ctid::text FROM probability ORDER BY oid, classifier_id, class_id')
    const before = await versions()
    const again = ['--no-commit', '--to', database.url]
    expect((await run(again)).code).toBe(0)
    expect(await versions()).toEqual(before)
    await database.query('UPDATE probability SET lastmjd = 99999, probability = 0.5')
    expect((await run(again)).code).toBe(0)
    expect(new Set((await stored()).map((row) => row[5]))).toEqual(new Set([0.5]))
  })

  it('reads its own rows back, and its tables are whole', async () => {
    await database.query('DELETE FROM probability')
    expect((await run(['--no-commit', '--to', database.url])).code).toBe(0)
    writeFileSync(at('input.csv'), readFixture('today/bhrf-2.1.0/input.csv.gz'))
    const model = ['--model', 'lc_classifier_BHRF_forced_phot@2.1.0']
    const options = { cwd: work, env: environment }
    expect((await lcclf(['classify', 'input.csv', ...model, '--to', 'all.parquet', '-q'], options)).code).toBe(0)
    const { code, stdout } = await lcclf(['diff', database.url, 'all.parquet', ...model, '--json'], options)
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ common: 30, changed: 0 })])
    const check = await lcclf(['db', 'check', database.url], options)
    expect([check.code, check.stdout]).toEqual([0, expect.stringContaining('30 objects, 1350 rows')])
  })
})
