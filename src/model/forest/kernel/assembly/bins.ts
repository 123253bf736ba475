// The top of a tree, where a node has so many of a block's rows that asking all of them is cheaper than finding its own.
//
// Every row lies in a bin. A node takes its rows' bin apart: those that go right move to a bin of their own. Sixteen rows
// are asked at once, their codes lie side by side, and nothing is looked up. In the end each bin's rows are written down
// as a set.
import { Scratch } from './layout'

/** Nodes that have more than this part of all rows are asked here. */
const PART: u32 = 6

/** One more bin than there are nodes; no node is added when only the last eight are left, for up to five wait. */
const MOST_BINS: u32 = 100

/**
 * Parts all rows by the top of a tree.
 *
 * @param root has children
 * @returns how many bins there are; `binSets` says what is in them
 */
export function fillBins(scratch: Scratch, stride: usize, root: u32, rows: u32): u32 {
  const bins = <usize>scratch.bins
  const sets = <usize>scratch.binSets
  const few = rows / PART
  const change = sets + (MOST_BINS << 3)
  memory.fill(bins, 0, rows)
  // rows that are none lie in no bin
  v128.store(bins + rows, i8x16.splat(-1), 0)
  v128.store(bins + rows, i8x16.splat(-1), 16)
  // the nodes to ask: address u32, bin u16, how many rows u16
  const queue = <usize>scratch.setsB
  store<u64>(queue, (<u64>root) | ((<u64>rows) << 48))
  let tail = queue + 8
  let count: u32 = 1
  for (let at = queue; at < tail; at += 8) {
    const who = load<u64>(at)
    const node = load<u64>(<usize>(<u32>who))
    const bin = (<u32>(who >> 32)) & 0xffff
    const column = <usize>scratch.codes + <usize>((<u32>node) & 0xffff) * stride
    // read as vectors, which are then made once and not for each step of the loop
    store<u8>(change, <u8>(bin ^ count))
    const right = moveRight(bins, rows, column, <usize>(<u32>who), at, change)
    const left = <u32>(who >> 48) - right
    const child = <u32>(node >> 32)
    const pair = child & ~3
    store<u32>(sets + (bin << 3), pair, 0)
    store<u32>(sets + (bin << 3), left, 4)
    store<u32>(sets + (count << 3), pair + 8, 0)
    store<u32>(sets + (count << 3), right, 4)
    const isRoom = count < MOST_BINS - 8
    store<u64>(tail, (<u64>pair) | ((<u64>bin) << 32) | ((<u64>left) << 48))
    tail += (<usize>((child & 1) == 0 && left > few && isRoom)) << 3
    store<u64>(tail, (<u64>(pair + 8)) | ((<u64>count) << 32) | ((<u64>right) << 48))
    tail += (<usize>((child & 2) == 0 && right > few && isRoom)) << 3
    count++
  }
  return count
}

/**
 * Moves the rows of a bin that go right to another bin. Answers how many.
 *
 * @param node its address
 * @param set of the queue, that names the bin
 * @param change address of what makes the bin's number the other's, u8
 */
function moveRight(bins: usize, rows: u32, column: usize, node: usize, set: usize, change: usize): u32 {
  const ranks = v128.load16_splat(node, 2)
  const old = v128.load8_splat(set, 4)
  const other = v128.load8_splat(change)
  let moved = i8x16.splat(0)
  const end = bins + rows
  for (let at = bins; at < end; at += 32) {
    let were = v128.load(at, 0)
    let goes = v128.and(
      i8x16.eq(were, old),
      i8x16.narrow_i16x8_s(i16x8.gt_s(v128.load(column, 0), ranks), i16x8.gt_s(v128.load(column, 16), ranks)),
    )
    v128.store(at, v128.xor(were, v128.and(goes, other)), 0)
    moved = i8x16.sub(moved, goes)
    were = v128.load(at, 16)
    goes = v128.and(
      i8x16.eq(were, old),
      i8x16.narrow_i16x8_s(i16x8.gt_s(v128.load(column, 32), ranks), i16x8.gt_s(v128.load(column, 48), ranks)),
    )
    v128.store(at, v128.xor(were, v128.and(goes, other)), 16)
    moved = i8x16.sub(moved, goes)
    column += 64
  }
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(moved))
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  )
}

/**
 * Writes each row's number into its bin's set: the first half of the rows from the start of the set on, the second half
 * from its end back, because a row has to wait for the last one of its bin.
 */
export function writeSets(scratch: Scratch, rows: u32): void {
  const sets = <usize>scratch.binSets
  let up = <usize>scratch.bins
  let down = up + rows - 1
  let first: u32 = 0
  let last = (rows << 1) - 2
  while (up < down) {
    const start = sets + ((<usize>load<u8>(up)) << 3)
    const end = sets + ((<usize>load<u8>(down)) << 3)
    const place = load<u32>(start, 0)
    store<u16>(<usize>place, <u16>first)
    store<u32>(start, place + 2, 0)
    const back = load<u32>(end, 4) - 2
    store<u16>(<usize>back, <u16>last)
    store<u32>(end, back, 4)
    first += 2
    last -= 2
    up++
    down--
  }
  if (up == down) store<u16>(<usize>load<u32>(sets + ((<usize>load<u8>(up)) << 3)), <u16>first)
}
