import { Producer } from '@platformatic/kafka'
import { afterAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import type { KafkaReading, KafkaSnapshot, KafkaSourceSpec } from '../../../src/connectors/kafka/spec.ts'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { newestOnly } from '../../../src/pipeline/newest-only.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { pause } from '../../support/until.ts'
import { committedIn, connectionTo, endsOf, produce, readTopic, type TestMessage } from '../../support/kafka-client.ts'
import {
  alert,
  alerts,
  alertText,
  memorySink,
  names,
  runStream,
  testClassifier,
  testOptions,
  topicWith,
} from '../../support/kafka-stream.ts'
import { plainAlert, seedRun } from '../../support/seed-run.ts'

const kafka = (await kafkaForTests())!

function specOf(topic: string, reading: Partial<KafkaSnapshot> = {}): KafkaSourceSpec {
  return {
    kind: 'kafka',
    address: `kafka://broker/${topic}`,
    connection: connectionTo(kafka, 10_000),
    topics: topic.split(','),
    registry: undefined,
    reading: { kind: 'snapshot', ...reading },
  }
}

interface ReadBack {
  readonly oids: string[]
  readonly rejects: string[]
  readonly source: Source
}

async function readAll(source: Source): Promise<ReadBack> {
  const sink = memorySink()
  const reports = await runStream(source, [sink])
  const oids = sink.batches.flatMap((batch) => batch.oids)
  const rejects = reports.flatMap(({ delivery }) => delivery.rejected.map(({ where, reason }) => `${where}: ${reason}`))
  for (const { delivery } of reports) {
    expect(delivery.read).toBe(delivery.batch.rowCount + delivery.rejected.length + delivery.duplicates)
    expect(delivery.batch.messages).toHaveLength(delivery.batch.rowCount)
  }
  return { oids, rejects, source }
}

/** A producer of transactions. */
function transactional(transactionalId: string) {
  const retrying = { retries: 99, retryDelay: 50, timeout: 60_000 }
  const who = { clientId: 't', bootstrapBrokers: [kafka.server], idempotent: true, transactionalId }
  return new Producer({ ...who, ...retrying })
}

/** The batches of a topic, and their reports. */
async function batchesOf(topic: string, options: Partial<ReadOptions> = {}) {
  const source = await openKafkaSource(specOf(topic), testOptions(options))
  const sink = memorySink()
  const reports = await runStream(source, [sink])
  await source.close()
  return { batches: sink.batches, reports }
}

async function readTopicOnce(
  topic: string,
  reading: Partial<KafkaSnapshot> = {},
  options: Partial<ReadOptions> = {},
): Promise<ReadBack> {
  const source = await openKafkaSource(specOf(topic, reading), testOptions(options))
  try {
    return await readAll(source)
  } finally {
    await source.close()
  }
}

describe.skipIf(!kafka)('a snapshot of topics', () => {
  afterAll(() => kafka.remove())

  it('reads every partition to where it ended at the start, and says so', async () => {
    const topic = await topicWith(kafka, 'four', 4, 1000)
    const source = await openKafkaSource(specOf(topic), testOptions())
    // what comes later is not read
    await produce(kafka, topic, alerts(50, 'late'))
    const { oids } = await readAll(source)
    expect(oids.sort()).toEqual(names(1000).sort())
    const ends = Object.entries(source.identity.offsets!)
    expect(ends.map(([name]) => name).sort()).toEqual(['four:0', 'four:1', 'four:2', 'four:3'])
    expect(ends.reduce((sum, [, [from, to]]) => sum + Number(to) - Number(from), 0)).toBe(1000)
    expect(source.fractionRead!()).toBe(1)
    // and again: the same
    expect((await readAll(source)).oids.sort()).toEqual(names(1000).sort())
    await source.close()
    await source.close()
  })

  it('keeps the order of each partition, and the batch size', async () => {
    const topic = await topicWith(kafka, 'ordered', 1, 250)
    const { batches } = await batchesOf(topic)
    expect(batches.map((batch) => batch.rowCount)).toEqual([100, 100, 50])
    expect(batches.flatMap((batch) => batch.oids)).toEqual(names(250))
  })

  it('reads an empty topic, several topics, and topics by pattern', async () => {
    await Promise.all(['many-a', 'many-b', 'many-empty'].map((name) => kafka.createTopic(name, 2)))
    await produce(kafka, 'many-a', [alert('a')])
    await produce(kafka, 'many-b', [alert('b')])
    expect((await readTopicOnce('many-empty')).oids).toEqual([])
    expect((await readTopicOnce('many-a,many-b')).oids.sort()).toEqual(['a', 'b'])
    expect((await readTopicOnce('^many-.*')).oids.sort()).toEqual(['a', 'b'])
  })

  it('says when there is no such topic', async () => {
    await expect(readTopicOnce('nowhere')).rejects.toMatchObject({
      exitCode: 3,
      message: 'kafka://broker/nowhere: there is no topic nowhere',
    })
    await expect(readTopicOnce('^nowhere.*')).rejects.toMatchObject({ exitCode: 3 })
    await expect(readTopicOnce('^(')).rejects.toThrow(UsageError)
  })

  it('reads the messages of the original as they were written', async () => {
    const topic = await kafka.createTopic('seed', 2)
    const recorded = seedRun('input')
    await produce(
      kafka,
      topic,
      recorded.map((value) => ({ key: plainAlert(value).oid, value })),
    )
    const { batches } = await batchesOf(topic, { echo: ['gal_l', 'W1-W2', 'nonsense', 'gal_b'] })
    const rows = batches.flatMap((batch) =>
      batch.oids.map((oid, row) => ({
        oid,
        candid: batch.candids[row],
        echo: [...batch.echo!.values.subarray(row * 4, row * 4 + 4)],
      })),
    )
    const expected = recorded.map((value) => {
      const { oid, candid, features } = plainAlert(value)
      return { oid, candid, echo: [features['gal_l'] ?? NaN, features['W1-W2'] ?? NaN, NaN, features['gal_b'] ?? NaN] }
    })
    const byOid = (a: { oid: string }, b: { oid: string }): number => (a.oid < b.oid ? -1 : 1)
    expect(rows.sort(byOid)).toEqual(expected.sort(byOid))
  })

  it('rejects what cannot be classified, each with its message and the reason, and nothing else', async () => {
    const topic = await kafka.createTopic('bad', 1)
    const values: (string | Buffer | null)[] = [
      alertText('good1', 1),
      'no json',
      null,
      Buffer.from('Obj\x01'),
      '{"candid": 1, "features": {"gal_b": 1, "gal_l": 1}}',
      '{"oid": "no-candid", "features": {"gal_b": 1, "gal_l": 1}}',
      '{"oid": "float", "candid": 1.5, "features": {"gal_b": 1, "gal_l": 1}}',
      '{"oid": "none", "candid": 1, "features": null}',
      '{"oid": "absent", "candid": 1, "features": {"gal_l": 1}}',
      '{"oid": "text", "candid": 1, "features": {"gal_l": 1, "gal_b": "x"}}',
      '{"oid": "beyond", "candid": 77, "features": {"gal_l": -1e39, "gal_b": 1}}',
      alertText('good2', 2),
    ]
    await produce(
      kafka,
      topic,
      values.map((value) => ({ value, key: 'k' })),
    )
    const { batches, reports } = await batchesOf(topic)
    const [report] = reports
    expect(batches[0]!.oids).toEqual(['good1', 'good2'])
    const rejects = report!.delivery.rejected
    expect(rejects.map(({ oid, reason, isBadMessage }) => [oid, reason, isBadMessage])).toEqual([
      [null, 'the value is neither an Avro container nor JSON', true],
      [null, 'the value is empty', true],
      [null, 'the Avro data is broken', true],
      [null, 'oid is missing', true],
      ['no-candid', 'candid is missing', true],
      ['float', 'candid is not an int64', true],
      ['none', 'features are absent', false],
      ['absent', 'gal_b is absent', false],
      ['text', 'gal_b is not a number', false],
      ['beyond', 'gal_l is beyond float32', false],
    ])
    expect(
      rejects.map(({ message }) => [
        Number(message!.offset),
        message!.value === null ? null : Buffer.from(message!.value).toString(),
      ]),
    ).toEqual(values.map((value, i) => [i, value === null ? null : value.toString()] as const).slice(1, -1))
    expect(rejects.at(-1)).toMatchObject({ where: 'bad partition 0 offset 10', candid: 77n })
    expect(report!.delivery.batch.messages!.map(({ offset }) => offset)).toEqual([0n, 11n])
  })

  it('reads columns under other names', async () => {
    const topic = await kafka.createTopic('renamed', 1)
    await produce(kafka, topic, [
      { value: '{"id": "x", "alert": "12", "features": {"b": 0.5, "gal_l": 1, "gal_b": 9}}' },
    ])
    const rename = new Map([
      ['b', 'gal_b'],
      ['id', 'oid'],
      ['alert', 'candid'],
    ])
    const { batches } = await batchesOf(topic, { rename, echo: ['gal_b', 'b', 'gal_l'] })
    expect(batches[0]).toMatchObject({ oids: ['x'], candids: [12n] })
    expect([...batches[0]!.echo!.values]).toEqual([0.5, NaN, 1])
    expect(batches[0]!.probabilities[0]![0]).toBe(0.5)
  })

  it('takes no more than the limit, and only its shard', async () => {
    const topic = await topicWith(kafka, 'limited', 2, 500)
    expect((await readTopicOnce(topic, {}, { allowance: { remaining: 7 } })).oids).toHaveLength(7)
    const shards = await Promise.all([0, 1, 2].map((index) => readTopicOnce(topic, {}, { shard: { index, count: 3 } })))
    expect(shards.flatMap(({ oids }) => oids).sort()).toEqual(names(500).sort())
    expect(shards.every(({ oids }) => oids.length > 100)).toBe(true)
  })

  it('can be asked for the newest alert of each object', async () => {
    const topic = await kafka.createTopic('newest', 1)
    await produce(kafka, topic, [alert('a', 2), alert('b', 1), alert('a', 3), alert('a', 1), alert('b', 1)])
    const options = testOptions()
    const source = newestOnly(await openKafkaSource(specOf(topic), options), options)
    const sink = memorySink()
    const reports = await runStream(source, [sink])
    await source.close()
    expect(sink.batches.flatMap((batch) => batch.oids.map((oid, i) => `${oid}${batch.candids[i]}`))).toEqual([
      'a3',
      'b1',
    ])
    expect(reports.reduce((sum, { delivery }) => sum + delivery.duplicates, 0)).toBe(3)
  })

  it('reads a compacted topic, gaps and all', async () => {
    const topic = await kafka.createTopic('compacted', 1, {
      'cleanup.policy': 'compact',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.001',
      'delete.retention.ms': '1',
      'max.compaction.lag.ms': '200',
    })
    for (let round = 0; round < 4; round++) {
      await produce(
        kafka,
        topic,
        names(20).map((oid) => alert(oid, round + 1)),
      )
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    await produce(kafka, topic, [alert('last', 9)])
    const last = (candids: Map<string, bigint>): string[] =>
      [...candids].map(([oid, candid]) => `${oid} ${candid}`).sort()
    const expected = [...names(20).map((oid) => `${oid} 4`), 'last 9'].sort()
    let count = Infinity
    for (let attempt = 0; attempt < 60 && count > 41; attempt++) {
      const { batches } = await batchesOf(topic)
      const candids = new Map<string, bigint>()
      count = 0
      for (const batch of batches) {
        for (const [i, oid] of batch.oids.entries()) candids.set(oid, batch.candids[i]!)
        count += batch.rowCount
      }
      expect(last(candids)).toEqual(expected)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    expect(count).toBeLessThanOrEqual(41)
  })

  it('reads on where retention has removed the beginning', async () => {
    const topic = await topicWith(kafka, 'removed', 1, 30)
    await kafka.deleteRecords(topic, 0, 10n)
    expect((await readTopicOnce(topic)).oids).toEqual(names(30).slice(10))
    const source = await openKafkaSource(specOf(topic), testOptions())
    // removed between the look at the offsets and the first fetch
    await kafka.deleteRecords(topic, 0, 20n)
    expect((await readAll(source)).oids).toEqual(names(30).slice(20))
    expect(source.status().takeNotices()).toEqual(['removed partition 0: offset 10 is gone, reading goes on at 20'])
    await kafka.deleteRecords(topic, 0, 30n)
    expect((await readAll(source)).oids).toEqual([])
    await source.close()
  })

  it('leaves out what transactions have aborted, however often a producer aborts', async () => {
    const topic = await kafka.createTopic('aborted', 1)
    const producer = transactional('aborter')
    for (let i = 1; i <= 10; i++) {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(alertText(`t${i}`, i)) }] })
      await (i % 3 === 0 ? transaction.abort() : transaction.commit())
    }
    await producer.close()
    // the broker answers a commit before its mark is in the log: until then a snapshot ends before it
    await readTopic(kafka, topic)
    const { oids, source } = await readTopicOnce(topic)
    expect(oids).toEqual(['t1', 't2', 't4', 't5', 't7', 't8', 't10'])
    expect(source.identity.offsets).toEqual({ 'aborted:0': ['0', '20'] })
  })

  it('does not wait for a transaction that is still open', async () => {
    const topic = await kafka.createTopic('open', 1)
    const producer = transactional('opener')
    await produce(kafka, topic, [alert('before')])
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(alertText('undecided', 1)) }] })
    await produce(kafka, topic, [alert('after')])
    expect((await readTopicOnce(topic)).oids).toEqual(['before'])
    await transaction.commit()
    await producer.close()
    // the broker has promised it, and writes the transaction's marker in its own time
    while ((await endsOf(kafka, topic))[0]! < 4n) await pause(50)
    expect((await readTopicOnce(topic)).oids).toEqual(['before', 'undecided', 'after'])
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('reads what was compressed with %s', async (compression) => {
    const topic = await kafka.createTopic(`compressed-${compression}`, 1, { 'compression.type': compression })
    await produce(kafka, topic, alerts(300))
    expect((await readTopicOnce(topic)).oids).toEqual(names(300))
  })

  it('commits nothing, unless it is told for which group', async () => {
    const topic = await topicWith(kafka, 'committing', 2, 100)
    await readTopicOnce(topic)
    expect(await committedIn(kafka, 'snapshots', topic)).toEqual([-1n, -1n])
    const { source } = await readTopicOnce(topic, { commitFor: 'snapshots' })
    const ends = Object.values(source.identity.offsets!).map(([, end]) => BigInt(end))
    expect(await committedIn(kafka, 'snapshots', topic)).toEqual(ends)
  })

  it('commits nothing behind messages that no output has, also where nobody wants what is there', async () => {
    const topic = await kafka.createTopic('unwanted-tail', 1, { 'retention.ms': '-1' })
    const day = Date.parse('2024-05-02T00:00:00Z')
    const message = (oid: string, timestamp: number): TestMessage => ({ ...alert(oid), timestamp: BigInt(timestamp) })
    await produce(kafka, topic, [...names(10).map((oid) => message(oid, day - 1)), message('later', day)])
    const reading = { commitFor: 'tail-readers', until: day }
    const failing = { ...memorySink(), write: () => Promise.reject(new Error('disk full')) }
    const source = await openKafkaSource(specOf(topic, reading), testOptions({ batchSize: 10 }))
    // slow enough for the tail to be read meanwhile
    await expect(runStream(source, [failing], { classifier: testClassifier(500) })).rejects.toThrow('disk full')
    await source.close()
    expect(await committedIn(kafka, 'tail-readers', topic)).toEqual([-1n])
    await readTopicOnce(topic, reading, { batchSize: 10 })
    expect(await committedIn(kafka, 'tail-readers', topic)).toEqual([11n])
  })

  it('says when its topic is recreated, and does not wait for what was there', async () => {
    const topic = await topicWith(kafka, 'remade', 1, 20)
    const source = await openKafkaSource(specOf(topic), testOptions())
    await kafka.deleteTopic(topic)
    await pause(300)
    await kafka.createTopic(topic, 1)
    await produce(kafka, topic, [alert('new')])
    await expect(readAll(source)).rejects.toMatchObject({
      exitCode: 3,
      message: 'remade partition 0: the topic was recreated while it was being read',
    })
    await source.close()
  })

  it('ends between two batches when the signal comes', async () => {
    const topic = await topicWith(kafka, 'stopped', 1, 500)
    const stop = new AbortController()
    const sink = memorySink()
    const source = await openKafkaSource(specOf(topic), testOptions())
    await runStream(source, [sink], { signal: stop.signal, onBatch: () => stop.abort() })
    await source.close()
    expect(sink.batches).toHaveLength(1)
  })

  it('follows a topic without end when it is asked to', async () => {
    const topic = await kafka.createTopic('endless', 2)
    await produce(kafka, topic, [alert('a')])
    const reading: Partial<KafkaReading> = { kind: 'snapshot', isEndless: true, batchWaitMs: 100 }
    const source = await openKafkaSource(specOf(topic, reading), testOptions())
    const stop = new AbortController()
    const sink = memorySink()
    const running = runStream(source, [sink], {
      signal: stop.signal,
      async onBatch() {
        if (sink.batches.length === 1) await produce(kafka, topic, [alert('b')])
        else stop.abort()
      },
    })
    await running
    await source.close()
    expect(sink.batches.map((batch) => batch.oids)).toEqual([['a'], ['b']])
  })
})
