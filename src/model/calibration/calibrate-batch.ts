// Calibrated probabilities and sets beside what the model says, batch by batch.
import { UsageError } from '../../errors.ts'
import { type Hierarchy, withProduct } from '../bundle/forest.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { BundleCalibration } from './bundle-calibration.ts'
import { setsOf, setThreshold } from './conformal-sets.ts'
import { levelCalibrator, type LevelCalibrator } from './level-calibration.ts'

/** Makes the function that a classifier has for its calibration. */
export function batchCalibrator(
  hierarchy: Hierarchy,
  { levels, sets }: BundleCalibration,
): NonNullable<Classifier['calibrate']> {
  const calibrators = levels.map(({ parameters }, i) =>
    levelCalibrator(parameters, hierarchy.levels[i]!.classes.length),
  )
  const thresholdsAt = new Map<number, readonly number[]>()
  return (batch, setLevel) => {
    const { probabilities, rowCount } = batch
    const calibrated = calibratedProduct(hierarchy, calibrators, { probabilities, rowCount })
    if (setLevel === undefined) return { ...batch, calibrated }
    const thresholds = thresholdsAt.get(setLevel) ?? sets.map((one) => setThreshold(one, setLevel))
    thresholdsAt.set(setLevel, thresholds)
    return { ...batch, calibrated, sets: setsOf(probabilities[0]!, thresholds) }
  }
}

/**
 * The calibrated levels, multiplied to the product.
 *
 * @param answers `probabilities`: as a batch has them, the product first
 * @returns rowCount × leaf classes, row-major
 */
function calibratedProduct(
  hierarchy: Hierarchy,
  calibrators: readonly LevelCalibrator[],
  { probabilities, rowCount }: { readonly probabilities: readonly Float64Array[]; readonly rowCount: number },
): Float64Array {
  const own = hierarchy.taxonomy === null ? probabilities : probabilities.slice(1)
  const levels = calibrators.map((calibrator, i) => calibrator(own[i]!, rowCount))
  return withProduct(hierarchy, levels, rowCount)[0]!
}

/** A classifier whose batches have what was asked for. @throws UsageError for a model that nobody calibrated */
export function withCalibration(
  classifier: Classifier,
  { calibrated, sets }: { readonly calibrated?: boolean | undefined; readonly sets?: number | undefined },
): Classifier {
  if (!calibrated && sets === undefined) return classifier
  const { calibrate, identity } = classifier
  if (calibrate) return { ...classifier, classify: async (batch) => calibrate(await classifier.classify(batch), sets) }
  throw new UsageError(`${calibrated ? '--calibrated' : '--sets'}: ${identity.classifierVersion} is not calibrated`, {
    hint: 'lcclf calibrate makes a calibrated bundle of it, from labelled results.',
  })
}
