// Whether a stream is well: for whoever restarts it, and for whoever waits until it is ready.
import type { Sink } from '../../pipeline/sink.ts'
import type { KafkaStream } from '../../connectors/kafka/live.ts'
import type { StreamWatch } from './watch.ts'

/** See createHealth. */
export interface Health extends StreamWatch {
  /** what is still to be done before messages are read, in words; undefined when it is done */
  step(doing: string | undefined): void
  watch(source: KafkaStream): void
  /** why it should be restarted, or undefined */
  illness(): string | undefined
  /** why it is not ready, or undefined */
  unreadiness(): string | undefined
}

/** a broker may be away for a moment without anybody being told */
const unreachableMs = 10_000
/** a batch that waits for its outputs longer than this waits for something that is not there */
const stuckMs = 60_000
/** beyond every retry that a sink or the client makes by itself */
const lostMs = 900_000

/** The state of a stream as it is told. */
export function createHealth(): Health {
  let doing: string | undefined = 'starting'
  let source: KafkaStream | undefined
  let outputs: readonly Sink[] = []
  /** batches that have arrived and are not acknowledged, and since when nothing happens to them */
  let inHand = 0
  let movedAt = performance.now()

  const done = (): void => {
    inHand--
    moved()
  }
  const moved = (): void => void (movedAt = performance.now())
  const waitedMs = (): number => (inHand > 0 ? performance.now() - movedAt : 0)
  const inSeconds = (milliseconds: number): string => `${Math.round(milliseconds / 1000)} s`

  return {
    step(next) {
      doing = next
      moved()
    },
    watch(opened) {
      source = opened
    },
    onBegin(sinks) {
      outputs = sinks
    },
    onReceived() {
      if (inHand++ === 0) moved()
    },
    onStage: moved,
    onCommitted: done,
    // it arrives again
    onNotCommitted: done,
    illness() {
      return waitedMs() > lostMs ? `a batch has been waiting for its outputs for ${inSeconds(waitedMs())}` : undefined
    },
    unreadiness() {
      if (doing !== undefined) return doing
      const away = source?.status().unreachableMs ?? 0
      if (away > unreachableMs) return `the brokers cannot be reached since ${inSeconds(away)}`
      for (const { address, unreachableMs: gone = 0 } of outputs) {
        if (gone > unreachableMs) return `${address} cannot be reached since ${inSeconds(gone)}`
      }
      return waitedMs() > stuckMs ? `an output has not taken its batch for ${inSeconds(waitedMs())}` : undefined
    },
  }
}
