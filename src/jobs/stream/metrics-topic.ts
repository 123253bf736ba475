// The metrics topic of the original: one message a batch, after its commit.
import { messageOf } from '../../errors.ts'
import { clock, metricsMessage } from './metrics-message.ts'
import type { KafkaConnection } from '../../connectors/kafka/client/connection.ts'
import { openOutlet } from '../../connectors/kafka/client/outlet.ts'
import type { TopicName } from '../../connectors/kafka/topic-names.ts'
import type { BatchReport } from '../../pipeline/classify-input.ts'
import type { Log, StreamWatch } from './watch.ts'

/** Where metrics messages go. */
export interface MetricsTopic {
  readonly connection: KafkaConnection
  readonly topic: TopicName
  /** the step takes messages one by one: scalars in place of lists, as its first version wrote them */
  readonly isSingle: boolean
}

/** See openOriginalMetrics. */
export interface OriginalMetrics extends StreamWatch {
  close(): Promise<void>
}

/** metrics are worth less than the stream: what waits beyond this is dropped */
const mostWaiting = 100
const closeWithinMs = 2000

/**
 * Opens the topic. Messages are sent beside the stream, which never waits for them; what cannot be sent is said in the log.
 *
 * @throws ServiceError
 */
export async function openOriginalMetrics(
  { connection, topic, isSingle }: MetricsTopic,
  log: Log,
): Promise<OriginalMetrics> {
  const outlet = await openOutlet(connection, topic(new Date()))
  const waiting: Buffer[] = []
  let sending: Promise<void> | undefined
  let dropped = 0

  function drop(): void {
    waiting.shift()
    dropped++
    if (dropped > 1) return
    log.warn(`the metrics topic does not keep up: of more than ${mostWaiting} waiting messages the oldest are dropped`)
  }

  /** Once for all that were dropped in a row. */
  function sayDropped(): void {
    if (dropped > 0) log.warn(`${dropped} metrics messages were dropped`)
    dropped = 0
  }

  async function send(): Promise<void> {
    while (waiting.length > 0) {
      const name = topic(new Date())
      const messages = waiting.splice(0).map((value) => ({ topic: name, key: null, value }))
      try {
        await outlet.send(messages)
      } catch (error) {
        log.warn(`${messages.length} metrics messages were not sent: ${messageOf(error)}`)
      }
    }
    sayDropped()
    sending = undefined
  }

  return {
    onCommitted(report, receivedAt) {
      if (waiting.length >= mostWaiting) drop()
      waiting.push(Buffer.from(metricsMessage({ ...measured(report), receivedAt, sentAt: clock(), isSingle })))
      sending ??= send()
    },
    async close() {
      await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, closeWithinMs).unref())])
      sayDropped()
      await outlet.close()
    },
  }
}

function measured({ delivery }: BatchReport): Pick<Parameters<typeof metricsMessage>[0], 'alerts' | 'messageCount'> {
  const { batch, rejected, read } = delivery
  const classified = batch.oids.map((oid, row) => ({ oid, candid: batch.candids[row]! }))
  const others = rejected.flatMap(({ oid, candid }) => (oid === null ? [] : [{ oid, candid: candid ?? null }]))
  return { alerts: [...classified, ...others], messageCount: read }
}
