// The flags that show what `lcclf calibrate` learnt, beside the model's own numbers.
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'

const output = { helpGroup: 'OUTPUT' } as const

/** A share of objects, as `0.9`. */
function shareOf(text: string): number {
  const value = /^0?\.\d+$/.test(text) ? Number(text) : NaN
  if (value > 0 && value < 1) return value
  throw new UsageError(`--sets ${text}: expected a share between 0 and 1, for example 0.9`)
}

export const calibrationFlags = {
  calibrated: Flags.boolean({
    ...output,
    description:
      'of a model by lcclf calibrate: also write calibrated probabilities, as calibrated/CLASS and calibrated_class (nested: a structure calibrated; long: rows of a classifier_name that ends with _calibrated)',
  }),
  sets: Flags.custom<number>({ parse: (text) => Promise.resolve(shareOf(text)) })({
    helpValue: 'LEVEL',
    ...output,
    description:
      'of such a model: also write set and set_size, the classes that an object may have; of each class at least this share of objects has it in its set (0.9)',
  }),
}
