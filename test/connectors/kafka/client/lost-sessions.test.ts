import { ProtocolError } from '@platformatic/kafka'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createProducer } from '../../../../src/connectors/kafka/client/outlet.ts'
import { existingTopics } from '../../../../src/connectors/kafka/topics.ts'
import { createTransactions } from '../../../../src/connectors/kafka/client/transaction.ts'
import { scriptedCluster, topicsOf } from '../../../support/scripted-cluster.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** What became of it, and how long that took by the clock that is not real. */
async function outcomeOf(work: Promise<unknown>): Promise<{ error: unknown; tookMs: number }> {
  const started = performance.now()
  let tookMs = 0
  const settled = work.then(
    () => undefined,
    (error: unknown) => error,
  )
  void settled.then(() => (tookMs = performance.now() - started))
  await vi.runAllTimersAsync()
  return { error: await settled, tookMs }
}

const session = () => ({ producerId: 1n, producerEpoch: 0 })

describe('a session that is lost again and again', () => {
  it('ends a transaction as a failure of the broker, and not in a hurry', async () => {
    let attempts = 0
    const cluster = await scriptedCluster({
      initProducerId: session,
      addOffsetsToTxn() {
        attempts++
        throw new ProtocolError('INVALID_PRODUCER_EPOCH')
      },
    })
    const committer = { groupId: 'g', generation: 1, memberId: 'm' }
    const work = { messages: [], offsets: [{ topic: 't', partition: 0, offset: 5n }], committer }
    const { error, tookMs } = await outcomeOf(createTransactions(cluster, 'id').run(work))
    expect(error).toMatchObject({
      exitCode: 5,
      message: 'a transaction was lost 10 times: INVALID_PRODUCER_EPOCH (Kafka at 127.0.0.1:1)',
      hint: expect.stringContaining('within 15 s') as string,
    })
    expect(attempts).toBe(10)
    expect(tookMs).toBeGreaterThan(3000)
  })

  it('ends a producer as a failure of the broker', async () => {
    const lost = [{ topic: 't', partition: 0, errorCode: 45, message: null }]
    const cluster = await scriptedCluster(
      { initProducerId: session },
      { topics: () => topicsOf({ t: 1 }), exchange: () => Promise.resolve(lost as never) },
    )
    const { error, tookMs } = await outcomeOf(
      createProducer(cluster).send([{ topic: 't', key: null, value: Buffer.from('x') }]),
    )
    expect(error).toMatchObject({
      exitCode: 5,
      message: "a producer's session was lost 10 times: OUT_OF_ORDER_SEQUENCE_NUMBER (Kafka at 127.0.0.1:1)",
    })
    expect(tookMs).toBeGreaterThan(3000)
  })
})

describe('a topic that cannot be created', () => {
  const making = async (refusals: number): Promise<unknown> => {
    let asked = 0
    const cluster = await scriptedCluster(
      {
        createTopics() {
          if (++asked <= refusals) throw new ProtocolError('INVALID_REPLICATION_FACTOR', 'only 2 brokers')
          return {}
        },
      },
      { topics: () => topicsOf(asked > refusals ? { t: 1 } : {}) },
    )
    return (await outcomeOf(existingTopics(cluster, ['t']))).error
  }

  it('is created when brokers are back that its replicas need', async () => {
    expect(await making(3)).toBeUndefined()
  })

  it('is an error with the reason when they do not come back', async () => {
    expect(await making(Infinity)).toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('INVALID_REPLICATION_FACTOR, only 2 brokers') as string,
    })
  })
})
