// The noun that travels from the classifier to the sinks.
import type { Reject } from './batch.ts'
import type { MessageFeatures, OriginalMessage } from './original-message.ts'
import type { Taxonomy } from './taxonomy.ts'

/** The objects of a feature batch with their probabilities, rows in the same order. */
export interface ClassifiedBatch {
  readonly rowCount: number
  readonly oids: readonly string[]
  readonly candids: readonly (bigint | null)[]
  readonly taxonomy: Taxonomy
  readonly classifierVersion: string
  /** for each level of the taxonomy, rowCount × classes, row-major, float64 as scikit-learn computes it, bit for bit */
  readonly probabilities: readonly Float64Array[]
  /** what the feature batch had of these, unchanged */
  readonly echo?: MessageFeatures | undefined
  readonly messages?: readonly OriginalMessage[] | undefined
  /** rows of the feature batch that are not among these, because the model has no numbers for them */
  readonly unanswered?: readonly Reject[] | undefined
}

/** Index of the largest value of one row; the first of equals, as the original's argmax. */
export function firstMaximum(values: Float64Array, start: number, length: number): number {
  let best = 0
  for (let i = 1; i < length; i++) if (values[start + i]! > values[start + best]!) best = i
  return best
}
