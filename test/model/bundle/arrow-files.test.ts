import { describe, expect, it } from 'vitest'
import { decodeCovers, encodeCovers } from '../../../src/model/bundle/arrow-files.ts'

const forestOf = (rows: number) => ({ feature: new Int16Array(rows) })

describe('covers', () => {
  it.each([
    ['whole numbers, in half the space', [Float64Array.of(3, 2, 1), Float64Array.of(7)]],
    ['weights that float32 cannot hold', [Float64Array.of(0.3, 0.1, 0.2), Float64Array.of(16_777_217)]],
  ])('come back as they were: %s', (_, covers) => {
    const forests = covers.map(({ length }) => forestOf(length))
    expect(decodeCovers(encodeCovers(covers), forests)).toEqual(covers)
  })

  it('are refused for another forest, as no Arrow, and where no sample reached a node', () => {
    const bytes = encodeCovers([Float64Array.of(3, 2, 1)])
    expect(() => decodeCovers(bytes, [forestOf(5)])).toThrow('one row a node')
    expect(() => decodeCovers(bytes, [forestOf(3), forestOf(3)])).toThrow('one part a level')
    expect(() => decodeCovers(Buffer.from('nonsense'), [forestOf(3)])).toThrow(/covers\.arrow/)
    expect(() => decodeCovers(encodeCovers([Float64Array.of(3, 0, 3)]), [forestOf(3)])).toThrow(
      'node 1 of level 0 has the weight 0',
    )
  })
})
