// Pages of one column, made by hand: what writers never write, and damaged files have.
import { describe, expect, it } from 'vitest'
import { columnReader, createSharedRoom } from '../../../src/connectors/files/parquet-column.ts'
import { physical } from '../../../src/connectors/files/parquet-pages.ts'
import { numberKind } from '../../../src/connectors/files/parquet-values.ts'

/** A field of type i32, of a number below 64, as Thrift's compact protocol writes it. */
const int = (step: number, value: number): number[] => [(step << 4) | 5, value * 2]

function dictionary(...values: readonly number[]): Buffer {
  const bytes = Buffer.from(Float64Array.from(values).buffer)
  const header = [...int(1, 2), ...int(1, bytes.length), ...int(1, bytes.length)]
  return Buffer.concat([Buffer.from([...header, 0x4c, ...int(1, values.length), ...int(1, 0), 0, 0]), bytes])
}

/** Values that are all there, by their places in the dictionary. */
function page(count: number, ...bytes: readonly number[]): Buffer {
  const header = [...int(1, 0), ...int(1, bytes.length), ...int(1, bytes.length)]
  const facts = [0x2c, ...int(1, count), ...int(1, 8), ...int(1, 3), ...int(1, 3), 0, 0]
  return Buffer.from([...header, ...facts, ...bytes])
}

function readerOf(...pages: readonly Buffer[]) {
  const reader = columnReader(numberKind(physical.double), createSharedRoom(16))
  reader.begin({ bytes: Buffer.concat(pages), isOptional: false, unpack: (bytes) => bytes })
  return {
    isAtEnd: reader.isAtEnd,
    take(count: number): number[] {
      const into = new Float64Array(count)
      reader.take(into, count)
      return [...into]
    },
  }
}

/** One bit each: the places 1, 0, 1, and five that fill up the byte. */
const three = page(3, 1, 3, 0b00101)

describe('the values of a column', () => {
  it('go on from page to page, past pages without values', () => {
    const reader = readerOf(dictionary(7, 9), three, page(0), three, page(0), three)
    expect([reader.take(2), reader.take(3), reader.take(4)]).toEqual([
      [9, 7],
      [9, 9, 7],
      [9, 9, 7, 9],
    ])
    expect(reader.isAtEnd()).toBe(true)
  })

  it('are never those of the page before, where a page has fewer bytes than values', () => {
    const reader = readerOf(dictionary(7, 9), three, page(2))
    expect(reader.take(3)).toEqual([9, 7, 9])
    expect(() => reader.take(2)).toThrow(RangeError)
  })

  it('are refused beyond the dictionary, and behind the last page', () => {
    expect(() => readerOf(dictionary(7), three).take(3)).toThrow('an index beyond the dictionary')
    expect(() => readerOf(dictionary(7, 9), three).take(4)).toThrow('a column ends before its rows do')
    expect(() => readerOf(three).take(3)).toThrow('an encoding for DuckDB')
  })
})
