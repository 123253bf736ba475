// One notation for every place data comes from or goes to (design: cli.md, "Addresses"), and the rules for names of files.
import { basename, extname } from 'node:path'
import { UsageError } from '../errors.ts'
import { redacted } from '../formats/shown-text.ts'

/** The file formats results are written in and the suffixes that say so; `tsv` is csv with tabs. */
export const suffixesOf = {
  parquet: ['.parquet'],
  csv: ['.csv', '.csv.gz'],
  tsv: ['.tsv', '.tsv.gz'],
  ndjson: ['.ndjson', '.ndjson.gz', '.jsonl', '.jsonl.gz'],
  arrow: ['.arrow', '.feather'],
  fits: ['.fits', '.fits.gz', '.fit', '.fit.gz'],
  votable: ['.vot', '.vot.gz', '.votable', '.votable.gz', '.xml', '.xml.gz'],
} as const

/** What results are written in. */
export type OutputFormat = keyof typeof suffixesOf
export const outputFormats = Object.keys(suffixesOf) as readonly OutputFormat[]

/** What rows are read from. */
export type InputFormat = OutputFormat | 'avro'
export const inputFormats: readonly InputFormat[] = [...outputFormats, 'avro']

/** As people write it. */
export function formatName(format: InputFormat): string {
  return format === 'votable' ? 'VOTable' : format.toUpperCase()
}

/** Rows in files and pipes. gzip is recognised by the first bytes, for text, FITS and VOTable. */
export type FileSourceSpec = (
  | { readonly kind: 'file'; readonly address: string; readonly path: string }
  | { readonly kind: 'stdin'; readonly address: '-' }
) & {
  readonly format: InputFormat
  /** of FITS and VOTable: which table, by its name or number; undefined: the first */
  readonly table?: string | undefined
}

/** The three forms of a result in a file (design: cli.md, "Layouts"). */
export type Layout = 'wide' | 'long' | 'nested'

/** What an output takes of the results, where it does not take all. */
export interface Excerpt {
  /** names or patterns of columns, each text one or several with commas between them */
  readonly columns?: readonly string[] | undefined
  /** so many of the most probable classes, in place of a column a class */
  readonly top?: number | undefined
  /** objects of these classes, each text one or several with commas between them */
  readonly only?: readonly string[] | undefined
  /** objects whose class is at least so probable, 0 to 1 */
  readonly minProbability?: number | undefined
}

/** What an output may have beside the survey's own numbers, where it was asked for. */
export interface ExtraColumns {
  /** the margins of a booster, wide or nested */
  readonly margins?: boolean | undefined
  /** the probabilities of a calibrated model */
  readonly calibrated?: boolean | undefined
  /** of a calibrated model, wide or nested: sets that hold the class of at least this share of objects */
  readonly sets?: number | undefined
  /** how strange each object is to the model, wide or nested */
  readonly novelty?: boolean | undefined
}

/** How the results stand in a file. */
export interface ResultForm {
  readonly layout: Layout
  readonly extras?: ExtraColumns | undefined
  readonly excerpt?: Excerpt | undefined
}

const outputSuffixes: Readonly<Record<string, OutputFormat>> = Object.fromEntries(
  outputFormats.flatMap((format) => suffixesOf[format].map((suffix) => [suffix, format])),
)

const inputSuffixes: Readonly<Record<string, InputFormat>> = { ...outputSuffixes, '.avro': 'avro' }

/** The suffixes lcclf reads or writes, for messages. */
export const knownSuffixes = {
  input: Object.keys(inputSuffixes).join(' '),
  output: Object.keys(outputSuffixes).join(' '),
}

/** The format that the name of an input or of an output promises, or undefined. */
export const inputFormatOf = (path: string) => formatBySuffix(path, inputSuffixes)
export const outputFormatOf = (path: string) => formatBySuffix(path, outputSuffixes)

/** @returns `suffix` as it is written in the path */
function formatBySuffix<Format>(path: string, suffixes: Readonly<Record<string, Format>>) {
  const name = basename(path).toLowerCase()
  const [suffix, format] = Object.entries(suffixes).find(([suffix]) => name.endsWith(suffix)) ?? []
  if (suffix === undefined || format === undefined) return undefined
  return { format, isGzipped: suffix.endsWith('.gz'), suffix: path.slice(path.length - suffix.length) }
}

/** The path of a file address; any `scheme://` that is not for files is refused. */
export function filePathOf(address: string, role: 'input' | 'output'): string {
  const found = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase()
  if (found === undefined) return address
  throw new UsageError(`${redacted(address)}: ${found}:// is not an ${role} of this command`, {
    hint: `Use a file (${knownSuffixes[role]}), a folder, s3://bucket/key, or - for ${role === 'input' ? 'stdin' : 'stdout'}.`,
  })
}

// The names of inputs: the same rules for files and for objects.

/**
 * One input among others: its format, and its name relative to where the search for inputs began.
 *
 * @param relativePath with `/`
 * @throws UsageError for a name that does not say its format
 */
export function namedInput(address: string, relativePath: string, fromFormat: InputFormat | undefined) {
  const named = inputFormatOf(address)
  const format = fromFormat ?? named?.format
  if (format === undefined) {
    throw new UsageError(`${address}: the name does not say its format`, {
      hint: `Known suffixes are ${knownSuffixes.input}; or name the format with --from-format.`,
    })
  }
  const relativeName = named ? relativePath.slice(0, -named.suffix.length) : relativePath
  return { format, relativeName, relativePath }
}

const shownSuffixes = 8

/**
 * Names that begin with `_` or `.` (Spark's markers, our partial files) are not data, at any depth. XML is a VOTable only
 * where it is named: most of it is something else.
 */
export function isData(path: string): boolean {
  return inputFormatOf(path) !== undefined && !isHidden(path) && !/\.xml(?:\.gz)?$/i.test(path)
}

/** @param path with `/`, relative to where the search began */
export function isHidden(path: string): boolean {
  return path.split('/').some((part) => /^[_.]/.test(part))
}

/** Of a result, beside which it lies. */
export function isReceipt(path: string): boolean {
  return path.endsWith('.receipt.json')
}

/** What is said about files that are there and are no inputs; undefined where there are none. */
export function otherFormatsNote(others: readonly string[], place: string): string | undefined {
  if (others.length === 0) return undefined
  const suffixes = [...new Set(others.map((path) => extname(path) || 'no suffix'))].sort(byCodeUnit)
  const listed = suffixes.length > shownSuffixes ? [...suffixes.slice(0, shownSuffixes), '…'] : suffixes
  const files = others.length === 1 ? '1 file in' : `${others.length} files in`
  const are = others.length === 1 ? 'is' : 'are'
  const named = suffixes.includes('.xml') ? '; a VOTable called .xml is read where it is named' : ''
  return `${files} ${place} ${are} not of a format lcclf reads: ${listed.join(', ')}${named}`
}

/** The folder a glob starts from: the part before its first special character. */
export function staticRoot(pattern: string): string {
  const parts = pattern.split('/').slice(0, -1)
  const special = parts.findIndex((part) => /[*?[\]{}()!+@]/.test(part))
  return (special < 0 ? parts : parts.slice(0, special)).join('/') || (pattern.startsWith('/') ? '/' : '.')
}

/**
 * The outputs that a folder or a pattern skips, so that a second run does not read the results of the first: those below
 * the place where the search begins. An output that holds the inputs skips none of them, and what is named itself is
 * always read.
 */
export function skippedOutputs({ root, outputs, isBelow }: Search): string[] {
  return outputs.filter((output) => isBelow(output, root))
}

/** What was found, without what lies in the outputs that are skipped. */
export function withoutResults<T>(found: readonly T[], nameOf: (one: T) => string, search: Search): T[] {
  const skipped = skippedOutputs(search)
  return found.filter((one) => !skipped.some((output) => search.isBelow(nameOf(one), output)))
}

/** Where a search for inputs begins, where results go, and what lies below what. */
interface Search {
  readonly root: string
  readonly outputs: readonly string[]
  readonly isBelow: (name: string, folder: string) => boolean
}

export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
