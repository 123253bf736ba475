// The contract of everything results go to.
import type { Written } from '../whole-file.ts'
import type { ClassifiedBatch, InputSchema, Reject, Taxonomy } from './batch.ts'

/** What a sink must know before the first batch. */
export interface SinkContext {
  readonly schema: InputSchema
  readonly taxonomy: Taxonomy
  readonly classifierVersion: string
  /** the version alone, as the survey's tables of today and its commands have it: `2.1.0` */
  readonly modelVersion?: string | undefined
  /** the model's features in its order: messages that echo them by name need it */
  readonly features?: readonly string[] | undefined
  /** of the bundle's manifest; formats with metadata carry it along */
  readonly modelSha256?: string | undefined
}

/** What became of the objects of one batch: `classified = objects + filtered + refused.length + superseded`. */
export interface WriteOutcome {
  readonly objects: number
  /** rows of the output: equal to objects for wide files, 33 an object for the Probability table */
  readonly rows: number
  /** rows, each with the message it came in: whoever keeps dead letters has it from here */
  readonly refused: readonly Reject[]
  readonly superseded: number
  /** objects that the output was asked to leave out; absent: none */
  readonly filtered?: number
  /** what people can do about `refused`: said once in a run, however many outcomes have it */
  readonly advice?: string
  /** of `objects`: those that replaced something of which nobody knows whether it was newer */
  readonly unguarded?: number
}

/**
 * One output. `write` calls come one at a time and in order. Nothing is visible to others before `publish`, for a sink
 * that is durable `on-finish`; for one that is durable `on-write`, each batch is when its `write` resolves.
 */
export interface Sink {
  readonly address: string
  readonly durable: 'on-write' | 'on-finish'
  /** true once the reader has gone away (a closed pipe, which is success): what is written after that is dropped */
  readonly isGone?: boolean
  /** for how long the place that it writes to has not answered, in milliseconds; only for places that may come back */
  readonly unreachableMs?: number
  /** what whoever relies on the results should know of this output; for the receipt. May grow until the last `write` */
  readonly notes?: readonly string[]
  /** of a file or an object, once it is published: what stands there */
  readonly written?: Written | undefined
  write(batch: ClassifiedBatch): Promise<WriteOutcome>
  /** Completes what was written (footer, flush, fsync) without showing it yet. */
  finish(): Promise<void>
  /** Makes it visible under its name, in one step. */
  publish(): Promise<void>
  /** Always called; harmless twice. Without `publish` it leaves nothing behind. */
  close(): Promise<void>
}
