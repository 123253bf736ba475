// Trees → the memory that the kernel reads, ready to classify: nodes of eight bytes, features as columns of thresholds.
import { ModelError } from '../../../errors.ts'
import type { Forest } from '../../bundle/forest.ts'
import type { Sum } from '../../bundle/sums.ts'
import { numbersOf } from './column-floors.ts'
import { countThresholds, type KernelTrees } from './kernel-trees.ts'
import {
  type Addresses,
  blockRowsOf,
  COLUMN_THRESHOLDS,
  createAddresses,
  FEWEST_ROWS,
  fillShuffles,
  LEAF,
  MARGIN,
  numbersAt,
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
 * @param rows `features` of a row of the kernel, and whether they are compared in float64
 * @param rooms how many threads will classify blocks of rows; one more, the last, has room for few rows only
 * @throws ModelError for a model that 4 GB of memory do not hold
 */
export function reserveModel(
  trees: readonly KernelTrees[],
  { features, isFloat64 }: { features: number; isFloat64: boolean },
  rooms: number,
) {
  const thresholdCounts = countThresholds(trees, features)
  const numbers = thresholdCounts.reduce((sum, count) => sum + numbersOf(count), 0)
  const columns = thresholdCounts.reduce((sum, count) => sum + Math.ceil(count / COLUMN_THRESHOLDS), 0)
  if (columns > MOST_COLUMNS) throw tooLarge(`${columns} columns of thresholds`)
  const valueBytes = isFloat64 ? 8 : 4

  const addresses = createAddresses()
  const shared = addresses.take(sizes.shared)
  const columnTable = addresses.take(columns * sizes.column)
  const thresholds = addresses.take(numbers * valueBytes)
  const levels = trees.map((part) => takeLevel(addresses, part))
  const shape: ScratchShape = {
    features,
    valueBytes,
    columns,
    sumBytes: Math.max(sizes.pair, ...trees.map(sumBytesOf)),
  }
  const blockRows = blockRowsOf(shape)
  const scratches = Array.from({ length: rooms + 1 }, (_, room) => {
    const address = addresses.take(sizes.scratch)
    const rows = room < rooms ? blockRows : FEWEST_ROWS
    return { address, rows, fields: takeScratch(addresses, shape, rows) }
  })

  const memory = createMemory(addresses.end())
  const words = new Uint32Array(memory.buffer)
  fillShuffles(memory.buffer)
  // how many columns there are, `fillRanks` finds out
  words.set([columnTable, 0, features], shared / 4)
  for (const { address, fields } of scratches) words.set(fields, address / 4)

  const model = {
    memory,
    features,
    isFloat64,
    /** the most rows the kernel takes at once in the rooms of the threads */
    blockRows,
    /** address of what all threads read */
    shared,
    levels: trees.map(({ forest, sum }, index) => ({
      address: levels[index]!.level,
      trees: forest.roots.length,
      /** columns of the answer: classes, or margins */
      width: sum === null ? forest.classes.length : sum.margins.length,
      /** of a sum */
      precision: sum?.precision,
    })),
    /** the rooms of the threads; in each, where rows are put, how many, and where their sums are found */
    scratches: scratches.map(({ address, rows, fields }) => ({ address, rows, matrix: fields[0]!, sums: fields[2]! })),
  }
  const plan = { memory, shared, features, isFloat64, columnTable, thresholds, thresholdCounts, levels }
  return { model, plan }
}

/** float64 pairs of a row of sums, the last one padded */
export function pairsOf(classes: number): number {
  return Math.ceil(classes / 2)
}

function sumBytesOf({ forest, sum }: KernelTrees): number {
  if (sum === null) return pairsOf(forest.classes.length) * sizes.pair
  return sum.margins.length * bytesOf(sum)
}

function bytesOf({ precision }: Pick<Sum, 'precision'>): 4 | 8 {
  return precision === 'float32' ? 4 : 8
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

function takeLevel(addresses: Addresses, { forest, sum }: KernelTrees) {
  const { feature, roots, classes, leaves } = forest
  const leafBytes = sum === null ? pairsOf(classes.length) * sizes.pair : bytesOf(sum)
  return {
    level: addresses.take(sizes.level),
    nodes: addresses.take(feature.length * sizes.node),
    roots: addresses.take(roots.length * 8),
    leaves: addresses.take((leaves.length / classes.length) * leafBytes),
    leafBytes,
    targets: addresses.take(sum === null ? 0 : roots.length * 4),
    bases: addresses.take(sum === null ? 0 : sum.base.length * bytesOf(sum)),
  }
}

/** Writes everything of the forests except columns and ranks. */
export function fillLevels({ memory, levels }: PackingPlan, trees: readonly KernelTrees[]): void {
  const words = new Uint32Array(memory.buffer)
  trees.forEach((part, index) => fillLevel(words, part, levels[index]!))
}

function fillLevel(words: Uint32Array, { forest, sum }: KernelTrees, place: ReturnType<typeof takeLevel>): void {
  const { level, nodes, roots, leaves, leafBytes, targets, bases } = place
  const { classes, feature, left, leaf } = forest
  const order = sum === null ? null : treeOrder(sum.targets)
  const addend = sum === null ? pairsOf(classes.length) : MARGIN[sum.precision]
  words.set([roots, forest.roots.length, addend, targets, bases, sum?.margins.length ?? 0], level / 4)
  for (let tree = 0; tree < forest.roots.length; tree++) {
    const root = order === null ? tree : order[tree]!
    words[roots / 4 + tree * 2] = nodes + forest.roots[root]! * sizes.node
    words[roots / 4 + tree * 2 + 1] = nodes + (forest.roots[root + 1] ?? feature.length) * sizes.node
  }
  const leafNode = (LEAF << 16) >>> 0
  for (let node = 0, word = nodes / 4; node < feature.length; node++, word += 2) {
    if (feature[node]! >= 0) {
      const child = left[node]!
      // the lowest bits say which children are leaves
      words[word + 1] = (nodes + child * sizes.node) | ((feature[child]! >>> 31) + ((feature[child + 1]! >>> 31) << 1))
    } else {
      words[word] = leafNode
      words[word + 1] = leaves + leaf[node]! * leafBytes
    }
  }
  if (sum === null || order === null) return fillFractions(words, forest, leaves)
  order.forEach((tree, index) => (words[targets / 4 + index] = sum.targets[tree]!))
  numbersAt(words.buffer, sum.precision, bases, sum.base.length).set(sum.base)
  numbersAt(words.buffer, sum.precision, leaves, forest.leaves.length).set(forest.leaves)
}

function fillFractions(words: Uint32Array, { classes, leaves }: Forest, address: number): void {
  const width = pairsOf(classes.length) * 2
  const fractions = new Float64Array(words.buffer, address)
  for (let from = 0, into = 0; from < leaves.length; from += classes.length, into += width) {
    for (let i = 0; i < classes.length; i++) fractions[into + i] = leaves[from + i]!
  }
}

/** Margin by margin, so that the sums of one stay in the cache; for each margin the trees are in their own order. */
function treeOrder(targets: readonly number[]): Uint32Array {
  return Uint32Array.from(targets.keys()).sort((a, b) => targets[a]! - targets[b]! || a - b)
}
