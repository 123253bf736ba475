import { afterAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../src/errors.ts'
import { openDeadLetterTopic, readDeadLetter } from '../../../src/connectors/kafka/dead-letters.ts'
import {
  openOutlet,
  openTransactionalOutlet,
  type TransactionalOutlet,
} from '../../../src/connectors/kafka/client/outlet.ts'
import type { Ledger } from '../../../src/pipeline/ledger.ts'
import { openKafkaSink } from '../../../src/connectors/kafka/kafka-sink.ts'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { streamBatches } from '../../../src/jobs/stream/stream-batches.ts'
import { committedIn, connectionTo, produce, readTopic } from '../../support/kafka-client.ts'
import { alertText, testClassifier, testOptions, testTaxonomy } from '../../support/kafka-stream.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { plainOutput } from '../../support/seed-run.ts'

const kafka = (await kafkaForTests())!
/** an output message is of some 11,000 bytes, most of them its schema */
const outputBytes = 14_000
const endless = 'x'.repeat(8000)

/** Drains the topic into one that does not allow every message, with dead letters in another one. */
async function drain(input: string, output: string, letters: string, isExact: boolean): Promise<Ledger> {
  const connection = connectionTo(kafka)
  const outlet: TransactionalOutlet | undefined = isExact
    ? await openTransactionalOutlet(connection, `tx-${input}`, [output, letters])
    : undefined
  const source = await openKafkaSource(
    {
      ...{ kind: 'kafka', address: input, connection, topics: [input], registry: undefined },
      reading: { kind: 'group', groupId: input, batchWaitMs: 200, sessionTimeoutMs: 6000, isDraining: true },
    },
    testOptions({ batchSize: 50 }),
    outlet,
  )
  const daily = { dateFormat: '%Y%m%d', changeHour: 22 }
  const sink = await openKafkaSink(
    { kind: 'kafka', address: `kafka://broker/${output}`, connection, topic: output, daily, outputSchema: 'original' },
    { schema: source.schema, taxonomy: testTaxonomy, classifierVersion: 'test_1' },
    outlet,
  )
  const deadLetters = await openDeadLetterTopic({ address: letters, connection, topic: () => letters }, outlet)
  try {
    return await streamBatches({
      ...{ source, classifier: testClassifier(), sinks: [sink], deadLetters },
      ...{ onBadMessage: 'dead-letter', watches: [], signal: new AbortController().signal },
    })
  } finally {
    for (const opened of [source, sink, deadLetters, outlet]) await opened?.close()
  }
}

describe.skipIf(!kafka)('a message that is larger than its topic allows', () => {
  afterAll(() => kafka.remove())

  it.each([false, true])('becomes a dead letter and costs no other one (exactly-once: %s)', async (isExact) => {
    const input = await kafka.createTopic(`in-${isExact}`, 1)
    const output = await kafka.createTopic(`out-${isExact}`, 1, { 'max.message.bytes': String(outputBytes) })
    const letters = await kafka.createTopic(`letters-${isExact}`, 1)
    const oids = ['a', 'b', endless, 'c', 'd']
    await produce(
      kafka,
      input,
      oids.map((oid) => ({ key: 'k', value: alertText(oid, 1) })),
    )
    const ledger = await drain(input, output, letters, isExact)
    const written = (await readTopic(kafka, output)).map(({ value }) => plainOutput(value!).oid)
    expect(written).toEqual(['a', 'b', 'c', 'd'])
    const kept = (await readTopic(kafka, letters)).map(({ value }) => readDeadLetter(value!.toString(), 'letter'))
    expect(kept).toMatchObject([{ topic: input, partition: 0, offset: 2n }])
    expect(kept[0]!.reason).toContain('max.message.bytes')
    expect(kept[0]!.value!.toString()).toBe(alertText(endless, 1))
    expect(await committedIn(kafka, input, input)).toEqual([5n])
    expect(ledger.isBalanced).toBe(true)
    expect(ledger.outputs[0]!.refused).toBe(1)
  })

  it.each([false, true])(
    'is kept without its value where dead letters are small too (exactly-once: %s)',
    async (isExact) => {
      const input = await kafka.createTopic(`in-small-${isExact}`, 1)
      const output = await kafka.createTopic(`out-small-${isExact}`, 1)
      const letters = await kafka.createTopic(`letters-small-${isExact}`, 1, { 'max.message.bytes': '2000' })
      const bad = `{"oid": "${endless}"}`
      await produce(
        kafka,
        input,
        [alertText('a', 1), bad, alertText('b', 1)].map((value) => ({ key: 'k', value })),
      )
      await drain(input, output, letters, isExact)
      const written = (await readTopic(kafka, output)).map(({ value }) => plainOutput(value!).oid)
      expect(written).toEqual(['a', 'b'])
      const kept = (await readTopic(kafka, letters)).map(({ value }) => readDeadLetter(value!.toString(), 'letter'))
      expect(kept).toMatchObject([{ reason: 'candid is missing', offset: 1n, value: null, omittedBytes: bad.length }])
    },
  )

  it('is an error for whoever cannot do without it', async () => {
    const topic = await kafka.createTopic('requeued', 1, { 'max.message.bytes': '2000' })
    const outlet = await openOutlet(connectionTo(kafka), topic)
    const message = { topic, key: null, value: Buffer.from(endless) }
    await expect(outlet.send([message])).rejects.toThrow(ServiceError)
    await outlet.close()
  })
})
