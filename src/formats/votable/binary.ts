// The rows of a VOTable in binary form: base64 in a STREAM, cell after cell, big-endian (VOTable 1.4, sections 6.3 and 6.4).
import { DataError } from '../../errors.ts'
import type { createRowCollector, WantedColumn } from '../typed-table.ts'
import type { VotableField } from './fields.ts'

/** no row is as long: a length beyond it is damage */
const longestRow = 16 * 1024 * 1024

type Collector = ReturnType<typeof createRowCollector>

/**
 * Takes the text of a STREAM as it comes, and puts the rows in it into a collector.
 *
 * @param hasNullMask as BINARY2 has before each row: a bit a column, 1 for null
 */
export function createBinaryRows(
  fields: readonly VotableField[],
  wanted: readonly WantedColumn[],
  { collector, hasNullMask, inputName }: { collector: Collector; hasNullMask: boolean; inputName: string },
) {
  const maskLength = hasNullMask ? Math.ceil(fields.length / 8) : 0
  const wantedOf = fields.map((_, place) => wanted.flatMap((one, i) => (one.place === place ? [i] : [])))
  const base64 = createBase64(inputName)
  let bytes: Buffer = Buffer.alloc(0)
  let rowsRead = 0

  const damaged = (why: string): DataError => new DataError(`${inputName} row ${rowsRead + 1}: ${why}`)

  /** where each cell of the row at `start` begins, two numbers a column; the end of the row, or undefined before it came */
  const places = new Float64Array(fields.length * 2)
  function measure(start: number): number | undefined {
    let at = start + maskLength
    for (let f = 0; f < fields.length; f++) {
      const { bits, count: fixed } = fields[f]!.fromBytes
      let count = fixed
      if (count === undefined) {
        if (at + 4 > bytes.length) return undefined
        count = bytes.readInt32BE(at)
        if (count < 0) throw damaged(`a cell of ${count} elements`)
        at += 4
      }
      places[2 * f] = at
      places[2 * f + 1] = count
      at += Math.ceil((bits * count) / 8)
      if (at - start > longestRow) throw damaged(`it has more than ${longestRow} bytes`)
    }
    return at <= bytes.length ? at : undefined
  }

  function take(start: number): void {
    for (let f = 0; f < fields.length; f++) {
      const isNull = hasNullMask && (bytes[start + (f >> 3)]! & (0x80 >> (f & 7))) !== 0
      for (const i of wantedOf[f]!) {
        const { as } = wanted[i]!
        const read = fields[f]!.fromBytes[as]
        collector.put(i, isNull ? (as === 'number' ? NaN : null) : read(bytes, places[2 * f]!, places[2 * f + 1]!))
      }
    }
    collector.endRow()
    rowsRead++
  }

  return {
    get rowsRead(): number {
      return rowsRead
    },
    /** @throws DataError for what is no base64, or lengths that cannot be */
    add(text: string): void {
      const more = base64.decode(text)
      bytes = bytes.length === 0 ? more : Buffer.concat([bytes, more])
      let start = 0
      // a row of no bytes would never end
      for (let end = measure(start); end !== undefined && end > start; end = measure(start)) {
        take(start)
        start = end
      }
      bytes = bytes.subarray(start)
    },
    /** @throws DataError for a row that is cut off */
    end(): void {
      base64.end()
      if (bytes.length > 0) throw damaged('the data is cut off in it')
    },
  }
}

/** base64 in pieces; blanks and line ends do not count. */
function createBase64(inputName: string) {
  const wrong = new DataError(`${inputName}: its STREAM is no base64`)
  let begun = ''
  let isOver = false
  return {
    decode(piece: string): Buffer {
      const text = begun + piece.replace(/\s+/g, '')
      if (!/^[A-Za-z\d+/]*={0,2}$/.test(text) || (isOver && text !== '')) throw wrong
      const whole = text.length - (text.length % 4)
      begun = text.slice(whole)
      isOver = text.endsWith('=')
      return Buffer.from(text.slice(0, whole), 'base64')
    },
    end(): void {
      if (begun !== '') throw wrong
    },
  }
}
