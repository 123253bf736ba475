// Forests → the memory that the kernel reads, ready to classify: nodes of eight bytes, features as columns of thresholds.
import { ModelError } from '../../../errors.ts'
import type { Forest } from '../../bundle/forest.ts'
import {
  type Addresses,
  blockRowsOf,
  COLUMN_THRESHOLDS,
  createAddresses,
  fillShuffles,
  LEAF,
  PAGE,
  type ScratchShape,
  sizes,
  takeScratch,
} from './memory-layout.ts'

/** A model in shared memory. Can be posted to a worker; the memory is not copied by that. */
export type PackedModel = ReturnType<typeof reserveModel>['model']
/** Where a model will lie; with it, the parts can be filled on several threads at once. Can be posted to a worker. */
export type PackingPlan = ReturnType<typeof reserveModel>['plan']

const MOST_COLUMNS = 65_535
/** what 32-bit addresses reach, less a page */
const MOST_BYTES = 65_535 * PAGE

/**
 * Takes the memory for forests whose indices are in range (`readBundle` has checked them). The model can be used when
 * `fillLevels` and `fillRanks` are both done with its plan, in either order or at once.
 *
 * @param featureCount of the rows that will come
 * @param rooms how many threads will classify
 * @throws ModelError for a model that 4 GB of memory do not hold
 */
export function reserveModel(forests: readonly Forest[], featureCount: number, rooms: number) {
  const thresholdCounts = countThresholds(forests, featureCount)
  const inner = thresholdCounts.reduce((sum, count) => sum + count, 0)
  const columns = thresholdCounts.reduce((sum, count) => sum + Math.ceil(count / COLUMN_THRESHOLDS), 0)
  if (columns > MOST_COLUMNS) throw tooLarge(`${columns} columns of thresholds`)

  const addresses = createAddresses()
  const shared = addresses.take(sizes.shared)
  const shuffles = addresses.take(512 * 16)
  const columnTable = addresses.take(columns * sizes.column)
  const thresholds = addresses.take(inner * 4)
  const levels = forests.map((forest) => takeLevel(addresses, forest))
  const shape: ScratchShape = {
    features: featureCount,
    columns,
    pairs: Math.max(1, ...forests.map(({ classes }) => pairsOf(classes.length))),
  }
  const blockRows = blockRowsOf(shape)
  const everyRow = addresses.take(blockRows * 2 + 32)
  const scratches = Array.from({ length: rooms }, () => {
    const address = addresses.take(sizes.scratch)
    return { address, fields: takeScratch(addresses, shape, blockRows) }
  })

  const memory = createMemory(addresses.end())
  const words = new Uint32Array(memory.buffer)
  fillShuffles(new Uint8Array(memory.buffer, shuffles, 512 * 16))
  new Uint16Array(memory.buffer, everyRow, blockRows).forEach((_, row, rows) => (rows[row] = row * 2))
  // how many columns there are, `fillRanks` finds out
  words.set([columnTable, 0, featureCount, everyRow, shuffles], shared / 4)
  for (const { address, fields } of scratches) words.set(fields, address / 4)

  const model = {
    memory,
    features: featureCount,
    /** the most rows the kernel takes at once */
    blockRows,
    /** address of what all threads read */
    shared,
    levels: forests.map(({ classes, roots }, index) => ({
      address: levels[index]!.level,
      trees: roots.length,
      classes: classes.length,
      /** float64 pairs a row of sums, the last one padded */
      pairs: pairsOf(classes.length),
    })),
    /** the rooms of the threads; in each, where rows are put and where their sums are found */
    scratches: scratches.map(({ address, fields }) => ({ address, matrix: fields[0]!, sums: fields[2]! })),
  }
  return { model, plan: { memory, shared, columnTable, thresholds, thresholdCounts, levels } }
}

function pairsOf(classes: number): number {
  return Math.ceil(classes / 2)
}

function tooLarge(what: string): ModelError {
  return new ModelError(`the model is too large for the forest engine: ${what}`, {
    hint: 'Use a forest with fewer or smaller trees.',
  })
}

function createMemory(bytes: number): WebAssembly.Memory {
  if (bytes > MOST_BYTES) throw tooLarge(`${Math.ceil(bytes / 2 ** 20)} MB`)
  const pages = Math.ceil(bytes / PAGE)
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  } catch (error) {
    throw new ModelError(`no memory for the model: ${Math.ceil(bytes / 2 ** 20)} MB could not be allocated`, {
      hint: 'Give the process more memory, or use fewer --threads.',
      cause: error,
    })
  }
}

function countThresholds(forests: readonly Forest[], featureCount: number): Uint32Array {
  const counts = new Uint32Array(featureCount)
  for (const { feature } of forests) {
    for (let node = 0; node < feature.length; node++) if (feature[node]! >= 0) counts[feature[node]!]!++
  }
  return counts
}

function takeLevel(addresses: Addresses, { feature, roots, classes, leaves }: Forest) {
  return {
    level: addresses.take(sizes.level),
    nodes: addresses.take(feature.length * sizes.node),
    roots: addresses.take(roots.length * 4),
    leaves: addresses.take((leaves.length / classes.length) * pairsOf(classes.length) * sizes.pair),
  }
}

/** Writes everything of the forests except columns and ranks. */
export function fillLevels({ memory, levels }: PackingPlan, forests: readonly Forest[]): void {
  const words = new Uint32Array(memory.buffer)
  forests.forEach((forest, index) => fillLevel(words, forest, levels[index]!))
}

function fillLevel(words: Uint32Array, forest: Forest, place: ReturnType<typeof takeLevel>): void {
  const { level, nodes, roots, leaves } = place
  const { classes, feature, left, leaf } = forest
  const pairs = pairsOf(classes.length)
  words.set([roots, forest.roots.length, pairs], level / 4)
  for (let tree = 0; tree < forest.roots.length; tree++) {
    words[roots / 4 + tree] = nodes + forest.roots[tree]! * sizes.node
  }
  const leafNode = (LEAF << 16) >>> 0
  for (let node = 0, word = nodes / 4; node < feature.length; node++, word += 2) {
    if (feature[node]! >= 0) {
      words[word + 1] = nodes + left[node]! * sizes.node
    } else {
      words[word] = leafNode
      words[word + 1] = leaves + leaf[node]! * pairs * sizes.pair
    }
  }
  const fractions = new Float64Array(words.buffer, leaves)
  for (let from = 0, into = 0; from < forest.leaves.length; from += classes.length, into += pairs * 2) {
    for (let i = 0; i < classes.length; i++) fractions[into + i] = forest.leaves[from + i]!
  }
}

/** Sorts every feature's thresholds, writes the distinct ones as columns and each node's column and rank. */
export function fillRanks(plan: PackingPlan, forests: readonly Forest[]): void {
  const { memory, shared, levels, thresholdCounts, thresholds, columnTable } = plan
  const words = new Uint32Array(memory.buffer)
  const inner = thresholdCounts.reduce((sum, count) => sum + count, 0)
  const keys = new Int32Array(inner)
  const nodes = new Uint32Array(inner)
  const next = new Uint32Array(thresholdCounts.length)
  for (let i = 1; i < next.length; i++) next[i] = next[i - 1]! + thresholdCounts[i - 1]!
  forests.forEach((forest, index) => gatherThresholds(forest, levels[index]!.nodes / 4, { keys, nodes, next }))

  const most = thresholdCounts.reduce((largest, count) => Math.max(largest, count), 0)
  const room = { keys: new Int32Array(most), items: new Uint32Array(most) }
  const distinct = new Int32Array(words.buffer, thresholds, inner)
  let column = -1
  let written = 0
  for (let feature = 0, start = 0; feature < thresholdCounts.length; feature++) {
    const end = start + thresholdCounts[feature]!
    sortPairs(keys, nodes, start, end, room)
    let rank = COLUMN_THRESHOLDS
    let first = written
    const closeColumn = () => {
      if (written === first) return
      const info = [feature, thresholds + first * 4, written - first]
      words.set(info, (columnTable + column * sizes.column) / 4)
      first = written
    }
    for (let i = start; i < end; i++) {
      if (i === start || keys[i] !== keys[i - 1]) {
        rank++
        // a feature with more thresholds than codes can tell apart has several columns, each for a part of them
        if (rank >= COLUMN_THRESHOLDS) {
          closeColumn()
          column++
          rank = 0
        }
        distinct[written++] = keys[i]!
      }
      words[nodes[i]!] = ((rank << 16) | column) >>> 0
    }
    closeColumn()
    start = end
  }
  words[shared / 4 + 1] = column + 1
}

/** Puts each threshold and its node's first word where the next of its feature goes. */
function gatherThresholds(
  { feature, threshold }: Forest,
  firstWord: number,
  { keys, nodes, next }: { keys: Int32Array; nodes: Uint32Array; next: Uint32Array },
): void {
  for (let node = 0; node < feature.length; node++) {
    const asked = feature[node]!
    if (asked < 0) continue
    const place = next[asked]!++
    keys[place] = orderedThreshold(threshold[node]!)
    nodes[place] = firstWord + node * 2
  }
}

// Thresholds as ordered integers, and sorting them with the nodes they belong to.

const float = new Float32Array(1)
const bits = new Int32Array(float.buffer)

/**
 * The largest float32 that is not above the threshold, as an integer of the same order: float64(x) <= threshold holds
 * exactly where x <= that float32. −0 counts as 0. A threshold that is not a number gets the lowest integer, which is below
 * that of every value: nothing goes left there.
 */
function orderedThreshold(threshold: number): number {
  if (threshold !== threshold) return -0x80000000
  float[0] = threshold
  const rounded = float[0]
  const pattern = rounded === 0 ? 0 : bits[0]!
  const key = pattern ^ ((pattern >> 31) & 0x7fffffff)
  return rounded > threshold ? key - 1 : key
}

const digitBits = 11
const digits = 1 << digitBits
const counts = new Uint32Array(digits * 3)

/**
 * Sorts `keys` ascending and `items` along with them, from `start` to `end` (exclusive). Radix sort in three passes.
 *
 * @param room for as many pairs
 */
function sortPairs(
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
