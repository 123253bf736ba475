// A scikit-learn forest inside a pickle: its attributes checked against each other, its trees read one at a time.
import { ModelError } from '../../errors.ts'
import { numpySum } from '../bundle/numpy-sum.ts'
import type { SourceForest } from './convert-forest.ts'
import { readNames } from './pickle/names.ts'
import { floatsOf, integersOf, readArray, readInteger } from './pickle/numpy.ts'
import { describe, PyList, PyObject, type PyValue } from './pickle/values.ts'

/** What a forest's pickle says. */
export type PickledForest = ReturnType<typeof readPickledForest>

/** Names of a module of today and of scikit-learn 0.21 and before. */
const inModules = (modules: readonly string[], name: string) => modules.map((module) => `${module}.${name}`)
const forestModules = ['sklearn.ensemble._forest', 'sklearn.ensemble.forest']
const treeModules = ['sklearn.tree._classes', 'sklearn.tree.tree']
const treeEstimators = new Set(inModules(treeModules, 'DecisionTreeClassifier'))
const randomTreeEstimators = new Set(inModules(treeModules, 'ExtraTreeClassifier'))
/** each forest, and the class of its trees */
const forestClasses = new Map([
  ...inModules(forestModules, 'RandomForestClassifier').map((name) => [name, treeEstimators] as const),
  ...inModules(forestModules, 'ExtraTreesClassifier').map((name) => [name, randomTreeEstimators] as const),
  ...inModules(['imblearn.ensemble._forest', 'imblearn.ensemble.forest'], 'BalancedRandomForestClassifier').map(
    (name) => [name, treeEstimators] as const,
  ),
])

/** Whether a value is a forest or a tree alone. */
export function isForest(value: PyValue): value is PyObject {
  return value instanceof PyObject && (forestClasses.has(value.type.fullName) || isTree(value))
}

function isTree({ type }: PyObject): boolean {
  return treeEstimators.has(type.fullName) || randomTreeEstimators.has(type.fullName)
}

/**
 * Checks a forest's attributes and finds its trees; a tree alone is a forest of one.
 *
 * @param fileSize bytes of the file: what the trees take together cannot be more
 * @throws ModelError for what is not a forest of one output, or contradicts itself
 */
export function readPickledForest(value: PyValue, { label, fileSize }: { label: string; fileSize: number }) {
  if (!isForest(value)) {
    throw new ModelError(`${label} holds ${describe(value)}, where a forest is needed`)
  }
  if (value.state === undefined) throw new ModelError(`${label}: the forest is empty (was it never fitted?)`)
  const outputs = readInteger(value.attribute('n_outputs_'))
  if (outputs !== 1) {
    const hint =
      outputs === undefined
        ? 'It was never fitted: save it after its training.'
        : 'Train one classifier for each output.'
    throw new ModelError(`${label}: the forest has ${outputs ?? 'no'} outputs (n_outputs_), where 1 is needed`, {
      hint,
    })
  }
  const classes = readNames(value.attribute('classes_'), `${label}: classes_`)
  expectInteger(value.attribute('n_classes_'), classes.length, `${label}: n_classes_`)
  const featureCount = readFeatureCount(value, label)
  const estimators = isTree(value) ? [value] : estimatorsOf(value, label)
  const sources = estimators.map((estimator, index) =>
    readTreeSource(estimator, `${label}: tree ${index}`, classes.length, featureCount),
  )
  // a file can name the same arrays many times over; honest trees each have their own bytes
  checkShared(sources, { label, fileSize })
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
    /** why it takes no missing values; null where it does */
    rejectsMissing: rejectsMissing(value, estimators[0]!, sklearnVersion),
    /** things that are odd but do no harm */
    warnings: warningsOf(value, label, sources.length),
    treeCount: sources.length,
    nodeCount: sources.reduce((sum, source) => sum + source.nodes.length, 0),
    tree: (index: number) => readTree(sources[index]!, classes.length),
  } satisfies SourceForest & Record<string, unknown>
}

/**
 * Why scikit-learn refuses missing values here; null where it follows its nodes' rule: trees since 1.3, forests since 1.4,
 * ExtraTrees since 1.6 (their `allow_nan` and `_support_missing_values`).
 */
function rejectsMissing(estimator: PyObject, tree: PyObject, version: string | null): string | null {
  const isRandom = randomTreeEstimators.has(tree.type.fullName)
  const since = isRandom ? 6 : isTree(estimator) ? 3 : 4
  const library = `scikit-learn${version === null ? '' : ` ${version}`}`
  if (!isSince(version, 1, since)) return `${library} takes no missing values here`
  const constraints = tree.attribute('monotonic_cst')
  if (constraints !== undefined && constraints !== null && !isSince(version, 1, 9)) {
    return `${library} takes no missing values with monotonic_cst`
  }
  const splitter = tree.attribute('splitter')
  if (splitter === 'random' && !isSince(version, 1, 6)) return `${library} takes no missing values with random splits`
  if (splitter === 'best' && isRandom) return `${library} takes no missing values with the best splits`
  return null
}

/** Whether a version is this one or later; an unknown one is early. */
export function isSince(version: string | null, major: number, minor: number): boolean {
  const [found = 0, foundMinor = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10))
  return found > major || (found === major && foundMinor >= minor)
}

export type TreeSource = ReturnType<typeof readTreeSource>

function estimatorsOf(forest: PyObject, label: string): PyObject[] {
  const list = forest.attribute('estimators_')
  if (!(list instanceof PyList) || list.items.length === 0) {
    throw new ModelError(`${label}: estimators_ is ${describe(list)}, where a list of trees is needed`)
  }
  const kinds = forestClasses.get(forest.type.fullName)!
  const seen = new Set<PyValue>()
  return list.items.map((item, index) => {
    if (seen.has(item)) throw new ModelError(`${label}: tree ${index} appears twice`)
    seen.add(item)
    if (item instanceof PyObject && kinds.has(item.type.fullName)) return item
    throw new ModelError(`${label}: tree ${index} is ${describe(item)}, which is no tree of this forest`)
  })
}

export function readTreeSource(estimator: PyObject, what: string, classCount: number, featureCount: number) {
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

/** @throws ModelError where trees take more bytes than their file has */
export function checkShared(
  sources: readonly Pick<TreeSource, 'nodes' | 'values'>[],
  { label, fileSize }: { label: string; fileSize: number },
): void {
  const total = sources.reduce((sum, { nodes, values }) => sum + nodes.byteLength + values.byteLength, 0)
  if (total > fileSize) throw new ModelError(`${label}: its trees share their nodes, which no forest does`)
}

/** A tree's arrays, copied out of the file in its own (depth-first) node order. −1 in `left` marks a leaf. */
export function readTree({ what, nodes, values }: TreeSource, classCount: number) {
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
export function readFeatureCount(forest: PyObject, label: string): number {
  const count = ['n_features_in_', 'n_features_', '_n_features']
    .map((name) => readInteger(forest.attribute(name)))
    .find((value) => value !== undefined)
  if (count === undefined || count < 1)
    throw new ModelError(`${label}: the forest does not say how many features it has`)
  // the bundle and the kernel number features in 16 bits
  if (count > 32_767) throw new ModelError(`${label}: ${count} features are more than a bundle can hold (32767)`)
  return count
}

export function readFeatureNames(forest: PyObject, label: string, featureCount: number): readonly string[] | null {
  const attribute = forest.attribute('feature_names_in_')
  if (attribute === undefined || attribute === null) return null
  const names = readNames(attribute, `${label}: feature_names_in_`)
  if (names.length === featureCount) return names
  throw new ModelError(`${label}: feature_names_in_ has ${names.length} names for ${featureCount} features`)
}

export function versionOf(estimator: PyObject): string | null {
  const version = estimator.attribute('_sklearn_version')
  return typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) ? version : null
}

function warningsOf(forest: PyObject, label: string, treeCount: number): string[] {
  const asked = readInteger(forest.attribute('n_estimators'))
  if (isTree(forest) || asked === undefined || asked === treeCount) return []
  return [`${label}: n_estimators says ${asked}, the forest has ${treeCount} trees; as in scikit-learn, these count`]
}

function expectInteger(value: PyValue | undefined, expected: number, what: string): void {
  const found = readInteger(value)
  if (found !== expected) throw new ModelError(`${what} is ${found ?? describe(value)}, where ${expected} is expected`)
}
