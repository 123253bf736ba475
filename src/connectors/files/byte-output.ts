// Where a format's bytes go: a file that appears whole, or stdout.

/** One stream of bytes; every call waits for the one before. */
export interface ByteOutput {
  /** true once nobody reads any more: what is written then is dropped */
  readonly isGone?: boolean
  /** Resolves when the system has taken the bytes; that is the back-pressure. */
  write(bytes: Uint8Array): Promise<void>
  /** Everything is written and safe, but not yet under its name. */
  finish(): Promise<void>
  publish(): Promise<void>
  /** Harmless twice; without `publish` nothing is left behind. */
  close(): Promise<void>
}
