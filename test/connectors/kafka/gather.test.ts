import { describe, expect, it } from 'vitest'
import type { FetchedChunk, Fetcher } from '../../../src/connectors/kafka/client/fetcher.ts'
import type { KafkaRecord } from '../../../src/connectors/kafka/client/fetch-request.ts'
import type { SchemaRegistry } from '../../../src/connectors/kafka/schema-registry.ts'
import { gatherBatches, type GatheringState, type Part } from '../../../src/connectors/kafka/gather.ts'
import { createRowGatherer } from '../../../src/connectors/kafka/rows.ts'
import { alertText, testOptions } from '../../support/kafka-stream.ts'

const framed = Buffer.from([0, 0, 0, 0, 7, 2])

function record(offset: bigint, value: Buffer): KafkaRecord {
  return { offset, key: null, value, timestamp: 0n }
}

/** A fetcher that has one chunk. */
function fetcherOf(chunk: FetchedChunk<Part>): Fetcher<Part> {
  const chunks = [chunk]
  return {
    assign: () => undefined,
    release: () => undefined,
    next: () => Promise.resolve(chunks.shift()),
    wake: () => undefined,
    partitions: [],
    unreachableMs: 0,
    close: () => undefined,
  }
}

describe('gathering', () => {
  it('tells how far a partition was read that is taken away while a schema is asked for', async () => {
    const part: Part = { topic: 't', partition: 0, next: 0n }
    let isOurs = true
    const registry: SchemaRegistry = {
      schemaOf() {
        isOurs = false
        return Promise.resolve({ reason: 'nobody knows it' })
      },
    }
    const records = [
      record(0n, Buffer.from(alertText('a', 1))),
      record(1n, framed),
      record(2n, Buffer.from(alertText('b', 1))),
    ]
    const state: GatheringState<Part> = { places: new Map(), chunk: undefined, decodeMs: 0 }
    const batches = gatherBatches<Part>(
      {
        fetcher: fetcherOf({ topic: 't', partition: 0, owner: part, records, nextOffset: 3n }),
        gatherer: createRowGatherer(testOptions(), { registry }),
        batchWaitMs: 100,
        signal: new AbortController().signal,
        isCurrent: () => isOurs,
        isWanted: () => true,
        onPlace: () => undefined,
        isFinished: () => false,
        isUrgent: () => !isOurs,
      },
      state,
    )
    const { value } = await batches.next()
    // what is in the batch is committed with it: else whoever gets the partition does it again
    expect(value).toMatchObject({ rows: { batch: { oids: ['a'] } } })
    expect([...value!.places]).toEqual([[part, 2n]])
  })

  it('lets others have their turn between messages that take long, and ends where the partition is lost meanwhile', async () => {
    const part: Part = { topic: 't', partition: 0, next: 0n }
    let isOurs = true
    const records = Array.from({ length: 40 }, (_, i) => record(BigInt(i), Buffer.from(alertText(`o${i}`, 1))))
    const gatherer = createRowGatherer(testOptions())
    const slow: typeof gatherer = {
      ...gatherer,
      isFull: false,
      isExhausted: false,
      get isEmpty() {
        return gatherer.isEmpty
      },
      add(...message) {
        const until = performance.now() + 15
        while (performance.now() < until);
        return gatherer.add(...message)
      },
    }
    // a heartbeat, whose answer is that another member has the partition
    const heartbeat = setTimeout(() => (isOurs = false), 50)
    const state: GatheringState<Part> = { places: new Map(), chunk: undefined, decodeMs: 0 }
    const batches = gatherBatches<Part>(
      {
        fetcher: fetcherOf({ topic: 't', partition: 0, owner: part, records, nextOffset: 40n }),
        gatherer: slow,
        batchWaitMs: 100,
        signal: new AbortController().signal,
        isCurrent: () => isOurs,
        isFinished: () => false,
        isUrgent: () => !isOurs,
      },
      state,
    )
    const { value } = await batches.next()
    clearTimeout(heartbeat)
    const read = value!.rows.read
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(40)
    // what is in the batch, and nothing more, is committed with it
    expect([...value!.places]).toEqual([[part, BigInt(read)]])
  })
})
