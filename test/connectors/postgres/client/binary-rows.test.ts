import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../../../src/errors.ts'
import { copyPieces, createBinaryRows } from '../../../../src/connectors/postgres/client/binary.ts'

type Row = readonly [string | null, number, string]

function encoded(rows: readonly Row[], pieceLength: number): Buffer {
  const pieces = copyPieces(
    rows.length,
    (i, writer) => {
      const [first, second, third] = rows[i]!
      writer.int16(3)
      if (first === null) writer.int32(-1)
      else writer.text(first)
      writer.int32(8)
      writer.float64(second)
      writer.text(third)
    },
    pieceLength,
  )
  return Buffer.concat([...pieces])
}

/** reads bytes that arrive cut at these places */
function readAll(bytes: Buffer, cuts: readonly number[]): Row[] {
  const rows = createBinaryRows(3)
  const read: Row[] = []
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    rows.push(bytes.subarray(places[i - 1], places[i]))
    while (rows.next()) {
      const text = (field: number): string | null =>
        rows.lengths[field]! < 0
          ? null
          : rows.bytes.toString('utf8', rows.starts[field], rows.starts[field]! + rows.lengths[field]!)
      read.push([text(0), rows.bytes.readDoubleBE(rows.starts[1]), text(2)!])
    }
  }
  rows.finish()
  return read
}

const row = fc.tuple(fc.option(fc.string({ unit: 'grapheme' })), fc.double(), fc.string())
const cuts = fc.array(fc.nat(), { maxLength: 12 })

describe('rows of a binary COPY', () => {
  it('are the same wherever they are cut', () => {
    fc.assert(
      fc.property(fc.array(row), fc.integer({ min: 1, max: 500 }), cuts, (rows, pieceLength, places) => {
        expect(readAll(encoded(rows, pieceLength), places)).toEqual(rows)
      }),
    )
  })

  it('that break off are an error, never fewer rows', () => {
    fc.assert(
      fc.property(fc.array(row), fc.nat(), cuts, (rows, end, places) => {
        const bytes = encoded(rows, 100)
        expect(() => readAll(bytes.subarray(0, end % bytes.length), places)).toThrow(ServiceError)
      }),
    )
  })

  it('that are something else are an error, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, hasHeader) => {
        const some = Buffer.concat([hasHeader ? encoded([], 1).subarray(0, 19) : Buffer.alloc(0), bytes])
        try {
          expect(readAll(some, []).length).toBeLessThan(20)
        } catch (error) {
          // a field that is too short for its number is seen by whoever reads the number
          expect(error instanceof ServiceError || error instanceof RangeError).toBe(true)
        }
      }),
    )
  })

  it.each([2 ** 31 - 1, 16 * 1024 * 1024 + 1, -2])('refuse a field of %s bytes before they wait for it', (length) => {
    const rows = createBinaryRows(1)
    const head = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
    const row = Buffer.alloc(6)
    row.writeInt16BE(1, 0)
    row.writeInt32BE(length, 2)
    rows.push(Buffer.concat([head, row]))
    expect(() => rows.next()).toThrow(`Postgres answered a field of ${length} bytes`)
  })
})
