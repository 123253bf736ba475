import { describe, expect, it } from 'vitest'
import { committedRecords } from '../../../../src/connectors/kafka/client/fetch-request.ts'
import type { RecordBatch } from '../../../../src/connectors/kafka/client/record-set.ts'

const transactional = 1 << 4
const control = 1 << 5
const appendTime = 1 << 3

function batchOf(firstOffset: number, offsetDeltas: readonly number[], more: Partial<RecordBatch> = {}): RecordBatch {
  return {
    firstOffset: BigInt(firstOffset),
    lastOffset: BigInt(firstOffset + (offsetDeltas.at(-1) ?? 0)),
    attributes: 0,
    firstTimestamp: 1000n,
    maxTimestamp: 5000n,
    producerId: -1n,
    records: offsetDeltas.map((offsetDelta) => ({
      timestampDelta: BigInt(offsetDelta),
      offsetDelta,
      key: null,
      value: null,
    })),
    ...more,
  }
}

const written = (offset: number, producerId: bigint): RecordBatch =>
  batchOf(offset, [0], { attributes: transactional, producerId })

function marker(offset: number, producerId: bigint, kind: 'abort' | 'commit'): RecordBatch {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1])
  const [record] = batchOf(offset, [0]).records
  return batchOf(offset, [0], { attributes: transactional | control, producerId, records: [{ ...record!, key }] })
}

const offsets = (batches: readonly RecordBatch[], aborted: readonly [bigint, number][], from = 0): number[] =>
  committedRecords(
    batches,
    aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset: BigInt(firstOffset) })),
    BigInt(from),
  ).records.map(({ offset }) => Number(offset))

describe('committed records', () => {
  it('leave out each of several transactions that one producer has aborted', () => {
    const batches = Array.from({ length: 10 }, (_, i) => [
      written(2 * i, 7n),
      marker(2 * i + 1, 7n, (i + 1) % 3 === 0 ? 'abort' : 'commit'),
    ]).flat()
    expect(
      offsets(batches, [
        [7n, 10],
        [7n, 4],
        [7n, 16],
      ]),
    ).toEqual([0, 2, 6, 8, 12, 14, 18])
  })

  it('leave out a transaction whose marker was not fetched yet', () => {
    expect(offsets([written(0, 7n), written(1, 8n)], [[7n, 0]])).toEqual([1])
  })

  it('keep what others wrote meanwhile, and what the same producer wrote outside of it', () => {
    const batches = [
      written(0, 7n),
      written(1, 8n),
      batchOf(2, [0], { producerId: 7n }),
      marker(3, 7n, 'abort'),
      written(4, 7n),
      marker(5, 7n, 'commit'),
      marker(6, 8n, 'commit'),
    ]
    expect(offsets(batches, [[7n, 0]])).toEqual([1, 2, 4])
  })

  it('begin where they were asked to, within a batch too, and go on behind the last batch', () => {
    const batches = [batchOf(0, [0, 1, 2]), batchOf(10, [0, 4, 9])]
    expect(committedRecords(batches, [], 11n)).toMatchObject({ nextOffset: 20n })
    expect(offsets(batches, [], 2)).toEqual([2, 10, 14, 19])
    expect(committedRecords([], [], 5n)).toEqual({ records: [], nextOffset: 5n })
    // what compaction has left of a batch
    expect(committedRecords([batchOf(0, [], { lastOffset: 9n })], [], 0n)).toEqual({ records: [], nextOffset: 10n })
  })

  it('have the time of their producer, or of the log where the topic says so', () => {
    const [own] = committedRecords([batchOf(0, [3])], [], 0n).records
    const [appended] = committedRecords([batchOf(0, [3], { attributes: appendTime })], [], 0n).records
    expect([own!.timestamp, appended!.timestamp]).toEqual([1003n, 5000n])
  })
})
