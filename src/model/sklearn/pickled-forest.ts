// A scikit-learn forest inside a pickle: its attributes checked against each other, its trees read one at a time.
import { ModelError } from '../../errors.ts'
import { readNames } from './pickle/names.ts'
import { floatsOf, integersOf, readArray, readInteger } from './pickle/numpy.ts'
import { describe, PyList, PyObject, type PyValue } from './pickle/values.ts'

/**
 * What a forest's pickle says. `valueLayout`: up to scikit-learn 1.3 `tree_.value` holds counts and a leaf's fractions
 * are its row divided by the row's sum; from 1.4 on it holds the fractions themselves, which are never divided.
 */
export type PickledForest = ReturnType<typeof readPickledForest>
export type PickledTree = ReturnType<typeof readTree>

const forestClasses = new Set([
  'sklearn.ensemble._forest.RandomForestClassifier',
  'sklearn.ensemble.forest.RandomForestClassifier',
  'imblearn.ensemble._forest.BalancedRandomForestClassifier',
  'imblearn.ensemble.forest.BalancedRandomForestClassifier',
])
const treeEstimators = new Set([
  'sklearn.tree._classes.DecisionTreeClassifier',
  'sklearn.tree.tree.DecisionTreeClassifier',
])

/**
 * Checks a forest's attributes and finds its trees.
 *
 * @param fileSize bytes of the file: what the trees take together cannot be more
 * @throws ModelError for what is not a forest of one output, or contradicts itself
 */
export function readPickledForest(value: PyValue, { label, fileSize }: { label: string; fileSize: number }) {
  if (!(value instanceof PyObject && forestClasses.has(value.type.fullName))) {
    throw new ModelError(
      `${label} holds ${describe(value)}, where a RandomForestClassifier or BalancedRandomForestClassifier is needed`,
    )
  }
  if (value.state === undefined) throw new ModelError(`${label}: the forest is empty (was it never fitted?)`)
  const outputs = readInteger(value.attribute('n_outputs_'))
  if (outputs !== 1)
    throw new ModelError(`${label}: the forest has ${outputs ?? 'no'} outputs (n_outputs_), where 1 is needed`)
  const classes = readNames(value.attribute('classes_'), `${label}: classes_`)
  expectInteger(value.attribute('n_classes_'), classes.length, `${label}: n_classes_`)
  const featureCount = readFeatureCount(value, label)
  const estimators = estimatorsOf(value, label)
  const sources = estimators.map((estimator, index) =>
    readTreeSource(estimator, `${label}: tree ${index}`, classes.length, featureCount),
  )
  // a file can name the same arrays many times over; honest trees each have their own bytes
  const total = sources.reduce((sum, { nodes, values }) => sum + nodes.byteLength + values.byteLength, 0)
  if (total > fileSize) throw new ModelError(`${label}: its trees share their nodes, which no forest does`)
  const sklearnVersion = versionOf(value) ?? versionOf(estimators[0]!)
  return {
    /** the file's name, for messages */
    label,
    classes,
    featureCount,
    /** `feature_names_in_`; null where the forest was trained without names */
    featureNames: readFeatureNames(value, label, featureCount),
    valueLayout: valueLayoutOf(sources, classes.length, sklearnVersion),
    /** null where the pickle does not tell it */
    sklearnVersion,
    /** things that are odd but do no harm */
    warnings: warningsOf(value, label, sources.length),
    treeCount: sources.length,
    nodeCount: sources.reduce((sum, source) => sum + source.nodes.length, 0),
    tree: (index: number) => readTree(sources[index]!, classes.length),
  }
}

type TreeSource = ReturnType<typeof readTreeSource>

function estimatorsOf(forest: PyObject, label: string): PyObject[] {
  const list = forest.attribute('estimators_')
  if (!(list instanceof PyList) || list.items.length === 0) {
    throw new ModelError(`${label}: estimators_ is ${describe(list)}, where a list of trees is needed`)
  }
  const seen = new Set<PyValue>()
  return list.items.map((item, index) => {
    if (seen.has(item)) throw new ModelError(`${label}: tree ${index} appears twice`)
    seen.add(item)
    if (item instanceof PyObject && treeEstimators.has(item.type.fullName)) return item
    throw new ModelError(`${label}: tree ${index} is ${describe(item)}, where a DecisionTreeClassifier is needed`)
  })
}

function readTreeSource(estimator: PyObject, what: string, classCount: number, featureCount: number) {
  const tree = estimator.attribute('tree_')
  if (!(tree instanceof PyObject) || tree.type.fullName !== 'sklearn.tree._tree.Tree') {
    throw new ModelError(`${what}: tree_ is ${describe(tree)}, where a sklearn.tree._tree.Tree is needed`)
  }
  // Tree(n_features, n_classes, n_outputs)
  const [features, treeClasses, outputs] = tree.args
  expectInteger(features, featureCount, `${what}: n_features`)
  expectInteger(outputs, 1, `${what}: n_outputs`)
  const counts = readArray(treeClasses, `${what}: n_classes`)
  if (counts.length !== 1 || integersOf(counts, `${what}: n_classes`)[0] !== classCount) {
    throw new ModelError(`${what}: its number of classes is not the forest's ${classCount}`)
  }
  const nodes = readArray(tree.attribute('nodes'), `${what}: nodes`)
  const values = readArray(tree.attribute('values'), `${what}: values`)
  expectInteger(tree.attribute('node_count'), nodes.length, `${what}: node_count`)
  const [rows, middle, columns] = values.shape
  const isFitting = values.shape.length === 3 && rows === nodes.length && middle === 1 && columns === classCount
  if (nodes.shape.length !== 1 || nodes.length === 0 || !isFitting) {
    throw new ModelError(
      `${what}: ${nodes.shape.join('×')} nodes with values of ${values.shape.join('×')} do not fit together`,
    )
  }
  return { what, nodes, values }
}

/** A tree's arrays, copied out of the file in its own (depth-first) node order. −1 in `left` marks a leaf. */
function readTree({ what, nodes, values }: TreeSource, classCount: number) {
  const stored = floatsOf(values, what)
  const rowMajor = (_: number, at: number) => stored[(at % classCount) * nodes.length + Math.floor(at / classCount)]!
  return {
    nodeCount: nodes.length,
    left: integersOf(nodes, what, 'left_child'),
    right: integersOf(nodes, what, 'right_child'),
    feature: integersOf(nodes, what, 'feature'),
    threshold: floatsOf(nodes, what, 'threshold'),
    /** weight of the training samples that reached each node */
    cover: floatsOf(nodes, what, 'weighted_n_node_samples'),
    /** nodeCount × classes, as stored: counts or fractions */
    values: values.isFortran ? stored.map(rowMajor) : stored,
    /** 1 where a missing value goes left; null in the trees of a scikit-learn that had no such rule */
    missingLeft: nodes.type.fields.has('missing_go_to_left') ? integersOf(nodes, what, 'missing_go_to_left') : null,
  }
}

/**
 * Counts or fractions. Counts of a node are the sum of its children's, fractions of every node sum to 1: the rows of a
 * root and of its two children tell them apart, whatever the weights. Trees of one node fall back on the version.
 */
function valueLayoutOf(sources: readonly TreeSource[], classCount: number, version: string | null) {
  const isOne = (sum: number) => Math.abs(sum - 1) < 1e-6
  const source = sources.find(({ nodes }) => nodes.length > 1) ?? sources[0]!
  const { nodeCount, left, right, values } = readTree(source, classCount)
  const sumOf = (node: number) => numpySum(values, node * classCount, classCount)
  if (!isOne(sumOf(0))) return 'counts'
  if (nodeCount > 1) return [left[0]!, right[0]!].every((node) => isOne(sumOf(node))) ? 'fractions' : 'counts'
  return version !== null && /^(0\.|1\.[0-3](\D|$))/.test(version) ? 'counts' : 'fractions'
}

// n_features_ until 1.0, n_features_in_ from 0.23
function readFeatureCount(forest: PyObject, label: string): number {
  const count = ['n_features_in_', 'n_features_', '_n_features']
    .map((name) => readInteger(forest.attribute(name)))
    .find((value) => value !== undefined)
  if (count === undefined || count < 1)
    throw new ModelError(`${label}: the forest does not say how many features it has`)
  // the bundle and the kernel number features in 16 bits
  if (count > 32_767) throw new ModelError(`${label}: ${count} features are more than a bundle can hold (32767)`)
  return count
}

function readFeatureNames(forest: PyObject, label: string, featureCount: number): readonly string[] | null {
  const attribute = forest.attribute('feature_names_in_')
  if (attribute === undefined || attribute === null) return null
  const names = readNames(attribute, `${label}: feature_names_in_`)
  if (names.length === featureCount) return names
  throw new ModelError(`${label}: feature_names_in_ has ${names.length} names for ${featureCount} features`)
}

function versionOf(estimator: PyObject): string | null {
  const version = estimator.attribute('_sklearn_version')
  return typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) ? version : null
}

function warningsOf(forest: PyObject, label: string, treeCount: number): string[] {
  const asked = readInteger(forest.attribute('n_estimators'))
  if (asked === undefined || asked === treeCount) return []
  return [`${label}: n_estimators says ${asked}, the forest has ${treeCount} trees; as in scikit-learn, these count`]
}

function expectInteger(value: PyValue | undefined, expected: number, what: string): void {
  const found = readInteger(value)
  if (found !== expected) throw new ModelError(`${what} is ${found ?? describe(value)}, where ${expected} is expected`)
}

/**
 * Adds up `length` values as numpy does along the last axis of a C-ordered array: in order below eight, then in eight
 * partial sums, and by halves above 128. The order of the additions decides the last bit, and with it whether a leaf's
 * fraction equals scikit-learn's. (numpy: `pairwise_sum` in loops_utils.h.src.)
 */
export function numpySum(values: Float64Array, start: number, length: number): number {
  if (length < 8) {
    let sum = 0
    for (let i = 0; i < length; i++) sum += values[start + i]!
    return sum
  }
  if (length > 128) {
    const half = Math.floor(length / 2)
    const first = half - (half % 8)
    return numpySum(values, start, first) + numpySum(values, start + first, length - first)
  }
  const partial = values.slice(start, start + 8)
  const whole = length - (length % 8)
  for (let i = 8; i < whole; i++) partial[i % 8]! += values[start + i]!
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = partial
  let sum = a + b + (c + d) + (e + f + (g + h))
  for (let i = whole; i < length; i++) sum += values[start + i]!
  return sum
}
