// A stream's batches: the pipeline's one loop, with what only a stream has around it.
import { type DeadLetter, deadLetterOf, type DeadLetterOutlet } from '../../connectors/kafka/dead-letters.ts'
import type { KafkaDelivery, KafkaStream, Outcome } from '../../connectors/kafka/kafka-source.ts'
import { type BatchReport, classifyInput } from '../../pipeline/classify-input.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { createLedger, type Ledger } from '../../pipeline/ledger.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { Delivery } from '../../pipeline/source.ts'
import type { BadMessagePolicy } from './plan.ts'

/** What a batch goes through, in this order. */
type Stage = 'decode' | 'classify' | 'write' | 'dead-letter' | 'commit'

/** Whoever wants to know how a stream goes: logs, Prometheus, the metrics topic. Nobody may hold up the stream. */
export interface StreamWatch {
  /** the stream begins, with these outputs */
  onBegin?(sinks: readonly Sink[]): void
  /** a part of the work on a batch is done; `output` is the address, for `write` */
  onStage?(stage: Stage, seconds: number, output?: string): void
  /** a batch has arrived */
  onReceived?(): void
  /** everything of a batch is written, and no aborted transaction has taken it back */
  onWritten?(report: BatchReport): void
  /** the offsets of what is written are committed. `receivedAt`: when it had arrived, in milliseconds since 1970 */
  onCommitted?(report: BatchReport, receivedAt: number): void
  /** they are not, whether or not anything is written: whoever owns the partitions now reads the batch again */
  onNotCommitted?(report: BatchReport): void
}

/** Milliseconds since 1970 with a fraction: the original's times have microseconds. */
export function clock(): number {
  return performance.timeOrigin + performance.now()
}

/**
 * Runs until the source ends or the signal comes: then the batch that is being written is finished and committed. Answers
 * the counts, without those of batches that were taken back with their transaction.
 *
 * @param parts everything a stream needs, opened; the sinks in the order in which a batch is written to them, the source to
 * stop at bad messages if that is the policy
 * @throws what source, sinks and dead letters throw; what was not committed is read again by whoever comes next
 */
export async function streamBatches(parts: {
  readonly source: KafkaStream
  readonly classifier: Classifier
  readonly sinks: readonly Sink[]
  readonly onBadMessage: BadMessagePolicy
  readonly deadLetters: DeadLetterOutlet | undefined
  readonly watches: readonly StreamWatch[]
  readonly signal: AbortSignal
}): Promise<Ledger> {
  const { source, classifier, sinks, onBadMessage, deadLetters, watches, signal } = parts
  const ledger = createLedger()
  const input = ledger.openInput(source.identity)
  for (const { address } of sinks) ledger.openOutput(address)
  // by what stays the same when the model refuses rows of it
  const received = new WeakMap<Delivery['ack'], { readonly at: number; readonly outcome: () => Outcome | undefined }>()

  function tookTime(stage: Stage, milliseconds: number, output?: string): void {
    for (const watch of watches) watch.onStage?.(stage, milliseconds / 1000, output)
  }

  /** Does something and tells how long it took, whether or not it succeeded. */
  async function timed<T>(stage: Stage, work: () => Promise<T>, output?: string): Promise<T> {
    const started = performance.now()
    try {
      return await work()
    } finally {
      tookTime(stage, performance.now() - started, output)
    }
  }

  async function* deliveries(until: AbortSignal): AsyncGenerator<KafkaDelivery, void, undefined> {
    let decodedMs = 0
    for await (const delivery of source.deliveries(until)) {
      const { decodeMs } = source.status()
      tookTime('decode', decodeMs - decodedMs)
      decodedMs = decodeMs
      const ack = (): Promise<void> => timed('commit', delivery.ack)
      received.set(ack, { at: clock(), outcome: delivery.outcome ?? (() => 'committed') })
      for (const watch of watches) watch.onReceived?.()
      yield { ...delivery, ack }
    }
  }

  /** What a stream writes is written: nothing waits for an end that never comes. */
  const timedSink = (sink: Sink): Sink => ({
    ...sink,
    durable: 'on-write',
    get isGone() {
      return sink.isGone ?? false
    },
    write: (batch) => timed('write', () => sink.write(batch), sink.address),
  })

  async function onBatch(report: BatchReport): Promise<void> {
    const letters = lettersOf(report, onBadMessage)
    if (deadLetters && letters.length > 0) await timed('dead-letter', () => deadLetters.write(letters))
  }

  /** Counted only now: what is taken back is read and counted again. */
  function onAcknowledged(report: BatchReport): void {
    const { delivery, classified, outcomes } = report
    const { at, outcome } = received.get(delivery.ack)!
    const result = outcome()
    if (result !== 'taken back') {
      ledger.count(input, ledger.outputs, { delivery, classified: classified.rowCount, outcomes })
      for (const watch of watches) watch.onWritten?.(report)
    }
    for (const watch of watches) {
      if (result === 'committed') watch.onCommitted?.(report, at)
      else watch.onNotCommitted?.(report)
    }
  }

  for (const watch of watches) watch.onBegin?.(sinks)
  const outputs = sinks.map(timedSink)
  await classifyInput({
    source: { ...source, deliveries },
    classifier: { ...classifier, classify: (batch) => timed('classify', () => classifier.classify(batch)) },
    sinks: outputs,
    signal,
    onBatch,
    onAcknowledged,
    // one is written while the next is read, even with a single thread
    ahead: Math.max(classifier.parallelism, 2),
    writesInTurn: true,
  })
  for (const sink of outputs) await sink.finish()
  for (const sink of outputs) await sink.publish()
  return ledger
}

/** What is kept of a batch: everything that was not classified, or not taken by an output; bad messages by the policy. */
function lettersOf({ delivery, outcomes }: BatchReport, onBadMessage: BadMessagePolicy): DeadLetter[] {
  const kept = delivery.rejected.filter(({ isBadMessage }) => onBadMessage === 'dead-letter' || isBadMessage !== true)
  const refused = outcomes.flatMap((outcome) => outcome.refused)
  return [...kept, ...refused].map(deadLetterOf).filter((letter) => letter !== undefined)
}

/** A batch in numbers, and where in its topics it lies. */
export type BatchFacts = ReturnType<typeof batchFacts>

/** Counts a batch. */
export function batchFacts({ delivery, classified }: BatchReport) {
  const { read, rejected, batch } = delivery
  const bad = rejected.filter(({ isBadMessage }) => isBadMessage === true).length
  const offsets: Record<string, [bigint, bigint]> = {}
  const messages = [...(batch.messages ?? []), ...rejected.flatMap(({ message }) => message ?? [])]
  for (const { topic, partition, offset } of messages) {
    const known = (offsets[`${topic}:${partition}`] ??= [offset, offset])
    if (offset < known[0]) known[0] = offset
    if (offset > known[1]) known[1] = offset
  }
  return {
    read,
    classified: classified.rowCount,
    /** messages that decode but cannot be classified */
    unclassified: rejected.length - bad,
    /** messages that do not decode, or lack oid or candid */
    bad,
    /** first and last offset by `topic:partition` */
    offsets,
  }
}
