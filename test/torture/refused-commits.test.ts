import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { openTransactionalOutlet, type TransactionalOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import type { TopicPartition } from '../../src/connectors/kafka/client/partition.ts'
import type { Sink } from '../../src/pipeline/sink.ts'
import { type KafkaStream, openKafkaSource } from '../../src/connectors/kafka/kafka-source.ts'
import { committedIn, connectionTo, produce, readTopic } from '../support/kafka-client.ts'
import { type HandMember, openHandMember } from '../support/kafka-member.ts'
import { alertText, runStream, testOptions } from '../support/kafka-stream.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { pause, until } from '../support/until.ts'

const kafka = (await kafkaForTests())!

/** A sink that begins to write when it may, into memory or a transaction. */
interface GatedSink extends Sink {
  readonly oids: readonly string[]
  /** batches that have come, written or not */
  readonly waiting: number
  open(): void
}

function gatedSink(output?: { readonly outlet: TransactionalOutlet; readonly topic: string }): GatedSink {
  const oids: string[] = []
  const gate = new AbortController()
  let waiting = 0
  return {
    address: 'gated',
    durable: 'on-write',
    oids,
    get waiting() {
      return waiting
    },
    open: () => gate.abort(),
    async write({ rowCount, oids: written }: ClassifiedBatch) {
      waiting++
      while (!gate.signal.aborted) await pause(20)
      oids.push(...written)
      const messages = written.map((oid) => ({ topic: output?.topic ?? '', key: null, value: Buffer.from(oid) }))
      await output?.outlet.send(messages)
      return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
    },
    finish: () => Promise.resolve(),
    publish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

const names = (count: number, prefix = 'o'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** A stream beside two members that are played by hand, the first of which shares out. */
describe.skipIf(!kafka)('a finished batch whose commit is refused', () => {
  let topic: string
  let group: string
  let leader: HandMember
  let other: HandMember
  let source: KafkaStream
  let stopping: AbortController
  let done: Promise<unknown>
  let outlet: TransactionalOutlet | undefined
  let count = 0

  beforeEach(async () => {
    topic = await kafka.createTopic(`refused-${++count}`, 1)
    group = `group-of-${topic}`
    leader = await openHandMember(kafka, group, topic)
    other = await openHandMember(kafka, group, topic)
    stopping = new AbortController()
    done = Promise.resolve()
    outlet = undefined
  })
  afterEach(async () => {
    stopping.abort()
    // it need not wait for others when it ends
    await Promise.all([leader.close(), other.close()])
    await kafka.removeMembers(group).catch(() => undefined)
    await done.catch(() => undefined)
    await outlet?.close()
  })
  afterAll(() => kafka.remove())

  const send = (oids: readonly string[]): Promise<void> =>
    produce(
      kafka,
      topic,
      oids.map((oid) => ({ key: oid, value: alertText(oid, 1) })),
    )

  async function startStream(sink: Sink): Promise<void> {
    source = await openKafkaSource(
      {
        kind: 'kafka',
        address: topic,
        connection: connectionTo(kafka, 60_000),
        topics: [topic],
        registry: undefined,
        reading: {
          kind: 'group',
          groupId: group,
          batchWaitMs: 100,
          sessionTimeoutMs: 30_000,
          // heartbeats are as often
          topicsIntervalMs: 300,
          isDraining: false,
        },
      },
      testOptions({ batchSize: 50 }),
      outlet,
    )
    done = runStream(source, [sink], { signal: stopping.signal }).finally(() => source.close())
    done.catch(() => undefined)
  }

  function streamIn(members: readonly { readonly memberId: string }[]): string | undefined {
    const isPlayed = ({ memberId }: { readonly memberId: string }): boolean =>
      memberId === leader.memberId || memberId === other.memberId
    return members.find((member) => !isPlayed(member))?.memberId
  }

  /** One round of all three; answers who the stream is. */
  async function joinAll(): Promise<string> {
    for (;;) {
      const [{ members }] = await Promise.all([leader.join(), other.join()])
      const stream = streamIn(members)
      if (stream !== undefined) return stream
      await pause(50)
    }
  }

  async function share(stream: string, partitions: readonly TopicPartition[]): Promise<void> {
    await Promise.all([leader.sync(new Map([[stream, partitions]])), other.sync()])
  }

  /** The stream owns the partition, and has its first batch in hand. */
  async function begin(sink: GatedSink): Promise<void> {
    // whoever is first leads
    await leader.join()
    const joining = other.join()
    while ((await leader.join()).members.length < 2) await pause(50)
    await joining
    await startStream(sink)
    await share(await joinAll(), [{ topic, partition: 0 }])
    await until(() => sink.waiting === 1)
  }

  const isCommitted = async (offset: bigint): Promise<boolean> => (await committedIn(kafka, group, topic))[0] === offset

  it('is committed when the partitions are shared out', async () => {
    await send(names(20))
    const sink = gatedSink()
    await begin(sink)
    const stream = await joinAll()
    sink.open()
    await until(() => sink.oids.length === 20)
    await pause(500)
    expect(await isCommitted(20n)).toBe(false)
    await share(stream, [{ topic, partition: 0 }])
    await until(() => isCommitted(20n))
    expect(sink.oids).toEqual(names(20))
  })

  it.each(['at-least-once', 'exactly-once'])(
    'is committed when the group is back in an earlier generation, because its broker was killed in between, %s',
    async (delivery) => {
      const output = await kafka.createTopic(`out-of-${topic}`, 1)
      if (delivery === 'exactly-once') outlet = await openTransactionalOutlet(connectionTo(kafka), group, [output])
      await send(names(20))
      const sink = gatedSink(outlet && { outlet, topic: output })
      await begin(sink)
      // a generation begins that nobody shares out: the broker does not keep it
      await joinAll()
      // and the stream joins once more, where it waits for the other one
      const joining = leader.join()
      joining.catch(() => undefined)
      await pause(1000)
      await kafka.kill()
      await kafka.start()
      // both try again by themselves, and wait again
      await pause(1000)
      sink.open()
      await until(() => sink.oids.length >= 20)
      await pause(1000)
      expect(await isCommitted(20n)).toBe(false)
      const [{ members }] = await Promise.all([joining, other.join()])
      await share(streamIn(members)!, [{ topic, partition: 0 }])
      await until(() => isCommitted(20n))
      // it was the stream's all the while
      if (!outlet) return expect(sink.oids).toEqual(names(20))
      const written = (await readTopic(kafka, output)).map(({ value }) => value!.toString())
      expect(written).toEqual(names(20))
    },
  )

  it('is committed when its partition is taken away, and not done again when it is given back', async () => {
    await send(names(20))
    const sink = gatedSink()
    await begin(sink)
    const taken = await joinAll()
    sink.open()
    await share(taken, [])
    await until(() => isCommitted(20n))
    await share(await joinAll(), [{ topic, partition: 0 }])
    await send(names(5, 'later'))
    await until(() => isCommitted(25n))
    expect(sink.oids).toEqual([...names(20), ...names(5, 'later')])
  })
})
