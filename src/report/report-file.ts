// The file of --report: refused before any work where it cannot be, and whole or not there at the end.
import { existsSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import { alreadyThere, openReplacement } from '../whole-file.ts'

/** A report that is still to be written. */
export interface ReportFile {
  readonly path: string
  /** Everything of it is there under its name when this resolves. */
  publish(page: string): Promise<void>
  /** Harmless after `publish`; before it, nothing is left behind. */
  close(): Promise<void>
}

/** What can be told of the name without touching the disk: for a run that only says what it would do. */
export function checkReport(path: string | undefined, overwrite: boolean): void {
  if (path === undefined) return
  if (!path.endsWith('.html')) throw new UsageError(`--report ${path}: expected a name that ends with .html`)
  if (!overwrite && existsSync(path)) {
    throw alreadyThere(path)
  }
}

/**
 * Takes the place beside the name. undefined where no report was asked for.
 *
 * @throws UsageError for a name without .html, one that is taken (without `overwrite`), or a folder that is not there
 */
export async function openReport(path: string | undefined, overwrite: boolean): Promise<ReportFile | undefined> {
  checkReport(path, overwrite)
  if (path === undefined) return undefined
  const output = await openReplacement({ path, address: path, overwrite })
  return {
    path,
    async publish(page) {
      await output.write(Buffer.from(page))
      await output.finish()
      await output.publish()
    },
    close: () => output.close(),
  }
}
