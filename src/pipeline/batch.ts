// The noun that travels from a source to the classifier.
import type { MessageFeatures, OriginalMessage } from './original-message.ts'

/** How the input writes its object ids; outputs write them the same way. Integers travel as decimal strings. */
export type OidType = 'string' | 'int32' | 'int64' | 'uint32' | 'uint64'

/** What is known of an input before its first row. */
export interface InputSchema {
  readonly oidType: OidType
  /** whether the input has a candid at all (an output has the column only then) */
  readonly hasCandid: boolean
}

/** Some objects and their features, in the input's order. */
export interface FeatureBatch {
  readonly rowCount: number
  readonly oids: readonly string[]
  /** int64 from end to end: ZTF's candids are larger than 2^53. null where a row has none. */
  readonly candids: readonly (bigint | null)[]
  /**
   * rowCount × features, row-major, preprocessed float32 in the *model's* feature order. The classifier takes it over:
   * after `classify` it may be detached (handed to a worker without copying).
   */
  readonly matrix: Float32Array<ArrayBuffer>
  /** the features as they were read, where an output echoes them */
  readonly echo?: MessageFeatures | undefined
  /** for each row the message it came in, where it came in one */
  readonly messages?: readonly OriginalMessage[] | undefined
}

/** A row that cannot be classified: a value, never an exception and never silence. */
export interface Reject {
  /** null where the row has no readable id */
  readonly oid: string | null
  /** the input and the row's place in it, e.g. `night.csv line 18`, `night.parquet row 17` */
  readonly where: string
  /** one of few texts (at most some per column), because receipts count by it, e.g. `Amplitude_1 is not a number` */
  readonly reason: string
  /** the offending value, shortened, where showing it helps */
  readonly value?: string
  /** further reasons for the same row, where they were asked for */
  readonly others?: readonly { readonly reason: string; readonly value: string }[]
  /** the message that the row came in, for a dead letter */
  readonly message?: OriginalMessage | undefined
  /** the alert's id, where the reject came in a message that has one */
  readonly candid?: bigint | undefined
  /** the message could not be read at all, or lacks oid or candid: `--on-bad-message` is for these */
  readonly isBadMessage?: boolean
}
