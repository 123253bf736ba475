// Adding leaves to the sums of rows: fractions two classes at a time, or one value to a margin. Each addition is the one
// that the model's library makes.
import { Level, MARGIN32, MARGIN64, Scratch } from './layout'

/** Where the sums of a level begin, before any tree was added. */
export function beginSums(level: Level, scratch: Scratch, rows: u32): void {
  if (level.pairs < MARGIN64) memory.fill(scratch.sums, 0, (<usize>rows * <usize>level.pairs) << 4)
  else if (level.pairs == MARGIN64) beginMargins<f64>(level, scratch.sums, rows)
  else beginMargins<f32>(level, scratch.sums, rows)
}

function beginMargins<F>(level: Level, sums: usize, rows: u32): void {
  for (let margin: u32 = 0; margin < level.margins; margin++) {
    const base = load<F>(<usize>level.bases + ((<usize>margin) << alignof<F>()))
    for (let row: u32 = 0; row < rows; row++) {
      store<F>(sums, base)
      sums += sizeof<F>()
    }
  }
}

/** The sums that a tree adds to. */
export function sumsOf(level: Level, scratch: Scratch, tree: u32, rows: u32): usize {
  if (level.pairs < MARGIN64) return scratch.sums
  const margin = <usize>load<u32>(<usize>level.targets + (tree << 2)) * <usize>rows
  return <usize>scratch.sums + (level.pairs == MARGIN64 ? margin << 3 : margin << 2)
}

/** Adds one leaf to a set of rows. `from` to `end`: twice the row, u16, one after the other. */
export function addLeaf(leaf: usize, pairs: u32, from: usize, end: usize, sums: usize): void {
  if (pairs == 2) {
    const a = v128.load(leaf, 0)
    const b = v128.load(leaf, 16)
    for (let i = from; i < end; i += 2) {
      const sum = sums + ((<usize>load<u16>(i)) << 4)
      v128.store(sum, f64x2.add(v128.load(sum, 0), a), 0)
      v128.store(sum, f64x2.add(v128.load(sum, 16), b), 16)
    }
  } else if (pairs == 3) {
    const a = v128.load(leaf, 0)
    const b = v128.load(leaf, 16)
    const c = v128.load(leaf, 32)
    for (let i = from; i < end; i += 2) {
      const sum = sums + <usize>load<u16>(i) * 24
      v128.store(sum, f64x2.add(v128.load(sum, 0), a), 0)
      v128.store(sum, f64x2.add(v128.load(sum, 16), b), 16)
      v128.store(sum, f64x2.add(v128.load(sum, 32), c), 32)
    }
  } else if (pairs == MARGIN64) {
    const value = load<f64>(leaf)
    for (let i = from; i < end; i += 2) addValue<f64>(value, load<u16>(i), sums)
  } else if (pairs == MARGIN32) {
    const value = load<f32>(leaf)
    for (let i = from; i < end; i += 2) addValue<f32>(value, load<u16>(i), sums)
  } else {
    const half = (<usize>pairs) << 3
    for (let i = from; i < end; i += 2) addPairs(leaf, pairs, sums + <usize>load<u16>(i) * half)
  }
}

/** Adds its own leaf to each walker's row. A walker: address of the leaf u32, twice the row u32. */
export function addLeaves(pairs: u32, from: usize, end: usize, sums: usize): void {
  if (pairs == 2) {
    for (let walker = from; walker < end; walker += 8) {
      const leaf = <usize>load<u32>(walker, 0)
      const sum = sums + ((<usize>load<u32>(walker, 4)) << 4)
      v128.store(sum, f64x2.add(v128.load(sum, 0), v128.load(leaf, 0)), 0)
      v128.store(sum, f64x2.add(v128.load(sum, 16), v128.load(leaf, 16)), 16)
    }
  } else if (pairs == 3) {
    for (let walker = from; walker < end; walker += 8) {
      const leaf = <usize>load<u32>(walker, 0)
      const sum = sums + <usize>load<u32>(walker, 4) * 24
      v128.store(sum, f64x2.add(v128.load(sum, 0), v128.load(leaf, 0)), 0)
      v128.store(sum, f64x2.add(v128.load(sum, 16), v128.load(leaf, 16)), 16)
      v128.store(sum, f64x2.add(v128.load(sum, 32), v128.load(leaf, 32)), 32)
    }
  } else {
    const half = (<usize>pairs) << 3
    for (let walker = from; walker < end; walker += 8) {
      addPairs(load<u32>(walker, 0), pairs, sums + <usize>load<u32>(walker, 4) * half)
    }
  }
}

/** The same where leaves are values of one margin. */
export function addLeafValues(pairs: u32, from: usize, end: usize, sums: usize): void {
  if (pairs == MARGIN64) {
    for (let walker = from; walker < end; walker += 8) {
      addValue<f64>(load<f64>(load<u32>(walker, 0)), load<u32>(walker, 4), sums)
    }
  } else {
    for (let walker = from; walker < end; walker += 8) {
      addValue<f32>(load<f32>(load<u32>(walker, 0)), load<u32>(walker, 4), sums)
    }
  }
}

/** @param row twice the row */
function addValue<F>(value: F, row: usize, sums: usize): void {
  const sum = sums + (row >>> 1) * sizeof<F>()
  store<F>(sum, load<F>(sum) + value)
}

function addPairs(leaf: usize, pairs: u32, sum: usize): void {
  const end = leaf + ((<usize>pairs) << 4)
  while (leaf < end) {
    v128.store(sum, f64x2.add(v128.load(sum), v128.load(leaf)))
    leaf += 16
    sum += 16
  }
}
