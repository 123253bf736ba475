// CSV and TSV as a source: a header row, then rows of which only the needed fields are parsed.
import { DataError } from '../../errors.ts'
import { detachedText, linesOf } from '../../formats/chunks.ts'
import { type CsvRecord, csvRecords } from '../../formats/csv-records.ts'
import { isNullText } from '../../formats/text-values.ts'
import type { BatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { shownText } from '../../formats/shown-text.ts'
import { addNotNumber, matchColumns, type NotNumbers } from '../columns/match-columns.ts'
import { numberColumns, settleNames } from '../columns/settle-names.ts'
import { deliverRows } from '../deliver.ts'
import { byteSource, openByteInput } from './byte-input.ts'
import { type CsvDialect, numberReader, recogniseDialect } from './csv-dialect.ts'

const longestLine = 4 * 1024 * 1024

/**
 * Opens a CSV or TSV input, compressed or not.
 *
 * @throws DataError for an absent header, missing columns, or a needed one that is there twice
 */
export async function openCsvSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const usual = spec.format === 'tsv' ? '\t' : ','
  const header = await input.peek(async (chunks) => {
    const seen = await recogniseDialect(linesOf(chunks, longestLine), usual, options, input.name)
    return { ...readHeader(seen.header, options, input.name), dialect: seen.dialect }
  })
  const { delimiter, note } = header.dialect
  // a number in several lines is a quote that was left open
  const isLikely = (fields: readonly string[]) => header.match.features.every((place) => !fields[place]!.includes('\n'))
  const hasCandid = header.match.candid !== undefined
  const schema = { oidType: 'string', hasCandid, hasMjd: header.hasMjd } as const
  const source = byteSource(input, schema, header.options, (assembler, signal) => {
    const records = csvRecords(linesOf(input.chunks(), longestLine), delimiter, isLikely)
    return deliverRows(withoutFirst(records), assembler, rowReader(assembler, header, input.name), signal)
  })
  return note === undefined ? source : { ...source, notes: () => [note] }
}

type Header = ReturnType<typeof readHeader> & { readonly dialect: CsvDialect }

function readHeader(record: CsvRecord, options: ReadOptions, name: string) {
  if (record.problem !== undefined) throw new DataError(`${name}: the header row cannot be read: ${record.problem}`)
  const names = record.fields
  const settled = settleNames(options, names)
  const numbers = numberColumns(settled, names)
  refuseOtherEncodings(names, name)
  const match = matchColumns(names, { ...settled, ...numbers }, name)
  return { options: settled, ...numbers, match, width: names.length }
}

/** Names that are no UTF-8 fit no column of a model: what to do is said before they are missed. */
function refuseOtherEncodings(names: readonly string[], name: string): void {
  if (names.some((one) => one.includes('\0'))) {
    throw new DataError(`${name}: the header has zero bytes, as text in UTF-16 without a byte order mark`, {
      hint: 'Save it as UTF-8, for example with iconv -f UTF-16LE -t UTF-8.',
    })
  }
  const odd = names.find((one) => one.includes('\ufffd'))
  if (odd === undefined) return
  throw new DataError(`${name}: the header is not UTF-8, in the column ${shownText(odd)}`, {
    hint: 'Save it as UTF-8, for example with iconv -f LATIN1 -t UTF-8.',
  })
}

function rowReader(
  assembler: BatchAssembler,
  { match, width, features, hasMjd, dialect, options: { tellsAll } }: Header,
  inputName: string,
): (record: CsvRecord) => void {
  const values = new Float64Array(features.length)
  const readNumber = numberReader(dialect)
  return ({ fields, line, problem }) => {
    const oid = idField(fields[match.oid])
    if (!assembler.admit(oid)) return
    const where = `${inputName} line ${line}`
    const isWhole = fields.length === width
    const reason =
      problem ??
      (!isWhole ? 'wrong number of fields' : oid?.includes('\ufffd') === true ? 'oid is not UTF-8' : undefined)
    if (reason !== undefined) return assembler.reject(oid, { where, reason })
    let wrong: NotNumbers | undefined
    for (let f = 0; f < values.length && (tellsAll || !wrong); f++) {
      const text = fields[match.features[f]!]!
      const value = readNumber(text)
      if (value === undefined) wrong = addNotNumber(wrong, features[f]!, text, tellsAll)
      else values[f] = value
    }
    if (wrong) return assembler.reject(oid, { where, ...wrong })
    const candid = match.candid === undefined ? null : idField(fields[match.candid])
    assembler.accept({ oid, candid, mjd: hasMjd ? values.at(-1)! : NaN, where }, values)
  }
}

function idField(text: string | undefined): string | null {
  return text === undefined || isNullText(text) ? null : detachedText(text)
}

async function* withoutFirst<T>(groups: AsyncIterable<T[]>): AsyncGenerator<Iterable<T>, void, undefined> {
  let isFirst = true
  for await (const records of groups) {
    yield isFirst ? records.slice(1) : records
    isFirst = false
  }
}
