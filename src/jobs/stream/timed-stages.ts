// The parts of a stream, each telling how long it worked on a batch.
import type { Classifier } from '../../pipeline/classifier.ts'
import { clock } from './metrics-message.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { KafkaStream } from '../../connectors/kafka/live.ts'
import type { KafkaDelivery } from '../../connectors/kafka/kafka-delivery.ts'
import type { Source } from '../../pipeline/source.ts'
import type { Stage } from './watch.ts'

/** Takes the seconds a stage needed. */
export type TakeTime = (stage: Stage, seconds: number, output?: string) => void

/** Does something and tells how long it took, whether or not it succeeded. */
export async function timed<T>(work: () => Promise<T>, take: (seconds: number) => void): Promise<T> {
  const started = performance.now()
  try {
    return await work()
  } finally {
    take((performance.now() - started) / 1000)
  }
}

/** @param onReceived told of each delivery when it has arrived, with the time in milliseconds since 1970 */
export function timedSource(
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
export function timedClassifier(classifier: Classifier, takeTime: TakeTime): Classifier {
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
export function timedSink(sink: Sink, takeTime: TakeTime): Sink {
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
