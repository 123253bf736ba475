import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBatchAssembler, type BatchAssembler, type ColumnChunk } from '../../src/pipeline/batch-assembler.ts'
import { alercePreprocessing } from '../../src/pipeline/preprocess.ts'

const features = ['Amplitude_1', 'gal_b']

function assemblerOf(options: Partial<Parameters<typeof createBatchAssembler>[0]> = {}) {
  return createBatchAssembler({
    features,
    preprocessing: alercePreprocessing,
    batchSize: 3,
    oidType: 'string',
    hasCandid: true,
    allowance: { remaining: Infinity },
    ...options,
  })
}

function chunkOf(oids: unknown[], columns: number[][]): ColumnChunk {
  return {
    rowCount: oids.length,
    oid: (row) => oids[row],
    candid: (row) => BigInt(row),
    where: (row) => `row ${row + 1}`,
    columns: columns.map((column) => Float64Array.from(column)),
  }
}

function takeAll(
  chunk: ColumnChunk,
  options: Partial<Parameters<typeof createBatchAssembler>[0]> = {},
): ReturnType<BatchAssembler['take']>[] {
  const assembler = assemblerOf(options)
  const taken: ReturnType<BatchAssembler['take']>[] = []
  for (let row = 0; row < chunk.rowCount;) {
    row = assembler.acceptColumns(chunk, row)
    if (assembler.isFull) taken.push(assembler.take())
  }
  return [...taken, assembler.take()]
}

describe('the batch assembler', () => {
  it('gathers rows into one row-major float32 matrix', () => {
    const assembler = assemblerOf()
    for (const [i, values] of [
      [0.1, NaN],
      [Infinity, 1e33],
    ].entries()) {
      expect(assembler.admit(`o${i}`)).toBe(true)
      assembler.accept({ oid: `o${i}`, candid: 1n, where: `line ${i}` }, Float64Array.from(values))
    }
    const { batch, read, rejected } = assembler.take()
    expect(batch.oids).toEqual(['o0', 'o1'])
    expect([...batch.matrix]).toEqual([Math.fround(0.1), -999, -999, 0])
    expect({ read, rejected }).toEqual({ read: 2, rejected: [] })
  })

  it('echoes features as they were read, of rows and of columns, and never those of a rejected row', () => {
    const echo = ['gal_b', 'not of the model', 'Amplitude_1']
    const assembler = assemblerOf({ echo })
    const rows = [
      [0.1, NaN],
      [-1e300, 1],
      [1e33, Infinity],
    ]
    for (const [i, values] of rows.entries()) {
      assembler.admit(`o${i}`)
      assembler.accept({ oid: `o${i}`, candid: 1n, where: `line ${i}` }, Float64Array.from(values))
    }
    const expected = [...[NaN, NaN, 0.1], ...[Infinity, NaN, 1e33]]
    const { batch, rejected } = assembler.take()
    expect(rejected).toHaveLength(1)
    expect([batch.echo!.names, [...batch.echo!.values]]).toEqual([echo, expected])
    const columns = [rows.map(([value]) => value!), rows.map(([, value]) => value!)]
    const [ofColumns] = takeAll(chunkOf(['o0', 'o1', 'o2'], columns), { echo })
    expect([ofColumns!.batch.oids, [...ofColumns!.batch.echo!.values]]).toEqual([['o0', 'o2'], expected])
    expect(takeAll(chunkOf(['o0'], [[1], [1]]))[0]!.batch.echo).toBeUndefined()
  })

  it('rejects a row for its id, its candid or a value beyond float32, and never its neighbours', () => {
    const assembler = assemblerOf()
    const rows: [unknown, unknown, number[]][] = [
      ['a', 1n, [1, 2]],
      ['', 2n, [1, 2]],
      ['c', 'x', [1, 2]],
      ['d', 4n, [1, -1e39]],
      ['e', 5n, [3, 4]],
    ]
    rows.forEach(([oid, candid, values], i) => {
      assembler.admit(oid)
      assembler.accept({ oid, candid, where: `line ${i + 2}` }, Float64Array.from(values))
    })
    const { batch, read, rejected } = assembler.take()
    expect(batch.oids).toEqual(['a', 'e'])
    expect([...batch.matrix]).toEqual([1, 2, 3, 4])
    expect(read).toBe(5)
    expect(rejected).toEqual([
      { oid: null, where: 'line 3', reason: 'oid is missing' },
      { oid: 'c', where: 'line 4', reason: 'candid is not an int64', value: 'x' },
      { oid: 'd', where: 'line 5', reason: 'gal_b is beyond float32', value: '-1e+39' },
    ])
  })

  it('reads columns as it reads rows, whatever the batch size and the rejects in between', () => {
    const value = fc.oneof(fc.double(), fc.constantFrom(-1e39, NaN, Infinity, 1e33))
    const row = fc.tuple(fc.constantFrom('a', 'b', '', 'c'), value, value)
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), fc.integer({ min: 1, max: 7 }), (rows, batchSize) => {
        const chunk = chunkOf(
          rows.map(([oid]) => oid),
          [rows.map((r) => r[1]), rows.map((r) => r[2])],
        )
        const byRow = assemblerOf({ batchSize: 100 })
        rows.forEach(([oid, a, b], i) => {
          byRow.admit(oid)
          byRow.accept({ oid, candid: BigInt(i), where: `row ${i + 1}` }, Float64Array.from([a, b]))
        })
        const expected = byRow.take()
        const batches = takeAll(chunk, { batchSize })
        expect(batches.flatMap(({ batch }) => batch.oids)).toEqual(expected.batch.oids)
        expect(batches.flatMap(({ batch }) => [...batch.matrix])).toEqual([...expected.batch.matrix])
        expect(batches.flatMap(({ batch }) => batch.candids)).toEqual(expected.batch.candids)
        const places = batches.flatMap(({ rejected }) => rejected.map(({ where }) => where)).sort()
        expect(places).toEqual(expected.rejected.map(({ where }) => where).sort())
        expect(batches.reduce((sum, { read }) => sum + read, 0)).toBe(rows.length)
      }),
    )
  })

  it('puts every row into exactly one shard, a row without id too', () => {
    const oids = [...Array.from({ length: 500 }, (_, i) => `ZTF18aaa${i}`), '', null]
    const chunk = chunkOf(oids, [oids.map(() => 0), oids.map(() => 0)])
    const shards = [0, 1, 2, 3].map((index) => takeAll(chunk, { shard: { index, count: 4 }, batchSize: 1000 }))
    const seen = shards.flatMap((taken) => taken.flatMap(({ batch }) => batch.oids))
    expect(seen.sort()).toEqual(oids.filter((oid) => oid).sort())
    expect(shards.flat().reduce((sum, { read }) => sum + read, 0)).toBe(oids.length)
    expect(shards.flat().flatMap(({ rejected }) => rejected)).toHaveLength(2)
    for (const taken of shards) expect(taken.reduce((sum, { read }) => sum + read, 0)).toBeGreaterThan(80)
  })

  it('keeps an oid in its shard for ever (CRC-32, known values)', () => {
    // CRC-32 of "123456789" is 0xCBF43926, its check value in every description of the polynomial
    const chunk = chunkOf(['123456789'], [[0], [0]])
    const index = 0xcbf43926 % 7
    expect(takeAll(chunk, { shard: { index, count: 7 } })[0]!.batch.oids).toEqual(['123456789'])
  })

  it('stops at the limit and does not count what it leaves', () => {
    const allowance = { remaining: 4 }
    const chunk = chunkOf(
      ['a', 'b', 'c', 'd', 'e', 'f'],
      [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ],
    )
    const taken = takeAll(chunk, { allowance })
    expect(taken.flatMap(({ batch }) => batch.oids)).toEqual(['a', 'b', 'c', 'd'])
    expect(taken.reduce((sum, { read }) => sum + read, 0)).toBe(4)
    expect(allowance.remaining).toBe(0)
  })

  it('passes over candids where the input has none', () => {
    const assembler = assemblerOf({ hasCandid: false })
    assembler.admit('a')
    assembler.accept({ oid: 'a', candid: 'not looked at', where: 'line 2' }, Float64Array.from([1, 2]))
    expect(assembler.take().batch.candids).toEqual([null])
  })
})
