// Where things lie in the memory that all threads share. The other side of these numbers is ../memory-layout.ts.

// A node is 8 bytes: column u16 | rank i16 | address of the left child u32; its sibling is 8 bytes further. The lowest two
// bits of that address say which children are leaves: the first the left one, the second the right one.
// A leaf has the rank LEAF, which no other node has, and the address of its fractions in place of the child's.
// Ranks and codes are signed: 0x8000 less than they count.
export const LEAF: i32 = 0x7fff

/**
 * The address of 256 shuffles: the lanes of eight rows that are not in a mask come first, those that are come last, in
 * reverse.
 */
export const SHUFFLES: usize = 4096

// A column is what the nodes compare with: one feature's thresholds, sorted, distinct, at most 65,535 of them. The nodes
// where a missing value goes left have columns of their own.
//
// A column is searched as a tree of 16 ways. The thresholds are ordered integers, i32 for float32, i64 for float64, in
// lines of 16; the last line is filled up with integers above all keys, at least one. The largest of each line are the next
// floor, in lines of 16 again, up to the floor of one line.
@unmanaged
export class Column {
  feature: u32
  /** what a missing value counts as: below every threshold, or above */
  missing: i32
  /** how many floors there are: 1 to 4 */
  floors: u32
  /** the addresses of the floors: the thresholds first */
  thresholds: u32
  second: u32
  third: u32
  fourth: u32
}

// The values of `pairs` for leaves that are one number each, which is added to one margin of the row.
export const MARGIN64: u32 = 0x10000
export const MARGIN32: u32 = 0x10001

// One forest.
@unmanaged
export class Level {
  /** where each tree's nodes begin, with its root, and where they end, u32 each */
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

// The room of one thread. A row's number is the row twice: the bytes from the first row's code to its own.
@unmanaged
export class Scratch {
  /** the rows as they came, float32 or float64, row-major */
  matrix: u32
  /** their codes, i16, column after column */
  codes: u32
  /** the sums of a level: `pairs` times two float64 a row; or margin after margin, one value a row */
  sums: u32
  /** the addresses of the leaves that rows met, u32 each: tree after tree, row after row, of as many trees as are added at once */
  met: u32
  /** rows that walk: address of a node u32, the row's number u16, its place among the leaves met u16 */
  walkers: u32
  /** four queues of sets of rows: address of a node u32, start u16 and end u16 in the arenas */
  setsA: u32
  setsB: u32
  leafSets: u32
  smallSets: u32
  /** four arenas of `arenaBytes`, in which numbers of rows stand, u16 each: those of two depths */
  arenas: u32
  arenaBytes: u32
  /** the bin of each row, u8 */
  bins: u32
  /** what lies in a bin: address of a node u32; how many rows u32, later where the next row goes */
  binSets: u32
  /** where the queues end: the kernel's own notes */
  walkersEnd: u32
  leafSetsEnd: u32
  smallSetsEnd: u32
  /** nothing: see touch.ts */
  touched: u32
}

// What every thread reads and none writes.
@unmanaged
export class Shared {
  columns: u32
  columnCount: u32
  features: u32
}

/**
 * Bytes from one column's codes to the next. Many rows: an odd number of cache lines, so that the codes of one row do not
 * compete for the same places in the cache. Few rows: none wasted, so that a row's codes share cache lines.
 */
export function strideOf(rows: u32): usize {
  return rows <= 16 ? rows << 1 : ((((rows << 1) + 63) >>> 6) | 1) << 6
}
