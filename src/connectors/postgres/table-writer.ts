// What a generation of tables gives the sink.
import type { ClassifiedBatch } from '../../pipeline/batch.ts'
import type { WriteOutcome } from '../../pipeline/sink.ts'

/** Writes batches into tables that were looked at. */
export interface TableWriter {
  /** what whoever relies on the results should know; may grow until the last `write` */
  readonly notes: readonly string[]
  write(batch: ClassifiedBatch): Promise<WriteOutcome>
}
