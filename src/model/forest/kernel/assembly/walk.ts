// Rows that go down trees on their own: each walker takes a step, then each that has not met its leaf takes another.
//
// Walkers do not wait for each other, so many nodes are fetched from memory at the same time, and there is no branch on
// the comparison nor on the end of a path: a walker that arrived is not kept in the list.
import { LEAF, Level, Scratch, strideOf } from './layout'
import { addTrees } from './sums'

/**
 * Takes every walker to its leaf, whose address is then where the walker says. None of them stands on a leaf.
 *
 * @param met where the walkers' places begin
 * @param end of the walkers
 */
export function walk(scratch: Scratch, met: usize, stride: usize, end: usize): void {
  const codes = <usize>scratch.codes
  const list = <usize>scratch.walkers
  while (end != list) {
    let tail = list
    for (let walker = list; walker < end; walker += 8) {
      const who = load<u32>(walker, 4)
      const node = load<u64>(<usize>load<u32>(walker, 0))
      const code = <i32>load<i16>(codes + <usize>(who & 0xffff) + <usize>((<u32>node) & 0xffff) * stride)
      const isRight = <u32>(code > (<i32>node) >> 16)
      const child = <u32>(node >> 32)
      const next = (child & ~3) + (isRight << 3)
      store<u32>(met + ((<usize>(who >>> 16)) << 2), load<u32>(<usize>next, 4))
      store<u32>(tail, next, 0)
      store<u32>(tail, who, 4)
      tail += (~(child >>> isRight) & 1) << 3
    }
    end = tail
  }
}

/** How many walkers start together when all rows of a batch walk. */
const TOGETHER: u32 = 96

/** All trees of a level for a batch so small that its rows rarely share a node: rows of several trees walk together. */
export function walkTrees(level: Level, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const most = max(TOGETHER / rows, 1)
  for (let first: u32 = 0; first < level.trees; first += most) {
    const count = min(most, level.trees - first)
    let tail = <usize>scratch.walkers
    let place: u32 = 0
    for (let t: u32 = 0; t < count; t++) {
      const root = load<u32>(<usize>level.roots + ((first + t) << 3))
      const isLeaf = load<i16>(<usize>root, 2) == LEAF
      const leaf = load<u32>(<usize>root, 4)
      for (let row: u32 = 0; row < rows; row++) {
        store<u32>(<usize>scratch.met + ((<usize>place) << 2), leaf)
        store<u32>(tail, root, 0)
        store<u32>(tail, (row << 1) | (place << 16), 4)
        tail += (<usize>!isLeaf) << 3
        place++
      }
    }
    walk(scratch, scratch.met, stride, tail)
    addTrees(level, scratch, first, count, rows)
  }
}
