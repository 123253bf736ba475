// CSV and TSV as a source: a header row, then rows of which only the needed fields are parsed.
import { type BatchAssembler, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import { DataError } from '../../errors.ts'
import { type CsvRecord, csvRecords } from '../../formats/csv-records.ts'
import { isNullText, readNumberText } from '../../formats/number-text.ts'
import { detachedText, linesOf } from '../../formats/text-lines.ts'
import { type ByteInput, openByteInput } from './byte-input.ts'
import { deliverRows } from '../deliver.ts'
import { type ColumnMatch, matchColumns } from '../columns/match-columns.ts'
import { addNotNumber, type NotNumbers } from '../columns/column-error.ts'
import { rowsAfterPeek } from './peek.ts'
import { settleNames } from '../columns/settle-names.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { FileSourceSpec } from './file-formats.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'

const longestLine = 4 * 1024 * 1024

/** What the header says. */
interface Header {
  readonly options: ReadOptions
  readonly match: ColumnMatch
  readonly width: number
}

/**
 * Opens a CSV or TSV input, compressed or not.
 *
 * @throws DataError for an absent header, a name that is there twice, or missing columns
 */
export async function openCsvSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const delimiter = spec.format === 'tsv' ? '\t' : ','
  let known: Header | undefined
  // a number in several lines is a quote that was left open
  const isLikely = (fields: readonly string[]): boolean =>
    known?.match.features.every((place) => !fields[place]!.includes('\n')) ?? true
  const groups = (): AsyncGenerator<CsvRecord[], void, undefined> =>
    csvRecords(linesOf(input.chunks(), longestLine), delimiter, isLikely)
  const { peeked, rows, drop } = await rowsAfterPeek(groups, {
    isEnough: (records) => records.length > 0,
    replayable: input.replayable,
  })
  let header: Header
  try {
    header = readHeader(peeked[0], options, input.name)
    known = header
  } catch (error) {
    await drop()
    throw error
  }
  const hasCandid = header.match.candid !== undefined
  return {
    identity: input.identity,
    schema: { oidType: 'string', hasCandid },
    replayable: input.replayable,
    ...input.progress,
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...header.options, oidType: 'string', hasCandid })
      const stop = (): void => input.stop()
      signal.addEventListener('abort', stop)
      try {
        yield* deliverRows(skipFirst(rows()), assembler, rowReader(assembler, header, input), signal)
        await input.checkUnchanged()
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    async close() {
      input.stop()
      await drop()
    },
  }
}

function readHeader(record: CsvRecord | undefined, options: ReadOptions, name: string): Header {
  if (!record) throw new DataError(`${name} is empty: it needs a header row`)
  if (record.problem !== undefined) throw new DataError(`${name}: the header row cannot be read: ${record.problem}`)
  const names = record.fields
  const twice = names.filter((field, i) => names.indexOf(field) !== i)
  if (twice.length > 0) {
    throw new DataError(
      `${name}: the header names ${[...new Set(twice)].map(shownText).join(', ') || 'an empty column'} more than once`,
    )
  }
  const settled = settleNames(options, names)
  return { options: settled, match: matchColumns(names, settled, name), width: names.length }
}

/** The function that reads one row. */
function rowReader(
  assembler: BatchAssembler,
  { match, width, options: { features, tellsAll } }: Header,
  { name }: ByteInput,
): (record: CsvRecord) => void {
  const values = new Float64Array(features.length)
  return ({ fields, line, problem }) => {
    const oid = idField(fields[match.oid])
    if (!assembler.admit(oid)) return
    const where = `${name} line ${line}`
    const reason = problem ?? (fields.length === width ? undefined : 'wrong number of fields')
    if (reason !== undefined) {
      assembler.reject(oid, { where, reason })
      return
    }
    if (oid?.includes('\ufffd')) {
      assembler.reject(oid, { where, reason: 'oid is not UTF-8' })
      return
    }
    let wrong: NotNumbers | undefined
    for (let f = 0; f < values.length && (tellsAll || !wrong); f++) {
      const text = fields[match.features[f]!]!
      const value = readNumberText(text)
      if (value === undefined) wrong = addNotNumber(wrong, { feature: features[f]!, value: text, tellsAll })
      else values[f] = value
    }
    if (wrong) {
      assembler.reject(oid, { where, ...wrong })
      return
    }
    const candid = match.candid === undefined ? null : idField(fields[match.candid])
    assembler.accept({ oid, candid, where }, values)
  }
}

function idField(text: string | undefined): string | null {
  return text === undefined || isNullText(text) ? null : detachedText(text)
}

async function* skipFirst(
  groups: AsyncGenerator<CsvRecord[], void, undefined>,
): AsyncGenerator<Iterable<CsvRecord>, void, undefined> {
  let isFirst = true
  for await (const records of groups) {
    yield isFirst ? records.slice(1) : records
    isFirst = false
  }
}
