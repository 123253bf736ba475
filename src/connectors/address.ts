// One notation for every place data comes from or goes to (design: cli.md, "Addresses").
import { basename } from 'node:path'
import { UsageError } from '../errors.ts'
import type { InputFormat, OutputFormat } from './files/file-formats.ts'
import { redacted } from '../formats/shown-text.ts'

/** A file's format by its suffix, and what is left of the name without it. */
interface NamedFormat<Format> {
  readonly format: Format
  readonly isGzipped: boolean
  /** the suffix as it is written, e.g. `.csv.gz` */
  readonly suffix: string
}

const outputSuffixes: Readonly<Record<string, OutputFormat>> = {
  '.parquet': 'parquet',
  '.csv': 'csv',
  '.csv.gz': 'csv',
  '.tsv': 'tsv',
  '.tsv.gz': 'tsv',
  '.ndjson': 'ndjson',
  '.ndjson.gz': 'ndjson',
  '.jsonl': 'ndjson',
  '.jsonl.gz': 'ndjson',
  '.arrow': 'arrow',
  '.feather': 'arrow',
}

const inputSuffixes: Readonly<Record<string, InputFormat>> = { ...outputSuffixes, '.avro': 'avro' }

/** The format an input file's name promises, or undefined. */
export function inputFormatOf(path: string): NamedFormat<InputFormat> | undefined {
  return formatBySuffix(path, inputSuffixes)
}

/** The format an output file's name asks for, or undefined. */
export function outputFormatOf(path: string): NamedFormat<OutputFormat> | undefined {
  return formatBySuffix(path, outputSuffixes)
}

/** The suffixes lcclf reads or writes, for messages. */
export const knownSuffixes = {
  input: Object.keys(inputSuffixes).join(' '),
  output: Object.keys(outputSuffixes).join(' '),
}

function formatBySuffix<Format>(
  path: string,
  suffixes: Readonly<Record<string, Format>>,
): NamedFormat<Format> | undefined {
  const name = basename(path).toLowerCase()
  let found: NamedFormat<Format> | undefined
  for (const [suffix, format] of Object.entries(suffixes)) {
    // the longest suffix wins: `.csv.gz` before anything shorter
    if (name.endsWith(suffix) && suffix.length > (found?.suffix.length ?? 0)) {
      found = { format, isGzipped: suffix.endsWith('.gz'), suffix: path.slice(path.length - suffix.length) }
    }
  }
  return found
}

const scheme = /^([a-z][a-z0-9+.-]*):\/\//i

/** The path of a file address; any `scheme://` that is not for files is refused. */
export function filePathOf(address: string, role: 'input' | 'output'): string {
  const found = scheme.exec(address)?.[1]?.toLowerCase()
  if (found === undefined) return address
  throw new UsageError(`${redacted(address)}: ${found}:// is not an ${role} of this command`, {
    hint: `Use a file (${knownSuffixes[role]}), a folder, s3://bucket/key, or - for ${role === 'input' ? 'stdin' : 'stdout'}.`,
  })
}
