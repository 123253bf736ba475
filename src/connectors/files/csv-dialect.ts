// Which character divides the fields of a CSV file, and which stands before decimals, by its first rows.
import { DataError, UsageError } from '../../errors.ts'
import type { LineGroup } from '../../formats/chunks.ts'
import { type CsvRecord, csvRecords } from '../../formats/csv-records.ts'
import { isNullText, readNumberText } from '../../formats/text-values.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

export interface CsvDialect {
  readonly delimiter: string
  readonly decimal: '.' | ','
  /** what was recognised and is not the plain comma; undefined where nothing was, or all was said by flags */
  readonly note: string | undefined
}

/** What decides about a dialect: the needed columns, and what flags say. */
export interface DialectOptions extends Pick<
  ReadOptions,
  'features' | 'idColumn' | 'rename' | 'renameMap' | 'delimiter' | 'decimal'
> {
  /** needed columns that are no numbers, besides the id */
  readonly texts?: readonly string[]
  /** false where no flag could say otherwise */
  readonly hasFlags?: boolean
}

const delimiters = [',', ';', '\t', '|']
const delimiterNames: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': '|' }
/** enough to see a decimal */
const lookedAt = 200

/**
 * Looks at the beginning of a file. The delimiter under which the header has every needed column wins; where none does,
 * the one under which it has most of them, so that what is said to be missing is missing.
 *
 * @param usual what the format's name promises
 * @throws UsageError for a delimiter of several characters; DataError for an absent header, or one that has every needed column under two delimiters
 */
export async function recogniseDialect(
  groups: AsyncIterable<LineGroup>,
  usual: string,
  options: DialectOptions,
  name: string,
): Promise<{ readonly header: CsvRecord; readonly dialect: CsvDialect }> {
  const first = await firstLines(groups)
  const isAsked = options.delimiter !== undefined
  if (isAsked && options.delimiter.length !== 1) throw new UsageError('a delimiter is one character')
  const candidates = isAsked
    ? [options.delimiter]
    : [usual, ...delimiters.filter((one) => one !== usual && first.lines[0]?.includes(one) === true)]
  const readings: Reading[] = []
  for (const delimiter of candidates) {
    const records = await recordsOf(first, delimiter)
    const [header] = records
    if (header) readings.push({ delimiter, header, records, ...countNeeded(header.fields, options) })
  }
  const { hasFlags = true } = options
  const best = chosen(readings, name, hasFlags)
  const decimal = options.decimal ?? (best.delimiter === ',' ? '.' : decimalOf(best))
  const recognised = [
    ...(isAsked || best.delimiter === usual ? [] : [`fields are divided by ${delimiterNames[best.delimiter]}`]),
    ...(options.decimal === undefined && decimal === ',' ? ['decimals stand after a comma'] : []),
  ]
  const flags = hasFlags ? '; --delimiter and --decimal decide' : ''
  const note = recognised.length === 0 ? undefined : `CSV: ${recognised.join(', ')} (recognised${flags})`
  return { header: best.header, dialect: { delimiter: best.delimiter, decimal, note } }
}

/** The reader of numbers of a dialect: with a decimal comma, a text with a point in it is no number. */
export function numberReader({ decimal }: CsvDialect): (text: string) => number | undefined {
  if (decimal === '.') return readNumberText
  return (text) => {
    if (text.includes('.')) return isNullText(text) ? NaN : undefined
    return readNumberText(text.replace(',', '.'))
  }
}

/** The header and the first rows, read with one delimiter. */
interface Reading {
  readonly delimiter: string
  readonly header: CsvRecord
  readonly records: readonly CsvRecord[]
  /** needed columns that are there */
  readonly found: number
  readonly isComplete: boolean
  /** where the features are */
  readonly places: readonly number[]
}

function chosen(readings: readonly Reading[], name: string, hasFlags: boolean): Reading {
  const complete = readings.filter(({ isComplete }) => isComplete)
  if (complete.length > 1) {
    const both = complete.map(({ delimiter }) => JSON.stringify(delimiter)).join(' and ')
    throw new DataError(`${name}: the header has the needed columns when divided by ${both}`, {
      hint: hasFlags ? 'Name the one that is meant with --delimiter.' : 'Write it with commas.',
    })
  }
  const [best] = [...readings].sort((a, b) => b.found - a.found || widthBeyondOne(b) - widthBeyondOne(a))
  if (!best) throw new DataError(`${name} is empty: it needs a header row`)
  return best
}

/** Only a header that is one field as usual is better divided otherwise. */
function widthBeyondOne({ header }: Reading): number {
  return header.fields.length > 1 ? 1 : 0
}

function countNeeded(names: readonly string[], { features, idColumn, texts = [], rename, renameMap }: DialectOptions) {
  const readAs = (name: string): string[] => [rename.get(name) ?? name, renameMap?.get(name) ?? name]
  const present = new Set(names.flatMap(readAs))
  const needed = [...new Set([idColumn, ...texts, ...features])]
  const found = needed.filter((name) => present.has(name)).length
  const wanted = new Set(features)
  const places = names.flatMap((name, place) => (readAs(name).some((one) => wanted.has(one)) ? [place] : []))
  return { found, isComplete: found === needed.length, places }
}

/** The first lines that are not blank, as many as a look needs, or fewer at the end of the input. */
async function firstLines(groups: AsyncIterable<LineGroup>): Promise<LineGroup> {
  const lines: string[] = []
  const overlong = new Set<number>()
  for await (const group of groups) {
    group.lines.forEach((line, i) => {
      if (lines.length === 0 && line.trim() === '') return
      if (lines.length >= lookedAt) return
      if (group.overlong.has(i)) overlong.add(lines.length)
      lines.push(line)
    })
    // a header may have line ends in quotes
    const quotes = lines.join('').split('"').length - 1
    if (lines.length > 1 && quotes % 2 === 0) break
    if (lines.length >= lookedAt) break
  }
  return { lines, firstNumber: 1, overlong }
}

async function recordsOf(first: LineGroup, delimiter: string): Promise<CsvRecord[]> {
  const records: CsvRecord[] = []
  const once = (async function* () {
    yield await Promise.resolve(first)
  })()
  for await (const some of csvRecords(once, delimiter)) records.push(...some)
  return records
}

const commaDecimal = /^\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*$/
const pointDecimal = /^\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*$/

/** A comma where some features have one and none has a point. */
function decimalOf({ records, places }: Reading): '.' | ',' {
  const rows = records.slice(1)
  const has = (pattern: RegExp): boolean =>
    rows.some(({ fields }) => places.some((place) => pattern.test(fields[place] ?? '')))
  return has(commaDecimal) && !has(pointDecimal) ? ',' : '.'
}
