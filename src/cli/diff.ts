// The story of `lcclf diff`.
import type { DiffReport } from '../comparison/diff-report.ts'
import { checkTableFolder, writeCsvTables } from './csv-tables.ts'
import { isExceeded, type ChangeBound } from './diff-flags.ts'
import { diffTables } from './diff-tables.ts'
import { diffText } from './diff-text.ts'
import { knownTaxonomies } from './known-taxonomies.ts'
import { openReport } from './report-file.ts'
import { resultAddress } from './result-file.ts'

/** What was asked. */
export interface DiffFlags {
  readonly a: string
  readonly b: string
  readonly model: string | undefined
  /** objects in each ranking */
  readonly top: number
  readonly failIfChanged: ChangeBound | undefined
  readonly csv: string | undefined
  /** a page for people */
  readonly report?: string | undefined
  readonly overwrite: boolean
  readonly json: boolean
}

/** Prints the report, as text or with --json as one object; answers the exit code: 3 if more changed than allowed. */
export async function diff(flags: DiffFlags): Promise<number> {
  if (flags.csv !== undefined) checkTableFolder(flags.csv, flags.overwrite)
  const file = await openReport(flags.report, flags.overwrite)
  let report: DiffReport
  try {
    report = await diffReport(flags)
    if (flags.csv !== undefined) await writeCsvTables(flags.csv, diffTables(report))
    if (file) await file.publish(await (await import('../report/diff-page.ts')).diffPage(report))
  } finally {
    await file?.close()
  }
  process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : diffText(report))
  if (!report.limit?.exceeded) return 0
  const share = (100 * report.changed_share).toFixed(2)
  process.stderr.write(
    `lcclf: ${report.changed} objects (${share} %) changed their class, more than --fail-if-changed ${report.limit.text}\n`,
  )
  return 3
}

/** Reads both sides and compares them. */
export async function diffReport(flags: DiffFlags): Promise<DiffReport> {
  const [a, b] = [resultAddress(flags.a), resultAddress(flags.b)]
  const [{ openSession }, { openPredictions }, { diffPredictions }] = await Promise.all([
    import('../predictions/session.ts'),
    import('../predictions/open-predictions.ts'),
    import('../comparison/diff-predictions.ts'),
  ])
  const taxonomies = await knownTaxonomies(flags.model)
  const session = await openSession()
  try {
    const sides = [
      await openPredictions(session, a.results, {
        classifierVersion: a.classifierVersion,
        table: 'side_a',
        knownTaxonomies: taxonomies,
      }),
      await openPredictions(session, b.results, {
        classifierVersion: b.classifierVersion,
        table: 'side_b',
        knownTaxonomies: taxonomies,
      }),
    ] as const
    const findings = await diffPredictions(session, sides, { shownObjects: flags.top })
    const bound = flags.failIfChanged
    return { ...findings, limit: bound ? { text: bound.text, exceeded: isExceeded(bound, findings) } : null }
  } finally {
    session.close()
  }
}
