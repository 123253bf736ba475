// Small forests written as trees of objects, and their Shapley values by the definition.
import type { CoveredForest } from '../../../src/model/bundle/forest.ts'

/** A node: a split or a leaf with the weight of its training samples. */
export type Split =
  | { readonly weight: number; readonly fractions: readonly number[] }
  | {
      readonly feature: number
      readonly threshold: number
      readonly isMissingLeft?: boolean
      readonly left: Split
      readonly right: Split
    }

/** The forest as a bundle holds it: breadth first, children side by side. */
export function grownForest(trees: readonly Split[]): CoveredForest {
  const rows: { feature: number; threshold: number; left: number; leaf: number; node: Split }[] = []
  const roots: number[] = []
  const leaves: number[] = []
  for (const tree of trees) {
    roots.push(rows.length)
    const queue: Split[] = [tree]
    const start = rows.length
    for (let next = 0; next < queue.length; next++) {
      const node = queue[next]!
      if ('weight' in node) {
        rows.push({ feature: -1, threshold: 0, left: 0, leaf: leaves.length / 2, node })
        leaves.push(...node.fractions)
      } else {
        rows.push({ feature: node.feature, threshold: node.threshold, left: start + queue.length, leaf: 0, node })
        queue.push(node.left, node.right)
      }
    }
  }
  const cover = new Float64Array(rows.length)
  for (let i = rows.length - 1; i >= 0; i--) {
    const { node, left } = rows[i]!
    cover[i] = 'weight' in node ? node.weight : cover[left]! + cover[left + 1]!
  }
  return {
    classes: ['a', 'b'],
    roots: Uint32Array.from(roots),
    feature: Int16Array.from(rows, (row) => row.feature),
    threshold: Float64Array.from(rows, (row) => row.threshold),
    left: Uint32Array.from(rows, (row) => row.left),
    leaf: Uint32Array.from(rows, (row) => row.leaf),
    leaves: Float64Array.from(leaves),
    missingLeft: Uint8Array.from(rows, ({ node }) => ('weight' in node || !node.isMissingLeft ? 0 : 1)),
    cover,
  }
}

/** features × classes: Σ over sets S without i of |S|! (n−|S|−1)! / n! · (v(S ∪ i) − v(S)) */
export function byDefinition(forest: CoveredForest, row: Float32Array): number[] {
  const count = row.length
  const sets = Array.from({ length: 1 << count }, (_, known) => valueOf(forest, row, known))
  return Array.from(row).flatMap((_, i) =>
    forest.classes.map((_, c) =>
      sets.reduce((sum, value, known) => {
        if ((known >> i) & 1) return sum
        const size = bits(known)
        const weight = (factorial(size) * factorial(count - size - 1)) / factorial(count)
        return sum + weight * (sets[known | (1 << i)]![c]! - value[c]!)
      }, 0),
    ),
  )
}

function valueOf(forest: CoveredForest, row: Float32Array, known: number): number[] {
  const { feature, threshold, left, leaf, leaves, missingLeft, cover, roots } = forest
  const below = (node: number): number[] => {
    const asked = feature[node]!
    if (asked < 0) return [...leaves.slice(2 * leaf[node]!, 2 * leaf[node]! + 2)]
    const [yes, no] = [left[node]!, left[node]! + 1]
    const isLeft = Number.isNaN(row[asked]!) ? missingLeft![node] === 1 : row[asked]! <= threshold[node]!
    if ((known >> asked) & 1) return below(isLeft ? yes : no)
    const [a, b] = [below(yes), below(no)]
    return a.map((value, c) => (value * cover[yes]! + b[c]! * cover[no]!) / cover[node]!)
  }
  const sums = [0, 0]
  for (const root of roots) below(root).forEach((value, c) => (sums[c]! += value / roots.length))
  return sums
}

function bits(set: number): number {
  let count = 0
  for (let rest = set; rest > 0; rest >>= 1) count += rest & 1
  return count
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1)
}
