import { afterEach, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../../src/connectors/kafka/client/cluster.ts'
import { createFetcher, type Fetcher, type FetcherOptions } from '../../../../src/connectors/kafka/client/fetcher.ts'

const part = { topic: 't', partition: 0 }

/** A cluster of one partition whose records below its end of 100 are not sent, as of one that was compacted or is far away. */
function silentCluster(): Cluster & { readonly fetched: unknown[][]; topicId: string } {
  const fetched: unknown[][] = []
  const cluster = {
    fetched,
    topicId: 'first',
    connection: { brokers: ['b:1'], patienceMs: 1000 },
    topics: () =>
      Promise.resolve(
        new Map([['t', { name: 't', id: cluster.topicId, partitions: [{ leader: 1, leaderEpoch: 0 }] }]]),
      ),
    persist: (_: string, attempt: () => unknown) => attempt(),
    forget: () => undefined,
    async ask(_: string, __: number, name: string, args: unknown[]) {
      if (name === 'listOffsets') {
        const timestamp = (args[2] as { partitions: { timestamp: bigint }[] }[])[0]!.partitions[0]!.timestamp
        return {
          topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: timestamp === -2n ? 0n : 7n }] }],
        }
      }
      fetched.push(args)
      await new Promise((resolve) => setTimeout(resolve, 10))
      const answer = {
        partitionIndex: 0,
        errorCode: 0,
        records: Buffer.alloc(0),
        abortedTransactions: [],
        lastStableOffset: 100n,
      }
      return { throttleTimeMs: 0, errorCode: 0, responses: [{ topicId: cluster.topicId, partitions: [answer] }] }
    },
  }
  return cluster as never
}

describe('a partition that sends nothing below its end', () => {
  let fetcher: Fetcher<string> | undefined
  afterEach(() => fetcher?.close())

  function begin(cluster: Cluster, options: FetcherOptions): { readonly gaps: string[] } {
    const gaps: string[] = []
    fetcher = createFetcher<string>(cluster, { ...options, onGap: (_, from, to) => gaps.push(`${from}-${to}`) })
    fetcher.assign(part, 40n, 'me')
    return { gaps }
  }

  it('is asked again at the same place', async () => {
    const cluster = silentCluster()
    const { gaps } = begin(cluster, {})
    expect((await fetcher!.next(5000))!.nextOffset).toBe(40n)
    expect(await fetcher!.next(300)).toBeUndefined()
    expect(cluster.fetched.length).toBeGreaterThan(3)
    expect(fetcher!.partitions[0]).toMatchObject({ position: 40n, end: 100n })
    expect(gaps).toEqual([])
  })

  it('was compacted to its end when that goes on for long, and that is told', async () => {
    const { gaps } = begin(silentCluster(), { tailPatienceMs: 200 })
    const started = performance.now()
    expect((await fetcher!.next(5000))!.nextOffset).toBe(40n)
    expect((await fetcher!.next(5000))!.nextOffset).toBe(100n)
    expect(performance.now() - started).toBeGreaterThan(150)
    expect(gaps).toEqual(['40-100'])
  })

  it('leaves no fetch session behind on the broker', async () => {
    const cluster = silentCluster()
    begin(cluster, {})
    await fetcher!.next(5000)
    const [, , , , sessionId, sessionEpoch] = cluster.fetched[0]!
    expect([sessionId, sessionEpoch]).toEqual([0, -1])
  })

  it('is read from its beginning when its topic was recreated before it was begun at another place', async () => {
    const cluster = silentCluster()
    begin(cluster, {})
    await fetcher!.next(5000)
    cluster.topicId = 'second'
    fetcher!.assign(part, 60n, 'me again')
    expect(await fetcher!.next(5000)).toMatchObject({ owner: 'me again', nextOffset: 0n, isAnew: true })
  })

  it('is an error for whoever needs what was there, when its topic was recreated', async () => {
    fetcher = createFetcher<string>(silentCluster(), { needsSameTopic: true })
    fetcher.assign(part, 40n, 'me', 'the one before')
    await expect(fetcher.next(5000)).rejects.toMatchObject({
      exitCode: 3,
      message: 't partition 0: the topic was recreated while it was being read',
    })
  })
})
