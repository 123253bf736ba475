// What a run of lcclf left behind, as one table: an object a row, a probability a column.
import type { Level } from '../../pipeline/batch.ts'
import type { FoundLevel } from './classifier-levels.ts'

/** Results of one model, ready for questions. */
export interface Predictions {
  /** how messages call them */
  readonly address: string
  /** a table or view with `oid` (VARCHAR, each once) and the columns of `levels` (DOUBLE, no nulls) */
  readonly table: string
  readonly objects: number
  /** rows of objects that came again: the newest (largest candid, else the later row) counts */
  readonly duplicates: number
  readonly classifierVersion: string
  /** the product first, then the top, then the branches */
  readonly levels: readonly PredictedLevel[]
  /** null: the order of classes is known to be the model's; else what decided instead (long results tell no order) */
  readonly assumedOrder: string | null
}

/** One classifier and where its probabilities are. */
export type PredictedLevel = Omit<Level, 'prefix'> & {
  /** names of the table's columns, one a class */
  readonly columns: readonly string[]
}

/** How results are read, wherever they are. */
export interface PredictionOptions {
  /** name of the table to make */
  readonly table: string
  /** which classifier_version, where there are several */
  readonly classifierVersion?: string | undefined
}

/** The name of a level's column. */
export function columnName(level: number, index: number): string {
  return `l${level}_${index}`
}

// What stands between results as they lie somewhere and the one table of predictions.

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
