// A classifier as it was read from the file of the library that made it: its trees, what stands around them, its answers.
import type { FeatureMatrix, Preprocessing } from '../pipeline/preprocess.ts'
import type { CoveredForest } from './bundle/forest.ts'
import type { Part } from './bundle/parts.ts'

/** One classifier, ready for a bundle. */
export interface Estimator {
  /** in the order of the columns of its answers */
  readonly classes: readonly string[]
  /** null where the file does not say them */
  readonly featureNames: readonly string[] | null
  readonly featureCount: number
  /** all of level 0; part i has forest i */
  readonly parts: readonly Part[]
  readonly forests: readonly CoveredForest[]
  readonly preprocessing: Preprocessing
  readonly trainedBy: { readonly library: string; readonly version: string | null }
  /** things that are odd but do no harm */
  readonly warnings: readonly string[]
  /**
   * The library's answers, from the file's own arrays and by the library's own comparisons, without the conversion.
   *
   * @param matrix rowCount × features, row-major, preprocessed
   */
  evaluate(matrix: FeatureMatrix, rowCount: number): Answers
}

/** Row-major. */
export interface Answers {
  /** rowCount × classes */
  readonly probabilities: Float64Array
  /** rowCount × margins of the sum; null where leaves are averaged, or margins are calibrated */
  readonly margins: Float64Array | null
}

/** What a reader is told of a file. */
export interface EstimatorFile {
  /** the file's name, for messages */
  readonly label: string
  /** bytes of its content: what its trees take together cannot be more */
  readonly fileSize: number
  /** is told how many of how many trees are done, now and then */
  readonly onTree?: ((done: number, total: number) => void) | undefined
}

/** Rules that leave every value as it is, for a model that compares float64 and takes all there is. */
export const rawFeatures: Preprocessing = {
  missing: NaN,
  hugeAbove: Infinity,
  huge: 0,
  infinite: 'kept',
  precision: 'float64',
}

/** Rules of a model that compares float32, as scikit-learn and XGBoost do: what float32 cannot hold rejects its row. */
export const float32Features: Preprocessing = { missing: NaN, hugeAbove: Infinity, huge: 0, infinite: 'rejected' }

/** What a reader is told of a file. */
export interface EstimatorFile {
  /** the file's name, for messages */
  readonly label: string
  /** bytes of its content: what its trees take together cannot be more */
  readonly fileSize: number
  /** is told how many of how many trees are done, now and then */
  readonly onTree?: ((done: number, total: number) => void) | undefined
}
