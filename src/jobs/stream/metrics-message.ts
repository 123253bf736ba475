// The metrics message of the original: what was consumed, when, and how long it took.

/** One unit of work: a batch, or one message where the step takes them one by one. */
export interface MeasuredUnit {
  /** when its last message was there, in the clock of `clock` */
  readonly receivedAt: number
  /** when its offsets were committed */
  readonly sentAt: number
  /** one entry a consumed message whose ids could be read, those that were not classified included */
  readonly alerts: readonly { readonly oid: string; readonly candid: bigint | null }[]
  readonly messageCount: number
  /** the step takes messages one by one: scalars in place of lists */
  readonly isSingle: boolean
}

/** Milliseconds since 1970 with a fraction: the original's times have microseconds. */
export function clock(): number {
  return performance.timeOrigin + performance.now()
}

/** The message's JSON (seed: `KafkaMetricsProducer`; candids are text). */
export function metricsMessage({ receivedAt, sentAt, alerts, messageCount, isSingle }: MeasuredUnit): string {
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
