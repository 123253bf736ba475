// Tables of a report as CSV files in a folder.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { messageOf, ServiceError, systemCode, UsageError } from '../errors.ts'
import { writeWholeFile } from '../whole-file.ts'

/** One table: a row is an object, its keys the columns. */
export interface CsvTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly Readonly<Record<string, string | number | null>>[]
}

/** Before any work: refuses a folder that holds something, so that nothing is replaced by mistake. */
export function checkTableFolder(folder: string, overwrite: boolean): void {
  if (overwrite || !existsSync(folder)) return
  if (readdirSync(folder).length === 0) return
  throw new UsageError(`${folder} is not empty`, { hint: 'Give another --csv, or --overwrite.' })
}

/** Writes `NAME.csv` for each table, numbers in full precision; an empty cell is what is not defined. */
export async function writeCsvTables(folder: string, tables: readonly CsvTable[]): Promise<void> {
  for (const { name, columns, rows } of tables) {
    const text = stringify(
      rows.map((row) => columns.map((column) => row[column] ?? null)),
      { header: true, columns: columns.map((column) => ({ key: column, header: column })), cast: { number: String } },
    )
    try {
      await writeWholeFile(join(folder, `${name}.csv`), Buffer.from(text))
    } catch (cause) {
      throw new ServiceError(`${folder}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, { cause })
    }
  }
}
