// Trees evaluated as their file has them: the file's own node numbers, the library's own comparison, one row at a time.
import type { Features } from '../pipeline/preprocess.ts'

/** What a walk needs of a tree; −1 in `left` marks a leaf. */
interface WalkedTree {
  readonly left: ArrayLike<number>
  readonly right: ArrayLike<number>
  readonly feature: ArrayLike<number>
}

/** Trees as a file has them, with the comparison that their library makes. */
interface WalkedForest<T extends WalkedTree> {
  readonly featureCount: number
  readonly treeCount: number
  tree(index: number): T
  goesLeft(tree: T, node: number, value: number): boolean
}

/**
 * Walks every row down every tree.
 *
 * @param reached is told the leaf of each tree and row, in tree order
 */
export function walkTrees<T extends WalkedTree>(
  forest: WalkedForest<T>,
  { matrix, rowCount }: { matrix: Features; rowCount: number },
  reached: (tree: T, node: number, at: { row: number; index: number }) => void,
): void {
  const { featureCount, treeCount } = forest
  for (let index = 0; index < treeCount; index++) {
    const tree = forest.tree(index)
    for (let row = 0; row < rowCount; row++) {
      let node = 0
      while (tree.left[node] !== -1) {
        const value = matrix[row * featureCount + tree.feature[node]!]!
        node = forest.goesLeft(tree, node, value) ? tree.left[node]! : tree.right[node]!
      }
      reached(tree, node, { row, index })
    }
  }
}

/** Margins that leaves add up to: the base, then each tree's leaf, rounded after every addition. */
export function addMargins<T extends WalkedTree & { readonly values: Float64Array }>(
  forest: WalkedForest<T>,
  sum: { readonly targets: readonly number[]; readonly base: readonly number[]; readonly precision: string },
  input: { matrix: Features; rowCount: number },
): Float64Array {
  const width = sum.base.length
  const margins = Float64Array.from({ length: input.rowCount * width }, (_, index) => sum.base[index % width]!)
  const round = sum.precision === 'float32' ? Math.fround : (value: number) => value
  walkTrees(forest, input, (tree, node, { row, index }) => {
    const at = row * width + sum.targets[index]!
    margins[at] = round(margins[at]! + tree.values[node]!)
  })
  return margins
}
