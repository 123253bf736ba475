// The quick approximation: each split on the object's own way gets the change of the mean (Saabas 2014).
import type { Forest } from '../../model/bundle/forest.ts'
import type { Attribution } from './explanation.ts'

/**
 * Credits the features of the object's own paths alone. Adds up to the prediction as Shapley values do, but favours
 * features near the leaves: an approximation, and to be labelled so.
 *
 * @param row float32 features, preprocessed
 */
export function pathAttribution(forest: Required<Forest>, row: Float32Array): Attribution {
  const { classes, roots } = forest
  const width = classes.length
  const base = new Float64Array(width)
  const contributions = new Float64Array(row.length * width)
  // reused by all trees: asking for memory a thousand times takes as long as the rest
  const scratch: Scratch = { path: [], leftAt: new Uint32Array(0), sums: new Float64Array(0) }
  for (let tree = 0; tree < roots.length; tree++) {
    const means = meansOnPath(forest, row, tree, scratch)
    for (let c = 0; c < width; c++) base[c]! += means[c]!
    for (let step = 1; step < scratch.path.length; step++) {
      const cell = forest.feature[scratch.path[step - 1]!]! * width
      for (let c = 0; c < width; c++) {
        contributions[cell + c]! += means[step * width + c]! - means[(step - 1) * width + c]!
      }
    }
  }
  for (let c = 0; c < width; c++) base[c]! /= roots.length
  for (let i = 0; i < contributions.length; i++) contributions[i]! /= roots.length
  return { base, contributions }
}

interface Scratch {
  /** nodes on the object's way, the root first */
  path: number[]
  /** for each node of the tree, at which step of the path its branch left it */
  leftAt: Uint32Array
  /** by step: weighted sums of the leaves that left there, later their means, a class a column; the weights at its end */
  sums: Float64Array
}

/**
 * Mean probabilities below each node of the object's path, steps × classes, row-major: one pass over the leaves, each
 * added where its branch leaves the path, then summed up from the path's end.
 */
function meansOnPath(forest: Required<Forest>, row: Float32Array, tree: number, scratch: Scratch): Float64Array {
  const { classes, roots, feature, leaf, leaves, left, cover } = forest
  const width = classes.length
  const start = roots[tree]!
  const end = roots[tree + 1] ?? feature.length
  const path = pathOf(forest, row, start)
  const steps = path.length
  if (scratch.leftAt.length < end - start) scratch.leftAt = new Uint32Array(2 * (end - start))
  if (scratch.sums.length < steps * (width + 1)) scratch.sums = new Float64Array(2 * steps * (width + 1))
  const { leftAt, sums } = scratch
  scratch.path = path
  sums.fill(0, 0, steps * (width + 1))
  const weights = steps * width
  let step = 0
  // breadth first, so that the path's nodes come in their order and parents before children
  leftAt[0] = 0
  for (let node = start; node < end; node++) {
    const at = leftAt[node - start]!
    if (feature[node]! >= 0) {
      const child = left[node]! - start
      leftAt[child] = at
      leftAt[child + 1] = at
      if (node === path[step]) leftAt[path[++step]! - start] = step
      continue
    }
    const weight = cover[node]!
    const from = leaf[node]! * width
    for (let c = 0; c < width; c++) sums[at * width + c]! += weight * leaves[from + c]!
    sums[weights + at]! += weight
  }
  for (let at = steps - 1; at > 0; at--) {
    for (let c = 0; c < width; c++) sums[(at - 1) * width + c]! += sums[at * width + c]!
    sums[weights + at - 1]! += sums[weights + at]!
  }
  for (let at = 0; at < steps; at++) {
    for (let c = 0; c < width; c++) sums[at * width + c]! /= sums[weights + at]!
  }
  return sums
}

function pathOf({ feature, threshold, left }: Forest, row: Float32Array, root: number): number[] {
  const path = [root]
  let node = root
  while (feature[node]! >= 0) {
    node = left[node]! + (row[feature[node]!]! <= threshold[node]! ? 0 : 1)
    path.push(node)
  }
  return path
}
