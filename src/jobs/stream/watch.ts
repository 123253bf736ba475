// Whoever wants to know how a stream goes: logs, Prometheus, the metrics topic.
import type { BatchReport } from '../../pipeline/classify-input.ts'
import type { Sink } from '../../pipeline/sink.ts'

/** What a batch goes through, in this order. */
export type Stage = 'decode' | 'classify' | 'write' | 'dead-letter' | 'commit'

/** Each is told what it listens to; nobody may hold up the stream. */
export interface StreamWatch {
  /** the stream begins, with these outputs */
  onBegin?(sinks: readonly Sink[]): void
  /** a part of the work on a batch is done; `output` is the address, for `write` */
  onStage?(stage: Stage, seconds: number, output?: string): void
  /** a batch has arrived */
  onReceived?(): void
  /** everything that is to be written of a batch is written, and no transaction that was given up has taken it back */
  onWritten?(report: BatchReport): void
  /** the offsets of what is written are committed. `receivedAt`: when it had arrived, in milliseconds since 1970 */
  onCommitted?(report: BatchReport, receivedAt: number): void
  /** they are not, whether or not anything is written: whoever owns the partitions now reads the batch again */
  onNotCommitted?(report: BatchReport): void
}

// A batch in numbers, and where in its topics it lies.

/** See batchFacts. */
export interface BatchFacts {
  readonly read: number
  readonly classified: number
  /** messages that decode but cannot be classified */
  readonly unclassified: number
  /** messages that do not decode, or lack oid or candid */
  readonly bad: number
  /** first and last offset by `topic:partition` */
  readonly offsets: Readonly<Record<string, readonly [bigint, bigint]>>
}

/** Counts a batch. */
export function batchFacts({ delivery, classified }: BatchReport): BatchFacts {
  const { read, rejected, batch } = delivery
  const bad = rejected.filter(({ isBadMessage }) => isBadMessage === true).length
  const offsets: Record<string, [bigint, bigint]> = {}
  const messages = [...(batch.messages ?? []), ...rejected.flatMap(({ message }) => message ?? [])]
  for (const { topic, partition, offset } of messages) {
    const known = (offsets[`${topic}:${partition}`] ??= [offset, offset])
    if (offset < known[0]) known[0] = offset
    if (offset > known[1]) known[1] = offset
  }
  return { read, classified: classified.rowCount, unclassified: rejected.length - bad, bad, offsets }
}
