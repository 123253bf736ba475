// The noun that travels from a source to the classifier.

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
}
