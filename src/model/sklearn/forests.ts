// RandomForest, ExtraTrees, BalancedRandomForest and DecisionTree as classifiers.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type Estimator, type EstimatorFile, float32Features } from '../estimator.ts'
import { walkTrees } from '../plain-sums.ts'
import { convertForest, leafValues, type SourceTree, withoutMissingRule } from './convert-forest.ts'
import { type PickledForest, readPickledForest } from './pickled-forest.ts'
import type { PyValue } from './pickle/values.ts'

/** @throws ModelError for what is not a whole forest of one output */
export function readForest(value: PyValue, file: EstimatorFile): Estimator {
  const pickled = readPickledForest(value, file)
  const { classes, featureNames, featureCount, treeCount, nodeCount, rejectsMissing, warnings } = pickled
  const forest = convertForest(pickled, (done) => file.onTree?.(done, treeCount))
  return {
    classes,
    featureNames,
    featureCount,
    parts: [{ level: 0, trees: treeCount, nodes: nodeCount, steps: [], sum: null, calibration: null }],
    forests: [rejectsMissing === null ? forest : withoutMissingRule(forest)],
    preprocessing: rejectsMissing === null ? float32Features : { ...float32Features, rejectsMissing },
    trainedBy: { library: 'scikit-learn', version: pickled.sklearnVersion },
    warnings,
    evaluate: (matrix, rowCount) => ({ probabilities: meanOfLeaves(pickled, matrix, rowCount), margins: null }),
  }
}

/** scikit-learn's comparison: a missing value goes where its node says. */
export function goesLeft({ threshold, missingLeft }: SourceTree, node: number, value: number): boolean {
  return Number.isNaN(value) ? missingLeft?.[node] === 1 : value <= threshold[node]!
}

function meanOfLeaves(pickled: PickledForest, matrix: FeatureMatrix, rowCount: number): Float64Array {
  const width = pickled.classes.length
  const answer = new Float64Array(rowCount * width)
  const fractions = new Float64Array(width)
  walkTrees({ ...pickled, goesLeft }, { matrix, rowCount }, (tree, node, { row }) => {
    leafValues(tree.values, node, { layout: pickled.valueLayout, target: fractions })
    for (let i = 0; i < width; i++) answer[row * width + i]! += fractions[i]!
  })
  return answer.map((sum) => sum / pickled.treeCount)
}
