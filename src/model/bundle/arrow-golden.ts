// Golden answers ↔ golden.arrow: oid, one column a feature, one column an expected probability.
import type { Field as ArrowField } from 'apache-arrow'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { ModelError } from '../../errors.ts'
import type { ArrowLibrary } from '../../formats/arrow/reader.ts'
import type { Golden } from './golden.ts'

/** golden.arrow; a missing value is null, and NaN beneath, so that reading needs no bitmap. */
export function encodeGolden(arrow: ArrowLibrary, golden: Golden, features: readonly string[]): Uint8Array {
  const { Field, Float64, makeData, RecordBatch, Schema, Struct, Table, tableToIPC, Utf8, vectorFromArray } = arrow
  const { rowCount, oids, inputs, expected } = golden
  const fields: ArrowField[] = [new Field('oid', new Utf8(), false)]
  const children: unknown[] = [vectorFromArray([...oids], new Utf8()).data[0]]
  features.forEach((name, column) => {
    const data = Float64Array.from({ length: rowCount }, (_, row) => inputs[row * features.length + column]!)
    const { nullBitmap, nullCount } = nullsOf(data)
    fields.push(new Field(name, new Float64(), true))
    children.push(makeData({ type: new Float64(), data, length: rowCount, nullCount, nullBitmap }))
  })
  for (const { classifierName, classes, probabilities } of expected) {
    classes.forEach((className, column) => {
      const data = Float64Array.from({ length: rowCount }, (_, row) => probabilities[row * classes.length + column]!)
      fields.push(new Field(`${classifierName}/${className}`, new Float64(), false))
      children.push(makeData({ type: new Float64(), data, length: rowCount, nullCount: 0 }))
    })
  }
  const schema = new Schema(fields)
  const struct = makeData({ type: new Struct(fields), length: rowCount, nullCount: 0, children: children as never })
  return tableToIPC(new Table(schema, [new RecordBatch(schema, struct)]), 'file')
}

/**
 * Reads golden.arrow back; columns by their place, because a feature may be called anything.
 *
 * @throws ModelError where its columns are not those of this model
 */
export function decodeGolden(
  arrow: ArrowLibrary,
  bytes: Uint8Array,
  { features, taxonomy }: { features: readonly string[]; taxonomy: Taxonomy },
): Golden {
  const answers = taxonomy.levels.flatMap(({ classifierName, classes }) =>
    classes.map((name) => `${classifierName}/${name}`),
  )
  const { names, columns, oids } = columnsOf(arrow, bytes)
  const wanted = ['oid', ...features, ...answers]
  if (names.length !== wanted.length || names.some((name, index) => name !== wanted[index])) {
    throw new ModelError('golden.arrow: its columns are not the features and classes of the manifest')
  }
  const rowCount = oids.length
  let next = features.length + 1
  return {
    rowCount,
    oids,
    inputs: interleave(columns.slice(1, next), rowCount),
    expected: taxonomy.levels.map(({ classifierName, classes }) => {
      const own = columns.slice(next, (next += classes.length))
      return { classifierName, classes, probabilities: interleave(own, rowCount) }
    }),
  }
}

interface GoldenColumns {
  readonly names: readonly string[]
  readonly columns: readonly Float64Array[]
  readonly oids: readonly string[]
}

function columnsOf(arrow: ArrowLibrary, bytes: Uint8Array): GoldenColumns {
  try {
    const { batches, schema } = arrow.tableFromIPC(bytes)
    const [batch] = batches
    if (!batch || batches.length !== 1) throw new ModelError('golden.arrow: has no rows')
    const oids = Array.from(batch.getChildAt(0) ?? [], String)
    const columns = batch.data.children.map(({ values }) =>
      values instanceof Float64Array ? values : new Float64Array(0),
    )
    return { names: schema.fields.map(({ name }) => name), columns, oids }
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    throw new ModelError('golden.arrow: is no Arrow file of a bundle', { cause })
  }
}

/** Columns → rows. */
function interleave(columns: readonly Float64Array[], rowCount: number): Float64Array {
  const values = new Float64Array(columns.length * rowCount)
  columns.forEach((column, place) => {
    if (column.length !== rowCount) throw new ModelError('golden.arrow: a column is no float64')
    for (let row = 0; row < rowCount; row++) values[row * columns.length + place] = column[row]!
  })
  return values
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
