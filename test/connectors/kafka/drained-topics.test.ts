import { afterAll, describe, expect, it } from 'vitest'
import type { Sink } from '../../../src/pipeline/sink.ts'
import { openHandMember } from '../../support/kafka-member.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { pause, until } from '../../support/until.ts'
import { committedIn, produce } from '../../support/kafka-client.ts'
import { alert, alerts, memorySink, names, topicWith } from '../../support/kafka-stream.ts'
import { specOf, start, sum, transactionsOf } from '../../support/live-stream.ts'

const kafka = (await kafkaForTests())!

describe.skipIf(!kafka)('a live consumer of topics that end, or begin again', () => {
  afterAll(() => kafka.remove())

  it('drains what was there at the start, and ends', async () => {
    const topic = await kafka.createTopic('drained', 4)
    await produce(kafka, topic, [...alerts(333), { value: 'bad' }])
    const running = await start(specOf(kafka, topic, { isDraining: true, batchWaitMs: 10_000 }))
    await running.done
    expect(running.oids()).toHaveLength(333)
    expect(sum(await committedIn(kafka, `group-of-${topic}`, topic))).toBe(334)
    const again = await start(specOf(kafka, topic, { isDraining: true, batchWaitMs: 10_000 }))
    await again.done
    expect(again.oids()).toEqual([])
  })

  it('reads on in a topic that was deleted and recreated', async () => {
    const topic = await topicWith(kafka, 'remade-input', 1, 20)
    const running = await start(specOf(kafka, topic))
    await until(() => running.oids().length === 20)
    await kafka.deleteTopic(topic)
    await pause(300)
    await kafka.createTopic(topic, 1)
    await produce(kafka, topic, alerts(30, 'new'))
    await until(() => running.oids().length === 50, 60_000)
    await running.stop()
    expect(running.oids().slice(20)).toEqual(names(30, 'new'))
  })

  it.each(['at-least-once', 'exactly-once'])(
    'begins at the beginning of a topic that was recreated, also when a batch is refused there, %s',
    async (delivery) => {
      const topic = await topicWith(kafka, `refused-after-${delivery}`, 1, 60)
      // the first and the second batch of the new topic, once each
      const transactions = transactionsOf((offset) => offset === 20n || offset === 40n)
      const live = delivery === 'exactly-once' ? transactions.live : undefined
      const running = await start(specOf(kafka, topic), { batchSize: 20, live, sinks: [transactions.sink] })
      await until(() => running.source.status().partitions[0]?.committed === 60n)
      transactions.refuse()
      await kafka.deleteTopic(topic)
      await pause(300)
      await kafka.createTopic(topic, 1)
      await produce(kafka, topic, alerts(100, 'new'))
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
    await produce(kafka, topic, alerts(600))
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
    const spec = specOf(kafka, topic, { isDraining: true, topicsIntervalMs: 1000 })
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

  it('has drained a topic that was recreated and is shorter now', async () => {
    const topic = await topicWith(kafka, 'drained-anew', 1, 100)
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
    const spec = specOf(kafka, topic, { isDraining: true })
    // the last batch must be read again, and is not there any more
    const transactions = transactionsOf((offset) => offset === 100n)
    transactions.refuse()
    const running = await start(spec, { batchSize: 10, live: transactions.live, sinks: [remaking, transactions.sink] })
    await running.done
    // whoever sees the new topic before the last commit need not begin anew, and perhaps sees it while it is empty
    expect(transactions.visible.slice(0, 90)).toEqual(names(90))
  })
})
