// Calibrated probabilities as a classifier of their own, for outputs whose rows name their classifier.
import { UsageError } from '../errors.ts'
import { calibratedPrefix, type ClassifiedBatch, type Level, type Taxonomy } from './batch.ts'

const suffix = `_${calibratedPrefix}`

/** The classifier whose calibrated product has this name; undefined for a name of another kind. */
export function calibratedOfName(classifierName: string): string | undefined {
  return classifierName.endsWith(suffix) ? classifierName.slice(0, -suffix.length) : undefined
}

/**
 * The levels of a model and, behind them, the calibrated product under its own name, `lc_classifier_calibrated`.
 *
 * @throws UsageError for a model that has a level of this name
 */
export function withCalibratedLevel(taxonomy: Taxonomy): Taxonomy {
  const product = taxonomy.levels[0]!
  const classifierName = `${product.classifierName}${suffix}`
  if (taxonomy.levels.some((level) => level.classifierName === classifierName)) {
    throw new UsageError(`--calibrated: the model has a level ${classifierName} of its own`, {
      hint: 'Write wide files: there the calibrated probabilities have columns of their own.',
    })
  }
  const { classes } = product
  const own: Level = { classifierName, prefix: calibratedPrefix, branch: null, classes, isCalibrated: true }
  return { ...taxonomy, levels: [...taxonomy.levels, own] }
}

/** @param taxonomy from `withCalibratedLevel`. Throws UsageError for a batch that nobody calibrated */
export function withCalibratedRows(batch: ClassifiedBatch, taxonomy: Taxonomy): ClassifiedBatch {
  const { calibrated, probabilities } = batch
  if (!calibrated) throw new UsageError('the output was asked for calibrated probabilities, and a batch has none')
  return { ...batch, taxonomy, probabilities: [...probabilities, calibrated] }
}
