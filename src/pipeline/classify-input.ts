// The loop: the only place where batches move. source → batch → classifier → sinks, then the acknowledgement.
import type { ClassifiedBatch } from './batch.ts'
import type { Classifier } from './classifier.ts'
import type { Sink, WriteOutcome } from './sink.ts'
import type { Delivery, Source } from './source.ts'
import { orderedMap } from './ordered-map.ts'

/** One batch that is in every output: what came in, its results, and what each sink said. */
export interface BatchReport {
  /** what the model had no numbers for is among its rejects */
  readonly delivery: Delivery
  readonly classified: ClassifiedBatch
  /** one for each sink, in their order */
  readonly outcomes: readonly WriteOutcome[]
}

/** What `classifyInput` connects, and who is told. */
export interface ClassifyInputOptions {
  readonly source: Source
  readonly classifier: Classifier
  readonly sinks: readonly Sink[]
  readonly signal: AbortSignal
  /** called after the sinks and before the acknowledgement: rejects must be kept somewhere too */
  readonly onBatch: (report: BatchReport) => Promise<void>
  /** called after an acknowledgement that was given at once */
  readonly onAcknowledged?: (report: BatchReport) => void
  /** batches that are classified or wait to be written; by default as many as the classifier has use for, within bounds */
  readonly ahead?: number
  /** sinks write one after the other, in their order: what the last one shows, all before it have */
  readonly writesInTurn?: boolean
}

/**
 * More batches than this bring nothing more, whatever the number of cores, because one thread reads them. A batch of a
 * thousand messages, which are kept until they are acknowledged, takes some 15 MB.
 */
const mostAhead = 8

/** Of small batches of rows more may be under way, up to so many rows in all: of a thousand, they take 1 MB. */
const mostRowsAhead = 32_000

/**
 * Classifies one input to its end, or until the signal: then it stops between two batches. Rows keep their order. A sink
 * that waits makes everything wait (back-pressure from the slowest).
 *
 * @returns acknowledgements to give once the sinks that are durable `on-finish` have published
 */
export async function classifyInput(options: ClassifyInputOptions): Promise<(() => Promise<void>)[]> {
  const { source, classifier, sinks, signal, onBatch, onAcknowledged, ahead = classifier.parallelism } = options
  const isDurableOnWrite = sinks.every((sink) => sink.durable === 'on-write')
  const held: (() => Promise<void>)[] = []
  // the source must be told before the loop is left, or leaving would wait for a row that may never come
  const leaving = new AbortController()
  const classify = async (delivery: Delivery): Promise<Pick<BatchReport, 'delivery' | 'classified'>> => {
    try {
      const classified = await classifier.classify(delivery.batch)
      return { delivery: withUnanswered(delivery, classified), classified }
    } catch (error) {
      leaving.abort()
      throw error
    }
  }
  const deliveries = source.deliveries(AbortSignal.any([signal, leaving.signal]))
  const bound = ({ batch: { messages, rowCount } }: Delivery): number =>
    messages ? mostAhead : Math.max(mostAhead, Math.floor(mostRowsAhead / rowCount))
  const results = orderedMap(deliveries, (delivery) => Math.min(ahead, bound(delivery)), classify)
  for await (const { delivery, classified } of results) {
    try {
      if (signal.aborted) break
      const outcomes = await writeAll(sinks, classified, options.writesInTurn === true)
      const report = { delivery, classified, outcomes }
      await onBatch(report)
      if (isDurableOnWrite) {
        await delivery.ack()
        onAcknowledged?.(report)
      } else held.push(delivery.ack)
    } catch (error) {
      leaving.abort()
      throw error
    }
    if (sinks.length > 0 && sinks.every((sink) => sink.isGone === true)) {
      leaving.abort()
      break
    }
  }
  return held
}

/** Rows without an answer were read and are not classified, as those that the source itself rejects. */
function withUnanswered(delivery: Delivery, { oids, candids, messages, unanswered }: ClassifiedBatch): Delivery {
  if (unanswered === undefined || unanswered.length === 0) return delivery
  const batch = { ...delivery.batch, rowCount: oids.length, oids, candids, messages }
  return { ...delivery, batch, rejected: [...delivery.rejected, ...unanswered] }
}

async function writeAll(sinks: readonly Sink[], classified: ClassifiedBatch, inTurn: boolean) {
  if (!inTurn) return Promise.all(sinks.map((sink) => sink.write(classified)))
  const outcomes: WriteOutcome[] = []
  for (const sink of sinks) outcomes.push(await sink.write(classified))
  return outcomes
}
