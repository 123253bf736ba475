// The metrics topic of the original: one message a batch, after its commit.
import { messageOf } from '../../errors.ts'
import { openOutlet } from '../../connectors/kafka/client/outlet.ts'
import type { Log } from '../../terminal/log.ts'
import type { MetricsTopic } from './plan.ts'
import { clock, type StreamWatch } from './stream-batches.ts'

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
): Promise<StreamWatch & { close(): Promise<void> }> {
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
      const { batch, rejected, read: messageCount } = report.delivery
      const classified = batch.oids.map((oid, row) => ({ oid, candid: batch.candids[row]! }))
      const others = rejected.flatMap(({ oid, candid = null }) => (oid === null ? [] : { oid, candid }))
      const alerts = [...classified, ...others]
      const message = metricsMessage({ receivedAt, sentAt: clock(), alerts, messageCount, isSingle })
      waiting.push(Buffer.from(message))
      sending ??= send()
    },
    async close() {
      await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, closeWithinMs).unref())])
      sayDropped()
      await outlet.close()
    },
  }
}

/**
 * The message's JSON (seed: `KafkaMetricsProducer`; candids are text) for a batch, or for one message where the step takes
 * them one by one: what was consumed, when, and how long it took.
 *
 * @param unit `receivedAt`: when its last message was there, `sentAt`: when its offsets were committed, in the clock of
 * `clock`; `alerts`: one for each message whose ids could be read, those that were not classified included
 */
export function metricsMessage(unit: {
  readonly receivedAt: number
  readonly sentAt: number
  readonly alerts: readonly { readonly oid: string; readonly candid: bigint | null }[]
  readonly messageCount: number
  readonly isSingle: boolean
}): string {
  const { receivedAt, sentAt, alerts, messageCount, isSingle } = unit
  const candids = alerts.map(({ candid }) => (candid === null ? null : String(candid)))
  const oids = alerts.map(({ oid }) => oid)
  return JSON.stringify({
    timestamp_received: timeText(receivedAt),
    timestamp_sent: timeText(sentAt),
    execution_time: Math.round((sentAt - receivedAt) * 1000) / 1e6,
    candid: isSingle ? (candids[0] ?? null) : candids,
    oid: isSingle ? (oids[0] ?? null) : oids,
    n_messages: messageCount,
    source: 'LateClassifier',
  })
}

/** As Python's `isoformat` in UTC: microseconds, and no fraction where it is zero. */
function timeText(milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1000)
  const fraction = microseconds % 1_000_000
  const seconds = new Date((microseconds - fraction) / 1000).toISOString().slice(0, 19)
  return `${seconds}${fraction === 0 ? '' : `.${String(fraction).padStart(6, '0')}`}+00:00`
}
