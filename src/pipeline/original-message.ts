// What a row keeps of the message it came in.

/** A message as it came. */
export interface OriginalMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** milliseconds since 1970 */
  readonly timestamp: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** Features as they were read, before any preprocessing, for outputs that echo them. */
export interface MessageFeatures {
  readonly names: readonly string[]
  /** rowCount × names, row-major; NaN for null and for what a row does not have */
  readonly values: Float64Array
}
