// Forests ↔ forest.arrow and leaves.arrow: one record batch a level, uncompressed, so that reading makes views only.
import type { Data, RecordBatch, Schema } from 'apache-arrow'
import { ModelError } from '../../errors.ts'
import type { ArrowLibrary } from '../../formats/arrow/reader.ts'
import type { Forest } from './forest.ts'
import type { ManifestLevel } from './manifest.ts'

const nodeColumns = ['level', 'tree', 'feature', 'threshold', 'left', 'leaf'] as const

/** forest.arrow: one row a node, in the order of the Forest's arrays. */
export function encodeNodes(arrow: ArrowLibrary, forests: readonly Forest[]): Uint8Array {
  const { Field, Float64, Int16, Schema: ArrowSchema, Uint16, Uint32, Uint8 } = arrow
  // a forest of more than 65,535 trees is absurd, and still no reason to refuse it
  const treeType = forests.every(({ roots }) => roots.length <= 0xffff) ? new Uint16() : new Uint32()
  const types = [new Uint8(), treeType, new Int16(), new Float64(), new Uint32(), new Uint32()]
  const schema = new ArrowSchema(nodeColumns.map((name, index) => new Field(name, types[index]!, false)))
  return encode(arrow, schema, (index) => {
    const forest = forests[index]
    if (!forest) return undefined
    const { feature, threshold, left, leaf } = forest
    const levels = new Uint8Array(feature.length).fill(index)
    const trees = treesOf(forest, treeType instanceof Uint16 ? Uint16Array : Uint32Array)
    return { length: feature.length, columns: [levels, trees, feature, threshold, left, leaf] }
  })
}

/** leaves.arrow: the distinct distributions of every level, numbered from 0 within the level. */
export function encodeLeaves(arrow: ArrowLibrary, forests: readonly Forest[]): Uint8Array {
  const { Field, Float64, List, makeData, Schema: ArrowSchema, Uint8 } = arrow
  const list = new List(new Field('item', new Float64(), false))
  const schema = new ArrowSchema([new Field('level', new Uint8(), false), new Field('probabilities', list, false)])
  return encode(arrow, schema, (index) => {
    const forest = forests[index]
    if (!forest) return undefined
    const width = forest.classes.length
    const length = forest.leaves.length / width
    const valueOffsets = Int32Array.from({ length: length + 1 }, (_, row) => row * width)
    const child = makeData({ type: new Float64(), data: forest.leaves })
    const lists = makeData({ type: list, length, nullCount: 0, valueOffsets, child })
    return { length, columns: [new Uint8Array(length).fill(index), lists] }
  })
}

/**
 * The forests of a bundle as views of its files.
 *
 * @throws ModelError where the files are not what `encodeNodes` and `encodeLeaves` write for these levels
 */
export function decodeForests(
  arrow: ArrowLibrary,
  { nodes, leaves }: { nodes: Uint8Array; leaves: Uint8Array },
  levels: readonly ManifestLevel[],
): Forest[] {
  const nodeBatches = batchesOf(arrow, nodes, 'forest.arrow')
  const leafBatches = batchesOf(arrow, leaves, 'leaves.arrow')
  if (nodeBatches.length !== levels.length || leafBatches.length !== levels.length) {
    throw new ModelError(`forest.arrow and leaves.arrow do not have one part a level (${levels.length})`)
  }
  return levels.map((level, index) => decodeLevel(nodeBatches[index]!, leafBatches[index]!, level))
}

function decodeLevel(nodes: RecordBatch, distributions: RecordBatch, level: ManifestLevel): Forest {
  const [, trees, feature, threshold, left, leaf] = nodes.data.children.map((column) => valuesOf(column, nodes.numRows))
  const width = level.classes.length
  const leaves = valuesOf(distributions.data.children[1]?.children[0], distributions.numRows * width)
  const isTyped =
    (trees instanceof Uint16Array || trees instanceof Uint32Array) &&
    feature instanceof Int16Array &&
    threshold instanceof Float64Array &&
    left instanceof Uint32Array &&
    leaf instanceof Uint32Array &&
    leaves instanceof Float64Array
  if (!isTyped || leaves.length !== distributions.numRows * width) {
    throw new ModelError(`level ${level.name}: forest.arrow or leaves.arrow has other columns than a bundle's`)
  }
  return { classes: level.classes, roots: rootsOf(trees, level), feature, threshold, left, leaf, leaves }
}

/** A column's values without the bytes that fill up its last eight; undefined where there are fewer. */
function valuesOf(column: Data | undefined, length: number): unknown {
  const values = column?.values as { length: number; subarray?: (start: number, end: number) => unknown } | undefined
  return values !== undefined && values.length >= length ? values.subarray?.(0, length) : undefined
}

type Column = Uint8Array | Uint16Array | Uint32Array | Int16Array | Float64Array | object

function encode(
  arrow: ArrowLibrary,
  schema: Schema,
  batchAt: (index: number) => { length: number; columns: Column[] } | undefined,
): Uint8Array {
  const { makeData, RecordBatch: Batch, Struct, Table, tableToIPC } = arrow
  const batches: RecordBatch[] = []
  for (let index = 0, next = batchAt(0); next; next = batchAt(++index)) {
    const { length, columns } = next
    const children = columns.map((column, place) =>
      ArrayBuffer.isView(column)
        ? makeData({ type: schema.fields[place]!.type, data: column, length, nullCount: 0 } as never)
        : column,
    )
    const struct = makeData({ type: new Struct(schema.fields), length, nullCount: 0, children: children as never })
    batches.push(new Batch(schema, struct))
  }
  return tableToIPC(new Table(schema, batches), 'file')
}

function batchesOf(arrow: ArrowLibrary, bytes: Uint8Array, file: string): readonly RecordBatch[] {
  try {
    return arrow.tableFromIPC(bytes).batches
  } catch (cause) {
    throw new ModelError(`${file}: is no Arrow file of a bundle`, { cause })
  }
}

function treesOf(
  { roots, feature }: Forest,
  Numbers: Uint16ArrayConstructor | Uint32ArrayConstructor,
): Uint16Array | Uint32Array {
  const trees = new Numbers(feature.length)
  roots.forEach((root, tree) => trees.fill(tree, root, roots[tree + 1] ?? feature.length))
  return trees
}

function rootsOf(trees: Uint16Array | Uint32Array, { name, trees: count, nodes }: ManifestLevel): Uint32Array {
  const roots = new Uint32Array(count)
  let tree = -1
  for (let row = 0; row < trees.length; row++) {
    if (trees[row] === tree) continue
    if (trees[row] !== tree + 1 || tree + 1 >= count) tree = count
    else roots[++tree] = row
    if (tree === count) break
  }
  if (tree !== count - 1 || trees.length !== nodes) {
    throw new ModelError(
      `level ${name}: forest.arrow does not hold the ${count} trees of ${nodes} nodes that the manifest names`,
    )
  }
  return roots
}

// Covers of forests ↔ covers.arrow: one record batch a level, one row a node, in the order of forest.arrow.

/** A file of its own, because only explanations need it. */
export const coversFile = 'covers.arrow'

/** Sample weights as float32 where none of them changes by it (they are mostly whole numbers), else as float64. */
export function encodeCovers(arrow: ArrowLibrary, covers: readonly Float64Array[]): Uint8Array {
  const { Field, Float32, Float64, makeData, RecordBatch: Batch, Schema, Struct, Table, tableToIPC } = arrow
  const isExact = covers.every((cover) => cover.every((value) => Math.fround(value) === value))
  const type = isExact ? new Float32() : new Float64()
  const schema = new Schema([new Field('cover', type, false)])
  const batches = covers.map((cover) => {
    const data = isExact ? Float32Array.from(cover) : cover
    const column = makeData({ type, data, length: cover.length, nullCount: 0 } as never)
    const struct = makeData({
      type: new Struct(schema.fields),
      length: cover.length,
      nullCount: 0,
      children: [column] as never,
    })
    return new Batch(schema, struct)
  })
  return tableToIPC(new Table(schema, batches), 'file')
}

/** @throws ModelError for what is no `encodeCovers` of these forests, or has a node that no sample reached */
export function decodeCovers(
  arrow: ArrowLibrary,
  bytes: Uint8Array,
  forests: readonly Pick<Forest, 'feature'>[],
): Float64Array[] {
  const batches = batchesOf2(arrow, bytes)
  if (batches.length !== forests.length) throw new ModelError(`${coversFile} does not have one part a level`)
  return forests.map(({ feature }, level) => {
    const values: unknown = batches[level]!.data.children[0]?.values
    const isTyped = values instanceof Float32Array || values instanceof Float64Array
    if (!isTyped || batches[level]!.numRows !== feature.length || values.length < feature.length) {
      throw new ModelError(`${coversFile} does not have one row a node of level ${level}`)
    }
    const cover = Float64Array.from(values.subarray(0, feature.length))
    const bad = cover.findIndex((value) => !(value > 0 && value < Infinity))
    if (bad >= 0) throw new ModelError(`${coversFile}: node ${bad} of level ${level} has the weight ${cover[bad]}`)
    return cover
  })
}

function batchesOf2(arrow: ArrowLibrary, bytes: Uint8Array): readonly RecordBatch[] {
  try {
    return arrow.tableFromIPC(bytes).batches
  } catch (cause) {
    throw new ModelError(`${coversFile}: is no Arrow file of a bundle`, { cause })
  }
}
