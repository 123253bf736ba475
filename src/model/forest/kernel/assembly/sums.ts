// Adding leaves' fractions to the sums of rows, two classes at a time. Each addition is the one scikit-learn makes.

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

function addPairs(leaf: usize, pairs: u32, sum: usize): void {
  const end = leaf + ((<usize>pairs) << 4)
  while (leaf < end) {
    v128.store(sum, f64x2.add(v128.load(sum), v128.load(leaf)))
    leaf += 16
    sum += 16
  }
}
