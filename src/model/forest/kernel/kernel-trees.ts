// The trees of a model as the kernel is given them, and the groups that their thresholds are sorted in.
import type { Forest } from '../../bundle/forest.ts'
import type { Sum } from '../../bundle/sums.ts'

/** The trees of one part, as the kernel knows them. Can be posted to a worker. */
export interface KernelTrees {
  readonly forest: Forest
  /** null where leaves are fractions */
  readonly sum: Pick<Sum, 'margins' | 'targets' | 'base' | 'precision'> | null
  /** column of the kernel's rows where the features of this part begin */
  readonly firstFeature: number
}

/** How many thresholds each group has: those of one feature; the nodes where a missing value goes left come second. */
export function countThresholds(trees: readonly KernelTrees[], features: number): Uint32Array {
  const hasRules = trees.some(({ forest }) => forest.missingLeft !== undefined)
  const counts = new Uint32Array(hasRules ? 2 * features : features)
  for (const part of trees) {
    const { feature, missingLeft } = part.forest
    for (let node = 0; node < feature.length; node++) {
      if (feature[node]! >= 0) counts[groupOf(part, node, missingLeft, features)]!++
    }
  }
  return counts
}

/** The group of a node that asks for a feature. */
export function groupOf(
  { forest, firstFeature }: KernelTrees,
  node: number,
  missingLeft: Forest['missingLeft'],
  features: number,
): number {
  const group = firstFeature + forest.feature[node]!
  return missingLeft !== undefined && missingLeft[node] === 1 ? group + features : group
}
