// A model's arrays ↔ its Arrow files, uncompressed, so that reading them makes views only.
import type { Data, Field, Schema } from 'apache-arrow'
import { loadArrow } from '../../formats/arrow/library.ts'
import { readArrowFile } from '../../formats/arrow/reader.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { ModelError } from '../../errors.ts'
import type { Forest } from './forest.ts'
import type { Golden } from './golden.ts'

/** A file of its own, because only explanations need it. */
export const coversFile = 'covers.arrow'

/**
 * forest.arrow: one record batch a part, one row a node, in the order of the Forest's arrays. `missing_left` only where a
 * forest has a rule for missing values.
 */
export function encodeNodes(forests: readonly Forest[]): Uint8Array {
  const { Field, Float64, Int16, Schema, Uint16, Uint32, Uint8 } = loadArrow()
  // a forest of more than 65,535 trees is absurd, and still no reason to refuse it
  const areManyTrees = forests.some(({ roots }) => roots.length > 0xffff)
  const hasRules = forests.some(({ missingLeft }) => missingLeft !== undefined)
  const schema = new Schema([
    new Field('level', new Uint8(), false),
    new Field('tree', areManyTrees ? new Uint32() : new Uint16(), false),
    new Field('feature', new Int16(), false),
    new Field('threshold', new Float64(), false),
    new Field('left', new Uint32(), false),
    new Field('leaf', new Uint32(), false),
    ...(hasRules ? [new Field('missing_left', new Uint8(), false)] : []),
  ])
  const batches = forests.map((forest, index) => {
    const { feature, threshold, left, leaf } = forest
    const levels = new Uint8Array(feature.length).fill(index)
    const trees = new (areManyTrees ? Uint32Array : Uint16Array)(feature.length)
    forest.roots.forEach((root, tree) => trees.fill(tree, root, forest.roots[tree + 1] ?? feature.length))
    const rules = hasRules ? [forest.missingLeft ?? new Uint8Array(feature.length)] : []
    return [levels, trees, feature, threshold, left, leaf, ...rules]
  })
  return encode(schema, batches)
}

/** leaves.arrow: the distinct distributions of every level, numbered from 0 within the level. */
export function encodeLeaves(forests: readonly Forest[]): Uint8Array {
  const { Field, Float64, List, makeData, Schema, Uint8 } = loadArrow()
  const list = new List(new Field('item', new Float64(), false))
  const schema = new Schema([new Field('level', new Uint8(), false), new Field('probabilities', list, false)])
  const batches = forests.map(({ classes, leaves }, index) => {
    const width = classes.length
    const length = leaves.length / width
    const valueOffsets = Int32Array.from({ length: length + 1 }, (_, row) => row * width)
    const child = makeData({ type: new Float64(), data: leaves })
    const lists = makeData({ type: list, length, nullCount: 0, valueOffsets, child })
    return [new Uint8Array(length).fill(index), lists]
  })
  return encode(schema, batches)
}

/**
 * covers.arrow: one record batch a level, one row a node, in the order of forest.arrow. Sample weights are float32 where
 * none of them changes by it (they are mostly whole numbers), else float64.
 */
export function encodeCovers(covers: readonly Float64Array[]): Uint8Array {
  const { Field, Float32, Float64, Schema } = loadArrow()
  const isExact = covers.every((cover) => cover.every((value) => Math.fround(value) === value))
  const schema = new Schema([new Field('cover', isExact ? new Float32() : new Float64(), false)])
  return encode(
    schema,
    covers.map((cover) => [isExact ? Float32Array.from(cover) : cover]),
  )
}

/** golden.arrow: oid, one column a feature, one column an expected probability. A missing value is null, and NaN beneath. */
export function encodeGolden({ rowCount, oids, inputs, expected }: Golden, features: readonly string[]): Uint8Array {
  const { Field, Float64, makeData, Schema, Utf8, vectorFromArray } = loadArrow()
  const fields: Field[] = [new Field('oid', new Utf8(), false)]
  const columns: Column[] = [vectorFromArray([...oids], new Utf8()).data[0]!]
  const columnOf = (values: Float64Array, width: number, column: number) =>
    Float64Array.from({ length: rowCount }, (_, row) => values[row * width + column]!)
  features.forEach((name, column) => {
    const data = columnOf(inputs, features.length, column)
    fields.push(new Field(name, new Float64(), true))
    columns.push(makeData({ type: new Float64(), data, length: rowCount, ...nullsOf(data) }))
  })
  for (const { classifierName, classes, probabilities } of expected) {
    classes.forEach((className, column) => {
      fields.push(new Field(`${classifierName}/${className}`, new Float64(), false))
      columns.push(columnOf(probabilities, classes.length, column))
    })
  }
  return encode(new Schema(fields), [columns])
}

function nullsOf(data: Float64Array): { nullBitmap: Uint8Array | undefined; nullCount: number } {
  const nullBitmap = new Uint8Array(Math.ceil(data.length / 8))
  let nullCount = 0
  data.forEach((value, row) => {
    if (Number.isNaN(value)) nullCount++
    else nullBitmap[row >> 3]! |= 1 << (row & 7)
  })
  return { nullBitmap: nullCount > 0 ? nullBitmap : undefined, nullCount }
}

type Column = Uint8Array | Uint16Array | Uint32Array | Int16Array | Float32Array | Float64Array | Data

/** One record batch for each list of columns. */
function encode(schema: Schema, batches: readonly (readonly Column[])[]): Uint8Array {
  const { makeData, RecordBatch, Struct, Table, tableToIPC } = loadArrow()
  const encoded = batches.map((columns) => {
    const { length } = columns[0]!
    const children = columns.map((column, place) =>
      ArrayBuffer.isView(column)
        ? makeData({ type: schema.fields[place]!.type, data: column, length, nullCount: 0 } as never)
        : column,
    )
    return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }))
  })
  return tableToIPC(new Table(schema, encoded), 'file')
}

type Batch = ReturnType<typeof readArrowFile>['batches'][number]

function contentOf(bytes: Uint8Array, file: string): ReturnType<typeof readArrowFile> {
  try {
    return readArrowFile(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), file)
  } catch (cause) {
    throw new ModelError(`${file}: not an Arrow file of a bundle`, { cause })
  }
}

/** What the bundle says of a forest: `name` for messages; `classes`, the columns of its leaves. */
export interface ForestShape {
  readonly name: string
  readonly classes: readonly string[]
  readonly trees: number
  readonly nodes: number
}

/**
 * The forests of a bundle as views of its files.
 *
 * @throws ModelError where the files are not what `encodeNodes` and `encodeLeaves` write for these levels
 */
export function decodeForests(nodes: Uint8Array, leaves: Uint8Array, levels: readonly ForestShape[]): Forest[] {
  const nodeBatches = contentOf(nodes, 'forest.arrow').batches
  const leafBatches = contentOf(leaves, 'leaves.arrow').batches
  if (nodeBatches.length !== levels.length || leafBatches.length !== levels.length) {
    throw new ModelError(`forest.arrow and leaves.arrow do not hold ${levels.length} forests`)
  }
  return levels.map((level, index) => decodeLevel(nodeBatches[index]!, leafBatches[index]!, level))
}

function decodeLevel(nodes: Batch, distributions: Batch, level: ForestShape): Forest {
  const [, trees, feature, threshold, left, leaf, missingLeft] = nodes.columns.map((column) =>
    valuesOf(column, nodes.rowCount),
  )
  const width = level.classes.length
  const leaves = valuesOf(distributions.columns[1]?.children[0], distributions.rowCount * width)
  const isTyped =
    (trees instanceof Uint16Array || trees instanceof Uint32Array) &&
    feature instanceof Int16Array &&
    threshold instanceof Float64Array &&
    left instanceof Uint32Array &&
    leaf instanceof Uint32Array &&
    leaves instanceof Float64Array
  if (!isTyped) throw new ModelError(`level ${level.name}: forest.arrow or leaves.arrow lacks columns of a bundle`)
  if (missingLeft !== undefined && !(missingLeft instanceof Uint8Array)) {
    throw new ModelError(`level ${level.name}: forest.arrow has no rule for missing values that lcclf can read`)
  }
  const forest = { classes: level.classes, roots: rootsOf(trees, level), feature, threshold, left, leaf, leaves }
  return missingLeft === undefined ? forest : { ...forest, missingLeft }
}

/** A column's values without the bytes that fill up its last eight; undefined where there are fewer. */
function valuesOf(column: Data | undefined, length: number): unknown {
  const values = column?.values as { length: number; subarray?: (start: number, end: number) => unknown } | undefined
  return values !== undefined && values.length >= length ? values.subarray?.(0, length) : undefined
}

function rootsOf(trees: Uint16Array | Uint32Array, { name, trees: count, nodes }: ForestShape): Uint32Array {
  const differs = (): ModelError =>
    new ModelError(
      `level ${name}: forest.arrow does not hold the ${count} trees of ${nodes} nodes that the manifest names`,
    )
  // before anything of that size is made
  if (trees.length !== nodes || count > nodes) throw differs()
  const roots = new Uint32Array(count)
  let tree = -1
  for (let row = 0; row < trees.length; row++) {
    if (trees[row] === tree) continue
    if (trees[row] !== tree + 1 || tree + 1 >= count) tree = count
    else roots[++tree] = row
    if (tree === count) break
  }
  if (tree !== count - 1) throw differs()
  return roots
}

/** @throws ModelError for what `encodeCovers` did not write for these forests, or a node that no sample reached */
export function decodeCovers(bytes: Uint8Array, forests: readonly Pick<Forest, 'feature'>[]): Float64Array[] {
  const { batches } = contentOf(bytes, coversFile)
  if (batches.length !== forests.length) throw new ModelError(`${coversFile} does not have one part a level`)
  return forests.map(({ feature }, level) => {
    const values = valuesOf(batches[level]!.columns[0], feature.length)
    const isTyped = values instanceof Float32Array || values instanceof Float64Array
    if (!isTyped || batches[level]!.rowCount !== feature.length) {
      throw new ModelError(`${coversFile} does not have one row a node of level ${level}`)
    }
    const cover = new Float64Array(values)
    const bad = cover.findIndex((value) => !(value > 0 && value < Infinity))
    if (bad >= 0) throw new ModelError(`${coversFile}: node ${bad} of level ${level} has the weight ${cover[bad]}`)
    return cover
  })
}

/**
 * Reads golden.arrow back; columns by their place, because a feature may be called anything.
 *
 * @throws ModelError where its columns are not those of this model
 */
export function decodeGolden(bytes: Uint8Array, features: readonly string[], { levels }: Taxonomy): Golden {
  const answers = levels.flatMap(({ classifierName, classes }) => classes.map((name) => `${classifierName}/${name}`))
  const wanted = ['oid', ...features, ...answers]
  const { fields, batches } = contentOf(bytes, 'golden.arrow')
  const [batch, ...others] = batches
  if (!batch || others.length > 0) throw new ModelError('golden.arrow: has no rows')
  if (fields.length !== wanted.length || fields.some(({ name }, index) => name !== wanted[index])) {
    throw new ModelError('golden.arrow: its columns are not the features and classes of the manifest')
  }
  const oids = oidsOf(batch)
  const rowCount = oids.length
  let next = 1
  const take = (count: number) => rowsOf(batch.columns.slice(next, (next += count)), rowCount)
  return {
    rowCount,
    oids,
    inputs: take(features.length),
    expected: levels.map(({ classifierName, classes }) => ({
      classifierName,
      classes,
      probabilities: take(classes.length),
    })),
  }
}

function oidsOf({ columns: [oids] }: Batch): string[] {
  try {
    return Array.from(oids ? new (loadArrow().Vector)([oids]) : [], String)
  } catch (cause) {
    throw new ModelError('golden.arrow: its oids are damaged', { cause })
  }
}

/** Columns → rows. */
function rowsOf(columns: readonly Data[], rowCount: number): Float64Array {
  const rows = new Float64Array(columns.length * rowCount)
  columns.forEach(({ values }, place) => {
    if (!(values instanceof Float64Array) || values.length !== rowCount) {
      throw new ModelError('golden.arrow: a column is not float64')
    }
    for (let row = 0; row < rowCount; row++) rows[row * columns.length + place] = values[row]!
  })
  return rows
}
