// What stands between results as they lie somewhere and the one table of predictions.
import type { FoundLevel } from './classifier-levels.ts'

/** A selection of `oid` and the levels' columns (with `candid` and `place`, where an object may come twice), not yet checked. */
export interface Selection {
  readonly sql: string
  /** nothing is gained by a copy of what the selection gives */
  readonly isView: boolean
  readonly levels: readonly FoundLevel[]
  /** see Predictions */
  readonly assumedOrder: string | null
  /** already one row an object, and what came again; undefined where the rows themselves tell */
  readonly duplicates: number | undefined
  readonly classifierVersion: string
  /** what to do about objects without all their probabilities */
  readonly hint: string
}
