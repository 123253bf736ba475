// The contract of everything rows come from.
import type { FeatureBatch, InputSchema, Reject } from './batch.ts'
import type { Preprocessing } from './preprocess.ts'

/** How to read, whatever the format. */
export interface ReadOptions {
  /** the model's features, in its order; an input is matched to them by exact name */
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly batchSize: number
  readonly idColumn: string
  readonly candidColumn: string
  /** the column with the MJD of an object's newest detection; undefined: nobody wants it */
  readonly mjdColumn?: string | undefined
  /** input column OLD is read as NEW */
  readonly rename: ReadonlyMap<string, string>
  /** OLD → NEW, for whichever input has OLD and lacks NEW; `rename` wins over it */
  readonly renameMap?: ReadonlyMap<string, string> | undefined
  /**
   * Is told an input's own names, and what is renamed, and answers the features to read of it, in order: for whoever wants
   * to look at an input that lacks some. Not called where names are not known before the rows.
   */
  readonly onNames?: (names: readonly string[], rename: ReadonlyMap<string, string>) => readonly string[]
  /** the user's own SQL condition; only for sources that have SQL */
  readonly where?: string | undefined
  /** keep the objects whose CRC-32 of the oid, modulo `count`, is `index` (from 0) */
  readonly shard?: { readonly index: number; readonly count: number } | undefined
  /** rows that may still be read, over the whole run: shared by all its inputs */
  readonly allowance: RowAllowance
  /** features that outputs echo as they were read; messages have also those that the model does not use */
  readonly echo?: readonly string[] | undefined
  /** opening is given up; only opening an object takes long enough to need it */
  readonly signal?: AbortSignal | undefined
  /** for inputs whose rows name their values: a feature that a row does not name is null, not a reason to reject it */
  readonly absentAsNull?: boolean
  /** of CSV: the one character between fields, and the one before decimals; recognised where they are not given */
  readonly delimiter?: string | undefined
  readonly decimal?: '.' | ',' | undefined
  /** of messages: those with fewer detections, forced ones not counted, are not classified */
  readonly minDetections?: number | undefined
  /** a row is rejected for all its values that are no numbers, not for the first alone */
  readonly tellsAll?: boolean
  /** the rows will not be asked for: an object need not be fetched for what its columns are */
  readonly isForSchema?: boolean
}

/**
 * The options of a source: all rows, in batches of 1000, their ids in `oid` and `candid`, unless something else is named.
 *
 * @param named a classifier (its features and its preprocessing), and what differs
 * @example
 * const source = await openConnector('night.csv').source(readOptions({ ...classifier, batchSize: 200 }))
 */
export function readOptions(
  named: Pick<ReadOptions, 'features' | 'preprocessing'> & Partial<ReadOptions>,
): ReadOptions {
  const usual = { batchSize: 1000, idColumn: 'oid', candidColumn: 'candid', rename: new Map<string, string>() }
  return { ...usual, allowance: { remaining: Infinity }, ...named }
}

/** Where the MJD of an object's newest detection is looked for, unless another column is named. */
export const usualMjdColumn = 'mjd'

/** `--limit`: one allowance a run. */
export interface RowAllowance {
  remaining: number
}

/** An input as a receipt names it. */
export interface InputIdentity {
  readonly address: string
  readonly size?: number
  readonly mtime?: string
  readonly etag?: string
  readonly offsets?: Readonly<Record<string, readonly [string, string]>>
}

/** Some rows and the way to say that they are safe. `read = batch.rowCount + rejected.length + duplicates`. */
export interface Delivery {
  readonly batch: FeatureBatch
  readonly read: number
  readonly rejected: readonly Reject[]
  readonly duplicates: number
  /** Tells the source that these rows are safe in every output. A file does nothing with it. */
  readonly ack: () => Promise<void>
}

/**
 * One input. Opening reads what can be known before the first row and fails there (DataError: missing columns, a float
 * candid, …). Not promised: that a row is delivered only once (Kafka redelivers).
 */
export interface Source {
  readonly identity: InputIdentity
  readonly schema: InputSchema
  /** whether `deliveries` may be called again to read the same rows from the start */
  readonly replayable: boolean
  /** how much of the input was read, 0 to 1, where that can be told (for progress, not for counting) */
  fractionRead?(): number
  /** what was seen in the whole input that no reject tells; complete once the deliveries have ended */
  notes?(): readonly string[]
  /**
   * Ends at the end of the data or soon after the signal. Rows keep the input's order; batches hold `batchSize` rows, the
   * last one fewer (rejected rows do not count). A batch may be empty when only rejects are left to report.
   */
  deliveries(signal: AbortSignal): AsyncIterable<Delivery>
  /** Always called; harmless twice. */
  close(): Promise<void>
}
