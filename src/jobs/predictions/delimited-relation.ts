// CSV and TSV, with whatever delimiter and decimals, for SQL to read.
import { resolve } from 'node:path'
import { inspectFile, openByteInput, readEnds } from '../../connectors/files/byte-input.ts'
import { type CsvDialect, recogniseDialect } from '../../connectors/files/csv-dialect.ts'
import { globFree, sqlText } from '../../connectors/files/duckdb.ts'
import { linesOf } from '../../formats/chunks.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { FileSourceSpec } from '../../connectors/address.ts'

const longestLine = 4 * 1024 * 1024

type FileSpec = Extract<FileSourceSpec, { kind: 'file' }>

/** Columns by which the delimiter is recognised, and the decimals, which are looked for in `numbers`. */
export interface NeededColumns {
  readonly idColumn: string
  readonly texts: readonly string[]
  readonly numbers: readonly string[]
}

/** Columns of results that are text, whatever they look like; the others may be numbers. */
const texts = new Set(['oid', 'candid', 'class', 'class_name', 'classifier_name', 'classifier_version'])

/**
 * The file's columns as SQL reads them. What was recognised and is not plain CSV is said on stderr.
 *
 * @throws DataError for an absent header
 */
export async function delimitedRelation(spec: FileSpec, needed: NeededColumns) {
  const { header, dialect } = await lookAt(spec, needed)
  const isUtf16 = (await readEnds(await inspectFile(spec.path, spec.address), 2)).head.toString('hex') === 'fffe'
  if (dialect.note !== undefined) sayOnce(`${spec.address}: ${dialect.note}`)
  const columns = header.map((_, i) => `'c${i}': 'VARCHAR'`)
  const times = new Map<string, number>()
  for (const name of header) times.set(name, (times.get(name) ?? 0) + 1)
  // only a query that needs such a column fails
  const twice = (name: string): string => failing(`it has the column ${shownText(name)} ${times.get(name)} times`)
  const read = (name: string, i: number): string =>
    dialect.decimal === ',' && !texts.has(name) ? withPoint(`c${i}`, name) : `c${i}`
  const options =
    `auto_detect = false, header = true, strict_mode = true, quote = '"', escape = '"', ` +
    `delim = ${sqlText(dialect.delimiter)}, compression = '${compressionOf(spec)}', columns = {${columns.join(', ')}}` +
    (isUtf16 ? ", encoding = 'utf-16'" : '')
  return {
    address: spec.address,
    sql: `read_csv(${sqlText(globFree(resolve(spec.path)))}, ${options})`,
    columns: header.map((name, i) => ({ path: [name], sql: times.get(name) === 1 ? read(name, i) : twice(name) })),
  }
}

const said = new Set<string>()

/** Some questions open a file again. */
function sayOnce(line: string): void {
  if (!said.has(line)) process.stderr.write(`${line}\n`)
  said.add(line)
}

async function lookAt(
  spec: FileSpec,
  { idColumn, texts: others, numbers }: NeededColumns,
): Promise<{ readonly header: readonly string[]; readonly dialect: CsvDialect }> {
  const input = await openByteInput(spec)
  const usual = spec.format === 'tsv' ? '\t' : ','
  const renames = new Map<string, string>()
  return input.peek(async (chunks) => {
    const lines = linesOf(chunks, longestLine)
    const asked = { idColumn, features: numbers, texts: others, rename: renames, hasFlags: false }
    const { header, dialect } = await recogniseDialect(lines, usual, asked, spec.address)
    return { header: header.fields, dialect }
  })
}

/** A number with a comma before its decimals; a point in it may be anything. */
function withPoint(sql: string, name: string): string {
  const both = failing(`its decimals stand after a comma, and the column ${shownText(name)} has points too`)
  return `CASE WHEN contains(${sql}, '.') THEN ${both} ELSE replace(${sql}, ',', '.') END`
}

function failing(why: string): string {
  return `CAST(error(${sqlText(why)}) AS VARCHAR)`
}

/** By the name, as DuckDB does it. */
export function compressionOf({ path }: Pick<FileSpec, 'path'>): 'gzip' | 'uncompressed' {
  return path.toLowerCase().endsWith('.gz') ? 'gzip' : 'uncompressed'
}
