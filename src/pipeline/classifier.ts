// The contract of what turns features into probabilities.
import type { ClassifiedBatch, FeatureBatch, ModelIdentity, Taxonomy } from './batch.ts'
import type { Preprocessing } from './preprocess.ts'

/** A model ready to use: its golden answers were reproduced when it was opened. */
export interface Classifier {
  readonly identity: ModelIdentity
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly taxonomy: Taxonomy
  /** whether it was opened to give batches a novelty */
  readonly hasNovelty?: boolean
  /** how many `classify` calls may usefully be under way at once */
  readonly parallelism: number
  /**
   * Same rows, same order, except those that are `unanswered`. Takes over `batch.matrix`, and preprocesses what was not.
   * Keeps nothing between calls.
   *
   * @throws UsageError for a matrix of another size
   */
  classify(batch: FeatureBatch): Promise<ClassifiedBatch>
  /**
   * Adds calibrated probabilities to a batch of this model's answers, and with a level the sets that keep its promise;
   * absent for a model that nobody calibrated.
   */
  readonly calibrate?: ((batch: ClassifiedBatch, setLevel?: number) => ClassifiedBatch) | undefined
  close(): Promise<void>
}
