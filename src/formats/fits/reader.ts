// A FITS file as a stream: the table that is wanted among its HDUs, then its rows.
import { DataError } from '../../errors.ts'
import type { ByteReader } from '../chunks.ts'
import { shownText } from '../shown-text.ts'
import { createRowCollector, type TypedRows, type TypedTable, type WantedColumn } from '../typed-table.ts'
import { type FitsColumn, fitsColumns } from './columns.ts'
import { padding } from './cards.ts'
import { dataLength, type FitsHeader, readFitsHeader } from './header.ts'

/** bytes and rows that are read at once, at most; a row that is longer comes alone */
const bytesAtOnce = 1024 * 1024
const rowsAtOnce = 4096
/** no table is as wide: a length beyond it is damage */
const longestRow = 256 * 1024 * 1024

/**
 * Opens the first table of a file, or the one that is named.
 *
 * @param wanted its name (EXTNAME, without regard to case), or its number (the primary HDU has 0)
 * @throws DataError for what is no FITS, has no such table, or is damaged before its rows
 */
export async function openFits(bytes: ByteReader, inputName: string, wanted?: string): Promise<TypedTable> {
  const seen: string[] = []
  for (let index = 0; ; index++) {
    const header = await readFitsHeader(bytes, index, inputName)
    if (!header) throw noTable(inputName, wanted, seen)
    if (wanted === undefined ? isTable(header) : isNamed(header, wanted))
      return tableOf(bytes, header, inputName, wanted)
    seen.push(describe(header))
    await skipData(bytes, header)
  }
}

function isTable(header: FitsHeader): boolean {
  const kind = header.text('XTENSION')
  // compressed images are tables by their form alone
  return (kind === 'BINTABLE' || kind === 'A3DTABLE' || kind === 'TABLE') && !header.isTrue('ZIMAGE')
}

function isNamed(header: FitsHeader, wanted: string): boolean {
  if (/^\d+$/.test(wanted)) return header.index === Number(wanted)
  return header.text('EXTNAME')?.toLowerCase() === wanted.toLowerCase()
}

function describe(header: FitsHeader): string {
  const kind = header.isTrue('ZIMAGE') ? 'IMAGE' : (header.text('XTENSION') ?? 'primary')
  const name = header.text('EXTNAME')
  return `${header.index} (${shownText(name === undefined ? kind : `${kind} ${name}`)})`
}

const shownHdus = 10

function noTable(inputName: string, wanted: string | undefined, seen: readonly string[]): DataError {
  const hdus = seen.length > shownHdus ? [...seen.slice(0, shownHdus), '…'] : seen
  const what = wanted === undefined ? 'table' : `HDU ${shownText(wanted)}`
  return new DataError(`${inputName} has no ${what}; its HDUs are ${hdus.join(', ')}`)
}

async function tableOf(
  bytes: ByteReader,
  header: FitsHeader,
  inputName: string,
  wanted: string | undefined,
): Promise<TypedTable> {
  if (!isTable(header)) throw new DataError(`${inputName}: HDU ${describe(header)} is no table`)
  if (header.isTrue('ZTABLE')) {
    throw new DataError(`${header.where}: the table is compressed by tiles`, { hint: 'Uncompress it with funpack.' })
  }
  if (header.integer('NAXIS', 0) !== 2 || header.integer('BITPIX', -64) !== 8 || header.integer('GCOUNT', 0, 1) !== 1) {
    throw new DataError(`${header.where}: a table has BITPIX 8, NAXIS 2 and GCOUNT 1, and this has not`)
  }
  const columns = fitsColumns(header)
  if (header.integer('NAXIS1', 0) > longestRow) {
    throw new DataError(`${header.where}: its rows have ${header.integer('NAXIS1', 0)} bytes, more than any table's`)
  }
  const notes: string[] = []
  return {
    columns,
    async *rows(columnsWanted) {
      yield* rowsOf(bytes, header, columns, columnsWanted)
      const others = wanted === undefined ? await otherTables(bytes, header, inputName) : []
      if (others.length > 0) {
        notes.push(`read HDU ${describe(header)}; ?hdu=N reads another table: ${others.slice(0, shownHdus).join(', ')}`)
      }
    },
    notes: () => notes,
  }
}

async function* rowsOf(
  bytes: ByteReader,
  header: FitsHeader,
  columns: readonly FitsColumn[],
  wanted: readonly WantedColumn[],
): AsyncGenerator<TypedRows, void, undefined> {
  const rowLength = header.integer('NAXIS1', 0)
  const rowCount = header.integer('NAXIS2', 0)
  dataLength(header)
  const atOnce = Math.max(1, Math.min(rowsAtOnce, Math.floor(bytesAtOnce / Math.max(1, rowLength))))
  const readers = wanted.map(({ place, as }) => ({ start: columns[place]!.start, read: columns[place]![as] }))
  const collector = createRowCollector(wanted)
  for (let row = 0; row < rowCount && rowLength > 0; row += atOnce) {
    const rows = Math.min(atOnce, rowCount - row)
    const block = await bytes.read(rows * rowLength)
    const whole = Math.floor(block.length / rowLength)
    for (let at = 0; at < whole * rowLength; at += rowLength) {
      for (let i = 0; i < readers.length; i++) collector.put(i, readers[i]!.read(block, at + readers[i]!.start))
      collector.endRow()
    }
    if (whole > 0) yield collector.take()
    if (whole < rows)
      throw new DataError(`${header.where}: the file is cut off in row ${row + whole + 1} of ${rowCount}`)
  }
}

/** Skips what a header says that follows it, but for the rows that were read. */
async function skipData(bytes: ByteReader, header: FitsHeader, read = 0): Promise<void> {
  const length = dataLength(header)
  const missing = await skip(bytes, length + padding(length) - read)
  // what only fills the last block nobody misses
  if (missing > padding(length)) throw new DataError(`${header.where}: the file is cut off in its data`)
}

/** @returns how many bytes are not there */
async function skip(bytes: ByteReader, length: number): Promise<number> {
  let left = length
  while (left > 0) {
    const chunk = await bytes.readSome()
    if (!chunk) return left
    if (chunk.length > left) bytes.unread(chunk.subarray(left))
    left -= Math.min(left, chunk.length)
  }
  return 0
}

async function otherTables(bytes: ByteReader, header: FitsHeader, inputName: string): Promise<string[]> {
  const found: string[] = []
  let last = header
  let read = header.integer('NAXIS1', 0) * header.integer('NAXIS2', 0)
  for (let index = header.index + 1; ; index++) {
    await skipData(bytes, last, read)
    const next = await readFitsHeader(bytes, index, inputName)
    if (!next) return found
    if (isTable(next)) found.push(describe(next))
    last = next
    read = 0
  }
}
