// Forests evaluated in the plainest way, to hold the fast engines against: no tricks, one row and one node at a time.
import type { Forest } from './forest.ts'
import type { ManifestLevel } from './manifest.ts'

/**
 * Probabilities of a forest as the bundle holds it: leaf fractions added in tree order in float64, divided once by the
 * number of trees.
 *
 * @param matrix rowCount × features, row-major, preprocessed
 * @returns rowCount × classes, row-major
 */
export function evaluatePlainly(forest: Forest, matrix: Float32Array, rowCount: number): Float64Array {
  const { classes, roots, feature, threshold, left, leaf, leaves } = forest
  const featureCount = rowCount === 0 ? 0 : matrix.length / rowCount
  const answer = new Float64Array(rowCount * classes.length)
  // tree by tree, so that a tree is walked while it is in the cache; the order of each row's additions is the same
  for (const root of roots) {
    for (let row = 0; row < rowCount; row++) {
      let node = root
      while (feature[node]! >= 0) {
        const value = matrix[row * featureCount + feature[node]!]!
        node = left[node]! + (value <= threshold[node]! ? 0 : 1)
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
  readonly taxonomy: Readonly<Record<string, readonly string[]>> | null
  /** the top first, then the branches */
  readonly levels: readonly Pick<ManifestLevel, 'branch' | 'classes'>[]
}

/**
 * The product over all leaf classes, in output order: P(class) = P_top(branch) × P_branch(class), in that order of
 * multiplication. For a model of one level, its own answer.
 *
 * @param probabilities of each forest, in the order of `levels`
 */
export function productOf(
  { taxonomy, levels }: Hierarchy,
  probabilities: readonly Float64Array[],
  rowCount: number,
): Float64Array {
  const [top, ...branches] = levels
  if (taxonomy === null || !top) return probabilities[0] ?? new Float64Array(0)
  const columns = branches.flatMap(({ branch, classes }, index) =>
    (taxonomy[branch!] ?? []).map((name) => ({
      top: top.classes.indexOf(branch!),
      level: index + 1,
      width: classes.length,
      column: classes.indexOf(name),
    })),
  )
  const product = new Float64Array(rowCount * columns.length)
  for (let row = 0; row < rowCount; row++) {
    columns.forEach(({ top: branch, level, width, column }, place) => {
      const given = probabilities[0]![row * top.classes.length + branch]!
      product[row * columns.length + place] = given * probabilities[level]![row * width + column]!
    })
  }
  return product
}
