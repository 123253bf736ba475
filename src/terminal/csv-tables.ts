// Tables of a report as CSV files in a folder.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { UsageError } from '../errors.ts'
import type { BareTable, Cell } from '../formats/table.ts'
import { openReplacement } from '../whole-file.ts'

/** Before any work: refuses a folder that holds something, so that nothing is replaced by mistake. */
export function checkTableFolder(folder: string, overwrite: boolean): void {
  if (overwrite || !existsSync(folder)) return
  if (readdirSync(folder).length === 0) return
  throw new UsageError(`${folder} is not empty`, { hint: 'Choose another folder with --csv, or add --overwrite.' })
}

/** Writes `NAME.csv` for each table: numbers in full precision, an empty cell where a value is not defined. */
export async function writeCsvTables(folder: string, tables: Readonly<Record<string, BareTable>>): Promise<void> {
  for (const [name, { columns, rows }] of Object.entries(tables)) {
    const written = columns.filter(({ key }) => key !== undefined)
    const cells = rows.map((row) => written.map(({ cell }) => cell(row)))
    await writeCsvRows(join(folder, `${name}.csv`), { header: written.map(({ key }) => key!), chunks: [cells] })
  }
}

/**
 * Writes a CSV file, which appears whole or not at all, and replaces an older one.
 *
 * @param rows.chunks all rows, which may be too many to be in memory at once
 */
export async function writeCsvRows(
  path: string,
  rows: { header: readonly string[]; chunks: Iterable<readonly Cell[][]> | AsyncIterable<readonly Cell[][]> },
): Promise<void> {
  const output = await openReplacement({ path, address: path, overwrite: true })
  const write = (lines: readonly (readonly Cell[])[]): Promise<void> =>
    output.write(Buffer.from(stringify([...lines], { cast: { number: String } })))
  try {
    await write([rows.header])
    for await (const chunk of rows.chunks) await write(chunk)
    await output.finish()
    await output.publish()
  } finally {
    await output.close()
  }
}
