import { afterAll, describe, expect, it } from 'vitest'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { connectionTo, produce } from '../../support/kafka-client.ts'
import { alertText, memorySink, runStream, testOptions } from '../../support/kafka-stream.ts'

const kafka = (await kafkaForTests())!

describe.skipIf(!kafka)('a snapshot of a window of time', () => {
  afterAll(() => kafka.remove())

  const day = (date: string): number => Date.parse(`${date}T00:00:00Z`)
  const at = (time: string): bigint => BigInt(Date.parse(`${time}Z`))

  it('has what is in it, since inclusive, until exclusive, stragglers too', async () => {
    const topic = await kafka.createTopic('window', 2, { 'retention.ms': '-1' })
    const times = [
      ['first', '2024-05-01T10:00:00'],
      ['second', '2024-05-02T00:00:00'],
      ['third', '2024-05-02T12:00:00'],
      ['fourth', '2024-05-03T00:00:00'],
      ['straggler', '2024-05-02T23:59:59.999'],
      ['fifth', '2024-05-04T01:00:00'],
    ] as const
    for (const partition of [0, 1]) {
      await produce(
        kafka,
        topic,
        times.map(([oid, time]) => ({ value: alertText(`${oid}${partition}`, 1), partition, timestamp: at(time) })),
      )
    }
    const spec = {
      kind: 'kafka',
      address: topic,
      connection: connectionTo(kafka),
      topics: [topic],
      registry: undefined,
    } as const
    const window = async (since?: number, until?: number): Promise<string[]> => {
      const source = await openKafkaSource({ ...spec, reading: { kind: 'snapshot', since, until } }, testOptions())
      const sink = memorySink()
      await runStream(source, [sink])
      await source.close()
      const oids = sink.batches.flatMap((batch) => batch.oids)
      expect(oids.filter((oid) => oid.endsWith('0')).length * 2).toBe(oids.length)
      return oids.filter((oid) => oid.endsWith('0')).map((oid) => oid.slice(0, -1))
    }
    expect(await window(day('2024-05-02'), day('2024-05-03'))).toEqual(['second', 'third', 'straggler'])
    expect(await window(day('2024-05-03'))).toEqual(['fourth', 'fifth'])
    expect(await window(undefined, day('2024-05-02'))).toEqual(['first'])
    expect(await window(day('2024-06-01'))).toEqual([])
    expect(await window(undefined, day('2020-01-01'))).toEqual([])
  })
})
