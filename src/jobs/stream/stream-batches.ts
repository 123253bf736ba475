// A stream: the pipeline's one loop, with what only a stream has around it.
import type { Classifier } from '../../pipeline/classifier.ts'
import { type DeadLetter, deadLetterOf } from '../../connectors/kafka/dead-letters.ts'
import { type BatchReport, classifyInput } from '../../pipeline/classify-input.ts'
import { createLedger, type Ledger } from '../../pipeline/ledger.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { KafkaDelivery, KafkaStream, Outcome } from '../../connectors/kafka/live.ts'
import type { Delivery, Source } from '../../pipeline/source.ts'
import type { DeadLetterOutlet } from './dead-letter-outlet.ts'

/** What becomes of messages that cannot be read, or lack oid or candid. */
export type BadMessagePolicy = 'dead-letter' | 'skip' | 'stop'

/** Everything a stream needs, opened. */
interface StreamParts {
  /** opened to stop at bad messages, where that is the policy */
  readonly source: KafkaStream
  readonly classifier: Classifier
  /** in the order in which a batch is written to them */
  readonly sinks: readonly Sink[]
  readonly onBadMessage: BadMessagePolicy
  readonly deadLetters: DeadLetterOutlet | undefined
  readonly watches: readonly StreamWatch[]
  readonly signal: AbortSignal
}

/**
 * Runs until the source ends or the signal: then the batch that is being written is finished and committed. Answers the
 * counts, without those of batches that were taken back with their transaction.
 *
 * @throws what source, sinks and dead letters throw; what was not committed is read again by whoever comes next
 */
export async function runStream(parts: StreamParts): Promise<Ledger> {
  const { source, classifier, sinks, deadLetters, watches, signal } = parts
  const ledger = createLedger()
  const input = ledger.openInput(source.identity)
  for (const { address } of sinks) ledger.openOutput(address)
  // by what stays the same when the model refuses rows of it
  const received = new WeakMap<Delivery['ack'], { readonly at: number; readonly outcome: () => Outcome | undefined }>()
  const takeTime: TakeTime = (stage, seconds, output) => {
    for (const watch of watches) watch.onStage?.(stage, seconds, output)
  }

  async function onBatch(report: BatchReport): Promise<void> {
    const letters = lettersOf(report, parts)
    if (deadLetters && letters.length > 0) {
      await timed(
        () => deadLetters.write(letters),
        (seconds) => takeTime('dead-letter', seconds),
      )
    }
  }

  /** Counted only now: what is taken back is read and counted again. */
  function onAcknowledged(report: BatchReport): void {
    const { delivery, classified, outcomes } = report
    const { at, outcome } = received.get(delivery.ack)!
    const cameTo = outcome()
    if (cameTo !== 'taken back') {
      ledger.count(input, ledger.outputs, { delivery, classified: classified.rowCount, outcomes })
      for (const watch of watches) watch.onWritten?.(report)
    }
    for (const watch of watches) {
      if (cameTo === 'committed') watch.onCommitted?.(report, at)
      else watch.onNotCommitted?.(report)
    }
  }

  for (const watch of watches) watch.onBegin?.(sinks)
  const outputs = sinks.map((sink) => timedSink(sink, takeTime))
  await classifyInput({
    source: timedSource(source, takeTime, (delivery, at) => {
      received.set(delivery.ack, { at, outcome: delivery.outcome ?? (() => 'committed') })
      for (const watch of watches) watch.onReceived?.()
    }),
    classifier: timedClassifier(classifier, takeTime),
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
function lettersOf({ delivery, outcomes }: BatchReport, { onBadMessage }: StreamParts): DeadLetter[] {
  const kept = delivery.rejected.filter(({ isBadMessage }) => onBadMessage === 'dead-letter' || isBadMessage !== true)
  const refused = outcomes.flatMap((outcome) => outcome.refused)
  return [...kept, ...refused].map(deadLetterOf).filter((letter) => letter !== undefined)
}

// The parts of a stream, each telling how long it worked on a batch.

/** Takes the seconds a stage needed. */
type TakeTime = (stage: Stage, seconds: number, output?: string) => void

/** Does something and tells how long it took, whether or not it succeeded. */
async function timed<T>(work: () => Promise<T>, take: (seconds: number) => void): Promise<T> {
  const started = performance.now()
  try {
    return await work()
  } finally {
    take((performance.now() - started) / 1000)
  }
}

/** @param onReceived told of each delivery when it has arrived, with the time in milliseconds since 1970 */
function timedSource(
  source: KafkaStream,
  takeTime: TakeTime,
  onReceived: (delivery: KafkaDelivery, at: number) => void,
): Source {
  let decodedMs = 0
  async function* deliveries(signal: AbortSignal): AsyncGenerator<KafkaDelivery, void, undefined> {
    for await (const delivery of source.deliveries(signal)) {
      const { decodeMs } = source.status()
      takeTime('decode', (decodeMs - decodedMs) / 1000)
      decodedMs = decodeMs
      const ack = (): Promise<void> => timed(delivery.ack, (seconds) => takeTime('commit', seconds))
      const withAck = { ...delivery, ack }
      onReceived(withAck, clock())
      yield withAck
    }
  }
  return { ...source, deliveries }
}

/** @see timed */
function timedClassifier(classifier: Classifier, takeTime: TakeTime): Classifier {
  return {
    ...classifier,
    classify: (batch) =>
      timed(
        () => classifier.classify(batch),
        (seconds) => takeTime('classify', seconds),
      ),
  }
}

/** An output of a stream. What a stream writes is written: nothing waits for an end that never comes. */
function timedSink(sink: Sink, takeTime: TakeTime): Sink {
  return {
    ...sink,
    durable: 'on-write',
    get isGone() {
      return sink.isGone ?? false
    },
    write: (batch) =>
      timed(
        () => sink.write(batch),
        (seconds) => takeTime('write', seconds, sink.address),
      ),
  }
}

// Whoever wants to know how a stream goes: logs, Prometheus, the metrics topic.

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

/** Milliseconds since 1970 with a fraction: the original's times have microseconds. */
export function clock(): number {
  return performance.timeOrigin + performance.now()
}
