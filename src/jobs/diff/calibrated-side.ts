// A side of a comparison by its calibrated probabilities.
import { DataError } from '../../errors.ts'
import type { DiffFlags } from '../../terminal/result-flags.ts'
import type { Predictions } from '../predictions/predictions.ts'

export type CalibratedSides = NonNullable<DiffFlags['calibrated']>

/**
 * Only products are calibrated, so only products are compared.
 *
 * @param side undefined: as the survey has both
 * @throws DataError for results without calibrated probabilities
 */
export function calibratedSides(
  [a, b]: readonly [Predictions, Predictions],
  side: CalibratedSides | undefined,
): readonly [Predictions, Predictions] {
  if (side === undefined) return [a, b]
  return [side === 'b' ? productOf(a) : calibratedOf(a), side === 'a' ? productOf(b) : calibratedOf(b)]
}

function productOf(predictions: Predictions): Predictions {
  return { ...predictions, levels: predictions.levels.slice(0, 1) }
}

function calibratedOf(predictions: Predictions): Predictions {
  const { address, calibrated, levels } = predictions
  if (calibrated) return { ...predictions, levels: [{ ...calibrated, classifierName: levels[0]!.classifierName }] }
  throw new DataError(`${address} has no calibrated probabilities`, {
    hint: 'lcclf classify --calibrated writes them, with a model by lcclf calibrate.',
  })
}
