// The story of `lcclf evaluate`.
import { withReport } from '../../report/report-file.ts'
import type { EvaluateFlags } from '../../terminal/result-flags.ts'
import { checkTableFolder, writeCsvTables } from '../../terminal/csv-tables.ts'
import { evaluationReport, type EvaluationReport } from './evaluation-report.ts'
import { evaluationTables, evaluationText } from './tables.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Prints the report, as text or with --json as one object. */
export async function evaluate(flags: EvaluateFlags & { readonly predictions: string }): Promise<void> {
  const { csv, overwrite, json } = flags
  if (csv !== undefined) checkTableFolder(csv, overwrite)
  const work = async (): Promise<EvaluationReport> => {
    const report = await evaluationReport(flags)
    if (csv !== undefined) await writeCsvTables(csv, evaluationTables(report))
    return report
  }
  const report = await withReport(flags, work, async (found) => (await import('./page.ts')).evaluatePage(found))
  await print(json ? `${JSON.stringify(report)}\n` : evaluationText(report))
}
