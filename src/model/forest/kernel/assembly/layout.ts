// Where things lie in the memory that all threads share. The other side of these numbers is ../memory-layout.ts.

// A node is 8 bytes: column u16 | rank u16 | address of the left child u32; its sibling is 8 bytes further.
// A leaf has column 0, the rank LEAF, which no code exceeds, and the address of its fractions in place of the child's.
export const LEAF: u32 = 0xffff

// A column is what the nodes compare with: one feature's thresholds, sorted, distinct, at most 65,535 of them. The nodes
// where a missing value goes left have columns of their own.
@unmanaged
export class Column {
  feature: u32
  /** address of the thresholds as ordered integers: i32 for float32, i64 for float64 */
  thresholds: u32
  count: u32
  /** what a missing value counts as: below every threshold, or above */
  missing: i32
}

// The values of `pairs` for leaves that are one number each, which is added to one margin of the row.
export const MARGIN64: u32 = 0x10000
export const MARGIN32: u32 = 0x10001

// One forest.
@unmanaged
export class Level {
  /** the addresses of the roots, u32 each */
  roots: u32
  trees: u32
  /** a leaf's fractions are so many pairs of float64; or MARGIN64 or MARGIN32 */
  pairs: u32
  /** the margin that each tree adds to, u32 each */
  targets: u32
  /** where each margin begins, in the precision of the sums */
  bases: u32
  /** how many; 0 where leaves are fractions */
  margins: u32
}

// The room of one thread.
@unmanaged
export class Scratch {
  /** the rows as they came, float32 or float64, row-major */
  matrix: u32
  /** their codes, u16, column after column */
  codes: u32
  /** the sums of a level: `pairs` times two float64 a row; or margin after margin, one value a row */
  sums: u32
  /** rows that walk a tree: address of a node u32, twice the row u32 */
  walkers: u32
  /** the walkers that have not arrived: their addresses, u32 each */
  walking: u32
  /** four queues of sets of rows: node u64, start u32, end u32 */
  setsA: u32
  setsB: u32
  leafSets: u32
  smallSets: u32
  /** four arenas in which the sets' rows stand, u16 each */
  leftA: u32
  rightA: u32
  leftB: u32
  rightB: u32
  /** where the queues end: the kernel's own notes */
  walkersEnd: u32
  leafSetsEnd: u32
  smallSetsEnd: u32
}

// What every thread reads and none writes.
@unmanaged
export class Shared {
  columns: u32
  columnCount: u32
  features: u32
  /** twice 0, 1, 2 …, u16: the set of all rows */
  everyRow: u32
  /** 256 shuffles that bring the lanes of a mask to the front, then 256 for the lanes not in it */
  shuffles: u32
}

/**
 * Bytes from one column's codes to the next. Many rows: an odd number of cache lines, so that the codes of one row do not
 * compete for the same places in the cache. Few rows: none wasted, so that a row's codes share cache lines.
 */
export function strideOf(rows: u32): usize {
  return rows <= 16 ? rows << 1 : ((((rows << 1) + 63) >>> 6) | 1) << 6
}
