// From features to codes: how many of a column's thresholds are below the value. In float32 (keys are i32) or float64 (i64).
//
// A search of 16 ways: a line of sorted numbers is compared at once, and how many of them are below the key is a count of
// bits. No step depends on a branch, and no row on the row before, so that many searches are under way at the same time.
import { Column, Scratch, Shared, strideOf } from './layout'
import { touch } from './touch'

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

/** How many of the 16 numbers of a line are below the key, which `keys` repeats. */
function countBelow<K>(line: usize, keys: v128): u32 {
  if (sizeof<K>() == 4) {
    const low = i16x8.narrow_i32x4_s(i32x4.gt_s(keys, v128.load(line, 0)), i32x4.gt_s(keys, v128.load(line, 16)))
    const high = i16x8.narrow_i32x4_s(i32x4.gt_s(keys, v128.load(line, 32)), i32x4.gt_s(keys, v128.load(line, 48)))
    return i32.popcnt(i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)))
  } else {
    // a comparison of 64 bits makes two lanes of 32
    return (countWide(line, keys) + countWide(line + 64, keys)) >>> 1
  }
}

/** Twice how many of 8 numbers of 64 bits are below the key. */
function countWide(line: usize, keys: v128): u32 {
  const low = i16x8.narrow_i32x4_s(i64x2.gt_s(keys, v128.load(line, 0)), i64x2.gt_s(keys, v128.load(line, 16)))
  const high = i16x8.narrow_i32x4_s(i64x2.gt_s(keys, v128.load(line, 32)), i64x2.gt_s(keys, v128.load(line, 48)))
  return i32.popcnt(i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)))
}

/** Bytes of a line, as a shift. */
function lineShift<K>(): usize {
  return 4 + alignof<K>()
}

/** Fills the codes of `rows` rows of float32. Code > rank exactly where !(float64(x) <= threshold). */
export function rankFloat32(shared: Shared, scratch: Scratch, rows: u32): void {
  rankRows<i32>(shared, scratch, rows)
}

/** The same for rows of float64. */
export function rankFloat64(shared: Shared, scratch: Scratch, rows: u32): void {
  rankRows<i64>(shared, scratch, rows)
}

/** From so many rows on, most of a column's thresholds are needed. */
const TOUCH_FROM: u32 = 128

/** Column by column, so that a column's thresholds are fetched once. */
function rankRows<K>(shared: Shared, scratch: Scratch, rows: u32): void {
  const stride = strideOf(rows)
  const rowBytes = (<usize>shared.features) << alignof<K>()
  const matrixBytes = <usize>rows * rowBytes
  let codes = <usize>scratch.codes
  let column = <usize>shared.columns
  for (let c: u32 = 0; c < shared.columnCount; c++) {
    const info = changetype<Column>(column)
    if (rows >= TOUCH_FROM && info.floors > 1) touch(scratch, info.thresholds, info.second)
    const x = <usize>scratch.matrix + ((<usize>info.feature) << alignof<K>())
    rankColumn<K>(x, x + matrixBytes, rowBytes, info, codes)
    codes += stride
    column += offsetof<Column>()
  }
}

function rankColumn<K>(x: usize, end: usize, rowBytes: usize, info: Column, codes: usize): void {
  const missing = info.missing
  const floors = info.floors
  const first = <usize>info.thresholds
  const second = <usize>info.second
  const third = <usize>info.third
  const fourth = <usize>info.fourth
  for (; x < end; x += rowBytes) {
    const key = keyAt<K>(x, missing)
    const keys = sizeof<K>() == 4 ? i32x4.splat(<i32>key) : i64x2.splat(<i64>key)
    let line: usize = 0
    // the same way for all rows of a column
    if (floors > 3) line = countBelow<K>(fourth, keys)
    if (floors > 2) line = (line << 4) + countBelow<K>(third + (line << lineShift<K>()), keys)
    if (floors > 1) line = (line << 4) + countBelow<K>(second + (line << lineShift<K>()), keys)
    store<u16>(codes, <u16>((line << 4) + countBelow<K>(first + (line << lineShift<K>()), keys) - 0x8000))
    codes += 2
  }
}
