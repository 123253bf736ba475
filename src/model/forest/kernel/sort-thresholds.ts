// Thresholds as ordered integers, and sorting them with the nodes they belong to.

const float = new Float32Array(1)
const bits = new Int32Array(float.buffer)

/**
 * The largest float32 that is not above the threshold, as an integer of the same order: float64(x) <= threshold holds
 * exactly where x <= that float32. −0 counts as 0. A threshold that is no number gets the lowest integer, which is below
 * that of every value: nothing goes left there.
 */
export function orderedThreshold(threshold: number): number {
  if (threshold !== threshold) return -0x80000000
  float[0] = threshold
  const rounded = float[0]
  const pattern = rounded === 0 ? 0 : bits[0]!
  const key = pattern ^ ((pattern >> 31) & 0x7fffffff)
  return rounded > threshold ? key - 1 : key
}

/** Room for sorting up to `length` pairs. */
interface SortRoom {
  readonly keys: Int32Array
  readonly items: Uint32Array
}

const digitBits = 11
const digits = 1 << digitBits
const counts = new Uint32Array(digits * 3)

/** Sorts `keys` ascending and `items` along with them, from `start` to `end` (exclusive). Radix sort in three passes. */
export function sortPairs(keys: Int32Array, items: Uint32Array, start: number, end: number, room: SortRoom): void {
  if (end - start < 64) return insertionSort(keys, items, start, end)
  counts.fill(0)
  for (let i = start; i < end; i++) {
    const key = keys[i]! ^ 0x80000000
    counts[key & (digits - 1)]!++
    counts[digits + ((key >>> digitBits) & (digits - 1))]!++
    counts[2 * digits + (key >>> (2 * digitBits))]!++
  }
  for (let pass = 0; pass < 3; pass++) {
    let sum = 0
    for (let digit = pass * digits; digit < (pass + 1) * digits; digit++) {
      const count = counts[digit]!
      counts[digit] = sum
      sum += count
    }
  }
  const length = end - start
  scatter(keys, items, start, room.keys, room.items, 0, length, 0)
  scatter(room.keys, room.items, 0, keys, items, start, length, 1)
  scatter(keys, items, start, room.keys, room.items, 0, length, 2)
  keys.set(room.keys.subarray(0, length), start)
  items.set(room.items.subarray(0, length), start)
}

function scatter(
  keys: Int32Array,
  items: Uint32Array,
  from: number,
  intoKeys: Int32Array,
  intoItems: Uint32Array,
  into: number,
  length: number,
  pass: number,
): void {
  const shift = pass * digitBits
  const table = pass * digits
  for (let i = from; i < from + length; i++) {
    const key = keys[i]!
    const place = into + counts[table + (((key ^ 0x80000000) >>> shift) & (digits - 1))]!++
    intoKeys[place] = key
    intoItems[place] = items[i]!
  }
}

function insertionSort(keys: Int32Array, items: Uint32Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const key = keys[i]!
    const item = items[i]!
    let place = i
    for (; place > start && keys[place - 1]! > key; place--) {
      keys[place] = keys[place - 1]!
      items[place] = items[place - 1]!
    }
    keys[place] = key
    items[place] = item
  }
}
