// Results as named columns: what every layout produces and every file format writes.
import type { ClassifiedBatch, InputSchema, OidType, Taxonomy } from '../../../pipeline/batch.ts'

/** The columns' types: `label` is text of few distinct values. */
export type ColumnType = ColumnValues['type']

/** One column of an output, known before the first row. */
export interface OutputField {
  /** the column's name, opaque; in the nested layout the names of the structs around it come first */
  readonly path: readonly string[]
  readonly type: ColumnType
  readonly isNullable: boolean
}

/** The values of one column: one a row of the table. */
export type ColumnValues =
  | { readonly type: 'string'; readonly values: readonly string[] }
  /** `labels` is the same array in every table of an output */
  | { readonly type: 'label'; readonly labels: readonly string[]; readonly codes: Int32Array }
  | { readonly type: 'float64'; readonly values: Float64Array }
  | { readonly type: 'int32'; readonly values: Int32Array }
  | { readonly type: 'uint32'; readonly values: Uint32Array }
  /** a null's value is 0; `nulls` is absent where there are none */
  | { readonly type: 'int64'; readonly values: BigInt64Array; readonly nulls?: ReadonlySet<number> }
  | { readonly type: 'uint64'; readonly values: BigUint64Array }

/** Some rows of an output, one entry of `columns` for each field of its layout. */
export interface OutputTable {
  readonly rowCount: number
  readonly columns: readonly ColumnValues[]
}

/** What decides an output's columns. */
export interface LayoutContext {
  readonly schema: InputSchema
  readonly taxonomy: Taxonomy
  readonly classifierVersion: string
}

/** A form of the result: its columns, and how a batch becomes rows. */
export interface OutputLayout {
  readonly fields: readonly OutputField[]
  readonly tableOf: (batch: ClassifiedBatch) => OutputTable
}

/** The columns of an output as a tree: a leaf is a column, a struct has further names in it. */
export type FieldNode =
  | { readonly name: string; readonly field: OutputField; readonly column: number }
  | { readonly name: string; readonly children: readonly FieldNode[] }

/** Puts columns whose paths begin alike into one struct. */
export function fieldTree(fields: readonly OutputField[]): readonly FieldNode[] {
  return nodesOf(
    fields.map((field, column) => ({ field, column })),
    0,
  )
}

function nodesOf(leaves: readonly { field: OutputField; column: number }[], depth: number): readonly FieldNode[] {
  const groups = new Map<string, { field: OutputField; column: number }[]>()
  for (const leaf of leaves) {
    const name = leaf.field.path[depth] ?? ''
    const group = groups.get(name)
    if (group) group.push(leaf)
    else groups.set(name, [leaf])
  }
  return [...groups].map(([name, group]) => {
    const [first] = group
    return first && first.field.path.length === depth + 1
      ? { name, ...first }
      : { name, children: nodesOf(group, depth + 1) }
  })
}

/** Object ids as a column of the input's own type. */
export function oidColumn(oids: readonly string[], type: OidType): ColumnValues {
  switch (type) {
    case 'string':
      return { type, values: oids }
    case 'int32':
      return { type, values: Int32Array.from(oids, Number) }
    case 'uint32':
      return { type, values: Uint32Array.from(oids, Number) }
    case 'int64':
      return { type, values: BigInt64Array.from(oids, BigInt) }
    case 'uint64':
      return { type, values: BigUint64Array.from(oids, BigInt) }
  }
}

/** Candids as a nullable int64 column. */
export function candidColumn(candids: readonly (bigint | null)[]): ColumnValues {
  const nulls = new Set<number>()
  const values = new BigInt64Array(candids.length)
  for (let row = 0; row < candids.length; row++) {
    const candid = candids[row]
    if (candid === null || candid === undefined) nulls.add(row)
    else values[row] = candid
  }
  return nulls.size > 0 ? { type: 'int64', values, nulls } : { type: 'int64', values }
}
