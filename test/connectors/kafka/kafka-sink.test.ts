import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openClassifier } from '../../../src/model/open.ts'
import { ServiceError } from '../../../src/errors.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { openKafkaSink } from '../../../src/connectors/kafka/kafka-sink.ts'
import { echoedFeatures, type KafkaSinkSpec } from '../../../src/connectors/kafka/spec.ts'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { unpackFixture } from '../../support/fixture-folders.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { connectionTo, produce, readTopic } from '../../support/kafka-client.ts'
import { runStream, testOptions } from '../../support/kafka-stream.ts'
import { plainAlert, plainOutput, seedRun, takeApart } from '../../support/seed-run.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { pause, until } from '../../support/until.ts'
import { contextOf, flatTaxonomy, golden, goldenBatch, taxonomy } from '../../support/classified-samples.ts'

const kafka = (await kafkaForTests())!
const schema = { oidType: 'string', hasCandid: true } as const
const noDays = { dateFormat: '%Y%m%d', changeHour: 22 }

function specOf(topic: string, more: Partial<KafkaSinkSpec> = {}): KafkaSinkSpec {
  return {
    kind: 'kafka',
    address: `kafka://broker/${topic}`,
    connection: connectionTo(kafka),
    topic,
    daily: noDays,
    outputSchema: 'original',
    ...more,
  }
}

describe.skipIf(!kafka)('the Kafka sink', () => {
  afterAll(() => kafka.remove())

  it('makes of the recorded inputs what the original made of them', async () => {
    const input = await kafka.createTopic('features', 2)
    const recorded = seedRun('input')
    await produce(
      kafka,
      input,
      recorded.map((value) => ({ key: plainAlert(value).oid, value })),
    )
    const out = join(temporaryFolder(), 'bundle')
    await importModel({
      source: unpackFixture('sklearn-0.22.2'),
      name: 'hierarchical_random_forest',
      version: '1.0.0',
      out,
    })
    const classifier = await openClassifier(out, { threads: 1 })
    const { features, preprocessing } = classifier
    const source = await openKafkaSource(
      {
        kind: 'kafka',
        address: input,
        connection: connectionTo(kafka),
        topics: [input],
        registry: undefined,
        reading: { kind: 'snapshot' },
      },
      testOptions({ features, preprocessing, echo: echoedFeatures([specOf('lc_classification')], features) }),
    )
    const context = { schema, taxonomy: classifier.taxonomy, classifierVersion: classifier.identity.classifierVersion }
    const sink = await openKafkaSink(specOf('lc_classification'), context)
    const echoing = {
      ...classifier,
      // what the pipeline's loop does: the echo goes along
      classify: async (batch: Parameters<typeof classifier.classify>[0]) => ({
        ...(await classifier.classify(batch)),
        echo: batch.echo,
        messages: batch.messages,
      }),
    }
    const reports = await runStream(source, [sink], { classifier: echoing })
    await Promise.all([source.close(), sink.close(), classifier.close()])
    expect(reports.flatMap(({ outcomes }) => outcomes)).toEqual([{ objects: 40, rows: 40, refused: [], superseded: 0 }])
    const written = await readTopic(kafka, 'lc_classification')
    const expected = new Map(seedRun('output').map((message) => [plainOutput(message).oid, message]))
    expect(written).toHaveLength(40)
    for (const { key, value } of written) {
      const theirs = expected.get(key!.toString())!
      expect(plainOutput(value!)).toEqual(plainOutput(theirs))
      // and byte by byte, but for the sync marker
      expect(takeApart(value!)).toEqual(takeApart(theirs))
    }
  })

  it('keeps the objects of a batch on the partitions of their ids, in order', async () => {
    const topic = await kafka.createTopic('keyed', 4)
    const sink = await openKafkaSink(specOf(topic), contextOf(schema))
    const batch = { ...goldenBatch(0, 24), candids: Array.from({ length: 24 }, (_, i) => BigInt(i)) }
    await sink.write(batch)
    await sink.write({ ...batch, candids: batch.candids.map((candid) => candid + 100n) })
    await sink.close()
    const written = await readTopic(kafka, topic)
    const places = new Map<string, Set<number>>()
    const candids = new Map<string, bigint[]>()
    for (const { key, value, partition } of written) {
      const oid = key!.toString()
      places.set(oid, (places.get(oid) ?? new Set()).add(partition))
      candids.set(oid, [...(candids.get(oid) ?? []), plainOutput(value!).candid])
    }
    expect([...places.values()].every((partitions) => partitions.size === 1)).toBe(true)
    expect(new Set([...places.values()].flatMap((partitions) => [...partitions])).size).toBeGreaterThan(1)
    expect([...candids.values()].every(([first, second]) => second === first! + 100n)).toBe(true)
  })

  it('writes null for features that nobody gave it, and refuses what has no candid', async () => {
    const sink = await openKafkaSink(specOf('without-echo'), contextOf(schema))
    const outcome = await sink.write(goldenBatch(0, 6))
    await sink.close()
    expect(outcome).toMatchObject({ objects: 4, rows: 4, superseded: 0 })
    expect(outcome.refused.map(({ oid }) => oid)).toEqual([golden.oid[2], golden.oid[5]])
    const written = await readTopic(kafka, 'without-echo')
    expect(written).toHaveLength(4)
    for (const { value } of written) {
      const { features, lc_classification } = plainOutput(value!)
      expect(new Set(Object.values(features))).toEqual(new Set([null]))
      expect(lc_classification.class).toBe(golden.predicted[golden.oid.indexOf(plainOutput(value!).oid)])
      expect(Object.keys(lc_classification.hierarchical.children)).toEqual(['Stochastic', 'Periodic', 'Transient'])
      expect(Object.keys(lc_classification.probabilities)).toEqual(taxonomy.levels[0]!.classes)
    }
  })

  it('takes a model of one level', async () => {
    const sink = await openKafkaSink(specOf('flat'), contextOf(schema, flatTaxonomy))
    await sink.write({
      rowCount: 1,
      oids: ['x'],
      candids: [1n],
      taxonomy: flatTaxonomy,
      classifierVersion: 'v',
      probabilities: [Float64Array.of(0.25, 0.5, 0.25)],
    })
    await sink.close()
    const [message] = await readTopic(kafka, 'flat')
    expect(plainOutput(message!.value!).lc_classification).toEqual({
      probabilities: { star: 0.25, 'galaxy "far"': 0.5, 'a,b': 0.25 },
      class: 'galaxy "far"',
      hierarchical: { top: {}, children: {} },
    })
  })

  it('writes batches larger than a broker takes at once', async () => {
    const topic = await kafka.createTopic('large', 1, { 'max.message.bytes': '100000' })
    const sink = await openKafkaSink(specOf(topic), contextOf(schema))
    const rows = 300
    const batch = { ...goldenBatch(0, 1) }
    const repeated = {
      ...batch,
      rowCount: rows,
      oids: Array.from({ length: rows }, (_, i) => `o${i}`),
      candids: Array.from({ length: rows }, (_, i) => BigInt(i)),
      probabilities: batch.probabilities.map((values) =>
        Float64Array.from({ length: rows * values.length }, (_, i) => values[i % values.length]!),
      ),
    }
    await sink.write(repeated)
    await sink.close()
    expect((await readTopic(kafka, topic)).map(({ value }) => plainOutput(value!).candid)).toEqual(repeated.candids)
  })

  it('refuses an object whose message is too large for the topic', async () => {
    const topic = await kafka.createTopic('tiny', 1, { 'max.message.bytes': '1000' })
    const sink = await openKafkaSink(specOf(topic), contextOf(schema))
    const { objects, refused } = await sink.write(goldenBatch(0, 1))
    await sink.close()
    expect(objects).toBe(0)
    expect(refused).toMatchObject([
      { oid: golden.oid[0], reason: expect.stringContaining('max.message.bytes') as string },
    ])
    expect(await readTopic(kafka, topic)).toEqual([])
  })

  it('writes to the topic of the day, and to one only', async () => {
    const changeHour = new Date().getUTCHours()
    const sink = await openKafkaSink(
      specOf('daily_%s', { daily: { dateFormat: '%Y-%m-%d', changeHour } }),
      contextOf(schema),
    )
    await sink.write(goldenBatch(0, 1))
    await sink.close()
    const tomorrow = new Date(Date.now() + 24 * 3600 * 1000).toISOString().slice(0, 10)
    expect(await readTopic(kafka, `daily_${tomorrow}`)).toHaveLength(1)
  })

  it('goes on when its topic is deleted and recreated: what is acknowledged afterwards is there', async () => {
    const topic = await kafka.createTopic('remade', 2)
    const sink = await openKafkaSink(specOf(topic), contextOf(schema))
    const acknowledged: { readonly candid: bigint; readonly at: number }[] = []
    let isWriting = true
    let candid = 0n
    const writing = (async () => {
      while (isWriting) {
        const batch = goldenBatch(0, 24)
        const candids = batch.oids.map(() => candid++)
        await sink.write({ ...batch, candids })
        const at = performance.now()
        acknowledged.push(...candids.map((each) => ({ candid: each, at })))
        await pause(5)
      }
    })()
    await pause(400)
    await kafka.deleteTopic(topic)
    await pause(1500)
    // in the way of whoever deleted it: with four partitions, not with the broker's two
    await kafka.createTopic(topic, 4)
    const remadeAt = performance.now()
    const after = () => acknowledged.filter(({ at }) => at > remadeAt + 500)
    // the sink looks for it again after a while only
    await Promise.race([writing, until(() => after().length > 100)])
    isWriting = false
    await writing
    await sink.close()
    const written = new Set((await readTopic(kafka, topic)).map(({ value }) => plainOutput(value!).candid))
    expect(after().filter((each) => !written.has(each.candid))).toEqual([])
    expect(new Set((await readTopic(kafka, topic)).map(({ partition }) => partition)).size).toBeGreaterThan(2)
  })

  it('says when the broker does not allow a topic to be made, or takes none of that name', async () => {
    await expect(openKafkaSink(specOf('x'.repeat(300)), contextOf(schema))).rejects.toThrow(ServiceError)
  })
})
