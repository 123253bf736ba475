// From float32 features to codes: how many of a column's thresholds are below the value.
//
// A binary search without a branch on the comparison, several in step, so that their fetches from memory overlap.
import { Column, Scratch, Shared, strideOf } from './layout'

/**
 * The float as an integer of the same order. −0 becomes 0, because −0 <= 0 holds; NaN is above everything, because
 * NaN <= t never holds.
 */
function ordered(value: f32): i32 {
  if (value != value) return i32.MAX_VALUE
  const bits = reinterpret<i32>(value + 0)
  return bits ^ ((bits >> 31) & 0x7fffffff)
}

/** One halving: goes on in the upper half if the last threshold of the lower one is below the key. */
function halve(base: usize, bytes: usize, key: i32): usize {
  return base + (bytes & -(<usize>(load<i32>(base + bytes - 4) < key)))
}

function codeAt(base: usize, thresholds: usize, key: i32): u16 {
  return <u16>((base - thresholds) >>> 2) + <u16>(load<i32>(base) < key)
}

/** Fills the codes of `rows` rows. Code > rank exactly where !(float64(x) <= threshold). */
export function rankRows(shared: Shared, scratch: Scratch, rows: u32): void {
  if (rows < 3) rankFew(shared, scratch, rows)
  else rankMany(shared, scratch, rows)
}

/** Column by column, eight rows in step: they make the same halvings. */
function rankMany(shared: Shared, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const rowBytes = (<usize>shared.features) << 2
  let codes = <usize>scratch.codes
  let column = <usize>shared.columns
  for (let c: u32 = 0; c < shared.columnCount; c++) {
    const info = changetype<Column>(column)
    const x = <usize>scratch.matrix + ((<usize>info.feature) << 2)
    rankColumn(x, rowBytes, rows, info.thresholds, info.count, codes)
    codes += stride
    column += offsetof<Column>()
  }
}

/** Writes up to seven codes too many, which the next column's overwrite. */
function rankColumn(x: usize, rowBytes: usize, rows: u32, thresholds: usize, count: u32, codes: usize): void {
  const end = codes + ((<usize>rows) << 1)
  const last = x + (<usize>rows - 1) * rowBytes
  while (codes < end) {
    const k0 = ordered(load<f32>(x))
    const k1 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k2 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k3 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k4 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k5 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k6 = ordered(load<f32>((x = min(x + rowBytes, last))))
    const k7 = ordered(load<f32>((x = min(x + rowBytes, last))))
    x = min(x + rowBytes, last)
    let b0 = thresholds
    let b1 = thresholds
    let b2 = thresholds
    let b3 = thresholds
    let b4 = thresholds
    let b5 = thresholds
    let b6 = thresholds
    let b7 = thresholds
    for (let left = count; left > 1;) {
      const half = left >>> 1
      const bytes = (<usize>half) << 2
      b0 = halve(b0, bytes, k0)
      b1 = halve(b1, bytes, k1)
      b2 = halve(b2, bytes, k2)
      b3 = halve(b3, bytes, k3)
      b4 = halve(b4, bytes, k4)
      b5 = halve(b5, bytes, k5)
      b6 = halve(b6, bytes, k6)
      b7 = halve(b7, bytes, k7)
      left -= half
    }
    store<u16>(codes, codeAt(b0, thresholds, k0), 0)
    store<u16>(codes, codeAt(b1, thresholds, k1), 2)
    store<u16>(codes, codeAt(b2, thresholds, k2), 4)
    store<u16>(codes, codeAt(b3, thresholds, k3), 6)
    store<u16>(codes, codeAt(b4, thresholds, k4), 8)
    store<u16>(codes, codeAt(b5, thresholds, k5), 10)
    store<u16>(codes, codeAt(b6, thresholds, k6), 12)
    store<u16>(codes, codeAt(b7, thresholds, k7), 14)
    codes += 16
  }
}

/** Row by row, four columns in step: for so few rows fetching the thresholds is all there is to it. */
function rankFew(shared: Shared, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const end = <usize>shared.columns + <usize>shared.columnCount * offsetof<Column>()
  for (let row: u32 = 0; row < rows; row++) {
    const x = <usize>scratch.matrix + <usize>row * ((<usize>shared.features) << 2)
    let codes = <usize>scratch.codes + ((<usize>row) << 1)
    for (let at = <usize>shared.columns; at < end; at += 4 * offsetof<Column>()) {
      rankColumns(x, codes, stride, at, end - offsetof<Column>())
      codes += stride << 2
    }
  }
}

/** Four columns of a row; those beyond the last one repeat it. A finished column goes on halving nothing. */
function rankColumns(x: usize, codes: usize, stride: usize, at: usize, last: usize): void {
  const c0 = changetype<Column>(at)
  const c1 = changetype<Column>(min(at + offsetof<Column>(), last))
  const c2 = changetype<Column>(min(at + 2 * offsetof<Column>(), last))
  const c3 = changetype<Column>(min(at + 3 * offsetof<Column>(), last))
  const k0 = ordered(load<f32>(x + ((<usize>c0.feature) << 2)))
  const k1 = ordered(load<f32>(x + ((<usize>c1.feature) << 2)))
  const k2 = ordered(load<f32>(x + ((<usize>c2.feature) << 2)))
  const k3 = ordered(load<f32>(x + ((<usize>c3.feature) << 2)))
  let b0 = <usize>c0.thresholds
  let b1 = <usize>c1.thresholds
  let b2 = <usize>c2.thresholds
  let b3 = <usize>c3.thresholds
  let left0 = c0.count
  let left1 = c1.count
  let left2 = c2.count
  let left3 = c3.count
  while ((left0 | left1 | left2 | left3) > 1) {
    b0 = halve(b0, (<usize>(left0 >>> 1)) << 2, k0)
    b1 = halve(b1, (<usize>(left1 >>> 1)) << 2, k1)
    b2 = halve(b2, (<usize>(left2 >>> 1)) << 2, k2)
    b3 = halve(b3, (<usize>(left3 >>> 1)) << 2, k3)
    left0 -= left0 >>> 1
    left1 -= left1 >>> 1
    left2 -= left2 >>> 1
    left3 -= left3 >>> 1
  }
  store<u16>(codes, codeAt(b0, c0.thresholds, k0))
  store<u16>(codes + stride, codeAt(b1, c1.thresholds, k1))
  store<u16>(codes + stride * 2, codeAt(b2, c2.thresholds, k2))
  store<u16>(codes + stride * 3, codeAt(b3, c3.thresholds, k3))
}
