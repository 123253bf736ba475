// Covers of forests ↔ covers.arrow: one record batch a level, one row a node, in the order of forest.arrow.
import type { RecordBatch } from 'apache-arrow'
import { ModelError } from '../../errors.ts'
import type { Arrow } from './arrow-library.ts'
import type { Forest } from './forest-2.ts'

/** A file of its own, because only explanations need it. */
export const coversFile = 'covers.arrow'

/** Sample weights as float32 where none of them changes by it (they are mostly whole numbers), else as float64. */
export function encodeCovers(arrow: Arrow, covers: readonly Float64Array[]): Uint8Array {
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
  arrow: Arrow,
  bytes: Uint8Array,
  forests: readonly Pick<Forest, 'feature'>[],
): Float64Array[] {
  const batches = batchesOf(arrow, bytes)
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

function batchesOf(arrow: Arrow, bytes: Uint8Array): readonly RecordBatch[] {
  try {
    return arrow.tableFromIPC(bytes).batches
  } catch (cause) {
    throw new ModelError(`${coversFile}: is no Arrow file of a bundle`, { cause })
  }
}
