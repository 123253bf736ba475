// What a run of lcclf left behind, as one table: an object a row, a probability a column.
import type { Level } from '../../pipeline/taxonomy.ts'

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
