import { execFile } from 'node:child_process'
import { afterAll, describe, expect, it } from 'vitest'
import type { BatchReport } from '../../../src/pipeline/classify-input.ts'
import { type KafkaLiveOptions, type KafkaStream, openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import type { KafkaSourceSpec, KafkaSubscription } from '../../../src/connectors/kafka/spec.ts'
import type { Sink } from '../../../src/pipeline/sink.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { committedIn, connectionTo, produce } from '../../support/kafka-client.ts'
import { openHandMember } from '../../support/kafka-member.ts'
import { alertText, memorySink, runStream, testClassifier, testOptions } from '../../support/kafka-stream.ts'
import { pause, until } from '../../support/until.ts'

const kafka = (await kafkaForTests())!

function specOf(topic: string, reading: Partial<KafkaSubscription> = {}): KafkaSourceSpec {
  return {
    kind: 'kafka',
    address: `kafka://broker/${topic}`,
    connection: connectionTo(kafka),
    topics: topic.split(','),
    registry: undefined,
    reading: {
      kind: 'group',
      groupId: `group-of-${topic}`,
      batchWaitMs: 200,
      sessionTimeoutMs: 6000,
      isDraining: false,
      ...reading,
    },
  }
}

interface Running {
  readonly source: KafkaStream
  readonly sink: ReturnType<typeof memorySink>
  /** oids of acknowledged batches */
  oids(): string[]
  /** ends it as SIGTERM does */
  stop(): Promise<void>
  readonly done: Promise<unknown>
}

interface StartOptions {
  readonly batchSize?: number
  readonly delayMs?: number
  readonly sinks?: readonly Sink[]
  readonly live?: KafkaLiveOptions
}

interface Transactions {
  readonly live: KafkaLiveOptions
  readonly sink: Sink
  /** oids that are committed */
  readonly visible: string[]
  /** from now on, once for each */
  refuse(): void
}

/** Transactions in memory, of which those up to certain offsets are refused. */
function transactionsOf(isRefused: (offset: bigint) => boolean): Transactions {
  const visible: string[] = []
  const refused = new Set<bigint>()
  let isRefusing = false
  let open: string[] = []
  return {
    visible,
    refuse: () => (isRefusing = true),
    sink: {
      ...memorySink(),
      write({ rowCount, oids }) {
        open.push(...oids)
        return Promise.resolve({ objects: rowCount, rows: rowCount, refused: [], superseded: 0 })
      },
    },
    live: {
      commitWithOutputs(offsets) {
        const written = open
        open = []
        const found = offsets.find(({ offset }) => isRefusing && isRefused(offset) && !refused.has(offset))
        if (found) refused.add(found.offset)
        else visible.push(...written)
        return Promise.resolve(found === undefined)
      },
      discardOutputs: () => (open = []),
    },
  }
}

/** A stream in the background. */
async function start(
  spec: KafkaSourceSpec,
  { batchSize = 100, delayMs = 0, sinks = [], live = {} }: StartOptions = {},
): Promise<Running> {
  const source = await openKafkaSource(spec, testOptions({ batchSize }), live)
  const stopping = new AbortController()
  const sink = memorySink()
  const running = runStream(source, [sink, ...sinks], { signal: stopping.signal, classifier: testClassifier(delayMs) })
  const done = running.finally(() => source.close())
  done.catch(() => undefined)
  return {
    source,
    sink,
    oids: () => sink.batches.flatMap((batch) => batch.oids),
    async stop() {
      stopping.abort()
      await done
    },
    done,
  }
}

const alert = (oid: string, candid = 1): { key: string; value: string } => ({ key: oid, value: alertText(oid, candid) })
const names = (count: number, prefix = 'o'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const sum = (values: readonly bigint[]): number => values.reduce((total, value) => total + Number(value), 0)

describe.skipIf(!kafka)('a live consumer', () => {
  afterAll(() => kafka.remove())

  it('begins with the earliest message, commits what was acknowledged, and goes on from there', async () => {
    const topic = await kafka.createTopic('begin', 2)
    await produce(
      kafka,
      topic,
      names(250).map((oid) => alert(oid)),
    )
    const first = await start(specOf(topic))
    await until(() => first.oids().length >= 250)
    expect(first.oids().sort()).toEqual(names(250).sort())
    await produce(
      kafka,
      topic,
      names(10, 'more').map((oid) => alert(oid)),
    )
    await until(() => first.oids().length >= 260)
    await first.stop()
    expect(sum(await committedIn(kafka, `group-of-${topic}`, topic))).toBe(260)
    expect(first.sink.batches.every(({ rowCount }) => rowCount <= 100)).toBe(true)
    await produce(
      kafka,
      topic,
      names(5, 'later').map((oid) => alert(oid)),
    )
    const second = await start(specOf(topic))
    await until(() => second.oids().length >= 5)
    await second.stop()
    expect(second.oids().sort()).toEqual(names(5, 'later'))
  })

  it('delivers messages one by one when it is asked to, without waiting for more', async () => {
    const topic = await kafka.createTopic('single', 1)
    const running = await start(specOf(topic, { batchWaitMs: 600_000 }), { batchSize: 1 })
    await until(() => running.source.status().partitions.length === 1)
    await pause(1000)
    await produce(kafka, topic, [alert('a')])
    // a batch of one is full at once
    await until(() => running.oids().length === 1)
    await produce(
      kafka,
      topic,
      names(5).map((oid) => alert(oid)),
    )
    await until(() => running.oids().length === 6)
    expect(running.sink.batches.map(({ rowCount }) => rowCount)).toEqual([1, 1, 1, 1, 1, 1])
    await running.stop()
  })

  it('does not commit what was not acknowledged', async () => {
    const topic = await kafka.createTopic('unacknowledged', 1)
    await produce(
      kafka,
      topic,
      names(300).map((oid) => alert(oid)),
    )
    let writes = 0
    const failing: Sink = {
      ...memorySink(),
      write: async () =>
        ++writes === 2 ? Promise.reject(new Error('disk full')) : { objects: 0, rows: 0, refused: [], superseded: 0 },
    }
    const running = await start(specOf(topic), { sinks: [failing] })
    await expect(running.done).rejects.toThrow('disk full')
    expect(await committedIn(kafka, `group-of-${topic}`, topic)).toEqual([100n])
    const next = await start(specOf(topic))
    await until(() => next.oids().length === 200)
    await next.stop()
    expect(next.oids()).toEqual(names(300).slice(100))
  })

  it('commits behind bad messages too', async () => {
    const topic = await kafka.createTopic('onlybad', 1)
    await produce(kafka, topic, [{ value: 'x' }, { value: 'y' }, { value: null }])
    const running = await start(specOf(topic))
    await until(async () => (await committedIn(kafka, `group-of-${topic}`, topic))[0] === 3n)
    await running.stop()
  })

  it('shares the partitions, and hands them over without doing anything twice', async () => {
    const topic = await kafka.createTopic('shared', 4)
    const group = `group-of-${topic}`
    let count = 0
    let isProducing = true
    const producing = (async () => {
      while (isProducing) {
        await produce(
          kafka,
          topic,
          Array.from({ length: 40 }, () => alert(`s${count++}`)),
        )
        await pause(20)
      }
    })()
    // a machine that stands still for a moment must not end a session, and have something done twice
    const spec = specOf(topic, { sessionTimeoutMs: 30_000 })
    const members = [await start(spec, { batchSize: 20, delayMs: 20 })]
    await until(() => members[0]!.oids().length > 200)
    members.push(await start(spec, { batchSize: 20, delayMs: 20 }))
    await until(() => members[1]!.oids().length > 200)
    members.push(await start(spec, { batchSize: 20, delayMs: 20 }))
    await until(() => members[2]!.oids().length > 100)
    expect(members.map(({ source }) => source.status().partitions.length).sort()).toEqual([1, 1, 2])
    await members[0]!.stop()
    const before = members[1]!.oids().length + members[2]!.oids().length
    await until(() => members[1]!.oids().length + members[2]!.oids().length > before + 200)
    await members[1]!.stop()
    isProducing = false
    await producing
    await until(async () => sum(await committedIn(kafka, group, topic)) === count)
    expect(members[2]!.source.status().partitions).toHaveLength(4)
    await members[2]!.stop()
    const all = members.flatMap((member) => member.oids())
    expect(all).toHaveLength(count)
    expect(new Set(all).size).toBe(count)
  })

  it('keeps what stays when a member comes: it is not begun anew', async () => {
    const topic = await kafka.createTopic('sticky', 4)
    const first = await start(specOf(topic))
    await until(() => first.source.status().partitions.length === 4)
    const second = await start(specOf(topic))
    await until(() => second.source.status().partitions.length === 2)
    const stayed = first.source.status().partitions.map(({ partition }) => partition)
    expect(stayed).toHaveLength(2)
    await second.stop()
    await until(() => first.source.status().partitions.length === 4)
    expect(
      first.source
        .status()
        .partitions.slice(0, 2)
        .map(({ partition }) => partition),
    ).toEqual(stayed)
    await first.stop()
  })

  it('takes over from a member that is gone without a word', async () => {
    const topic = await kafka.createTopic('gone', 2)
    await produce(
      kafka,
      topic,
      names(500).map((oid) => alert(oid)),
    )
    const script = new URL('../../support/kafka-consumer.ts', import.meta.url).pathname
    const child = execFile(process.execPath, [
      '--import',
      'tsx',
      script,
      kafka.server,
      topic,
      `group-of-${topic}`,
      '1000',
    ])
    let said = ''
    child.stdout!.on('data', (data: string) => (said += data))
    await until(() => said.includes('batch'))
    child.kill('SIGKILL')
    const before = (await committedIn(kafka, `group-of-${topic}`, topic)).map((offset) => (offset < 0n ? 0n : offset))
    const next = await start(specOf(topic))
    await until(async () => sum(await committedIn(kafka, `group-of-${topic}`, topic)) === 500)
    await next.stop()
    expect(next.oids()).toHaveLength(500 - sum(before))
  })

  it('commits nothing for partitions that it has lost', async () => {
    const topic = await kafka.createTopic('lost', 1)
    await produce(
      kafka,
      topic,
      names(100).map((oid) => alert(oid)),
    )
    const gate = new AbortController()
    const slow: Sink = {
      ...memorySink(),
      async write({ rowCount }) {
        while (!gate.signal.aborted) await pause(20)
        return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
      },
    }
    const first = await start(specOf(topic), { sinks: [slow], batchSize: 50 })
    await until(() => first.sink.batches.length === 1)
    // as if it had not been heard of for too long
    await kafka.removeMembers(`group-of-${topic}`)
    const second = await start(specOf(topic))
    await until(() => second.oids().length === 100, 60_000).catch(() => undefined)
    await second.stop()
    const done = second.oids().length
    gate.abort()
    await until(async () => sum(await committedIn(kafka, `group-of-${topic}`, topic)) === 100)
    await first.stop()
    // whoever had the partition did it all
    expect([0, 100]).toContain(done)
    expect(new Set([...first.oids(), ...second.oids()]).size).toBe(100)
  })

  it('waits for a topic that does not exist yet, and reads topics by pattern as they come', async () => {
    const running = await start(specOf('^daily-[0-9]+', { groupId: 'daily', topicsIntervalMs: 500 }))
    await pause(500)
    await kafka.createTopic('daily-20240501', 1)
    await produce(kafka, 'daily-20240501', [alert('a')])
    await until(() => running.oids().length === 1, 60_000)
    await kafka.createTopic('daily-20240502', 1)
    await produce(kafka, 'daily-20240502', [alert('b')])
    await until(() => running.oids().length === 2, 60_000)
    await running.stop()
  })

  it('drains what was there at the start, and ends', async () => {
    const topic = await kafka.createTopic('drained', 4)
    await produce(kafka, topic, [...names(333).map((oid) => alert(oid)), { value: 'bad' }])
    const running = await start(specOf(topic, { isDraining: true, batchWaitMs: 10_000 }))
    await running.done
    expect(running.oids()).toHaveLength(333)
    expect(sum(await committedIn(kafka, `group-of-${topic}`, topic))).toBe(334)
    const again = await start(specOf(topic, { isDraining: true, batchWaitMs: 10_000 }))
    await again.done
    expect(again.oids()).toEqual([])
  })

  it('reads on in a topic that was deleted and made anew', async () => {
    const topic = await kafka.createTopic('remade-input', 1)
    await produce(
      kafka,
      topic,
      names(20).map((oid) => alert(oid)),
    )
    const running = await start(specOf(topic))
    await until(() => running.oids().length === 20)
    await kafka.deleteTopic(topic)
    await pause(300)
    await kafka.createTopic(topic, 1)
    await produce(
      kafka,
      topic,
      names(30, 'new').map((oid) => alert(oid)),
    )
    await until(() => running.oids().length === 50, 60_000)
    await running.stop()
    expect(running.oids().slice(20)).toEqual(names(30, 'new'))
  })

  it.each(['at-least-once', 'exactly-once'])(
    'begins at the beginning of a topic that was made anew, also when a batch is refused there, %s',
    async (delivery) => {
      const topic = await kafka.createTopic(`refused-after-${delivery}`, 1)
      await produce(
        kafka,
        topic,
        names(60).map((oid) => alert(oid)),
      )
      // the first and the second batch of the new topic, once each
      const transactions = transactionsOf((offset) => offset === 20n || offset === 40n)
      const live = delivery === 'exactly-once' ? transactions.live : {}
      const running = await start(specOf(topic), { batchSize: 20, live, sinks: [transactions.sink] })
      await until(() => running.source.status().partitions[0]?.committed === 60n)
      transactions.refuse()
      await kafka.deleteTopic(topic)
      await pause(300)
      await kafka.createTopic(topic, 1)
      await produce(
        kafka,
        topic,
        names(100, 'new').map((oid) => alert(oid)),
      )
      await until(() => running.source.status().partitions[0]?.committed === 100n, 60_000)
      expect(running.source.status().partitions[0]).toMatchObject({ committed: 100n, lag: 0n })
      await running.stop()
      const oids = delivery === 'exactly-once' ? transactions.visible : running.oids()
      expect(oids).toEqual([...names(60), ...names(100, 'new')])
    },
  )

  it('does not take its topics for drained while the group has none of them for it', async () => {
    const topic = await kafka.createTopic('drained-on', 2)
    const group = `group-of-${topic}`
    await produce(
      kafka,
      topic,
      names(600).map((oid) => alert(oid)),
    )
    const other = await openHandMember(kafka, group, topic)
    let writes = 0
    const losing: Sink = {
      ...memorySink(),
      async write({ rowCount }) {
        if (++writes === 2) {
          // as if it had not been heard of for too long, and another member had come, who keeps it waiting
          await kafka.removeMembers(group)
          await other.join()
          await until(() => running.source.status().partitions.length === 0)
        }
        return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
      },
    }
    const spec = specOf(topic, { isDraining: true, topicsIntervalMs: 1000 })
    const running = await start(spec, { batchSize: 50, sinks: [losing] })
    let hasEnded = false
    void running.done.then(() => (hasEnded = true))
    await until(() => writes > 2)
    let stream: string | undefined
    await until(async () => {
      const { members } = await other.join()
      stream = members.find(({ memberId }) => memberId !== other.memberId)?.memberId
      return stream !== undefined || hasEnded
    })
    expect(hasEnded).toBe(false)
    const both = [0, 1].map((partition) => ({ topic, partition }))
    await other.sync(new Map([[stream!, both]]))
    await running.done
    await other.close()
    expect(new Set(running.oids()).size).toBe(600)
    expect(sum(await committedIn(kafka, group, topic))).toBe(600)
  })

  it('has drained a topic that was made anew and is shorter now', async () => {
    const topic = await kafka.createTopic('drained-anew', 1)
    await produce(
      kafka,
      topic,
      names(100).map((oid) => alert(oid)),
    )
    let writes = 0
    const remaking: Sink = {
      ...memorySink(),
      async write({ rowCount }) {
        if (++writes === 1) {
          await kafka.deleteTopic(topic)
          await pause(300)
          await kafka.createTopic(topic, 1)
          await produce(kafka, topic, [alert('new')])
        }
        return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
      },
    }
    const spec = specOf(topic, { isDraining: true })
    // the last batch must be read again, and is not there any more
    const transactions = transactionsOf((offset) => offset === 100n)
    transactions.refuse()
    const running = await start(spec, { batchSize: 10, live: transactions.live, sinks: [remaking, transactions.sink] })
    await running.done
    // whoever sees the new topic before the last commit need not begin anew, and perhaps sees it while it is empty
    expect(transactions.visible.slice(0, 90)).toEqual(names(90))
  })

  it('takes a message that wants a registry, where there is none, for one bad message', async () => {
    const topic = await kafka.createTopic('framed', 1)
    await produce(kafka, topic, [alert('a'), { value: Buffer.from([0, 0, 0, 0, 7, 1, 2]) }, alert('b')])
    const running = await start(specOf(topic))
    await until(async () => sum(await committedIn(kafka, `group-of-${topic}`, topic)) === 3)
    await running.stop()
    expect(running.oids()).toEqual(['a', 'b'])
  })

  it('counts bad messages towards a batch', async () => {
    const topic = await kafka.createTopic('all-bad', 1)
    await produce(
      kafka,
      topic,
      names(35).map((value) => ({ value })),
    )
    const running = await start(specOf(topic, { isDraining: true }), { batchSize: 10 })
    const reports = (await running.done) as BatchReport[]
    expect(reports.map(({ delivery }) => delivery.read)).toEqual([10, 10, 10, 5])
  })

  it('ends at a bad message where that is wanted, with what was before it delivered and committed', async () => {
    const topic = await kafka.createTopic('ends-at-bad', 1)
    await produce(kafka, topic, [alert('a'), alert('b'), { value: '{"oid": "c", "features": {}}' }, alert('d')])
    for (let again = 0; again < 2; again++) {
      const running = await start({ ...specOf(topic), stopsAtBadMessage: true })
      await expect(running.done).rejects.toThrow(`${topic} partition 0 offset 2: candid is missing`)
      expect(running.oids()).toEqual(again === 0 ? ['a', 'b'] : [])
      expect(await committedIn(kafka, `group-of-${topic}`, topic)).toEqual([2n])
    }
  })

  it('has done what is before a bad message that ends it, although it was refused at first', async () => {
    const topic = await kafka.createTopic('refused-before-bad', 1)
    await produce(kafka, topic, [alert('a'), alert('b'), { value: 'bad' }, alert('c')])
    const transactions = transactionsOf((offset) => offset === 1n)
    transactions.refuse()
    const spec = { ...specOf(topic), stopsAtBadMessage: true }
    const running = await start(spec, { batchSize: 1, live: transactions.live, sinks: [transactions.sink] })
    await expect(running.done).rejects.toThrow(`${topic} partition 0 offset 2`)
    expect(transactions.visible).toEqual(['a', 'b'])
  })

  it('tells how far it is behind', async () => {
    const topic = await kafka.createTopic('lagging', 1)
    await produce(
      kafka,
      topic,
      names(100).map((oid) => alert(oid)),
    )
    const running = await start(specOf(topic))
    await until(() => running.source.status().partitions[0]?.lag === 0n)
    expect(running.source.status().partitions).toEqual([{ topic, partition: 0, committed: 100n, lag: 0n }])
    await running.stop()
  })
})
