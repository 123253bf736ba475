// What lcclf reads of a classifier, whichever library trained it; and scikit-learn's, out of a pickle.
import type { Features, Preprocessing } from '../../pipeline/preprocess.ts'
import type { CoveredForest } from '../bundle/forest.ts'
import { knowsMissingValues } from '../bundle/manifest.ts'
import type { Part } from '../bundle/parts.ts'
import { convertForest, leafFractions } from './convert-forest.ts'
import { type PickledForest, readPickledForest } from './pickled-forest.ts'
import type { PyValue } from './pickle/values.ts'

/** A classifier alone, as one level of a model. */
export interface Estimator {
  readonly classes: readonly string[]
  /** null where it was trained without */
  readonly featureNames: readonly string[] | null
  readonly featureCount: number
  /** all of level 0 */
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly CoveredForest[]
  /** what the classifier itself does with missing, infinite and large values */
  readonly preprocessing: Preprocessing
  readonly trainedBy: { readonly library: string; readonly version: string | null }
  readonly warnings: readonly string[]
  /**
   * Answers from the file's own arrays, sharing nothing with what a bundle is made of and evaluated with. `margins` is null
   * where trees are averaged.
   */
  evaluate(
    matrix: Features,
    rowCount: number,
  ): { readonly probabilities: Float64Array; readonly margins: Float64Array | null }
}

/** What a reader is told of a file. */
export interface EstimatorFile {
  readonly label: string
  /** bytes of its content: what its trees take together cannot be more */
  readonly fileSize: number
  /** is told how many of how many trees are done, now and then */
  readonly onTree?: ((done: number, total: number) => void) | undefined
}

/**
 * Reads a classifier of scikit-learn's or imbalanced-learn's.
 *
 * @throws ModelError for what is not one that lcclf can represent exactly
 */
export function readEstimator(value: PyValue, file: EstimatorFile): Estimator {
  const pickled = readPickledForest(value, file)
  const { classes, featureNames, featureCount, treeCount, nodeCount, sklearnVersion, warnings } = pickled
  const forest = convertForest(pickled, (done) => file.onTree?.(done, treeCount))
  return {
    classes,
    featureNames,
    featureCount,
    parts: [{ level: 0, trees: treeCount, nodes: nodeCount, steps: [], sum: null, calibration: null }],
    forests: [forest],
    preprocessing: forestPreprocessing(sklearnVersion),
    trainedBy: { library: 'scikit-learn', version: sklearnVersion },
    warnings,
    evaluate: (matrix, rowCount) => ({ probabilities: evaluatePickled(pickled, matrix, rowCount), margins: null }),
  }
}

/** scikit-learn refuses infinities and what is beyond float32; missing values up to 1.3, and from then on nodes have a rule. */
function forestPreprocessing(version: string | null): Preprocessing {
  const rules = { missing: NaN, hugeAbove: Infinity, huge: 0, infinite: 'rejected' } as const
  if (knowsMissingValues(version)) return rules
  return { ...rules, rejectsMissing: `scikit-learn${version === null ? '' : ` ${version}`} takes no missing values` }
}

/**
 * The same answer from the pickle's own node arrays, in their own order, without the conversion: what a bundle's golden
 * answers are when scikit-learn's are not available. Every tree of `pickled` has been through `convertForest`'s checks.
 */
function evaluatePickled(pickled: PickledForest, matrix: Features, rowCount: number): Float64Array {
  const { classes, featureCount, treeCount, valueLayout } = pickled
  const answer = new Float64Array(rowCount * classes.length)
  const fractions = new Float64Array(classes.length)
  for (let index = 0; index < treeCount; index++) {
    const { left, right, feature, threshold, values, missingLeft } = pickled.tree(index)
    for (let row = 0; row < rowCount; row++) {
      let node = 0
      while (left[node] !== -1) {
        const value = matrix[row * featureCount + feature[node]!]!
        const goesLeft = Number.isNaN(value) ? missingLeft?.[node] === 1 : value <= threshold[node]!
        node = goesLeft ? left[node]! : right[node]!
      }
      leafFractions(values, node, { layout: valueLayout, target: fractions })
      for (let i = 0; i < classes.length; i++) answer[row * classes.length + i]! += fractions[i]!
    }
  }
  return answer.map((sum) => sum / treeCount)
}
