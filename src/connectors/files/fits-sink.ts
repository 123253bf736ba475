// FITS: results as one binary table. The header stands first and says how many rows there are: until then they wait in a file.
import { createReadStream } from 'node:fs'
import { appendFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DataError, UsageError, writeFailure } from '../../errors.ts'
import { createByteReader } from '../../formats/chunks.ts'
import { fitsHeader, integerCard, logicalCard, padding, textCard } from '../../formats/fits/cards.ts'
import { shownText } from '../../formats/shown-text.ts'
import { newTemporaryFolder } from './temporary-folder.ts'
import { type ColumnValues, type EncoderOptions, listsOf, type OutputField, type TableEncoder } from './table-sink.ts'

const hint = 'FITS is written through a temporary file; set TMPDIR to a folder with room for it.'
/** the standard's bounds: columns of a table, characters of a text in a header */
const mostColumns = 999
const longestName = 68
/** every row takes the room of the longest */
const longestOid = 1000

/** What FITS holds as text. */
const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/**
 * @throws UsageError for names of columns or classes that FITS cannot hold
 */
export function createFitsEncoder({ fields, facts, write }: EncoderOptions): TableEncoder {
  const names = fields.map(({ path }) => path.join('.'))
  refuseNames(names)
  const columns = fields.map(columnOf)
  let spool: string | undefined
  let rowCount = 0

  return {
    ...(fields[0]?.type === 'string' ? { whyNot: whyNoText } : {}),
    async add(table) {
      spool ??= join(await newTemporaryFolder(hint), 'rows')
      const blocks = columns.map((column, i) => column.take(table.columns[i]!, table.rowCount))
      const lengths = Buffer.alloc(4 * (1 + blocks.length))
      ;[table.rowCount, ...blocks.map((block) => block.length)].forEach((n, i) => lengths.writeUInt32BE(n, 4 * i))
      await appendFile(spool, Buffer.concat([lengths, ...blocks])).catch((error: unknown) => {
        throw writeFailure(spool!, error)
      })
      rowCount += table.rowCount
    },
    async end() {
      const rowLength = columns.reduce((sum, { width }) => sum + width(), 0)
      await write(
        fitsHeader([
          logicalCard('SIMPLE', true),
          integerCard('BITPIX', 8),
          integerCard('NAXIS', 0),
          logicalCard('EXTEND', true),
        ]),
      )
      await write(
        fitsHeader([
          ...tableCards(rowLength, rowCount, fields.length),
          ...columns.flatMap((column, i) => column.cards(i + 1, names[i]!)),
          ...factCards(facts),
        ]),
      )
      if (spool !== undefined) await writeRows(spool, columns, rowLength, write)
      await write(Buffer.alloc(padding(rowLength * rowCount)))
    },
  }
}

function refuseNames(names: readonly string[]): void {
  const instead = 'Write VOTable, Parquet or CSV, or another layout.'
  if (names.length > mostColumns) {
    throw new UsageError(`a FITS table has ${mostColumns} columns at most, and this would have ${names.length}`, {
      hint: instead,
    })
  }
  const odd = names.find(
    (name) => !isAscii(name) || name.endsWith(' ') || name.replaceAll("'", "''").length > longestName,
  )
  if (odd !== undefined) {
    const why = `FITS names columns in ASCII, in ${longestName} characters at most, without blanks at the end`
    throw new UsageError(`${why}: ${shownText(odd)} is not such a name`, { hint: instead })
  }
  const folded = names.map((name) => name.toLowerCase())
  const twin = names.find((name, i) => folded.indexOf(name.toLowerCase()) < i)
  if (twin === undefined) return
  const first = names[folded.indexOf(twin.toLowerCase())]!
  throw new UsageError(`in FITS the columns ${first} and ${twin} would have one name: case does not count`, {
    hint: instead,
  })
}

function whyNoText(oid: string): string | undefined {
  if (!isAscii(oid) || oid.endsWith(' ')) return 'oid holds a character that FITS cannot hold, or ends with a blank'
  return oid.length > longestOid
    ? `oid is longer than the ${longestOid} characters that are written as FITS`
    : undefined
}

function tableCards(rowLength: number, rowCount: number, fieldCount: number): string[] {
  return [
    textCard('XTENSION', 'BINTABLE'),
    integerCard('BITPIX', 8),
    integerCard('NAXIS', 2),
    integerCard('NAXIS1', rowLength),
    integerCard('NAXIS2', rowCount),
    integerCard('PCOUNT', 0),
    integerCard('GCOUNT', 1),
    integerCard('TFIELDS', fieldCount),
    textCard('EXTNAME', 'RESULTS'),
  ]
}

/** What has room in a card. */
function factCards(facts: EncoderOptions['facts']): string[] {
  const keywords = { classifier_version: 'CLASSVER', model_sha256: 'MODELSHA' }
  return Object.entries(keywords).flatMap(([fact, keyword]) => {
    const text = facts.get(fact)
    return text !== undefined && isAscii(text) && !text.includes("'") && text.length <= longestName
      ? [textCard(keyword, text)]
      : []
  })
}

/** A column on its way: as it waits, and as it is written in the end. */
interface FitsColumn {
  /** the cells of some rows, as they wait */
  readonly take: (values: ColumnValues, rowCount: number) => Buffer
  /** of a cell in its row, once all are known */
  readonly width: () => number
  readonly cards: (n: number, name: string) => string[]
  /** moves waiting cells to their places, one every `stride` bytes from `at` on */
  readonly place: (waiting: Buffer, target: Buffer, at: number, stride: number) => void
}

function columnOf({ type, isNullable }: OutputField): FitsColumn {
  switch (type) {
    case 'string':
    case 'label':
    case 'labels':
      return textColumn()
    case 'int64':
      return isNullable ? nullableColumn() : numberColumn('K', 8)
    case 'float64':
      return numberColumn('D', 8)
    case 'int32':
      return numberColumn('J', 4)
    case 'uint32':
      return numberColumn('J', 4, 2n ** 31n)
    case 'uint64':
      return numberColumn('K', 8, 2n ** 63n)
  }
}

/** @param zero of unsigned integers, which are stored as signed ones, moved */
function numberColumn(letter: 'D' | 'J' | 'K', width: number, zero?: bigint): FitsColumn {
  return {
    take(values) {
      const { buffer, byteOffset, byteLength } = (values as Extract<ColumnValues, { type: 'float64' }>).values
      const bytes = Buffer.from(Buffer.from(buffer, byteOffset, byteLength))
      if (width === 8) bytes.swap64()
      else bytes.swap32()
      // to move by half of the range is to turn the sign
      if (zero !== undefined) for (let at = 0; at < bytes.length; at += width) bytes[at]! ^= 0x80
      return bytes
    },
    width: () => width,
    cards: (n, name) => [
      textCard(`TTYPE${n}`, name),
      textCard(`TFORM${n}`, letter),
      ...(zero === undefined ? [] : [integerCard(`TZERO${n}`, zero)]),
    ],
    place(waiting, target, at, stride) {
      for (let from = 0, to = at; from < waiting.length; from += width, to += stride) {
        waiting.copy(target, to, from, from + width)
      }
    },
  }
}

/** Integers of which some are null: a value that none of them has stands for it, and is chosen when all are known. */
function nullableColumn(): FitsColumn {
  const plain = numberColumn('K', 8)
  const free = new Set(Array.from({ length: 1000 }, (_, i) => -(2n ** 63n) + BigInt(i)))
  let hasNulls = false
  const standIn = (): bigint => {
    const [first] = free
    if (first !== undefined) return first
    throw new DataError('FITS has no value left for a candid that is null', { hint: 'Write VOTable or Parquet.' })
  }
  return {
    take(values, rowCount) {
      const { nulls, values: integers } = values as Extract<ColumnValues, { type: 'int64' }>
      if (nulls) hasNulls = true
      integers.forEach((value, row) => {
        if (!nulls?.has(row)) free.delete(value)
      })
      const marks = Buffer.alloc(rowCount)
      for (const row of nulls ?? []) marks[row] = 1
      return Buffer.concat([marks, plain.take(values, rowCount)])
    },
    width: plain.width,
    cards: (n, name) => [...plain.cards(n, name), ...(hasNulls ? [integerCard(`TNULL${n}`, standIn())] : [])],
    place(waiting, target, at, stride) {
      const rowCount = waiting.length / 9
      plain.place(waiting.subarray(rowCount), target, at, stride)
      if (!hasNulls) return
      const none = standIn()
      for (let row = 0; row < rowCount; row++) if (waiting[row] === 1) target.writeBigInt64BE(none, at + row * stride)
    },
  }
}

/** Texts wait with a line end behind each, which is in none; the longest decides how much room each gets. */
function textColumn(): FitsColumn {
  let longest = 1
  return {
    take(values) {
      const texts = textsOf(values)
      for (const text of texts) longest = Math.max(longest, text.length)
      return Buffer.from(texts.map((text) => `${text}\n`).join(''), 'latin1')
    },
    width: () => longest,
    cards: (n, name) => [textCard(`TTYPE${n}`, name), textCard(`TFORM${n}`, `${longest}A`)],
    place(waiting, target, at, stride) {
      for (let from = 0, to = at; from < waiting.length; to += stride) {
        const end = waiting.indexOf(0x0a, from)
        waiting.copy(target, to, from, end)
        from = end + 1
      }
    },
  }
}

function textsOf(column: ColumnValues): readonly string[] {
  switch (column.type) {
    case 'string':
      return column.values
    case 'label':
      return Array.from(column.codes, (code) => inAscii(column.labels[code]!))
    case 'labels':
      return listsOf(column).map((labels) => inAscii(labels.join('|')))
    case 'float64':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      return []
  }
}

function inAscii(label: string): string {
  if (isAscii(label) && !label.endsWith(' ')) return label
  throw new UsageError(`FITS holds text in ASCII, and the class ${shownText(label)} is not`, {
    hint: 'Write VOTable, Parquet or CSV.',
  })
}

/** The rows that wait, in their order, as FITS has them. */
async function writeRows(
  spool: string,
  columns: readonly FitsColumn[],
  rowLength: number,
  write: EncoderOptions['write'],
): Promise<void> {
  const bytes = createByteReader(createReadStream(spool))
  try {
    for (;;) {
      const lengths = await bytes.read(4 * (1 + columns.length))
      if (lengths.length === 0) break
      const rowCount = lengths.readUInt32BE(0)
      const rows = Buffer.alloc(rowCount * rowLength)
      let at = 0
      for (const [i, column] of columns.entries()) {
        column.place(await bytes.read(lengths.readUInt32BE(4 * (i + 1))), rows, at, rowLength)
        at += column.width()
      }
      await write(rows)
    }
  } finally {
    await bytes.close()
    await rm(dirname(spool), { recursive: true, force: true })
  }
}
