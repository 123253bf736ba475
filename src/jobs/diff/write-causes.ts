// `lcclf diff --why --to FILE`: a row for each explained object.
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqlText } from '../../connectors/files/duckdb.ts'
import { UsageError } from '../../errors.ts'
import { type ByteOutput, openReplacement } from '../../whole-file.ts'
import type { Session } from '../predictions/session.ts'
import { causesTable } from './cause-table.ts'

const formats: Readonly<Record<string, string>> = {
  '.csv': 'FORMAT csv, HEADER true',
  '.ndjson': 'FORMAT json',
  '.parquet': 'FORMAT parquet, COMPRESSION zstd',
}

/** A file that is still to be written. */
export interface CauseFile {
  /** Writes the rows of the session's table, by oid. */
  publish(session: Session): Promise<void>
  /** Harmless after `publish`; before it, nothing is left behind. */
  close(): Promise<void>
}

/**
 * Takes the place beside the name.
 *
 * @throws UsageError for a name of no format, or one that is taken (without `overwrite`)
 */
export async function openCauseFile(path: string, overwrite: boolean): Promise<CauseFile> {
  const options = Object.entries(formats).find(([suffix]) => path.endsWith(suffix))?.[1]
  if (options === undefined || path.includes('://')) {
    throw new UsageError(`--to ${path}: expected a file on this machine`, {
      hint: `Its name ends with ${Object.keys(formats).join(', ')}.`,
    })
  }
  const output = await openReplacement({ path, address: path, overwrite })
  return {
    publish: (session) => copyInto(output, session, options),
    close: () => output.close(),
  }
}

/** DuckDB writes files of its own; what appears under the name is whole. */
async function copyInto(output: ByteOutput, session: Session, options: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lcclf-causes-'))
  try {
    const copy = join(folder, 'causes')
    await session.rows(
      `COPY (SELECT * FROM ${causesTable} ORDER BY oid) TO ${sqlText(copy)} (${options})`,
      'the explanation',
    )
    for await (const bytes of createReadStream(copy)) await output.write(bytes as Uint8Array)
    await output.finish()
    await output.publish()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
