// The story of `lcclf diff`.
import type { DiffReport } from './diff-predictions.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { DiffFlags } from '../../terminal/result-flags.ts'
import { checkTableFolder, writeCsvTables } from '../../terminal/csv-tables.ts'
import { featuresOfSide } from './features-of-side.ts'
import { refuseWithoutWhy, why } from './why.ts'
import { openCauseFile } from './write-causes.ts'
import { calibratedSides } from './calibrated-side.ts'
import { diffTables, diffText, writeOnlyIn } from './tables.ts'
import { inModelOrder } from '../predictions/class-order.ts'
import { withReport } from '../../report/report-file.ts'
import { objectCount } from '../../terminal/text-table.ts'
import { resultAddress } from '../predictions/result-file.ts'
import { print } from '../../terminal/standard-streams.ts'

type DiffRequest = DiffFlags & { readonly a: string; readonly b: string }

/** Prints the report, as text or with --json as one object; answers the exit code: 3 if more changed than allowed. */
export async function diff(flags: DiffRequest): Promise<number> {
  const { csv, overwrite, json } = flags
  refuseWithoutWhy(flags)
  if (csv !== undefined) checkTableFolder(csv, overwrite)
  const work = async (): Promise<DiffReport> => {
    const report = await diffReport(flags)
    if (csv !== undefined) await writeCsvTables(csv, diffTables(report))
    return report
  }
  const report = await withReport(flags, work, async (found) => (await import('./page.ts')).diffPage(found))
  await print(json ? `${JSON.stringify(report)}\n` : diffText(report))
  if (!report.limit?.exceeded) return 0
  const share = (100 * report.changed_share).toFixed(2)
  process.stderr.write(
    `lcclf: ${objectCount(report.changed)} (${share} %) changed class, more than --fail-if-changed ${report.limit.text}\n`,
  )
  return 3
}

/** Reads both sides and compares them; with --csv, only_in.csv is written meanwhile: its rows are never all in memory. */
export async function diffReport(flags: DiffRequest): Promise<DiffReport> {
  const a = await resultAddress(flags.a)
  const b = await resultAddress(flags.b)
  const [{ openSession }, { openPredictions }, { diffPredictions }] = await Promise.all([
    import('../predictions/session.ts'),
    import('../predictions/open-predictions.ts'),
    import('./diff-predictions.ts'),
  ])
  const features = flags.why
    ? ([await featuresOfSide('a', a.results, flags), await featuresOfSide('b', b.results, flags)] as const)
    : undefined
  const file = flags.to === undefined ? undefined : await openCauseFile(flags.to, flags.overwrite)
  const session = await openSession()
  try {
    const opened = [
      await openPredictions(session, a.results, { ...a, table: 'side_a' }),
      await openPredictions(session, b.results, { ...b, table: 'side_b' }),
    ] as const
    const sides = await inOneOrder(...calibratedSides(opened, flags.calibrated), flags.model)
    const findings = { ...(await diffPredictions(session, sides, flags.top)), calibrated: flags.calibrated ?? null }
    const expected = findings.a.only_here.objects + findings.b.only_here.objects
    if (flags.csv !== undefined) await writeOnlyIn(session, sides, { folder: flags.csv, expected })
    const explained = { ...findings, why: features ? await why(session, { sides, features, file }, flags) : null }
    const bound = flags.failIfChanged
    if (!bound) return { ...explained, limit: null }
    const { changed, common } = findings
    // as much as the bound is allowed
    const exceeded = 'objects' in bound ? changed > bound.objects : 100 * changed > bound.percent * common
    return { ...explained, limit: { text: bound.text, exceeded } }
  } finally {
    session.close()
    await file?.close()
  }
}

/** A side that knows its order lends it to the other: equal probabilities are then decided alike, and nothing changed. */
async function inOneOrder(
  a: Predictions,
  b: Predictions,
  reference: string | undefined,
): Promise<readonly [Predictions, Predictions]> {
  const first = await inModelOrder(a, reference, b)
  const second = await inModelOrder(b, reference, first)
  return [await inModelOrder(first, reference, second), second]
}
