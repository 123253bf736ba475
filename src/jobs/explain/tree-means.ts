// What a tree says of an object of which nothing is known, at each of its nodes.
import type { Forest } from '../../model/bundle/forest-2.ts'

/**
 * Mean probabilities below each node of one tree, weighted by the training samples.
 *
 * @returns nodes of the tree × classes, row-major, the root first
 */
export function nodeMeans(forest: Required<Forest>, tree: number): Float64Array {
  const { classes, roots, feature, left, leaf, leaves, cover } = forest
  const width = classes.length
  const start = roots[tree]!
  const end = roots[tree + 1] ?? feature.length
  const means = new Float64Array((end - start) * width)
  // children come after their parent
  for (let node = end - 1; node >= start; node--) {
    const to = (node - start) * width
    if (feature[node]! < 0) {
      const from = leaf[node]! * width
      for (let c = 0; c < width; c++) means[to + c] = leaves[from + c]!
      continue
    }
    const child = left[node]!
    const from = (child - start) * width
    const [shareLeft, shareRight] = [cover[child]! / cover[node]!, cover[child + 1]! / cover[node]!]
    for (let c = 0; c < width; c++) {
      means[to + c] = shareLeft * means[from + c]! + shareRight * means[from + width + c]!
    }
  }
  return means
}

/** Adds the mean of a whole tree. */
export function addMean(forest: Required<Forest>, tree: number, base: Float64Array): void {
  const means = nodeMeans(forest, tree)
  for (let c = 0; c < base.length; c++) base[c]! += means[c]!
}

/** Splits on the longest way from a tree's root to a leaf. */
export function depthOf({ roots, feature, left }: Forest, tree: number): number {
  const start = roots[tree]!
  const end = roots[tree + 1] ?? feature.length
  const depths = new Uint32Array(end - start)
  let deepest = 0
  for (let node = start; node < end; node++) {
    const depth = depths[node - start]!
    if (depth > deepest) deepest = depth
    if (feature[node]! < 0) continue
    depths[left[node]! - start] = depth + 1
    depths[left[node]! + 1 - start] = depth + 1
  }
  return deepest
}
