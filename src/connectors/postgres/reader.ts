// What the two ways to read a database have in common.
import type { InputSchema } from '../../pipeline/batch.ts'

/** One object as a reader found it. */
export interface ObjectRow {
  readonly oid: string | undefined
  readonly candid: unknown
  readonly where: string
  /** a float64 a feature, NaN for null */
  readonly values: Float64Array
  /** why it cannot be classified */
  readonly problem?: { readonly reason: string; readonly value?: string } | undefined
}

/** What both forms have in common: what is known before the first row, and the rows. */
export interface PostgresReader {
  readonly schema: InputSchema
  /** the objects, some at a time, in the order of the table or the query */
  objects(): AsyncIterable<ObjectRow[]>
  /** what was seen on the way that no reject tells */
  notes(): readonly string[]
}
