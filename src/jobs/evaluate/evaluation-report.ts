// Predictions and labels, from their addresses to everything that `lcclf evaluate` finds.
import { DataError, UsageError } from '../../errors.ts'
import { inModelOrder } from '../predictions/class-order.ts'
import type { EvaluateFlags } from '../../terminal/result-flags.ts'
import { numberedIdsHint } from '../predictions/predictions.ts'
import { resultAddress, resultFile } from '../predictions/result-file.ts'
import { evaluatePredictions } from './evaluate-predictions.ts'

type EvaluationRequest = Omit<EvaluateFlags, 'csv' | 'report' | 'overwrite' | 'json'> & { readonly predictions: string }

/** Every number of the tables and figures of `lcclf evaluate`, in one object that is also its JSON. */
export type EvaluationReport = Awaited<ReturnType<typeof evaluationReport>>

export type DoubtfulObject = EvaluationReport['most_in_doubt'][number]

/**
 * Reads results and labels and evaluates; the scores at the top of the report are those of the product.
 *
 * @throws DataError where nothing can be evaluated: no object has a label of the taxonomy
 */
export async function evaluationReport(flags: EvaluationRequest) {
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
    const labels = await openLabels(session, labelFile.file, {
      ...flags,
      renames: new Map(flags.renameClass),
      table: 'labels',
    })
    const { joined, coverage } = await joinLabels(session, predictions, labels)
    const outside = Object.values(coverage.labels_outside_taxonomy).reduce((sum, count) => sum + count, 0)
    if (joined.oids.length === 0) throw nothingToEvaluate(predictions.address, labels.address, outside)
    const { evaluated, labelledByBranch, ...findings } = evaluatePredictions({
      ...joined,
      ...predictions,
      bins: flags.bins,
    })
    return {
      schemaVersion: 1 as const,
      command: 'evaluate' as const,
      predictions: {
        address: predictions.address,
        classifier_version: predictions.classifierVersion,
        objects: predictions.objects,
      },
      labels: { address: labels.address, column: flags.labelColumn, objects: labels.objects },
      coverage: {
        /** objects with a prediction and a label that is a leaf class */
        evaluated,
        /** objects whose label names a branch: counted in the top level and in the hierarchical scores only */
        labelled_by_branch: labelledByBranch,
        objects_without_label: coverage.objects_without_label,
        labels_without_prediction: coverage.labels_without_prediction,
        /** objects with a prediction and a label that the taxonomy does not know */
        labels_outside_taxonomy: outside,
        outside_taxonomy: coverage.labels_outside_taxonomy,
        /** objects to which the file gives several classes */
        conflicting_labels: labels.conflicting,
        empty_labels: labels.empty,
        /** rows of predictions for an object that came again; the newest counts */
        duplicate_predictions: predictions.duplicates,
      },
      /** whether the order of classes that decides ties is known to be the model's */
      tie_order_known: predictions.assumedOrder === null,
      /** what decided ties where it is not: “the order of MODEL”, “the alphabet”, or both, for different levels */
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
      hint: 'Give labels their name in the taxonomy with --rename-class OLD=NEW, or choose another column with --label-column.',
    })
  }
  return new DataError(`no object of ${predictions} has a label in ${labels}`, {
    hint: `Both must have the same ids (oid); name the id column of the labels with --id-column. ${numberedIdsHint(predictions)}`.trim(),
  })
}
