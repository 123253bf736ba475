import { execFile } from 'node:child_process'
import { afterAll, describe, expect, it } from 'vitest'
import type { BatchReport } from '../../src/pipeline/classify-input.ts'
import type { Sink } from '../../src/pipeline/sink.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { pause, until } from '../support/until.ts'
import { committedIn, produce } from '../support/kafka-client.ts'
import { alert, alerts, memorySink, names, topicWith } from '../support/kafka-stream.ts'
import { specOf, start, sum, transactionsOf } from '../support/live-stream.ts'

const kafka = (await kafkaForTests())!

describe.skipIf(!kafka)('a live consumer', () => {
  afterAll(() => kafka.remove())

  it('begins with the earliest message, commits what was acknowledged, and goes on from there', async () => {
    const topic = await topicWith(kafka, 'begin', 2, 250)
    const first = await start(specOf(kafka, topic))
    await until(() => first.oids().length >= 250)
    expect(first.oids().sort()).toEqual(names(250).sort())
    await produce(kafka, topic, alerts(10, 'more'))
    await until(() => first.oids().length >= 260)
    await first.stop()
    expect(sum(await committedIn(kafka, `group-of-${topic}`, topic))).toBe(260)
    expect(first.sink.batches.every(({ rowCount }) => rowCount <= 100)).toBe(true)
    await produce(kafka, topic, alerts(5, 'later'))
    const second = await start(specOf(kafka, topic))
    await until(() => second.oids().length >= 5)
    await second.stop()
    expect(second.oids().sort()).toEqual(names(5, 'later'))
  })

  it('delivers messages one by one when it is asked to, without waiting for more', async () => {
    const topic = await kafka.createTopic('single', 1)
    const running = await start(specOf(kafka, topic, { batchWaitMs: 600_000 }), { batchSize: 1 })
    await until(() => running.source.status().partitions.length === 1)
    await pause(1000)
    await produce(kafka, topic, [alert('a')])
    // a batch of one is full at once
    await until(() => running.oids().length === 1)
    await produce(kafka, topic, alerts(5))
    await until(() => running.oids().length === 6)
    expect(running.sink.batches.map(({ rowCount }) => rowCount)).toEqual([1, 1, 1, 1, 1, 1])
    await running.stop()
  })

  it('does not commit what was not acknowledged', async () => {
    const topic = await topicWith(kafka, 'unacknowledged', 1, 300)
    let writes = 0
    const failing: Sink = {
      ...memorySink(),
      write: async () =>
        ++writes === 2 ? Promise.reject(new Error('disk full')) : { objects: 0, rows: 0, refused: [], superseded: 0 },
    }
    const running = await start(specOf(kafka, topic), { sinks: [failing] })
    await expect(running.done).rejects.toThrow('disk full')
    expect(await committedIn(kafka, `group-of-${topic}`, topic)).toEqual([100n])
    const next = await start(specOf(kafka, topic))
    await until(() => next.oids().length === 200)
    await next.stop()
    expect(next.oids()).toEqual(names(300).slice(100))
  })

  it('commits behind bad messages too', async () => {
    const topic = await kafka.createTopic('onlybad', 1)
    await produce(kafka, topic, [{ value: 'x' }, { value: 'y' }, { value: null }])
    const running = await start(specOf(kafka, topic))
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
    const spec = specOf(kafka, topic, { sessionTimeoutMs: 30_000 })
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
    const first = await start(specOf(kafka, topic))
    await until(() => first.source.status().partitions.length === 4)
    const second = await start(specOf(kafka, topic))
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
    const topic = await topicWith(kafka, 'gone', 2, 500)
    const script = new URL('../support/kafka-consumer.ts', import.meta.url).pathname
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
    const next = await start(specOf(kafka, topic))
    await until(async () => sum(await committedIn(kafka, `group-of-${topic}`, topic)) === 500)
    await next.stop()
    expect(next.oids()).toHaveLength(500 - sum(before))
  })

  it('commits nothing for partitions that it has lost', async () => {
    const topic = await topicWith(kafka, 'lost', 1, 100)
    const gate = new AbortController()
    const slow: Sink = {
      ...memorySink(),
      async write({ rowCount }) {
        while (!gate.signal.aborted) await pause(20)
        return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
      },
    }
    const first = await start(specOf(kafka, topic), { sinks: [slow], batchSize: 50 })
    await until(() => first.sink.batches.length === 1)
    // as if it had not been heard of for too long
    await kafka.removeMembers(`group-of-${topic}`)
    const second = await start(specOf(kafka, topic))
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
    const running = await start(specOf(kafka, '^daily-[0-9]+', { groupId: 'daily', topicsIntervalMs: 500 }))
    await pause(500)
    await kafka.createTopic('daily-20240501', 1)
    await produce(kafka, 'daily-20240501', [alert('a')])
    await until(() => running.oids().length === 1, 60_000)
    await kafka.createTopic('daily-20240502', 1)
    await produce(kafka, 'daily-20240502', [alert('b')])
    await until(() => running.oids().length === 2, 60_000)
    await running.stop()
  })

  it('takes a message that wants a registry, where there is none, for one bad message', async () => {
    const topic = await kafka.createTopic('framed', 1)
    await produce(kafka, topic, [alert('a'), { value: Buffer.from([0, 0, 0, 0, 7, 1, 2]) }, alert('b')])
    const running = await start(specOf(kafka, topic))
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
    const running = await start(specOf(kafka, topic, { isDraining: true }), { batchSize: 10 })
    const reports = (await running.done) as BatchReport[]
    expect(reports.map(({ delivery }) => delivery.read)).toEqual([10, 10, 10, 5])
  })

  it('ends at a bad message where that is wanted, with what was before it delivered and committed', async () => {
    const topic = await kafka.createTopic('ends-at-bad', 1)
    await produce(kafka, topic, [alert('a'), alert('b'), { value: '{"oid": "c", "features": {}}' }, alert('d')])
    for (let again = 0; again < 2; again++) {
      const running = await start({ ...specOf(kafka, topic), stopsAtBadMessage: true })
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
    const spec = { ...specOf(kafka, topic), stopsAtBadMessage: true }
    const running = await start(spec, { batchSize: 1, live: transactions.live, sinks: [transactions.sink] })
    await expect(running.done).rejects.toThrow(`${topic} partition 0 offset 2`)
    expect(transactions.visible).toEqual(['a', 'b'])
  })

  it('tells how far it is behind', async () => {
    const topic = await topicWith(kafka, 'lagging', 1, 100)
    const running = await start(specOf(kafka, topic))
    await until(() => running.source.status().partitions[0]?.lag === 0n)
    expect(running.source.status().partitions).toEqual([{ topic, partition: 0, committed: 100n, lag: 0n }])
    await running.stop()
  })
})
