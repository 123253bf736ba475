// A live consumer for tests, in the background.
import { type KafkaStream, openKafkaSource, type OutputCommitter } from '../../src/connectors/kafka/kafka-source.ts'
import type { KafkaSourceSpec, KafkaSubscription } from '../../src/connectors/kafka/spec.ts'
import type { Sink } from '../../src/pipeline/sink.ts'
import { connectionTo } from './kafka-client.ts'
import { memorySink, runStream, testClassifier, testOptions } from './kafka-stream.ts'
import type { TestKafka } from './kafka.ts'

/** A spec of a live source. */
export function specOf(
  kafka: Pick<TestKafka, 'server'>,
  topic: string,
  reading: Partial<KafkaSubscription> = {},
): KafkaSourceSpec {
  return {
    kind: 'kafka',
    address: `kafka://broker/${topic}`,
    connection: connectionTo(kafka),
    topics: topic.split(','),
    registry: undefined,
    reading: {
      kind: 'group',
      groupId: `group-of-${topic}`,
      batchWaitMs: 200,
      sessionTimeoutMs: 6000,
      isDraining: false,
      ...reading,
    },
  }
}

/** A stream in the background. */
export interface Running {
  readonly source: KafkaStream
  readonly sink: ReturnType<typeof memorySink>
  /** oids of acknowledged batches */
  oids(): string[]
  /** ends it as SIGTERM does */
  stop(): Promise<void>
  readonly done: Promise<unknown>
}

interface StartOptions {
  readonly batchSize?: number
  readonly delayMs?: number
  readonly sinks?: readonly Sink[]
  readonly live?: OutputCommitter | undefined
}

/** Transactions in memory. */
interface Transactions {
  readonly live: OutputCommitter
  readonly sink: Sink
  /** oids that are committed */
  readonly visible: string[]
  /** from now on, once for each */
  refuse(): void
}

/** Transactions in memory, of which those up to certain offsets are refused. */
export function transactionsOf(isRefused: (offset: bigint) => boolean): Transactions {
  const visible: string[] = []
  const refused = new Set<bigint>()
  let isRefusing = false
  let open: string[] = []
  return {
    visible,
    refuse: () => (isRefusing = true),
    sink: {
      ...memorySink(),
      write({ rowCount, oids }) {
        open.push(...oids)
        return Promise.resolve({ objects: rowCount, rows: rowCount, refused: [], superseded: 0 })
      },
    },
    live: {
      commit(offsets) {
        const written = open
        open = []
        const found = offsets.find(({ offset }) => isRefusing && isRefused(offset) && !refused.has(offset))
        if (found) refused.add(found.offset)
        else visible.push(...written)
        return Promise.resolve(found === undefined)
      },
      discard: () => (open = []),
    },
  }
}

/** A stream in the background. */
export async function start(
  spec: KafkaSourceSpec,
  { batchSize = 100, delayMs = 0, sinks = [], live }: StartOptions = {},
): Promise<Running> {
  const source = await openKafkaSource(spec, testOptions({ batchSize }), live)
  const stopping = new AbortController()
  const sink = memorySink()
  const running = runStream(source, [sink, ...sinks], { signal: stopping.signal, classifier: testClassifier(delayMs) })
  const done = running.finally(() => source.close())
  done.catch(() => undefined)
  return {
    source,
    sink,
    oids: () => sink.batches.flatMap((batch) => batch.oids),
    async stop() {
      stopping.abort()
      await done
    },
    done,
  }
}

/** The sum of offsets. */
export const sum = (values: readonly bigint[]): number => values.reduce((total, value) => total + Number(value), 0)
