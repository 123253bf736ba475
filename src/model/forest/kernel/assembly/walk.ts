// Rows that go down trees on their own: each walker takes a step, then each that has not met its leaf takes another.
//
// Walkers do not wait for each other, so many nodes are fetched from memory at the same time, and there is no branch on
// the comparison nor on the end of a path: a walker that arrived is not kept in the list.
import { LEAF, Level, MARGIN64, Scratch, strideOf } from './layout'
import { addLeafValues, addLeaves, sumsOf } from './sums'

/** One step of the walker. Answers 1 if it goes on, 0 if it stood on its leaf; then its node is the leaf's fractions. */
function step(walker: usize, codes: usize, stride: usize): usize {
  const node = load<u64>(<usize>load<u32>(walker, 0))
  const rank = (<u32>node) >>> 16
  const code = <u32>load<u16>(codes + <usize>load<u32>(walker, 4) + <usize>((<u32>node) & 0xffff) * stride)
  store<u32>(walker, <u32>(node >> 32) + ((<u32>(code > rank)) << 3), 0)
  return <usize>(rank != LEAF)
}

/** Takes every walker from its node to its leaf: then its node is the address of the leaf's fractions. */
export function walk(scratch: Scratch, stride: usize, end: usize): void {
  const codes = <usize>scratch.codes
  const from = <usize>scratch.walkers
  const list = <usize>scratch.walking
  let tail = list
  for (let walker = from; walker < end; walker += 8) {
    store<u32>(tail, <u32>walker)
    tail += step(walker, codes, stride) << 2
  }
  while (tail != list) {
    const last = tail
    tail = list
    for (let place = list; place < last; place += 4) {
      const walker = <usize>load<u32>(place)
      store<u32>(tail, <u32>walker)
      tail += step(walker, codes, stride) << 2
    }
  }
}

/** How many walkers start together when all rows of a batch walk. */
const TOGETHER: u32 = 96

/** All trees of a level for a batch so small that its rows rarely share a node: rows of several trees walk together. */
export function walkTrees(level: Level, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const start = <usize>scratch.walkers
  const full = start + (TOGETHER << 3)
  let tail = start
  let first: u32 = 0
  for (let t: u32 = 0; t < level.trees; t++) {
    const root = load<u32>(<usize>level.roots + (t << 2))
    for (let row: u32 = 0; row < rows; row++) {
      store<u32>(tail, root, 0)
      store<u32>(tail, row << 1, 4)
      tail += 8
    }
    if (tail + (rows << 3) > full || t == level.trees - 1) {
      walk(scratch, stride, tail)
      if (level.pairs < MARGIN64) addLeaves(level.pairs, start, tail, scratch.sums)
      else addTrees(level, scratch, rows, first, t)
      first = t + 1
      tail = start
    }
  }
}

/** Adds the leaves of trees from `first` to `last`, each to its own margin. */
function addTrees(level: Level, scratch: Scratch, rows: u32, first: u32, last: u32): void {
  let from = <usize>scratch.walkers
  for (let t = first; t <= last; t++) {
    const end = from + (rows << 3)
    addLeafValues(level.pairs, from, end, sumsOf(level, scratch, t, rows))
    from = end
  }
}
