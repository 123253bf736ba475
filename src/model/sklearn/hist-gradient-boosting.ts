// HistGradientBoostingClassifier: trees of float64 features, each node with a rule for missing values.
import { ModelError } from '../../errors.ts'
import { linkMargins, type Sum } from '../bundle/sums.ts'
import { type Estimator, type EstimatorFile, rawFeatures } from '../estimator.ts'
import { addMargins } from '../plain-sums.ts'
import { convertForest, type SourceForest, type SourceTree } from './convert-forest.ts'
import { goesLeft } from './forests.ts'
import { readNames } from './pickle/names.ts'
import { floatsOf, integersOf, numbersOf, type NumpyArray, numpyGeneration, readArray } from './pickle/numpy.ts'
import { describe, PyList, PyObject, type PyValue } from './pickle/values.ts'
import { readFeatureCount, readFeatureNames, versionOf } from './pickled-forest.ts'

const modules = 'sklearn.ensemble._hist_gradient_boosting'
const predictorClass = `${modules}.predictor.TreePredictor`

export function isHistGradientBoosting(value: PyValue): value is PyObject {
  return (
    value instanceof PyObject && value.type.fullName === `${modules}.gradient_boosting.HistGradientBoostingClassifier`
  )
}

/** @throws ModelError for one that is not whole, and for categorical splits */
export function readHistGradientBoosting(value: PyObject, file: EstimatorFile): Estimator {
  const { label } = file
  const classes = readNames(value.attribute('classes_'), `${label}: classes_`)
  const featureCount = readFeatureCount(value, label)
  const groups = classes.length === 2 ? 1 : classes.length
  const source = readIterations(value, file, { featureCount, groups })
  const sum: Sum = {
    margins: groups === 1 ? [classes[1]!] : classes,
    targets: Array.from({ length: source.treeCount }, (_, index) => index % groups),
    base: readBase(value, label, groups),
    precision: 'float64',
    link:
      groups === 1
        ? { kind: 'sigmoid', library: 'scikit-learn' }
        : { kind: 'softmax', library: 'scikit-learn-hist', numpy: numpyGeneration(value) },
  }
  const forest = convertForest(source, (done) => file.onTree?.(done, source.treeCount))
  return {
    classes,
    featureNames: readFeatureNames(value, label, featureCount),
    featureCount,
    parts: [{ level: 0, trees: source.treeCount, nodes: source.nodeCount, steps: [], sum, calibration: null }],
    forests: [forest],
    preprocessing: rawFeatures,
    trainedBy: { library: 'scikit-learn', version: versionOf(value) },
    warnings: [],
    evaluate(matrix, rowCount) {
      const margins = addMargins<SourceTree>({ ...source, goesLeft }, sum, { matrix, rowCount })
      return { margins, probabilities: linkMargins(sum, margins, rowCount, classes.length) }
    },
  }
}

/** `_predictors`: a list of iterations, each a list of one tree a group. */
function readIterations(
  value: PyObject,
  { label, fileSize }: EstimatorFile,
  { featureCount, groups }: { featureCount: number; groups: number },
): SourceForest {
  const iterations = value.attribute('_predictors')
  if (!(iterations instanceof PyList) || iterations.items.length === 0) {
    throw new ModelError(`${label}: _predictors is ${describe(iterations)}, where a list of trees is needed`)
  }
  const seen = new Set<PyValue>()
  const nodes = iterations.items.flatMap((iteration, index) => {
    if (!(iteration instanceof PyList) || iteration.items.length !== groups) {
      throw new ModelError(`${label}: iteration ${index} is ${describe(iteration)}, where ${groups} trees are needed`)
    }
    return iteration.items.map((tree, group) => {
      const what = `${label}: tree ${index * groups + group}`
      if (seen.has(tree)) throw new ModelError(`${what} appears twice`)
      seen.add(tree)
      return readNodes(tree, what)
    })
  })
  if (nodes.reduce((sum, array) => sum + array.byteLength, 0) > fileSize) {
    throw new ModelError(`${label}: its trees share their nodes, which no booster does`)
  }
  return {
    label,
    classes: ['margin'],
    featureCount,
    treeCount: nodes.length,
    nodeCount: nodes.reduce((sum, { length }) => sum + length, 0),
    valueLayout: 'margins',
    tree: (index) => readTree(nodes[index]!, `${label}: tree ${index}`),
  }
}

function readNodes(tree: PyValue, what: string): NumpyArray {
  if (!(tree instanceof PyObject) || tree.type.fullName !== predictorClass) {
    throw new ModelError(`${what} is ${describe(tree)}, where a TreePredictor is needed`)
  }
  const nodes = readArray(tree.attribute('nodes'), `${what}: nodes`)
  if (nodes.shape.length === 1 && nodes.length > 0) return nodes
  throw new ModelError(`${what}: its nodes are of ${nodes.shape.join('×')}`)
}

function readTree(nodes: NumpyArray, what: string): SourceTree {
  const { fields } = nodes.type
  // until 0.24 the threshold had another name and no split was categorical
  const hasCategories = fields.has('is_categorical') && integersOf(nodes, what, 'is_categorical').includes(1)
  if (hasCategories) {
    throw new ModelError(`${what} has categorical splits, which a bundle cannot hold exactly`, {
      hint: 'Train with categorical_features=None.',
    })
  }
  const isLeaf = integersOf(nodes, what, 'is_leaf')
  const children = (field: string) =>
    integersOf(nodes, what, field).map((child, node) => (isLeaf[node] === 1 ? -1 : child))
  return {
    nodeCount: nodes.length,
    left: children('left'),
    right: children('right'),
    feature: integersOf(nodes, what, 'feature_idx'),
    threshold: floatsOf(nodes, what, fields.has('num_threshold') ? 'num_threshold' : 'threshold'),
    missingLeft: integersOf(nodes, what, 'missing_go_to_left'),
    cover: integersOf(nodes, what, 'count'),
    values: floatsOf(nodes, what, 'value'),
  }
}

function readBase(value: PyObject, label: string, groups: number): number[] {
  const what = `${label}: _baseline_prediction`
  const base = [...numbersOf(readArray(value.attribute('_baseline_prediction'), what), what)]
  if (base.length === groups && base.every(Number.isFinite)) return base
  throw new ModelError(`${what} is not ${groups} numbers`)
}
