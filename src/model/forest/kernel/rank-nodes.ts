// Every feature's distinct thresholds as columns, and each node's column and rank in it.
import { raiseFloors } from './column-floors.ts'
import { COLUMN_THRESHOLDS, LEAST_RANK, MISSING, sizes } from './memory-layout.ts'
import { groupOf, type KernelTrees } from './kernel-trees.ts'
import type { PackingPlan } from './pack-forests.ts'
import { orderedFloat32, sortPairs, writeOrderedFloat64 } from './thresholds.ts'

/** Sorts every group's thresholds, writes the distinct ones as columns and each node's column and rank. */
export function fillRanks(plan: PackingPlan, trees: readonly KernelTrees[]): void {
  const { memory, shared, isFloat64, thresholdCounts } = plan
  const words = new Uint32Array(memory.buffer)
  const next = new Uint32Array(thresholdCounts.length)
  for (let i = 1; i < next.length; i++) next[i] = next[i - 1]! + thresholdCounts[i - 1]!
  words[shared / 4 + 1] = isFloat64 ? rankFloat64(plan, trees, words, next) : rankFloat32(plan, trees, words, next)
}

/**
 * Writes a column whose thresholds are in their place, at the address `first`.
 *
 * @returns where the next column's go
 */
function writeColumn(
  { columnTable, features, isFloat64 }: PackingPlan,
  words: Uint32Array,
  { column, group, first, count }: { column: number; group: number; first: number; count: number },
): number {
  const isLeft = group >= features
  const missing = isLeft ? MISSING.left : MISSING.right
  const { floors, end } = raiseFloors(words, { first, count, bytes: isFloat64 ? 8 : 4 })
  const info = [isLeft ? group - features : group, missing, floors.length, ...floors]
  words.set(info, (columnTable + column * sizes.column) / 4)
  return end
}

/** @returns how many columns there are */
function rankFloat32(plan: PackingPlan, trees: readonly KernelTrees[], words: Uint32Array, next: Uint32Array): number {
  const { thresholdCounts, thresholds } = plan
  const inner = thresholdCounts.reduce((sum, count) => sum + count, 0)
  const keys = new Int32Array(inner)
  const nodes = new Uint32Array(inner)
  gatherThresholds(plan, trees, { nodes, next, keep: (place, threshold) => (keys[place] = orderedFloat32(threshold)) })
  const most = thresholdCounts.reduce((largest, count) => Math.max(largest, count), 0)
  const room = { keys: new Int32Array(most), items: new Uint32Array(most) }
  let columns = 0
  let first = thresholds
  for (let group = 0, start = 0; group < thresholdCounts.length; group++) {
    const end = start + thresholdCounts[group]!
    sortPairs(keys, nodes, start, end, room)
    // a feature with more thresholds than codes can tell apart has several columns, each for a part of them
    while (start < end) {
      const { count, next: rest } = rankSorted(words, { keys, nodes, start, end }, first / 4, columns)
      first = writeColumn(plan, words, { column: columns++, group, first, count })
      start = rest
    }
  }
  return columns
}

/**
 * Writes the distinct ones of sorted thresholds, as many as a column can have, from a word on, and the column and rank of
 * their nodes.
 */
function rankSorted(
  words: Uint32Array,
  { keys, nodes, start, end }: { keys: Int32Array; nodes: Uint32Array; start: number; end: number },
  word: number,
  column: number,
): { count: number; next: number } {
  let rank = -1
  let i = start
  for (; i < end; i++) {
    const key = keys[i]!
    if (i === start || key !== keys[i - 1]) {
      if (rank === COLUMN_THRESHOLDS - 1) break
      words[word + ++rank] = key
    }
    words[nodes[i]!] = ((rank - LEAST_RANK) << 16) | column
  }
  return { count: rank + 1, next: i }
}

/** The same in float64: the thresholds are sorted alone, and each node looks its own up. */
function rankFloat64(plan: PackingPlan, trees: readonly KernelTrees[], words: Uint32Array, next: Uint32Array): number {
  const { thresholdCounts, thresholds } = plan
  const inner = thresholdCounts.reduce((sum, count) => sum + count, 0)
  const values = new Float64Array(inner)
  const nodes = new Uint32Array(inner)
  // + 0: −0 is 0
  gatherThresholds(plan, trees, { nodes, next, keep: (place, threshold) => (values[place] = threshold + 0) })
  let columns = 0
  let first = thresholds
  for (let group = 0, start = 0; group < thresholdCounts.length; group++) {
    const end = start + thresholdCounts[group]!
    const sorted = distinctOf(values.slice(start, end).sort())
    for (let i = start; i < end; i++) {
      const rank = placeOf(values[i]!, sorted)
      const column = columns + Math.floor(rank / COLUMN_THRESHOLDS)
      words[nodes[i]!] = (((rank % COLUMN_THRESHOLDS) - LEAST_RANK) << 16) | column
    }
    for (let from = 0; from < sorted.length; from += COLUMN_THRESHOLDS) {
      const part = sorted.subarray(from, from + COLUMN_THRESHOLDS)
      part.forEach((value, i) => writeOrderedFloat64(value, words, first / 4 + i * 2))
      first = writeColumn(plan, words, { column: columns++, group, first, count: part.length })
    }
    start = end
  }
  return columns
}

/** Sorted values without repetitions, a NaN first. */
function distinctOf(sorted: Float64Array): Float64Array {
  let length = 0
  let isBroken = false
  for (let i = 0; i < sorted.length; i++) {
    if (sorted[i] !== sorted[i]) isBroken = true
    else if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[length++] = sorted[i]!
  }
  const numbers = sorted.subarray(0, length)
  return isBroken ? Float64Array.of(NaN, ...numbers) : numbers
}

/** Where a value is among those of `distinctOf`. */
function placeOf(value: number, sorted: Float64Array): number {
  let from = sorted[0] !== sorted[0] ? 1 : 0
  if (value !== value) return 0
  let end = sorted.length
  while (from < end) {
    const middle = (from + end) >> 1
    if (sorted[middle]! < value) from = middle + 1
    else end = middle
  }
  return from
}

/** Puts each node's first word, and its threshold by `keep`, where the next of its group goes. */
function gatherThresholds(
  { features, levels }: PackingPlan,
  trees: readonly KernelTrees[],
  { nodes, next, keep }: { nodes: Uint32Array; next: Uint32Array; keep: (place: number, threshold: number) => void },
): void {
  trees.forEach((part, index) => {
    const { feature, threshold, missingLeft } = part.forest
    const firstWord = levels[index]!.nodes / 4
    for (let node = 0; node < feature.length; node++) {
      if (feature[node]! < 0) continue
      const place = next[groupOf(part, node, missingLeft, features)]!++
      keep(place, threshold[node]!)
      nodes[place] = firstWord + node * 2
    }
  })
}
