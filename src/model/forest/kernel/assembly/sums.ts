// Adding leaves to the sums of rows, several trees at once and in their order: fractions two classes at a time, or one value
// to a margin. Each addition is the one that the model's library makes.
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

/** Adds to each row's sums the leaves that it met in `count` trees from the tree `first` on. */
export function addTrees(level: Level, scratch: Scratch, first: u32, count: u32, rows: u32): void {
  const met = <usize>scratch.met
  if (level.pairs == 2) addTwoPairs(met, count, rows, scratch.sums)
  else if (level.pairs == 3) addThreePairs(met, count, rows, scratch.sums)
  else if (level.pairs == MARGIN64) addValues<f64>(level, scratch, first, count, rows)
  else if (level.pairs == MARGIN32) addValues<f32>(level, scratch, first, count, rows)
  else addPairs(met, count, rows, scratch.sums, level.pairs)
}

/** This and the next are written out, so that the sums of a row stay in registers from tree to tree. */
function addTwoPairs(met: usize, count: u32, rows: u32, sum: usize): void {
  const bytes = (<usize>rows) << 2
  for (const end = met + bytes; met < end; met += 4) {
    let a = v128.load(sum, 0)
    let b = v128.load(sum, 16)
    let at = met
    let left = count
    for (; left >= 4; left -= 4) {
      const first = <usize>load<u32>(at)
      const second = <usize>load<u32>(at + bytes)
      const third = <usize>load<u32>(at + bytes * 2)
      const fourth = <usize>load<u32>(at + bytes * 3)
      a = f64x2.add(a, v128.load(first, 0))
      b = f64x2.add(b, v128.load(first, 16))
      a = f64x2.add(a, v128.load(second, 0))
      b = f64x2.add(b, v128.load(second, 16))
      a = f64x2.add(a, v128.load(third, 0))
      b = f64x2.add(b, v128.load(third, 16))
      a = f64x2.add(a, v128.load(fourth, 0))
      b = f64x2.add(b, v128.load(fourth, 16))
      at += bytes * 4
    }
    for (; left > 0; left--) {
      const leaf = <usize>load<u32>(at)
      a = f64x2.add(a, v128.load(leaf, 0))
      b = f64x2.add(b, v128.load(leaf, 16))
      at += bytes
    }
    v128.store(sum, a, 0)
    v128.store(sum, b, 16)
    sum += 32
  }
}

function addThreePairs(met: usize, count: u32, rows: u32, sum: usize): void {
  const bytes = (<usize>rows) << 2
  for (const end = met + bytes; met < end; met += 4) {
    let a = v128.load(sum, 0)
    let b = v128.load(sum, 16)
    let c = v128.load(sum, 32)
    let at = met
    let left = count
    for (; left >= 4; left -= 4) {
      const first = <usize>load<u32>(at)
      const second = <usize>load<u32>(at + bytes)
      const third = <usize>load<u32>(at + bytes * 2)
      const fourth = <usize>load<u32>(at + bytes * 3)
      a = f64x2.add(a, v128.load(first, 0))
      b = f64x2.add(b, v128.load(first, 16))
      c = f64x2.add(c, v128.load(first, 32))
      a = f64x2.add(a, v128.load(second, 0))
      b = f64x2.add(b, v128.load(second, 16))
      c = f64x2.add(c, v128.load(second, 32))
      a = f64x2.add(a, v128.load(third, 0))
      b = f64x2.add(b, v128.load(third, 16))
      c = f64x2.add(c, v128.load(third, 32))
      a = f64x2.add(a, v128.load(fourth, 0))
      b = f64x2.add(b, v128.load(fourth, 16))
      c = f64x2.add(c, v128.load(fourth, 32))
      at += bytes * 4
    }
    for (; left > 0; left--) {
      const leaf = <usize>load<u32>(at)
      a = f64x2.add(a, v128.load(leaf, 0))
      b = f64x2.add(b, v128.load(leaf, 16))
      c = f64x2.add(c, v128.load(leaf, 32))
      at += bytes
    }
    v128.store(sum, a, 0)
    v128.store(sum, b, 16)
    v128.store(sum, c, 32)
    sum += 48
  }
}

/** Any number of pairs: one after the other. */
function addPairs(met: usize, count: u32, rows: u32, sum: usize, pairs: u32): void {
  const bytes = (<usize>rows) << 2
  for (const end = met + bytes; met < end; met += 4) {
    for (let offset: usize = 0; offset < (<usize>pairs) << 4; offset += 16) {
      let a = v128.load(sum)
      let at = met
      for (let left = count; left > 0; left--) {
        a = f64x2.add(a, v128.load(<usize>load<u32>(at) + offset))
        at += bytes
      }
      v128.store(sum, a)
      sum += 16
    }
  }
}

/** Leaves that are one value each: tree by tree, each to its own margin. */
function addValues<F>(level: Level, scratch: Scratch, first: u32, count: u32, rows: u32): void {
  let at = <usize>scratch.met
  for (let t: u32 = 0; t < count; t++) {
    const margin = <usize>load<u32>(<usize>level.targets + ((first + t) << 2)) * <usize>rows
    let sum = <usize>scratch.sums + (margin << alignof<F>())
    for (const end = at + ((<usize>rows) << 2); at < end; at += 4) {
      store<F>(sum, load<F>(sum) + load<F>(<usize>load<u32>(at)))
      sum += sizeof<F>()
    }
  }
}
