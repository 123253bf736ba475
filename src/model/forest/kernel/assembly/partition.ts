// A tree for many rows at once: the set of rows at a node is parted into those that go left and those that go right.
//
// Sixteen rows make two comparisons and two shuffles, there is no branch on the comparison, and a node is fetched once for
// all its rows. A tree is done depth by depth, because then the sets of the next node do not depend on those of this one
// and their bytes were written long ago. A set's order does not matter: a row meets every tree once, in tree order.
//
// Rows that go left stand one after the other in an arena that grows upwards, those that go right in one that grows
// downwards: so one shuffle serves both, for what is stored beside the rows that count is overwritten by the next.
import { LEAF, Level, Scratch, SHUFFLES, strideOf } from './layout'
import { fillBins, writeSets } from './bins'
import { addTrees } from './sums'
import { touch } from './touch'
import { walk } from './walk'

/** Sets of at most so many bytes (two a row) do not fill the lanes: their rows walk. */
const SMALL: u32 = 16

/** So many trees are added at once. */
const TREES: u32 = 4

/** What an arena has beside its rows: half of it before them, half behind. */
const MARGIN: usize = 64

/** All trees of a level for `rows` rows whose codes are ready. */
export function partTrees(level: Level, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  for (let first: u32 = 0; first < level.trees; first += TREES) {
    const count = min(TREES, level.trees - first)
    for (let t: u32 = 0; t < count; t++) {
      const tree = <usize>level.roots + ((first + t) << 3)
      touch(scratch, load<u32>(tree, 0), load<u32>(tree, 4))
      partTree(scratch, <usize>scratch.met + <usize>((t * rows) << 2), stride, load<u32>(tree, 0), rows)
    }
    addTrees(level, scratch, first, count, rows)
  }
}

/** One tree; the leaves that its rows meet go to `met`. */
function partTree(scratch: Scratch, met: usize, stride: usize, root: u32, rows: u32): void {
  if (load<i16>(<usize>root, 2) == LEAF) {
    const leaf = load<u32>(<usize>root, 4)
    for (let row: u32 = 0; row < rows; row++) store<u32>(met + (row << 2), leaf)
    return
  }
  const bytes = <usize>scratch.arenaBytes
  let sets = <usize>scratch.setsA
  let nextSets = <usize>scratch.setsB
  let nextArena = <usize>scratch.arenas
  let arena = nextArena + bytes * 2
  scratch.walkersEnd = scratch.walkers
  let end = partTop(scratch, stride, root, arena, rows)
  meetLeaves(scratch, met)
  startWalkers(scratch)
  while (end != sets) {
    end = partSets(scratch, stride, sets, end, nextSets, nextArena, bytes, rows)
    meetLeaves(scratch, met)
    startWalkers(scratch)
    let swap = sets
    sets = nextSets
    nextSets = swap
    swap = arena
    arena = nextArena
    nextArena = swap
  }
  walk(scratch, met, stride, scratch.walkersEnd)
}

/**
 * Parts all rows by the top of a tree; their sets go to `arena` and to the queues, those to part again to `setsA`.
 *
 * @returns the end of the sets to part next
 */
function partTop(scratch: Scratch, stride: usize, root: u32, arena: usize, rows: u32): usize {
  const bins = fillBins(scratch, stride, root, rows)
  let next = <usize>scratch.setsA
  let leaf = <usize>scratch.leafSets
  let small = <usize>scratch.smallSets
  let from = arena
  const end = <usize>scratch.binSets + (bins << 3)
  for (let bin = <usize>scratch.binSets; bin < end; bin += 8) {
    const node = load<u32>(bin, 0)
    const size = load<u32>(bin, 4) << 1
    store<u32>(bin, <u32>from, 0)
    store<u32>(bin, <u32>from + size, 4)
    const offset = from - <usize>scratch.arenas
    const set = (<u64>node) | ((<u64>offset) << 32) | ((<u64>(offset + size)) << 48)
    const isLeaf = load<i16>(<usize>node, 2) == LEAF
    store<u64>(next, set)
    store<u64>(leaf, set)
    store<u64>(small, set)
    next += (<usize>(!isLeaf && size > SMALL)) << 3
    leaf += (<usize>(isLeaf && size != 0)) << 3
    small += (<usize>(!isLeaf && size <= SMALL)) << 3
    from += size
  }
  v128.store(from, i16x8.splat(<i16>(rows << 1)))
  writeSets(scratch, rows)
  scratch.leafSetsEnd = <u32>leaf
  scratch.smallSetsEnd = <u32>small
  return next
}

/**
 * Parts the sets of one depth. Left rows go to the arena at `left`, right rows to the one behind it, children that have to
 * be parted again to `next`; the other children to the queues of leaves and of small sets.
 *
 * @returns the end of the sets to part next
 */
function partSets(
  scratch: Scratch,
  stride: usize,
  sets: usize,
  end: usize,
  next: usize,
  left: usize,
  bytes: usize,
  rows: u32,
): usize {
  const codes = <usize>scratch.codes
  const arenas = <usize>scratch.arenas
  let l = left
  let r = left + bytes * 2 - (MARGIN >>> 1)
  let leaf = <usize>scratch.leafSets
  let small = <usize>scratch.smallSets
  for (let set = sets; set < end; set += 8) {
    const who = load<u64>(set)
    const node = load<u64>(<usize>(<u32>who))
    let i = arenas + ((<usize>(<u32>(who >> 32))) & 0xffff)
    const last = arenas + <usize>(<u32>(who >> 48))
    const column = codes + <usize>((<u32>node) & 0xffff) * stride
    const rank = i16x8.splat(<i16>((<u32>node) >>> 16))
    const l0 = l
    const r0 = r
    let mask = 0
    do {
      const a = v128.load(i, 0)
      const b = v128.load(i, 16)
      mask = i8x16.bitmask(
        i8x16.narrow_i16x8_s(i16x8.gt_s(gather(i, column), rank), i16x8.gt_s(gather(i + 16, column), rank)),
      )
      const first = mask & 0xff
      const second = mask >>> 8
      let rights = (<usize>i32.popcnt(first)) << 1
      let parted = i8x16.swizzle(a, v128.load((<usize>first) << 4, SHUFFLES))
      v128.store(l, parted)
      v128.store(r - 16, parted)
      l += 16 - rights
      r -= rights
      rights = (<usize>i32.popcnt(second)) << 1
      parted = i8x16.swizzle(b, v128.load((<usize>second) << 4, SHUFFLES))
      v128.store(l, parted)
      v128.store(r - 16, parted)
      l += 16 - rights
      r -= rights
      i += 32
    } while (i < last)
    // the lanes beyond the end of the set do not count; they are the last, so they were stored last
    const beyond = (<i32>(i - last)) >>> 1
    const beyondRight = i32.popcnt(mask >>> (16 - beyond))
    l -= (beyond - beyondRight) << 1
    r += beyondRight << 1

    // each child goes to the queue of its kind without a branch: it is written to all three, and one of them moves on
    const child = <u32>(node >> 32)
    const pair = <u64>(child & ~3)
    let size = <u32>(l - l0)
    let leafStep = (child << 3) & 8
    let splitStep = leafStep ^ 8
    let nextStep = splitStep & ((SMALL - size) >>> 28)
    let range = pair | ((<u64>(l0 - arenas)) << 32) | ((<u64>(l - arenas)) << 48)
    store<u64>(next, range)
    store<u64>(leaf, range)
    store<u64>(small, range)
    next += nextStep
    small += splitStep - nextStep
    leaf += leafStep & ((0 - size) >>> 28)
    size = <u32>(r0 - r)
    leafStep = (child << 2) & 8
    splitStep = leafStep ^ 8
    nextStep = splitStep & ((SMALL - size) >>> 28)
    range = (pair + 8) | ((<u64>(r0 - arenas)) << 48)
    const from = (<u64>(r - arenas)) << 32
    store<u64>(next, range | from)
    // whole vectors up to the end: see meetLeaves
    store<u64>(leaf, range | ((<u64>(<u32>(r0 - arenas) - ((size + 15) & ~15))) << 32))
    store<u64>(small, range | from)
    next += nextStep
    small += splitStep - nextStep
    leaf += leafStep & ((0 - size) >>> 28)
  }
  // rows that are none
  const none = i16x8.splat(<i16>(rows << 1))
  v128.store(l, none)
  v128.store(r - 16, none)
  scratch.leafSetsEnd = <u32>leaf
  scratch.smallSetsEnd = <u32>small
  return next
}

/** The codes of eight rows in one column. Two rows a load: loads are what there are most of. */
function gather(rows: usize, column: usize): v128 {
  let a = i16x8.splat(0)
  let b = i16x8.splat(0)
  let two = load<u32>(rows, 0)
  a = v128.load_lane<u16>(column + <usize>(two & 0xffff), a, 0)
  a = v128.load_lane<u16>(column + <usize>(two >>> 16), a, 1)
  two = load<u32>(rows, 8)
  b = v128.load_lane<u16>(column + <usize>(two & 0xffff), b, 0)
  b = v128.load_lane<u16>(column + <usize>(two >>> 16), b, 1)
  two = load<u32>(rows, 4)
  a = v128.load_lane<u16>(column + <usize>(two & 0xffff), a, 2)
  a = v128.load_lane<u16>(column + <usize>(two >>> 16), a, 3)
  two = load<u32>(rows, 12)
  b = v128.load_lane<u16>(column + <usize>(two & 0xffff), b, 2)
  b = v128.load_lane<u16>(column + <usize>(two >>> 16), b, 3)
  return i64x2.shuffle(a, b, 0, 2)
}

/**
 * Writes down the leaves that were met, before their arenas are used again. Eight rows at a time: of a left set's last
 * eight, those behind its end are rows of later sets of this depth, and of a right set's first eight those before its
 * start; what is written for them here is written again when their own leaf is met.
 */
function meetLeaves(scratch: Scratch, met: usize): void {
  const arenas = <usize>scratch.arenas
  const end = <usize>scratch.leafSetsEnd
  for (let set = <usize>scratch.leafSets; set < end; set += 8) {
    const who = load<u64>(set)
    const leaf = load<u32>(<usize>(<u32>who), 4)
    let i = arenas + ((<usize>(<u32>(who >> 32))) & 0xffff)
    const last = arenas + <usize>(<u32>(who >> 48))
    do {
      store<u32>(met + ((<usize>load<u16>(i, 0)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 2)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 4)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 6)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 8)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 10)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 12)) << 1), leaf)
      store<u32>(met + ((<usize>load<u16>(i, 14)) << 1), leaf)
      i += 16
    } while (i < last)
  }
}

/** Every row of the small sets becomes a walker; writes up to seven walkers too many, which the next ones overwrite. */
function startWalkers(scratch: Scratch): void {
  const arenas = <usize>scratch.arenas
  const end = <usize>scratch.smallSetsEnd
  let tail = <usize>scratch.walkersEnd
  for (let set = <usize>scratch.smallSets; set < end; set += 8) {
    const who = load<u64>(set)
    const nodes = i32x4.splat(<u32>who)
    const from = (<usize>(<u32>(who >> 32))) & 0xffff
    const rows = v128.load(arenas + from)
    // a row's place is half its number
    let low = i32x4.extend_low_i16x8_u(rows)
    let high = i32x4.extend_high_i16x8_u(rows)
    low = v128.or(low, i32x4.shl(low, 15))
    high = v128.or(high, i32x4.shl(high, 15))
    v128.store(tail, i32x4.shuffle(nodes, low, 0, 4, 1, 5), 0)
    v128.store(tail, i32x4.shuffle(nodes, low, 2, 6, 3, 7), 16)
    v128.store(tail, i32x4.shuffle(nodes, high, 0, 4, 1, 5), 32)
    v128.store(tail, i32x4.shuffle(nodes, high, 2, 6, 3, 7), 48)
    tail += (<usize>(<u32>(who >> 48)) - from) << 2
  }
  scratch.walkersEnd = <u32>tail
}
