// The story of `lcclf evaluate`.
import { DataError, UsageError } from '../../errors.ts'
import { evaluatePredictions } from './evaluate-predictions.ts'
import type { EvaluationReport } from './evaluation-report.ts'
import { checkTableFolder, writeCsvTables } from '../../terminal/csv-tables.ts'
import { evaluationTables, evaluationText } from './tables.ts'
import { inModelOrder } from '../predictions/class-order.ts'
import { openReport } from '../../report/report-file.ts'
import { resultAddress, resultFile } from '../predictions/result-file.ts'

/** What was asked. */
interface EvaluateFlags {
  readonly predictions: string
  readonly labels: string
  readonly labelColumn: string
  readonly idColumn: string
  readonly renames: ReadonlyMap<string, string>
  readonly classifierVersion: string | undefined
  /** whose order of classes decides ties in long results */
  readonly model: string | undefined
  /** intervals of the reliability curves */
  readonly bins: number
  /** a folder for the tables */
  readonly csv: string | undefined
  /** a page for people */
  readonly report?: string | undefined
  readonly overwrite: boolean
  readonly json: boolean
}

/** Prints the report, as text or with --json as one object. */
export async function evaluate(flags: EvaluateFlags): Promise<void> {
  if (flags.csv !== undefined) checkTableFolder(flags.csv, flags.overwrite)
  const file = await openReport(flags.report, flags.overwrite)
  let report: EvaluationReport
  try {
    report = await evaluationReport(flags)
    if (flags.csv !== undefined) await writeCsvTables(flags.csv, evaluationTables(report))
    if (file) await file.publish(await (await import('./page.ts')).evaluatePage(report))
  } finally {
    await file?.close()
  }
  process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : evaluationText(report))
}

/**
 * Reads results and labels and evaluates.
 *
 * @throws DataError where nothing can be evaluated: no object has a label of the taxonomy
 */
export async function evaluationReport(flags: EvaluateFlags): Promise<EvaluationReport> {
  if (flags.bins < 1) throw new UsageError('--bins must be at least 1')
  // labels are the smaller file: what is wrong with them shows before results are fetched
  const labelFile = await resultFile(flags.labels)
  const predicted = await resultAddress(flags.predictions)
  const [{ openSession }, { openPredictions }, { joinLabels, openLabels }] = await Promise.all([
    import('../predictions/session.ts'),
    import('../predictions/open-predictions.ts'),
    import('../predictions/labels.ts'),
  ])
  const session = await openSession()
  try {
    const opened = await openPredictions(session, predicted.results, {
      table: 'predictions',
      classifierVersion: flags.classifierVersion ?? predicted.classifierVersion,
    })
    const predictions = await inModelOrder(opened, flags.model)
    const labels = await openLabels(session, labelFile.file, { ...flags, table: 'labels' })
    const { joined, coverage } = await joinLabels(session, predictions, labels)
    const outside = Object.values(coverage.labels_outside_taxonomy).reduce((sum, count) => sum + count, 0)
    if (joined.oids.length === 0) throw nothingToEvaluate(predictions.address, labels.address, outside)
    const { evaluated, labelledByBranch, ...findings } = evaluatePredictions({
      ...joined,
      ...predictions,
      bins: flags.bins,
    })
    return {
      schemaVersion: 1,
      command: 'evaluate',
      predictions: {
        address: predictions.address,
        classifier_version: predictions.classifierVersion,
        objects: predictions.objects,
      },
      labels: { address: labels.address, column: flags.labelColumn, objects: labels.objects },
      coverage: {
        evaluated,
        labelled_by_branch: labelledByBranch,
        objects_without_label: coverage.objects_without_label,
        labels_without_prediction: coverage.labels_without_prediction,
        labels_outside_taxonomy: outside,
        outside_taxonomy: coverage.labels_outside_taxonomy,
        conflicting_labels: labels.conflicting,
        empty_labels: labels.empty,
        duplicate_predictions: predictions.duplicates,
      },
      tie_order_known: predictions.assumedOrder === null,
      tie_order_assumed: predictions.assumedOrder,
      ...findings,
    }
  } finally {
    session.close()
  }
}

function nothingToEvaluate(predictions: string, labels: string, outside: number): DataError {
  if (outside > 0) {
    return new DataError(`${labels}: none of its labels is a class of ${predictions}`, {
      hint: '--rename-class OLD=NEW gives a class its name in the taxonomy; --label-column names another column.',
    })
  }
  return new DataError(`no object of ${predictions} has a label in ${labels}`, {
    hint: 'The ids (oid) of both must be the same; --id-column names the column of the labels.',
  })
}
