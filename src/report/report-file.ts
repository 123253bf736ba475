// The file of --report: refused before any work where it cannot be, and whole or not there at the end.
import { existsSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import { alreadyThere, openReplacement } from '../whole-file.ts'

/** A report that is still to be written. */
export type ReportFile = NonNullable<Awaited<ReturnType<typeof openReport>>>

/** What can be told from the name without touching the disk: for a run that only says what it would do. */
export function checkReport(path: string | undefined, overwrite: boolean): void {
  if (path === undefined) return
  if (!path.endsWith('.html')) throw new UsageError(`--report ${path}: expected a name that ends with .html`)
  if (!overwrite && existsSync(path)) throw alreadyThere(path)
}

/**
 * Takes the place beside the name. undefined where no report was asked for.
 *
 * @throws UsageError for a name without .html, or one that is taken (without `overwrite`); ServiceError where its folder cannot be made
 */
export async function openReport(path: string | undefined, overwrite: boolean) {
  checkReport(path, overwrite)
  if (path === undefined) return undefined
  const output = await openReplacement({ path, address: path, overwrite })
  return {
    path,
    /** Everything of it is there under its name when this resolves. */
    async publish(page: string): Promise<void> {
      await output.write(Buffer.from(page))
      await output.finish()
      await output.publish()
    },
    /** Harmless after `publish`; before it, nothing is left behind. */
    close: () => output.close(),
  }
}

/** Does the work, and writes its report where one was asked for; answers what was found. */
export async function withReport<Found>(
  { report, overwrite = false }: { readonly report?: string | undefined; readonly overwrite?: boolean },
  work: () => Promise<Found>,
  pageOf: (found: Found) => Promise<string>,
): Promise<Found> {
  const file = await openReport(report, overwrite)
  try {
    const found = await work()
    await file?.publish(await pageOf(found))
    return found
  } finally {
    await file?.close()
  }
}
