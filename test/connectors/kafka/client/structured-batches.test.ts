import { deflateRawSync, gzipSync } from 'node:zlib'
import type { Connection } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { committedRecords } from '../../../../src/connectors/kafka/client/fetch-request.ts'
import { loadKafka, send } from '../../../../src/connectors/kafka/client/protocol.ts'
import { readRecordSet } from '../../../../src/connectors/kafka/client/record-set.ts'
import { write } from '../../../support/avro-writer.ts'
import { attacks, type Chooser, claims } from '../../../support/attack.ts'

const library = await loadKafka()
const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

interface Message {
  readonly offsetDelta: number
  readonly timestampDelta: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** A batch as brokers send it; what is given in `more` is written in place of what is right. */
function batchOf(firstOffset: bigint, messages: readonly Message[], more: Partial<Record<Lie, number>> = {}): Buffer {
  const { codec = 0, count = messages.length, lastDelta = messages.at(-1)?.offsetDelta ?? 0 } = more
  const records = Buffer.concat(messages.map((message) => recordOf(message)))
  return framed(firstOffset, packed(records, codec), { ...more, codec, count, lastDelta })
}

type Lie = 'codec' | 'count' | 'lastDelta' | 'length' | 'magic'

function framed(firstOffset: bigint, body: Buffer, more: Partial<Record<Lie, number>>): Buffer {
  const batch = Buffer.concat([Buffer.alloc(61), body])
  batch.writeBigInt64BE(firstOffset, 0)
  batch.writeInt32BE(more.length ?? batch.length - 12, 8)
  batch.writeInt8(more.magic ?? 2, 16)
  batch.writeInt16BE(more.codec ?? 0, 21)
  batch.writeInt32BE(more.lastDelta ?? 0, 23)
  batch.writeBigInt64BE(1000n, 27)
  batch.writeBigInt64BE(2000n, 35)
  batch.writeBigInt64BE(-1n, 43)
  batch.writeInt32BE(more.count ?? 0, 57)
  return batch
}

function recordOf({ offsetDelta, timestampDelta, key, value }: Message, headers = write.long(0)): Buffer {
  const field = (bytes: Buffer | null): Buffer =>
    bytes === null ? write.long(-1) : Buffer.concat([write.long(bytes.length), bytes])
  const parts = [
    Buffer.alloc(1),
    write.long(timestampDelta),
    write.long(offsetDelta),
    field(key),
    field(value),
    headers,
  ]
  const body = Buffer.concat(parts)
  return Buffer.concat([write.long(body.length), body])
}

function packed(bytes: Buffer, codec: number): Buffer {
  const known = Object.values(library.compressionsAlgorithms).find(({ bitmask }) => bitmask === codec)
  return known?.available === true && codec !== 0 && codec !== codecs.zstd ? known.compressSync(bytes) : bytes
}

function messagesOf(choose: Chooser): Message[] {
  let offsetDelta = -1
  const bytes = (): Buffer | null => (choose.chance(0.2) ? null : Buffer.alloc(choose.whole(50), choose.whole(256)))
  return Array.from({ length: 1 + choose.whole(6) }, () => {
    offsetDelta += 1 + choose.whole(3)
    return { offsetDelta, timestampDelta: choose.whole(1e6) - 1000, key: bytes(), value: bytes() }
  })
}

/** As a socket may give them, empty pieces included. */
function inPieces(bytes: Buffer, choose: Chooser): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + choose.of([0, 1, 3, 60, choose.whole(1000)])
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

describe('record batches', () => {
  const [one, two] = [
    { offsetDelta: 0, timestampDelta: 0, key: null, value: Buffer.from('a') },
    { offsetDelta: 2, timestampDelta: 5, key: Buffer.from('k'), value: null },
  ]

  it.each(['none', 'gzip', 'snappy', 'lz4'] as const)('are read as they were written: %s', (codec) => {
    const bytes = Buffer.concat([batchOf(7n, [one, two], { codec: codecs[codec], lastDelta: 4 }), batchOf(12n, [one])])
    expect(readRecordSet([bytes], library)).toMatchObject([
      {
        firstOffset: 7n,
        lastOffset: 11n,
        records: [
          { ...one, timestampDelta: 0n },
          { ...two, timestampDelta: 5n },
        ],
      },
      { firstOffset: 12n, lastOffset: 12n, records: [{ ...one, timestampDelta: 0n }] },
    ])
    // a broker sends as many bytes as were asked for
    expect(readRecordSet([bytes.subarray(0, -1)], library)).toHaveLength(1)
  })

  it('are read with the headers that nobody asks for, however many those claim to be', () => {
    const record = recordOf(one, Buffer.concat([write.long(2n ** 31n), write.long(-500), Buffer.alloc(20)]))
    expect(readRecordSet([framed(0n, record, { count: 1 })], library)).toMatchObject([
      { records: [{ value: one.value }] },
    ])
  })

  const bomb = gzipSync(Buffer.alloc(70_000_000))
  it.each([
    ['it has more records than bytes', batchOf(3n, [one], { count: 2 ** 31 - 1 })],
    ['it has more records than bytes', batchOf(3n, [one], { count: -1 })],
    ['a record in it is cut off', framed(3n, Buffer.concat([write.long(500), Buffer.alloc(20)]), { count: 1 })],
    ['a record in it is cut off', framed(3n, Buffer.concat([write.long(-500), Buffer.alloc(20)]), { count: 1 })],
    // a key that would lead back to where it began
    [
      'a record in it is cut off',
      framed(3n, Buffer.concat([write.long(9), Buffer.alloc(3), write.long(-8), Buffer.alloc(9)]), { count: 1 }),
    ],
    ['its records are out of order', batchOf(3n, [two, one], { lastDelta: 5 })],
    ['its records are out of order', batchOf(3n, [one, two], { lastDelta: 1 })],
    ['its last offset is before its first', batchOf(3n, [one], { lastDelta: -1 })],
    ['its format is 1, not 2', batchOf(3n, [one], { magic: 1 })],
    ['its compression is number 7', batchOf(3n, [one], { codec: 7 })],
    ['it unpacks to more than 67108864 bytes', framed(3n, bomb, { codec: codecs.gzip, count: 1 })],
    [
      'it unpacks to more than 67108864 bytes',
      framed(3n, library.compressionsAlgorithms.lz4.compressSync(Buffer.alloc(80_000_000)), {
        codec: codecs.lz4,
        count: 1,
      }),
    ],
  ])('are told why they cannot be read, and cost no other batch: %s', (problem, broken) => {
    const [first, second] = readRecordSet([Buffer.concat([broken, batchOf(20n, [one])])], library)
    expect(first).toMatchObject({ firstOffset: 3n, records: [], problem })
    expect(second).toMatchObject({ firstOffset: 20n, records: [{ value: one.value }] })
    const { records, nextOffset } = committedRecords([first!, second!], [], 3n)
    expect(nextOffset).toBe(21n)
    expect(records[0]).toMatchObject({ key: null, value: null, problem: expect.stringContaining(problem) as string })
    expect(records[1]).toMatchObject({ offset: 20n })
  })

  it('are nothing that can be gone on from when one is shorter than its head', () => {
    const bytes = batchOf(0n, [one], { length: 10 })
    expect(() => readRecordSet([bytes], library)).toThrow('the broker sends a record batch of 10 bytes')
  })

  it('of many that unpack to much only some are read, and the rest is asked for again', () => {
    const large = framed(0n, gzipSync(recordOf({ ...one, value: Buffer.alloc(60_000_000) })), { codec: 1, count: 1 })
    expect(readRecordSet([Buffer.concat(Array.from({ length: 5 }, () => large))], library)).toHaveLength(3)
  })
})

describe('answers of whoever has read the code', { tags: ['long'] }, () => {
  it('are read right where nothing in them lies', async () => {
    await attacks(1500, (choose) => {
      const all = Array.from({ length: 1 + choose.whole(3) }, (_, i) => ({
        firstOffset: BigInt(i * 100),
        messages: messagesOf(choose),
        codec: choose.of([0, 1, 2, 3]),
      }))
      const bytes = Buffer.concat(
        all.map(({ firstOffset, messages, codec }) => batchOf(firstOffset, messages, { codec })),
      )
      const pieces = inPieces(bytes, choose)
      return () => {
        const read = readRecordSet(pieces, library)
        const plain = (messages: readonly Message[]) =>
          messages.map((message) => ({ ...message, timestampDelta: BigInt(message.timestampDelta) }))
        expect(read.map(({ records }) => records)).toEqual(all.map(({ messages }) => plain(messages)))
        expect(read.map(({ firstOffset }) => firstOffset)).toEqual(all.map(({ firstOffset }) => firstOffset))
      }
    })
  })

  it('are batches within their bounds, or reasons, in time, whatever they claim', async () => {
    await attacks(2000, (choose) => {
      const pieces = inPieces(hostileSet(choose), choose)
      return () => {
        let batches
        try {
          batches = readRecordSet(pieces, library)
        } catch (error) {
          expect((error as Error).message).toMatch(/^the broker sends a record batch of -?\d+ bytes$/)
          return
        }
        for (const { firstOffset, lastOffset, records, problem } of batches) {
          const offsets = records.map(({ offsetDelta }) => firstOffset + BigInt(offsetDelta))
          expect(
            offsets.every((offset, i) => offset <= lastOffset && offset > (offsets[i - 1] ?? firstOffset - 1n)),
          ).toBe(true)
          if (problem !== undefined) expect(records).toEqual([])
        }
        const { nextOffset } = committedRecords(batches, [], 0n)
        expect(nextOffset).toBeGreaterThanOrEqual(0n)
      }
    })
  })

  it('are taken apart or refused, in time, whatever the frame around them claims', async () => {
    await attacks(1500, (choose) => {
      const frame = hostileFrame(choose)
      return async () => {
        const connection = {
          send: (...[, , , parse, , , done]: Parameters<Connection['send']>) => {
            try {
              done(null, parse(0, 1, 17, library.Reader.from(frame)) as never)
            } catch (error) {
              done(error as Error, undefined as never)
            }
          },
        }
        const versions = new Map([[1, { minimum: 17, maximum: 17 }]])
        const args = [1, 1, 1, 1, 0, -1, [], [], ''] as never
        const answer = await send(library, versions, connection as never, 'fetch', args).catch(
          (error: unknown) => error,
        )
        if (answer instanceof Error || !(answer as { responses?: unknown }).responses) return
        for (const { partitions } of (answer as { responses: { partitions: { records: Buffer }[] }[] }).responses) {
          for (const { records } of partitions) expect(records.length).toBeLessThanOrEqual(frame.length)
        }
      }
    })
  })
})

const deflated = deflateRawSync(Buffer.alloc(5_000_000))
const bombs = [0, 1, 2].map((byte) => gzipSync(Buffer.alloc(80_000_000, byte), { level: 1 }))

function hostileSet(choose: Chooser): Buffer {
  const lie = (honest: number, bits: 32 | 8): number =>
    choose.chance(0.15) ? Number(BigInt.asIntN(bits, choose.of(claims))) : honest
  const batches = Array.from({ length: 1 + choose.whole(4) }, (_, i) => {
    const messages = messagesOf(choose)
    const codec = choose.of([0, 0, 1, 2, 3, 4, 5, 7])
    const records = Buffer.concat([
      ...messages.map((message) => recordOf(message, choose.chance(0.2) ? write.long(choose.of(claims)) : undefined)),
      // long runs of numbers that lead nowhere, or back
      ...(choose.chance(0.1) ? [Buffer.alloc(choose.of([100, 50_000]), choose.of([0, 1, 0x7f, 0x80, 0xff]))] : []),
    ])
    for (let i = choose.whole(3); i > 0 && choose.chance(0.5); i--)
      records[choose.whole(records.length)] = choose.whole(256)
    const body = choose.chance(0.02) ? deflated : choose.chance(0.003) ? choose.of(bombs) : packed(records, codec)
    const lies = { count: lie(messages.length, 32), lastDelta: lie(messages.at(-1)!.offsetDelta, 32), magic: lie(2, 8) }
    const length = body.length + 49
    return framed(BigInt(i * 100), body, { codec, ...lies, length: choose.chance(0.05) ? lie(length, 32) : length })
  })
  const bytes = Buffer.concat(batches)
  return choose.chance(0.2) ? bytes.subarray(0, choose.whole(bytes.length)) : bytes
}

function hostileFrame(choose: Chooser): Buffer {
  /** a length of what follows, plus one, as compact forms have it */
  const compact = (honest: number): Buffer => {
    const value = choose.chance(0.1) ? Number(choose.of(claims) & 0xffffffffn) : honest + 1
    const bytes: number[] = []
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
    return Buffer.from([...bytes, rest])
  }
  const number = (size: number): Buffer => Buffer.alloc(size, choose.chance(0.1) ? choose.of([0xff, 0x7f, 0x80]) : 0)
  const list = (items: readonly Buffer[]): Buffer => Buffer.concat([compact(items.length), ...items])
  const some = (make: () => Buffer): Buffer[] => Array.from({ length: choose.whole(3) }, make)
  const tags = (): Buffer => (choose.chance(0.1) ? write.long(choose.of(claims)) : Buffer.alloc(1))
  const records = (): Buffer => {
    const set = choose.chance(0.5) ? hostileSet(choose) : Buffer.alloc(choose.whole(100))
    return Buffer.concat([compact(set.length), set])
  }
  const aborted = (): Buffer => Buffer.concat([number(16), tags()])
  const partition = (): Buffer =>
    Buffer.concat([number(4), number(2), number(24), list(some(aborted)), number(4), records(), tags()])
  const topic = (): Buffer => Buffer.concat([number(16), list(some(partition)), tags()])
  return Buffer.concat([number(10), list(some(topic)), tags()])
}
