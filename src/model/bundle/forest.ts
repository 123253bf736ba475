// A forest in memory, as the bundle stores it and the kernel reads it: whether it is whole, and what it answers.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type BranchTaxonomy, leafClasses, type ManifestLevel } from './manifest.ts'

/**
 * The trees of one part of a model (see parts.ts). A node is a row; the rows of one tree are together, in breadth-first
 * order, and the two children of a node are adjacent: left at `left[i]`, right at `left[i] + 1`, both after i (so there are
 * no cycles). A row of features goes left where x[feature] <= threshold, compared in float64: x is a float32 unless the
 * model's preprocessing says float64. A missing value (NaN) goes left where `missingLeft` says so, else right.
 */
export interface Forest {
  /**
   * names of the columns of a leaf: the classes in the order of scikit-learn's `classes_`, or one name where each tree adds
   * to one margin
   */
  readonly classes: readonly string[]
  /** row of each tree's root, in tree order: leaf fractions are added in this order */
  readonly roots: Uint32Array
  /** index into the model's features; −1 for a leaf */
  readonly feature: Int16Array
  readonly threshold: Float64Array
  /** row of the left child; 0 for a leaf */
  readonly left: Uint32Array
  /** index of a leaf's distribution in `leaves`; 0 for a node with children */
  readonly leaf: Uint32Array
  /** the distinct leaf distributions, one after the other, `classes.length` fractions each; or values of margins */
  readonly leaves: Float64Array
  /** 1 for a node where a missing value goes left; absent where missing values never reach the trees, or always go right */
  readonly missingLeft?: Uint8Array
  /**
   * weight of the training samples that reached each row (scikit-learn's `weighted_n_node_samples`): what an explanation
   * needs and an answer does not. Absent in a forest that was opened without, as it is for classifying
   */
  readonly cover?: Float64Array
}

/** A forest with its covers, for explanations. */
export type CoveredForest = Forest & { readonly cover: Float64Array }

/**
 * The quick check, at every opening: with it a walk can neither leave the arrays nor run in a circle.
 *
 * @returns what is wrong, or null
 */
export function findUnsafeNode(forest: Forest, featureCount: number): string | null {
  const { classes, roots, feature, leaves } = forest
  const leafCount = leaves.length / classes.length
  for (let tree = 0; tree < roots.length; tree++) {
    const start = roots[tree]!
    const end = roots[tree + 1] ?? feature.length
    if (isSafe(forest, { start, end, featureCount, leafCount })) continue
    for (let row = start; row < end; row++) {
      const problem = problemOf(forest, row, { end, featureCount, leafCount })
      if (problem !== null) return problem
    }
  }
  return null
}

interface Limits {
  readonly end: number
  readonly featureCount: number
  readonly leafCount: number
}

/**
 * Whether all indices of one tree are in range. Without a branch in the loop, because which nodes are leaves cannot be
 * predicted: five times as fast, and this is part of every start. A term is negative where its limit is broken.
 */
function isSafe(
  { feature, left, leaf }: Forest,
  { start, end, featureCount, leafCount }: Limits & { start: number },
): boolean {
  let signs = 0
  for (let row = start; row < end; row++) {
    const asked = feature[row]!
    const child = left[row]! | 0
    const number = leaf[row]! | 0
    const isSplit = ~(asked >> 31)
    signs |= (asked + 1) | (featureCount - 1 - asked) | number | (leafCount - 1 - number)
    signs |= isSplit & (child | (child - row - 1) | (end - 2 - child))
  }
  return signs >= 0
}

function problemOf(
  { feature, left, leaf }: Forest,
  row: number,
  { end, featureCount, leafCount }: Limits,
): string | null {
  const asked = feature[row]!
  const child = left[row]!
  if (leaf[row]! >= leafCount) return `node ${row} names leaf distribution ${leaf[row]} of ${leafCount}`
  if (asked === -1) return null
  if (asked < 0 || asked >= featureCount) return `node ${row} asks for feature ${asked} of ${featureCount}`
  if (child <= row || child + 1 >= end) return `node ${row} has its children at ${child}, outside its tree`
  return null
}

/**
 * The thorough check: every node of every tree is reached exactly once, thresholds are numbers, leaves are
 * distributions, or finite numbers of a margin. For forests that pass the quick one.
 *
 * @returns what is wrong, or null
 */
export function findBrokenTree(
  { classes, roots, feature, threshold, left, leaves }: Forest,
  leafKind: 'fractions' | 'numbers' = 'fractions',
): string | null {
  const isChild = new Uint8Array(feature.length)
  for (let row = 0; row < feature.length; row++) {
    if (feature[row] === -1) continue
    if (Number.isNaN(threshold[row])) return `the threshold of node ${row} is not a number`
    for (const child of [left[row]!, left[row]! + 1]) {
      if (isChild[child] === 1) return `node ${child} is reached twice`
      isChild[child] = 1
    }
  }
  const isRoot = new Set(roots)
  for (let row = 0; row < feature.length; row++) {
    if ((isChild[row] === 1) === isRoot.has(row))
      return `node ${row} is ${isRoot.has(row) ? 'a root with a parent' : 'never reached'}`
  }
  if (leafKind === 'numbers') {
    const bad = leaves.findIndex((value) => !Number.isFinite(value))
    return bad === -1 ? null : `leaf ${bad} has the value ${leaves[bad]}`
  }
  for (let start = 0; start < leaves.length; start += classes.length) {
    if (!isDistribution(leaves, start, classes.length)) {
      return `the fractions of leaf distribution ${start / classes.length} do not sum to 1`
    }
  }
  return null
}

/** Whether fractions are a distribution: none below 0, and 1 together within 1e-12, or all zero. */
export function isDistribution(fractions: Float64Array, start = 0, length = fractions.length): boolean {
  let sum = 0
  for (let i = start; i < start + length; i++) {
    if (!(fractions[i]! >= 0)) return false
    sum += fractions[i]!
  }
  return sum === 0 || Math.abs(sum - 1) <= 1e-12
}

// Forests evaluated in the plainest way, for comparison with the fast engines: no tricks, one row and one node at a time.

/** The child of a node that a value of the node's feature goes to. */
export function childOf({ threshold, left, missingLeft }: Forest, node: number, value: number): number {
  const goesLeft = value <= threshold[node]! || (value !== value && missingLeft?.[node] === 1)
  return left[node]! + (goesLeft ? 0 : 1)
}

/**
 * Probabilities of a forest as the bundle holds it: leaf fractions added in tree order in float64, divided once by the
 * number of trees.
 *
 * @param matrix rowCount × features, row-major, preprocessed
 * @returns rowCount × classes, row-major
 */
export function evaluatePlainly(forest: Forest, matrix: FeatureMatrix, rowCount: number): Float64Array {
  const { classes, roots, feature, threshold, left, leaf, leaves, missingLeft } = forest
  const featureCount = rowCount === 0 ? 0 : matrix.length / rowCount
  const answer = new Float64Array(rowCount * classes.length)
  // tree by tree, so that a tree is walked while it is in the cache; the order of each row's additions is the same
  for (const root of roots) {
    for (let row = 0; row < rowCount; row++) {
      let node = root
      while (feature[node]! >= 0) {
        const value = matrix[row * featureCount + feature[node]!]!
        const goesLeft = value <= threshold[node]! || (value !== value && missingLeft?.[node] === 1)
        node = left[node]! + (goesLeft ? 0 : 1)
      }
      for (let i = 0; i < classes.length; i++) {
        answer[row * classes.length + i]! += leaves[leaf[node]! * classes.length + i]!
      }
    }
  }
  return answer.map((sum) => sum / roots.length)
}

/** What the product needs to know of a model. */
export interface Hierarchy {
  readonly taxonomy: BranchTaxonomy | null
  /** see Manifest */
  readonly productClasses?: readonly string[]
  /** the top first, then the branches */
  readonly levels: readonly Pick<ManifestLevel, 'branch' | 'classes'>[]
}

/**
 * How the product is made of the forests' answers: for each leaf class, in output order, the column of its branch in the top
 * level, its own level and its column there. null for a model of one level.
 */
export function productColumns({ taxonomy, productClasses, levels }: Hierarchy) {
  const [top, ...branches] = levels
  if (taxonomy === null || top === undefined) return null
  return leafClasses({ levels, taxonomy, productClasses }).map((name) => {
    const index = branches.findIndex(({ branch }) => taxonomy[branch!]?.includes(name))
    const { branch, classes } = branches[index]!
    return { topColumn: top.classes.indexOf(branch!), level: index + 1, column: classes.indexOf(name) }
  })
}

/**
 * The forests' answers as a taxonomy's: the product first, then each forest; a model of one level has one.
 *
 * @param probabilities of each forest, in the order of `levels`
 */
export function withProduct(
  hierarchy: Hierarchy,
  probabilities: readonly Float64Array[],
  rowCount: number,
): Float64Array[] {
  const columns = productColumns(hierarchy)
  if (columns === null) return [...probabilities]
  const widths = hierarchy.levels.map(({ classes }) => classes.length)
  return [multiplyLevels(columns, widths, probabilities, rowCount), ...probabilities]
}

/**
 * P(class) = P_top(branch) × P_branch(class), the operands in that order.
 *
 * @param widths how many classes each level has
 */
export function multiplyLevels(
  columns: NonNullable<ReturnType<typeof productColumns>>,
  widths: readonly number[],
  answers: readonly Float64Array[],
  rowCount: number,
): Float64Array {
  const width = columns.length
  const values = new Float64Array(rowCount * width)
  const [top, topWidth] = [answers[0]!, widths[0]!]
  columns.forEach(({ topColumn, level, column }, place) => {
    const [branch, branchWidth] = [answers[level]!, widths[level]!]
    for (let row = 0; row < rowCount; row++) {
      values[row * width + place] = top[row * topWidth + topColumn]! * branch[row * branchWidth + column]!
    }
  })
  return values
}
