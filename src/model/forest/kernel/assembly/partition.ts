// A tree for many rows at once: the set of rows at a node is parted into those that go left and those that go right.
//
// Eight rows make one comparison and two shuffles, there is no branch on the comparison, and a node is fetched once for
// all its rows. A tree is done depth by depth, because then the sets of the next node do not depend on those of this one
// and their bytes were written long ago. A set's order does not matter: a row meets every tree once, in tree order.
import { LEAF, Level, MARGIN64, Scratch, Shared, strideOf } from './layout'
import { addLeaf, addLeafValues, addLeaves, sumsOf } from './sums'
import { walk } from './walk'

/** Sets of at most so many bytes (two a row) do not fill the lanes: their rows walk. */
const SMALL: usize = 16

/** All trees of a level for `rows` rows whose codes are ready. */
export function partTrees(shared: Shared, level: Level, scratch: Scratch, rows: u32): void {
  const everyRow = <usize>shared.everyRow
  const endOfRows = everyRow + ((<usize>rows) << 1)
  const stride = strideOf(rows)
  for (let t: u32 = 0; t < level.trees; t++) {
    const root = load<u64>(<usize>load<u32>(<usize>level.roots + (t << 2)))
    const sums = sumsOf(level, scratch, t, rows)
    if ((<u32>root) >>> 16 == LEAF) addLeaf(<usize>(root >> 32), level.pairs, everyRow, endOfRows, sums)
    else partTree(shared, level.pairs, sums, scratch, stride, root, (<u64>everyRow) | ((<u64>endOfRows) << 32))
  }
}

/** `root` has children; `range`: start and end of the set of all rows. */
function partTree(
  shared: Shared,
  pairs: u32,
  sums: usize,
  scratch: Scratch,
  stride: usize,
  root: u64,
  range: u64,
): void {
  let sets = <usize>scratch.setsA
  let nextSets = <usize>scratch.setsB
  let left = <usize>scratch.leftA
  let right = <usize>scratch.rightA
  let nextLeft = <usize>scratch.leftB
  let nextRight = <usize>scratch.rightB
  scratch.walkersEnd = scratch.walkers
  store<u64>(sets, root, 0)
  store<u64>(sets, range, 8)
  let end = sets + 16
  while (end != sets) {
    end = partSets(shared, scratch, stride, sets, end, nextSets, left, right)
    settleSets(pairs, sums, scratch)
    let swap = sets
    sets = nextSets
    nextSets = swap
    swap = left
    left = nextLeft
    nextLeft = swap
    swap = right
    right = nextRight
    nextRight = swap
  }
  if (scratch.walkersEnd == scratch.walkers) return
  walk(scratch, stride, scratch.walkersEnd)
  if (pairs < MARGIN64) addLeaves(pairs, scratch.walkers, scratch.walkersEnd, sums)
  else addLeafValues(pairs, scratch.walkers, scratch.walkersEnd, sums)
}

/**
 * Parts the sets of one depth. Left rows go to the arena at `l`, right rows to that at `r`, children that have to be
 * parted again to `next`; the other children to the queues of leaves and of small sets.
 *
 * @returns the end of the sets to part next
 */
function partSets(
  shared: Shared,
  scratch: Scratch,
  stride: usize,
  sets: usize,
  end: usize,
  next: usize,
  l: usize,
  r: usize,
): usize {
  const codes = <usize>scratch.codes
  const shuffles = <usize>shared.shuffles
  let leaf = <usize>scratch.leafSets
  let small = <usize>scratch.smallSets
  for (let set = sets; set < end; set += 16) {
    const node = load<u64>(set)
    let i = <usize>load<u32>(set, 8)
    const last = <usize>load<u32>(set, 12)
    const column = codes + <usize>((<u32>node) & 0xffff) * stride
    const rank = i16x8.splat(<i16>((<u32>node) >>> 16))
    const l0 = l
    const r0 = r
    let mask = 0
    do {
      const rows = v128.load(i)
      mask = i16x8.bitmask(i16x8.le_u(gather(i, column), rank))
      const shuffle = shuffles + (mask << 4)
      const bytes = i32.popcnt(mask) << 1
      v128.store(l, i8x16.swizzle(rows, v128.load(shuffle, 0)))
      v128.store(r, i8x16.swizzle(rows, v128.load(shuffle, 4096)))
      i += 16
      l += bytes
      r += 16 - bytes
    } while (i < last)
    // the lanes beyond the end of the set do not count; they are the last, so they were stored last
    const beyond = (<i32>(i - last)) >>> 1
    const beyondLeft = i32.popcnt(mask >>> (8 - beyond)) << 1
    l -= beyondLeft
    r -= (beyond << 1) - beyondLeft

    // each child goes to the queue of its kind without a branch: it is written to all three, and one of them moves on
    const child = node >> 32
    let childNode = load<u64>(<usize>child, 0)
    let range = (<u64>l0) | ((<u64>l) << 32)
    let some = <usize>(l != l0)
    let isLeaf = <usize>((<u32>childNode) >>> 16 == LEAF)
    let isSmall = <usize>(l - l0 <= SMALL)
    store<u64>(next, childNode, 0)
    store<u64>(next, range, 8)
    store<u64>(leaf, childNode, 0)
    store<u64>(leaf, range, 8)
    store<u64>(small, child, 0)
    store<u64>(small, range, 8)
    next += ((isLeaf | isSmall) ^ 1) << 4
    leaf += (isLeaf & some) << 4
    small += (some & isSmall & (isLeaf ^ 1)) << 4
    childNode = load<u64>(<usize>child, 8)
    range = (<u64>r0) | ((<u64>r) << 32)
    some = <usize>(r != r0)
    isLeaf = <usize>((<u32>childNode) >>> 16 == LEAF)
    isSmall = <usize>(r - r0 <= SMALL)
    store<u64>(next, childNode, 0)
    store<u64>(next, range, 8)
    store<u64>(leaf, childNode, 0)
    store<u64>(leaf, range, 8)
    store<u64>(small, child + 8, 0)
    store<u64>(small, range, 8)
    next += ((isLeaf | isSmall) ^ 1) << 4
    leaf += (isLeaf & some) << 4
    small += (some & isSmall & (isLeaf ^ 1)) << 4
  }
  scratch.leafSetsEnd = <u32>leaf
  scratch.smallSetsEnd = <u32>small
  return next
}

/** The codes of eight rows in one column. */
function gather(rows: usize, column: usize): v128 {
  let a = i16x8.splat(0)
  let b = i16x8.splat(0)
  a = v128.load_lane<u16>(column + <usize>load<u16>(rows, 0), a, 0)
  b = v128.load_lane<u16>(column + <usize>load<u16>(rows, 8), b, 0)
  a = v128.load_lane<u16>(column + <usize>load<u16>(rows, 2), a, 1)
  b = v128.load_lane<u16>(column + <usize>load<u16>(rows, 10), b, 1)
  a = v128.load_lane<u16>(column + <usize>load<u16>(rows, 4), a, 2)
  b = v128.load_lane<u16>(column + <usize>load<u16>(rows, 12), b, 2)
  a = v128.load_lane<u16>(column + <usize>load<u16>(rows, 6), a, 3)
  b = v128.load_lane<u16>(column + <usize>load<u16>(rows, 14), b, 3)
  return i64x2.shuffle(a, b, 0, 2)
}

/** Adds the leaves that were met and makes walkers of the rows of small sets: both before their arenas are used again. */
function settleSets(pairs: u32, sums: usize, scratch: Scratch): void {
  const leafEnd = <usize>scratch.leafSetsEnd
  for (let set = <usize>scratch.leafSets; set < leafEnd; set += 16) {
    addLeaf(load<u32>(set, 4), pairs, load<u32>(set, 8), load<u32>(set, 12), sums)
  }
  const smallEnd = <usize>scratch.smallSetsEnd
  let tail = <usize>scratch.walkersEnd
  for (let set = <usize>scratch.smallSets; set < smallEnd; set += 16) {
    tail = addWalkers(tail, load<u32>(set), load<u32>(set, 8), load<u32>(set, 12))
  }
  scratch.walkersEnd = <u32>tail
}

/** Every row of the set becomes a walker; writes up to seven walkers too many, which the next ones overwrite. */
function addWalkers(tail: usize, node: u32, from: usize, end: usize): usize {
  const nodes = i32x4.splat(node)
  const rows = v128.load(from)
  const low = i32x4.extend_low_i16x8_u(rows)
  const high = i32x4.extend_high_i16x8_u(rows)
  v128.store(tail, i32x4.shuffle(nodes, low, 0, 4, 1, 5), 0)
  v128.store(tail, i32x4.shuffle(nodes, low, 2, 6, 3, 7), 16)
  v128.store(tail, i32x4.shuffle(nodes, high, 0, 4, 1, 5), 32)
  v128.store(tail, i32x4.shuffle(nodes, high, 2, 6, 3, 7), 48)
  return tail + ((end - from) << 2)
}
