// The contract of what turns features into probabilities.
import type { ClassifiedBatch } from '../batch/classified-batch.ts'
import type { FeatureBatch } from '../batch/feature-batch.ts'
import type { Preprocessing } from '../batch/preprocess.ts'
import type { ModelIdentity, Taxonomy } from '../batch/taxonomy.ts'

/** A model ready to use: its golden answers were reproduced when it was opened. */
export interface Classifier {
  readonly identity: ModelIdentity
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly taxonomy: Taxonomy
  /** how many `classify` calls may usefully be under way at once */
  readonly parallelism: number
  /** Same rows, same order, except those that are `unanswered`. Takes over `batch.matrix`. Keeps nothing between calls. */
  classify(batch: FeatureBatch): Promise<ClassifiedBatch>
  close(): Promise<void>
}
