// The trees of a LightGBM booster: leaves have numbers of their own, each node says what is missing and where it goes.
import { ModelError } from '../../errors.ts'
import type { SourceForest, SourceTree } from '../sklearn/convert-forest.ts'
import type { TextSection } from './model-text.ts'

/** Nodes first, then leaves, so that children are indices of one list. */
export interface LightgbmTree extends SourceTree {
  readonly missingLeft: null
  /** LightGBM's `decision_type`: bit 0 categorical, bit 1 missing goes left, bits 2 and 3 what is missing; 0 for leaves */
  readonly decision: Uint8Array
}

/** What counts as zero (`kZeroThreshold`, a float32 in LightGBM's source). */
export const zeroLimit = Math.fround(1e-35)

const missingKinds = { none: 0, zero: 1, nan: 2 } as const
const missingKind = (decision: number) => (decision >> 2) & 3
const goesLeftByDefault = (decision: number) => (decision & 2) !== 0

/**
 * Reads trees.
 *
 * @returns `source` as the file has them, `converted` with what the nodes do with a missing value
 * @throws ModelError for what is not a tree, and for categorical splits and linear leaves
 */
export function readTrees(
  sections: readonly TextSection[],
  { label, featureCount }: { label: string; featureCount: number },
): { source: SourceForest<LightgbmTree>; converted: SourceForest } {
  const trees = sections.map((section, index) => readTree(section, `${label}: tree ${index}`))
  const source = {
    label,
    classes: ['margin'],
    featureCount,
    treeCount: trees.length,
    nodeCount: trees.reduce((sum, { nodeCount }) => sum + nodeCount, 0),
    valueLayout: 'margins' as const,
    tree: (index: number) => trees[index]!,
  }
  return { source, converted: { ...source, tree: (index) => withMissingRule(trees[index]!) } }
}

function readTree(section: TextSection, what: string): LightgbmTree {
  const leafCount = section.count('num_leaves')
  if (leafCount === 0) throw new ModelError(`${what}: has no leaf`)
  if (section.count('num_cat') > 0) throw unsupported(what, 'categorical splits')
  if (section.has('is_linear') && section.count('is_linear') !== 0) throw unsupported(what, 'linear leaves')
  const splitCount = leafCount - 1
  const nodeCount = splitCount + leafCount
  const numbers = (key: string) => (splitCount === 0 ? new Float64Array(0) : section.numbers(key, splitCount))
  /** one list for nodes and leaves */
  const joined = (splits: Float64Array, leaves: Float64Array) => {
    const list = new Float64Array(nodeCount)
    list.set(splits)
    list.set(leaves, splitCount)
    return list
  }
  const noChild = new Float64Array(leafCount).fill(-1)
  // −1 is leaf 0, −2 leaf 1, …
  const children = (key: string) =>
    joined(
      numbers(key).map((child) => (child < 0 ? splitCount - child - 1 : child)),
      noChild,
    )
  const decision = new Uint8Array(nodeCount)
  numbers('decision_type').forEach((type, node) => {
    if (!(type >= 0 && type < 16 && Number.isInteger(type)) || missingKind(type) === 3) {
      throw new ModelError(`${what}: node ${node} has the decision_type ${type}, which is unknown`)
    }
    if ((type & 1) !== 0) throw unsupported(what, 'categorical splits')
    decision[node] = type
  })
  const leafValues = section.numbers('leaf_value', leafCount)
  return {
    nodeCount,
    left: children('left_child'),
    right: children('right_child'),
    feature: joined(numbers('split_feature'), noChild),
    threshold: joined(numbers('threshold'), new Float64Array(leafCount)),
    missingLeft: null,
    decision,
    cover: joined(numbers('internal_count'), leafCounts(section, leafCount)),
    values: joined(new Float64Array(splitCount), leafValues),
  }
}

/** A tree of one leaf may have no counts. */
function leafCounts(section: TextSection, leafCount: number): Float64Array {
  const isSaid = section.has('leaf_count') && section.text('leaf_count') !== ''
  return isSaid || leafCount > 1 ? section.numbers('leaf_count', leafCount) : new Float64Array(leafCount)
}

function unsupported(what: string, has: string): ModelError {
  return new ModelError(`${what} has ${has}, which a bundle cannot hold exactly`, {
    hint: 'Convert the booster to ONNX (onnxmltools) and import that file, or train without.',
  })
}

/**
 * Features whose zeros are missing values (`zero_as_missing`): before the trees they become NaN.
 *
 * @throws ModelError where other nodes of the same feature see them as numbers
 */
export function zeroFeatures({ label, treeCount, tree }: SourceForest<LightgbmTree>): number[] {
  const kinds = new Map<number, Set<number>>()
  for (let index = 0; index < treeCount; index++) {
    const { nodeCount, left, feature, decision } = tree(index)
    for (let node = 0; node < nodeCount; node++) {
      if (left[node] === -1) continue
      const known = kinds.get(feature[node]!) ?? new Set()
      kinds.set(feature[node]!, known.add(missingKind(decision[node]!)))
    }
  }
  const zeros = [...kinds].filter(([, found]) => found.has(missingKinds.zero))
  const mixed = zeros.find(([, found]) => found.size > 1)
  if (mixed) {
    throw unsupported(label, `zeros of feature ${mixed[0]} as missing values in some nodes and as numbers in others`)
  }
  return zeros.map(([feature]) => feature).sort((a, b) => a - b)
}

/**
 * What a node does with NaN and near zero. Without a kind of missing value NaN counts as 0; numbers within `zeroLimit` of
 * zero are read as 0 (`RowPairFunctionFromDenseMatric`), so that a threshold among them is as good as one at their end.
 */
function withMissingRule(tree: LightgbmTree): SourceTree {
  const { decision, threshold } = tree
  const missingLeft = decision.map((type, node) =>
    Number(missingKind(type) === missingKinds.none ? threshold[node]! >= 0 : goesLeftByDefault(type)),
  )
  return { ...tree, missingLeft, threshold: threshold.map(besideZero) }
}

function besideZero(threshold: number): number {
  if (threshold >= -zeroLimit && threshold < 0) return belowZeroLimit
  return threshold >= 0 && threshold < zeroLimit ? zeroLimit : threshold
}

/** the float64 below −zeroLimit, which has an exponent of −117 */
const belowZeroLimit = -zeroLimit - 2 ** -169

/** LightGBM's comparison (`Tree::NumericalDecision`). */
export function lightgbmGoesLeft({ decision, threshold }: LightgbmTree, node: number, value: number): boolean {
  const kind = missingKind(decision[node]!)
  const isZero = Math.abs(value) <= zeroLimit || (Number.isNaN(value) && kind !== missingKinds.nan)
  const number = isZero ? 0 : value
  const isMissing = kind === missingKinds.zero ? isZero : kind === missingKinds.nan && Number.isNaN(number)
  return isMissing ? goesLeftByDefault(decision[node]!) : number <= threshold[node]!
}
