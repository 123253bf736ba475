// Thresholds as ordered integers, and sorting float32 ones with the nodes they belong to.

const float = new Float32Array(1)
const bits = new Int32Array(float.buffer)

/**
 * The largest float32 that is not above the threshold, as an integer of the same order: float64(x) <= threshold holds
 * exactly where x <= that float32. −0 counts as 0. A threshold that is not a number gets the lowest integer, which is below
 * that of every value: nothing goes left there.
 */
export function orderedFloat32(threshold: number): number {
  if (threshold !== threshold) return -0x80000000
  float[0] = threshold
  const rounded = float[0]
  const pattern = rounded === 0 ? 0 : bits[0]!
  const key = pattern ^ ((pattern >> 31) & 0x7fffffff)
  return rounded > threshold ? key - 1 : key
}

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** A float64 threshold as an integer of the same order, its low half first, into two words. NaN is the lowest here, too. */
export function writeOrderedFloat64(threshold: number, words: Uint32Array, word: number): void {
  // −0 becomes 0
  double[0] = threshold + 0
  const [low, high] = [halves[0]!, halves[1]!]
  const isNaN = threshold !== threshold
  words[word] = isNaN ? 0 : low ^ (high >> 31)
  words[word + 1] = isNaN ? -0x80000000 : high ^ ((high >> 31) & 0x7fffffff)
}

const digitBits = 11
const digits = 1 << digitBits
const counts = new Uint32Array(digits * 3)

/**
 * Sorts `keys` ascending and `items` along with them, from `start` to `end` (exclusive). Radix sort in three passes.
 *
 * @param room for as many pairs
 */
export function sortPairs(
  keys: Int32Array,
  items: Uint32Array,
  start: number,
  end: number,
  room: { readonly keys: Int32Array; readonly items: Uint32Array },
): void {
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
