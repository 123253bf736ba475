// GradientBoostingClassifier: regression trees of float32 features, added up in float64 from a base.
import { ModelError } from '../../errors.ts'
import { log } from '../bundle/exact-math.ts'
import { numpyMath } from '../bundle/numpy-math.ts'
import { numpySum } from '../bundle/numpy-sum.ts'
import { type Link, linkMargins, type Sum } from '../bundle/sums.ts'
import { type Estimator, type EstimatorFile, float32Features } from '../estimator.ts'
import { addMargins } from '../plain-sums.ts'
import { convertForest, type SourceForest, type SourceTree } from './convert-forest.ts'
import { goesLeft } from './forests.ts'
import { readNames } from './pickle/names.ts'
import { numbersOf, numpyGeneration, readArray, readNumber } from './pickle/numpy.ts'
import { describe, PyObject, type PyValue } from './pickle/values.ts'
import {
  checkShared,
  isSince,
  readFeatureCount,
  readFeatureNames,
  readTree,
  readTreeSource,
  versionOf,
} from './pickled-forest.ts'

const names = new Set([
  'sklearn.ensemble._gb.GradientBoostingClassifier',
  'sklearn.ensemble.gradient_boosting.GradientBoostingClassifier',
])
const regressionTrees = new Set([
  'sklearn.tree._classes.DecisionTreeRegressor',
  'sklearn.tree.tree.DecisionTreeRegressor',
])

export function isGradientBoosting(value: PyValue): value is PyObject {
  return value instanceof PyObject && names.has(value.type.fullName)
}

/** @throws ModelError for one that is not whole, or starts from another estimator's answers */
export function readGradientBoosting(value: PyObject, file: EstimatorFile): Estimator {
  const { label } = file
  const classes = readNames(value.attribute('classes_'), `${label}: classes_`)
  const featureCount = readFeatureCount(value, label)
  const groups = classes.length === 2 ? 1 : classes.length
  const { source, version } = readStages(value, file, { featureCount, groups })
  const link = readLink(value, label, version)
  const sum: Sum = {
    margins: groups === 1 ? [classes[1]!] : classes,
    targets: Array.from({ length: source.treeCount }, (_, index) => index % groups),
    base: readBase(value, label, { groups, version, scale: link.scale ?? 1 }),
    precision: 'float64',
    link,
  }
  const forest = convertForest(source, (done) => file.onTree?.(done, source.treeCount))
  return {
    classes,
    featureNames: readFeatureNames(value, label, featureCount),
    featureCount,
    parts: [{ level: 0, trees: source.treeCount, nodes: source.nodeCount, steps: [], sum, calibration: null }],
    forests: [forest],
    preprocessing: {
      ...float32Features,
      rejectsMissing: 'GradientBoostingClassifier takes no missing values',
    },
    trainedBy: { library: 'scikit-learn', version },
    warnings: [],
    evaluate(matrix, rowCount) {
      const margins = addMargins<SourceTree>({ ...source, goesLeft }, sum, { matrix, rowCount })
      return { margins, probabilities: linkMargins(sum, margins, rowCount, classes.length) }
    },
  }
}

/** `estimators_`: stages × groups trees; what a leaf adds is the learning rate times its value. */
function readStages(
  value: PyObject,
  { label, fileSize }: EstimatorFile,
  { featureCount, groups }: { featureCount: number; groups: number },
): { source: SourceForest; version: string | null } {
  const stages = readArray(value.attribute('estimators_'), `${label}: estimators_`)
  const [stageCount, columns] = stages.shape
  if (stages.shape.length !== 2 || columns !== groups || !stageCount || stages.isFortran) {
    throw new ModelError(`${label}: estimators_ is of ${stages.shape.join('×')}, where stages of ${groups} are needed`)
  }
  const rate = readNumber(value.attribute('learning_rate'))
  if (rate === undefined || !Number.isFinite(rate)) throw new ModelError(`${label}: has no learning_rate`)
  const seen = new Set<PyValue>()
  const sources = stages.objects.map((tree, index) => {
    const what = `${label}: tree ${index}`
    if (!(tree instanceof PyObject) || !regressionTrees.has(tree.type.fullName)) {
      throw new ModelError(`${what} is ${describe(tree)}, where a DecisionTreeRegressor is needed`)
    }
    if (seen.has(tree)) throw new ModelError(`${what} appears twice`)
    seen.add(tree)
    return readTreeSource(tree, what, 1, featureCount)
  })
  checkShared(sources, { label, fileSize })
  const source: SourceForest = {
    label,
    classes: ['margin'],
    featureCount,
    treeCount: sources.length,
    nodeCount: sources.reduce((sum, { nodes }) => sum + nodes.length, 0),
    valueLayout: 'margins',
    tree(index) {
      const tree = readTree(sources[index]!, 1)
      return { ...tree, missingLeft: null, values: tree.values.map((leaf) => rate * leaf) }
    },
  }
  return { source, version: versionOf(value) ?? versionOf(stages.objects[0] as PyObject) }
}

function readLink(value: PyObject, label: string, version: string | null): Link {
  const loss = value.attribute('loss')
  const isBinary = readNames(value.attribute('classes_'), `${label}: classes_`).length === 2
  if (loss === 'exponential' && isBinary) return { kind: 'sigmoid', library: 'scikit-learn', scale: 2 }
  if (loss !== 'log_loss' && loss !== 'deviance') throw new ModelError(`${label}: its loss is ${describe(loss)}`)
  if (isBinary) return { kind: 'sigmoid', library: 'scikit-learn' }
  return {
    kind: isSince(version, 1, 4) ? 'softmax' : 'logSoftmax',
    library: 'scikit-learn',
    numpy: numpyGeneration(value),
  }
}

// Where margins begin: zero, or the link of the classes' shares in training (`_init_raw_predictions`).

/** the least and the greatest share, of float32's epsilon */
const leastShare = 2 ** -23
const greatestShare = 1 - 2 ** -23

function readBase(
  value: PyObject,
  label: string,
  { groups, version, scale }: { groups: number; version: string | null; scale: number },
): number[] {
  const start = value.attribute('init_')
  if (start === 'zero') return new Array<number>(groups).fill(0)
  const isDummy = start instanceof PyObject && start.type.fullName === 'sklearn.dummy.DummyClassifier'
  if (!isDummy || start.attribute('strategy') !== 'prior') {
    throw new ModelError(`${label}: it starts from ${describe(start)}, which a bundle cannot hold exactly`, {
      hint: 'Train with init=None or init="zero".',
    })
  }
  const prior = readArray(start.attribute('class_prior_'), `${label}: class_prior_`)
  const shares = [...numbersOf(prior, `${label}: class_prior_`)].map((share) =>
    Math.min(Math.max(share, leastShare), greatestShare),
  )
  if (shares.length !== Math.max(groups, 2) || shares.some(Number.isNaN)) {
    throw new ModelError(`${label}: class_prior_ does not have the share of each class`)
  }
  const isNew = isSince(version, 1, 4)
  const { exp, log: numpyLog } = numpyMath[numpyGeneration(value)]
  if (groups === 1) return [(isNew ? logit(shares[1]!) : numpyLog(shares[1]! / (1 - shares[1]!))) / scale]
  if (!isNew) return shares.map(numpyLog)
  const logarithms = Float64Array.from(shares, numpyLog)
  const mean = exp(numpySum(logarithms, 0, groups) / groups)
  return shares.map((share) => numpyLog(share / mean))
}

/** `scipy.special.logit`, which is careful around ½; its log1p is the C library's, of which V8 has a copy. */
function logit(p: number): number {
  if (p < 0.3 || p > 0.65) return log(p / (1 - p))
  const distance = 2 * (p - 0.5)
  return Math.log1p(distance) - Math.log1p(-distance)
}
