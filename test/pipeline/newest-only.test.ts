import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBatchAssembler } from '../../src/pipeline/batch-assembler.ts'
import { alercePreprocessing } from '../../src/pipeline/preprocess.ts'
import { deliverRows } from '../../src/connectors/deliver.ts'
import { newestOnly } from '../../src/pipeline/newest-only.ts'
import type { Delivery, RowAllowance, Source } from '../../src/pipeline/source.ts'
import { readAll, readOnce } from '../support/objects.ts'

interface Row {
  readonly oid: string | null
  readonly candid: bigint | null
}

interface Settings {
  readonly batchSize?: number
  readonly replayable?: boolean
  readonly allowance?: RowAllowance
  readonly acknowledged?: number[]
  readonly failAfter?: number
}

/** A source over rows in memory; the feature is the row's number. */
function sourceOf(rows: readonly Row[], settings: Settings = {}): Source {
  const { batchSize = 3, replayable = true, allowance = { remaining: Infinity }, acknowledged = [] } = settings
  let isRead = false
  async function* groups(): AsyncGenerator<{ row: Row; i: number }[]> {
    for (const [i, row] of rows.entries()) {
      if (i === settings.failAfter) throw new Error('the source failed')
      yield [{ row, i }]
    }
  }
  return {
    identity: { address: 'memory' },
    schema: { oidType: 'string', hasCandid: true },
    replayable,
    async *deliveries(signal) {
      if (isRead && !replayable) throw new Error('read twice')
      isRead = true
      const assembly = {
        features: ['x'],
        preprocessing: alercePreprocessing,
        oidType: 'string' as const,
        hasCandid: true,
      }
      const assembler = createBatchAssembler({ ...assembly, batchSize, allowance, echo: ['other', 'x'] })
      const add = ({ row, i }: { row: Row; i: number }): void => {
        if (assembler.admit(row.oid)) assembler.accept({ ...row, where: `row ${i}` }, Float64Array.of(i))
      }
      let number = 0
      for await (const delivery of deliverRows(groups(), assembler, add, signal)) {
        const mine = number++
        yield { ...delivery, ack: async () => void acknowledged.push(mine) } satisfies Delivery
      }
    },
    close: async () => undefined,
  }
}

const numbers = (bits: readonly number[][]): number[] =>
  bits.map((row) => new Float32Array(Uint32Array.from(row).buffer)[0]!)

/** The definition, in the plainest way. */
function newestPlainly(rows: readonly Row[]): number[] {
  const rank = (candid: bigint | null): bigint => candid ?? -(2n ** 64n)
  return rows.flatMap(({ oid, candid }, i) => {
    if (oid === null) return []
    const isBeaten = rows.some(
      (other, k) =>
        other.oid === oid && (rank(other.candid) > rank(candid) || (rank(other.candid) === rank(candid) && k > i)),
    )
    return isBeaten ? [] : [i]
  })
}

const anyRows = fc.array(
  fc.record({
    oid: fc.constantFrom('a', 'b', 'c', 'd', null),
    candid: fc.option(fc.oneof(fc.bigInt(0n, 3n), fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n))),
  }),
  { maxLength: 40 },
)

describe('the newest rows only', () => {
  it('are those of the definition, the others counted, whether or not the source can be read again', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, fc.boolean(), fc.integer({ min: 1, max: 7 }), async (rows, replayable, batchSize) => {
        const allowance = { remaining: 1000 }
        const found = await readOnce(
          newestOnly(sourceOf(rows, { replayable, batchSize, allowance }), { allowance, batchSize }),
        )
        expect(numbers(found.bits)).toEqual(newestPlainly(rows))
        expect(found.oids).toEqual(newestPlainly(rows).map((i) => rows[i]!.oid))
        expect(found.candids).toEqual(newestPlainly(rows).map((i) => rows[i]!.candid))
        expect(found.read).toBe(rows.length)
        expect(found.rejected.length).toBe(rows.filter(({ oid }) => oid === null).length)
        expect(allowance.remaining).toBe(1000 - rows.length)
        expect(found.batchSizes.slice(0, -1).every((size) => size === batchSize)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('are chosen among the rows that the run may read', async () => {
    const rows = [
      { oid: 'a', candid: 1n },
      { oid: 'a', candid: 2n },
      { oid: 'a', candid: 3n },
    ]
    const allowance = { remaining: 2 }
    const found = await readOnce(newestOnly(sourceOf(rows, { allowance }), { allowance, batchSize: 3 }))
    expect(found).toMatchObject({ candids: [2n], read: 2, duplicates: 1 })
  })

  it('keep what outputs echo of them', async () => {
    const rows = ['a', 'b', 'a', 'c', 'b', 'd', 'a'].map((oid, i) => ({ oid, candid: BigInt(i) }))
    for (const replayable of [true, false]) {
      const source = newestOnly(sourceOf(rows, { replayable }), { allowance: { remaining: Infinity }, batchSize: 3 })
      const echoes: number[][] = []
      for await (const { batch } of source.deliveries(new AbortController().signal)) {
        if (batch.rowCount > 0) expect(batch.echo!.names).toEqual(['other', 'x'])
        echoes.push([...(batch.echo?.values ?? [])])
      }
      expect(echoes.flat()).toEqual([3, 4, 5, 6].flatMap((row) => [NaN, row]))
    }
  })

  it('leave out a row that is rejected, however new', async () => {
    const rows = [
      { oid: 'a', candid: 1n },
      { oid: 'a', candid: 2n ** 63n },
    ]
    const options = { allowance: { remaining: 9 }, batchSize: 3 }
    const found = await readOnce(newestOnly(sourceOf(rows), options))
    expect(found).toMatchObject({
      candids: [1n],
      duplicates: 0,
      rejected: [{ oid: 'a', reason: 'candid is not an int64' }],
    })
  })

  it.each([true, false])('acknowledge all deliveries of the source (read again: %s)', async (replayable) => {
    const acknowledged: number[] = []
    const rows = Array.from({ length: 20 }, (_, i) => ({ oid: i % 2 === 0 ? 'a' : `o${i}`, candid: null }))
    await readOnce(
      newestOnly(sourceOf(rows, { acknowledged, replayable }), { allowance: { remaining: 99 }, batchSize: 3 }),
    )
    expect(acknowledged).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('leave no temporary file behind, not even after a failure', async () => {
    const spools = async (): Promise<string[]> =>
      (await readdir(tmpdir())).filter((name) => name.startsWith('lcclf-spool-'))
    const before = await spools()
    const rows = Array.from({ length: 20 }, (_, i) => ({ oid: `o${i}`, candid: null }))
    const options = { allowance: { remaining: 99 }, batchSize: 3 }
    const source = newestOnly(sourceOf(rows, { replayable: false, failAfter: 10 }), options)
    await expect(readAll(source.deliveries(new AbortController().signal))).rejects.toThrow('the source failed')
    const left = newestOnly(sourceOf(rows, { replayable: false }), options)
    for await (const { read } of left.deliveries(new AbortController().signal)) if (read > 0) break
    expect(await spools()).toEqual(before)
  })

  it('stop at the signal during either pass', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ oid: `o${i}`, candid: null }))
    const controller = new AbortController()
    controller.abort()
    const source = newestOnly(sourceOf(rows), { allowance: { remaining: 99 }, batchSize: 3 })
    expect((await readAll(source.deliveries(controller.signal))).read).toBe(0)
  })
})
