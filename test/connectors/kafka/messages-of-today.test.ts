import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTransactionalOutlet } from '../../../src/connectors/kafka/client/outlet.ts'
import { openKafkaSink } from '../../../src/connectors/kafka/kafka-sink.ts'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { echoedFeatures, kafkaSinkSpec } from '../../../src/connectors/kafka/spec.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { openClassifier } from '../../../src/model/open.ts'
import type { ClassifiedBatch } from '../../../src/pipeline/batch.ts'
import type { Classifier } from '../../../src/pipeline/classifier.ts'
import type { SinkContext } from '../../../src/pipeline/sink.ts'
import { readFixture } from '../../support/fixture-folders.ts'
import { connectionTo, produce, readTopic } from '../../support/kafka-client.ts'
import { runStream, testOptions } from '../../support/kafka-stream.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import {
  containedInputs,
  messagesOfToday,
  outputOfToday,
  payloadOf,
  textOfToday,
} from '../../support/messages-of-today.ts'
import { takeApart } from '../../support/seed-run.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const schemaText = textOfToday('lc_classification_step-output_ztf.avsc')
const specOf = (topic: string, parameters = '') =>
  kafkaSinkSpec(`kafka://${kafka.server}/${topic}${parameters}`, 'alerce-2025', {})

describe.skipIf(!kafka)('the messages of today', () => {
  let classifier: Classifier
  let context: SinkContext
  /** the 30 objects, as they came through a topic */
  let batch: ClassifiedBatch

  beforeAll(async () => {
    const folder = temporaryFolder()
    const source = join(folder, 'model.pkl')
    writeFileSync(source, readFixture('today/bhrf-2.1.0/hierarchical_random_forest_model.pkl.gz'))
    await importModel({ source, name: 'squidward', version: '2.1.0', out: join(folder, 'bundle') })
    classifier = await openClassifier(join(folder, 'bundle'), { threads: 1 })
    const { features, taxonomy, identity } = classifier
    const { classifierVersion, version: modelVersion } = identity
    const schema = { oidType: 'string', hasCandid: true } as const
    context = { schema, taxonomy, classifierVersion, modelVersion, features }
    batch = await throughTopic(classifier)
  })
  afterAll(async () => {
    await classifier?.close()
    await kafka.remove()
  })

  async function throughTopic({ features, preprocessing }: Classifier): Promise<ClassifiedBatch> {
    // one partition: commands come in the order in which they are sent
    const topic = await kafka.createTopic('features', 1)
    await produce(
      kafka,
      topic,
      containedInputs().map((value) => ({ value })),
    )
    const echo = echoedFeatures([specOf('echoing')], features)
    const reading = { kind: 'snapshot' } as const
    const address = { kind: 'kafka', address: topic, connection: connectionTo(kafka), topics: [topic] } as const
    const options = testOptions({ features, preprocessing, echo })
    const source = await openKafkaSource({ ...address, registry: undefined, reading }, options)
    const batches: ClassifiedBatch[] = []
    const sink = await openKafkaSink(specOf('echoing'), context)
    const keeping = {
      ...sink,
      write: (one: ClassifiedBatch) => {
        batches.push(one)
        return sink.write(one)
      },
    }
    const reports = await runStream(source, [keeping], { classifier })
    await Promise.all([source.close(), sink.close()])
    expect(reports.flatMap(({ delivery }) => delivery.rejected)).toEqual([])
    expect(batches.map(({ rowCount }) => rowCount)).toEqual([30])
    return batches[0]!
  }

  /** Writes the 30 objects; answers the data of the values there in order, with their keys. */
  async function sent(topic: string, parameters: string, objects: ClassifiedBatch = batch) {
    await kafka.createTopic(topic, 1)
    const sink = await openKafkaSink(specOf(topic, parameters), context)
    const outcome = await sink.write(objects)
    await sink.close()
    const isBare = parameters.includes('schemaless')
    const messages = (await readTopic(kafka, topic)).map(({ key, value }) => ({
      key: key!.toString(),
      datum: isBare ? value! : takeApart(value!).record,
      schema: isBare ? undefined : new Map(takeApart(value!).metadata).get('avro.schema'),
    }))
    return { outcome, messages }
  }

  it('are the step’s own, value by value and byte by byte, with the schema of its file', async () => {
    const theirs = messagesOfToday('output')
    const written = await readTopic(kafka, 'echoing')
    expect(written).toHaveLength(30)
    const expected = new Map(theirs.map((datum) => [outputOfToday(datum, schemaText).oid, datum]))
    for (const { key, value } of written) {
      const { metadata, record } = takeApart(value!)
      const text = new Map(metadata).get('avro.schema')!
      expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(JSON.parse(schemaText)))
      const datum = expected.get(key!.toString())!
      expect(outputOfToday(record, text)).toEqual(outputOfToday(datum, schemaText))
      expect(record.equals(datum)).toBe(true)
    }
    const { features, lc_classification } = outputOfToday(theirs[0]!, schemaText)
    expect(Object.keys(features)).toEqual(classifier.features)
    const children = lc_classification.hierarchical['children'] as object
    expect(Object.keys(children)).toEqual(['Transient', 'Stochastic', 'Periodic'])
  })

  it('are bare data where that is asked for, also of objects without a candid', async () => {
    const { messages, outcome } = await sent('bare', '?framing=schemaless', {
      ...batch,
      candids: batch.oids.map(() => null),
    })
    expect(outcome).toEqual({ objects: 30, rows: 30, refused: [], superseded: 0 })
    expect(messages.map(({ datum }) => datum)).toEqual(messagesOfToday('output'))
  })

  it('are commands to the scribe, the same texts in the same order as the step’s own', async () => {
    const theirs = textOfToday('scribe.ndjson.gz').trimEnd().split('\n')
    for (const framing of ['', '&framing=schemaless']) {
      const { messages, outcome } = await sent(`w_object${framing.slice(1, 8)}`, `?as=scribe-top-bottom${framing}`)
      expect(outcome).toEqual({ objects: 30, rows: 150, refused: [], superseded: 0 })
      const payloads = messages.map(({ datum }) => payloadOf(datum))
      expect(payloads).toEqual(theirs)
      const oids = theirs.map((text) => (JSON.parse(text) as { criteria: { _id: string } }).criteria._id)
      expect(messages.map(({ key }) => key)).toEqual(oids)
      const schema = JSON.stringify(JSON.parse(textOfToday('scribe_step-scribe.avsc')))
      const shown = messages[0]!.schema
      expect(shown === undefined ? schema : JSON.stringify(JSON.parse(shown))).toBe(schema)
    }
    const { messages, outcome } = await sent('flat_only', '?as=scribe')
    expect(outcome).toEqual({ objects: 30, rows: 30, refused: [], superseded: 0 })
    expect(messages.map(({ datum }) => payloadOf(datum))).toEqual(theirs.slice(0, 30))
  })

  it('are commands with the numbers of the multisurvey tables, one a row', async () => {
    const [, ...lines] = textOfToday('multisurvey_probability.csv.gz').trimEnd().split(/\r?\n/)
    const theirs = lines.map((line) => {
      const [oid, sid, classifier_id, classifier_version, class_id, , probability, ranking] = line.split(',')
      const ids = [oid!, sid, classifier_id, classifier_version, class_id].join()
      return `${ids} ${Math.fround(Number(probability))} ${ranking}`
    })
    // the last one does not say when it was last seen
    const mjds = Float64Array.from(batch.oids, (_, i) => (i === 29 ? NaN : 59000.5 + i))
    const withTimes = { ...batch, mjds: mjds.with(29, 60000) }
    const { messages, outcome } = await sent('w_rows', '?as=scribe-multisurvey', withTimes)
    expect(outcome).toEqual({ objects: 30, rows: 1350, refused: [], superseded: 0 })
    const oidText = /"oid": (\d+),/
    const ours = messages.map(({ key, datum }) => {
      const text = payloadOf(datum)
      const { payload, ...rest } = JSON.parse(text) as { payload: Record<string, number> }
      expect(rest).toEqual({ step: 'update-probability', survey: 'ztf' })
      expect(Object.keys(payload).join()).toBe(
        'oid,sid,classifier_id,classifier_version,class_id,probability,ranking,lastmjd',
      )
      expect(payload['lastmjd']).toBe(withTimes.mjds[batch.oids.indexOf(key)])
      const numbers = ['sid', 'classifier_id', 'classifier_version', 'class_id'].map((name) => payload[name])
      // the table rounds to float32
      const probability = Math.fround(payload['probability']!)
      return `${[oidText.exec(text)![1], ...numbers].join()} ${probability} ${payload['ranking']}`
    })
    expect(theirs).toHaveLength(1350)
    expect(ours).toEqual(theirs)
    const { outcome: lacking } = await sent('w_lacking', '?as=scribe-multisurvey', { ...batch, mjds })
    expect(lacking).toMatchObject({ objects: 29, rows: 29 * 45 })
    expect(lacking.refused).toEqual([
      expect.objectContaining({ oid: batch.oids[29], reason: expect.stringContaining('lastmjd is missing') as string }),
    ])
  })

  it('leave out the whole object whose command is larger than its topic allows', async () => {
    const long = `ZTF18aaaaaaa${'x'.repeat(3000)}`
    const objects = { ...batch, oids: batch.oids.map((oid, i) => (i === 7 ? long : oid)) }
    const topic = await kafka.createTopic('w_small', 1, { 'max.message.bytes': '2000' })
    const sink = await openKafkaSink(specOf(topic, '?as=scribe-top-bottom'), context)
    for (const count of [1, 2]) {
      const outcome = await sink.write(objects)
      expect(outcome).toMatchObject({ objects: 29, rows: 145 })
      expect(outcome.refused).toEqual([
        expect.objectContaining({ oid: long, where: sink.address, message: batch.messages![7] }),
      ])
      expect(outcome.refused[0]!.reason).toContain('max.message.bytes')
      expect(await readTopic(kafka, topic)).toHaveLength(145 * count)
    }
    await sink.close()
  })

  it('are in one transaction with their inputs, all commands of an object or none', async () => {
    const topic = await kafka.createTopic('w_exact', 1, { 'max.message.bytes': '1500' })
    const connection = connectionTo(kafka)
    const outlet = await openTransactionalOutlet(connection, 'exact', [topic], { timeoutMs: 4000 })
    const sink = await openKafkaSink(specOf(topic, '?as=scribe-top-bottom'), context, outlet)
    const committer = { groupId: 'group-of-exact', generation: -1, memberId: '' }
    const commit = () => outlet.commit([], committer)
    expect(await sink.write(batch)).toMatchObject({ objects: 30, rows: 150 })
    expect(await readTopic(kafka, topic)).toEqual([])
    expect(await commit()).toBe(true)
    expect(await readTopic(kafka, topic)).toHaveLength(150)
    // the broker refuses the flat head alone, which is the longest: learnt in a transaction that is aborted
    const oids = batch.oids.map((oid, i) => (i === 7 ? `${oid}${'x'.repeat(800)}` : oid))
    expect(await sink.write({ ...batch, oids })).toMatchObject({ objects: 30, rows: 150 })
    expect(await commit()).toBe(false)
    const outcome = await sink.write({ ...batch, oids })
    expect(outcome).toMatchObject({ objects: 29, rows: 145, refused: [{ oid: oids[7] }] })
    expect(await commit()).toBe(true)
    const keys = (await readTopic(kafka, topic)).map(({ key }) => key!.toString())
    expect(keys).toHaveLength(295)
    expect(keys).not.toContain(oids[7])
    await sink.close()
    await outlet.close()
  })
})
