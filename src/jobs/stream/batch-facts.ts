// A batch in numbers, and where in its topics it lies.
import type { BatchReport } from '../../pipeline/classify-input.ts'

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
