// From features to codes: how many of a column's thresholds are below the value. In float32 (keys are i32) or float64 (i64).
//
// A binary search without a branch on the comparison, several in step, so that their fetches from memory overlap.
import { Column, Scratch, Shared, strideOf } from './layout'

/**
 * The number at an address as an integer of the same order. −0 becomes 0, because −0 <= 0 holds; NaN becomes what the
 * column says: the least integer or one above every number's.
 */
function keyAt<K>(at: usize, missing: i32): K {
  if (sizeof<K>() == 4) {
    const value = load<f32>(at)
    const bits = reinterpret<i32>(value + 0)
    return <K>(value != value ? missing : bits ^ ((bits >> 31) & 0x7fffffff))
  } else {
    const value = load<f64>(at)
    const bits = reinterpret<i64>(value + 0)
    return <K>(value != value ? (<i64>missing) << 32 : bits ^ ((bits >> 63) & 0x7fffffffffffffff))
  }
}

/** One halving: goes on in the upper half if the last threshold of the lower one is below the key. */
function halve<K>(base: usize, bytes: usize, key: K): usize {
  return base + (bytes & -(<usize>(load<K>(base + bytes - sizeof<K>()) < key)))
}

function codeAt<K>(base: usize, thresholds: usize, key: K): u16 {
  return <u16>((base - thresholds) >>> alignof<K>()) + <u16>(load<K>(base) < key)
}

/** Fills the codes of `rows` rows of float32. Code > rank exactly where !(float64(x) <= threshold). */
export function rankFloat32(shared: Shared, scratch: Scratch, rows: u32): void {
  if (rows < 3) rankFew<i32>(shared, scratch, rows)
  else rankMany<i32>(shared, scratch, rows)
}

/** The same for rows of float64. */
export function rankFloat64(shared: Shared, scratch: Scratch, rows: u32): void {
  if (rows < 3) rankFew<i64>(shared, scratch, rows)
  else rankMany<i64>(shared, scratch, rows)
}

/** Column by column, eight rows in step: they make the same halvings. */
function rankMany<K>(shared: Shared, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const rowBytes = (<usize>shared.features) << alignof<K>()
  let codes = <usize>scratch.codes
  let column = <usize>shared.columns
  for (let c: u32 = 0; c < shared.columnCount; c++) {
    const info = changetype<Column>(column)
    const x = <usize>scratch.matrix + ((<usize>info.feature) << alignof<K>())
    rankColumn<K>(x, rowBytes, rows, info, codes)
    codes += stride
    column += offsetof<Column>()
  }
}

/** Writes up to seven codes too many, which the next column's overwrite. */
function rankColumn<K>(x: usize, rowBytes: usize, rows: u32, info: Column, codes: usize): void {
  const thresholds = <usize>info.thresholds
  const missing = info.missing
  const end = codes + ((<usize>rows) << 1)
  const last = x + (<usize>rows - 1) * rowBytes
  while (codes < end) {
    const k0 = keyAt<K>(x, missing)
    const k1 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k2 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k3 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k4 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k5 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k6 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    const k7 = keyAt<K>((x = min(x + rowBytes, last)), missing)
    x = min(x + rowBytes, last)
    let b0 = thresholds
    let b1 = thresholds
    let b2 = thresholds
    let b3 = thresholds
    let b4 = thresholds
    let b5 = thresholds
    let b6 = thresholds
    let b7 = thresholds
    for (let left = info.count; left > 1;) {
      const half = left >>> 1
      const bytes = (<usize>half) << alignof<K>()
      b0 = halve<K>(b0, bytes, k0)
      b1 = halve<K>(b1, bytes, k1)
      b2 = halve<K>(b2, bytes, k2)
      b3 = halve<K>(b3, bytes, k3)
      b4 = halve<K>(b4, bytes, k4)
      b5 = halve<K>(b5, bytes, k5)
      b6 = halve<K>(b6, bytes, k6)
      b7 = halve<K>(b7, bytes, k7)
      left -= half
    }
    store<u16>(codes, codeAt<K>(b0, thresholds, k0), 0)
    store<u16>(codes, codeAt<K>(b1, thresholds, k1), 2)
    store<u16>(codes, codeAt<K>(b2, thresholds, k2), 4)
    store<u16>(codes, codeAt<K>(b3, thresholds, k3), 6)
    store<u16>(codes, codeAt<K>(b4, thresholds, k4), 8)
    store<u16>(codes, codeAt<K>(b5, thresholds, k5), 10)
    store<u16>(codes, codeAt<K>(b6, thresholds, k6), 12)
    store<u16>(codes, codeAt<K>(b7, thresholds, k7), 14)
    codes += 16
  }
}

/** Row by row, four columns in step: for so few rows fetching the thresholds is all there is to it. */
function rankFew<K>(shared: Shared, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const end = <usize>shared.columns + <usize>shared.columnCount * offsetof<Column>()
  for (let row: u32 = 0; row < rows; row++) {
    const x = <usize>scratch.matrix + <usize>row * ((<usize>shared.features) << alignof<K>())
    let codes = <usize>scratch.codes + ((<usize>row) << 1)
    for (let at = <usize>shared.columns; at < end; at += 4 * offsetof<Column>()) {
      rankColumns<K>(x, codes, stride, at, end - offsetof<Column>())
      codes += stride << 2
    }
  }
}

/** Four columns of a row; those beyond the last one repeat it. A finished column goes on halving nothing. */
function rankColumns<K>(x: usize, codes: usize, stride: usize, at: usize, last: usize): void {
  const c0 = changetype<Column>(at)
  const c1 = changetype<Column>(min(at + offsetof<Column>(), last))
  const c2 = changetype<Column>(min(at + 2 * offsetof<Column>(), last))
  const c3 = changetype<Column>(min(at + 3 * offsetof<Column>(), last))
  const k0 = keyAt<K>(x + ((<usize>c0.feature) << alignof<K>()), c0.missing)
  const k1 = keyAt<K>(x + ((<usize>c1.feature) << alignof<K>()), c1.missing)
  const k2 = keyAt<K>(x + ((<usize>c2.feature) << alignof<K>()), c2.missing)
  const k3 = keyAt<K>(x + ((<usize>c3.feature) << alignof<K>()), c3.missing)
  let b0 = <usize>c0.thresholds
  let b1 = <usize>c1.thresholds
  let b2 = <usize>c2.thresholds
  let b3 = <usize>c3.thresholds
  let left0 = c0.count
  let left1 = c1.count
  let left2 = c2.count
  let left3 = c3.count
  while ((left0 | left1 | left2 | left3) > 1) {
    b0 = halve<K>(b0, (<usize>(left0 >>> 1)) << alignof<K>(), k0)
    b1 = halve<K>(b1, (<usize>(left1 >>> 1)) << alignof<K>(), k1)
    b2 = halve<K>(b2, (<usize>(left2 >>> 1)) << alignof<K>(), k2)
    b3 = halve<K>(b3, (<usize>(left3 >>> 1)) << alignof<K>(), k3)
    left0 -= left0 >>> 1
    left1 -= left1 >>> 1
    left2 -= left2 >>> 1
    left3 -= left3 >>> 1
  }
  store<u16>(codes, codeAt<K>(b0, c0.thresholds, k0))
  store<u16>(codes + stride, codeAt<K>(b1, c1.thresholds, k1))
  store<u16>(codes + stride * 2, codeAt<K>(b2, c2.thresholds, k2))
  store<u16>(codes + stride * 3, codeAt<K>(b3, c3.thresholds, k3))
}
