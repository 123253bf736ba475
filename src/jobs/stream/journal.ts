// What a stream logs: batches, messages that were not classified, partitions that come and go.
import type { Reject } from '../../pipeline/batch.ts'
import type { KafkaStream } from '../../connectors/kafka/kafka-source.ts'
import { batchFacts, type BatchFacts, type StreamWatch } from './stream-batches.ts'
import type { Log } from '../../terminal/log.ts'

/** a busy stream says so once a second, and of its rejects it shows some */
const lineEveryMs = 1000
const rejectsALine = 10
const lookEveryMs = 1000

/** Writes the log of a stream while it runs; `close` says what is left to say. */
export function openJournal(log: Log, source: KafkaStream): StreamWatch & { close(): void } {
  let pending: BatchFacts[] = []
  let saidAt = -Infinity
  let slowest = 0
  let rejectsShown = 0
  let rejectsHidden = 0
  let unguarded = 0
  const advised = new Set<string>()
  let partitions = ''
  let further = 0

  function look(): void {
    const { partitions: ours, furtherRecords, takeNotices } = source.status()
    for (const notice of takeNotices()) log.warn(notice)
    const now = ours.map(({ topic, partition }) => `${topic}:${partition}`).sort()
    if (now.join() !== partitions) {
      log.info(`assigned ${now.length} partitions`, { partitions: now })
      partitions = now.join()
    }
    if (furtherRecords > further) {
      log.warn(`${furtherRecords - further} records were skipped: only the first of a message counts`)
      further = furtherRecords
    }
    if (performance.now() - saidAt >= lineEveryMs) say()
  }

  function say(): void {
    rejectsShown = 0
    if (rejectsHidden > 0) log.warn(`${rejectsHidden} more messages were not classified`)
    rejectsHidden = 0
    if (unguarded > 0) {
      const why = 'and were written whether these alerts were newer or not'
      log.warn(`${unguarded} objects were stored without a row in lcclf_history, ${why}`)
    }
    unguarded = 0
    if (pending.length === 0) return
    const sum = (key: 'read' | 'classified' | 'unclassified' | 'bad'): number =>
      pending.reduce((total, facts) => total + facts[key], 0)
    const [read, classified] = [sum('read'), sum('classified')]
    log.info(`${classified} of ${read} messages classified`, {
      ...{ batches: pending.length, read, classified, unclassified: sum('unclassified'), bad: sum('bad') },
      seconds: Math.round(slowest) / 1000,
      offsets: rangesOf(pending),
    })
    pending = []
    slowest = 0
    saidAt = performance.now()
  }

  function showReject({ reason, oid, where, value, message }: Reject): void {
    if (rejectsShown >= rejectsALine) {
      rejectsHidden++
      return
    }
    rejectsShown++
    const place = message && { topic: message.topic, partition: message.partition, offset: Number(message.offset) }
    log.warn(`${where} was not classified: ${reason}`, { reason, oid, value, ...place })
  }

  function sayOnce(advice: string | undefined): void {
    if (advice === undefined || advised.has(advice)) return
    advised.add(advice)
    log.warn(advice)
  }

  const timer = setInterval(look, lookEveryMs)
  timer.unref()
  return {
    onWritten({ delivery, outcomes }) {
      for (const reject of delivery.rejected) showReject(reject)
      for (const outcome of outcomes) {
        unguarded += outcome.unguarded ?? 0
        for (const reject of outcome.refused) showReject(reject)
        sayOnce(outcome.advice)
      }
    },
    onCommitted(report, receivedAt) {
      const facts = batchFacts(report)
      const milliseconds = performance.timeOrigin + performance.now() - receivedAt
      log.debug('a batch is committed', { ...facts, offsets: rangesOf([facts]), milliseconds })
      pending.push(facts)
      slowest = Math.max(slowest, milliseconds)
      if (performance.now() - saidAt >= lineEveryMs) say()
    },
    onNotCommitted(report) {
      log.debug('a batch could not be committed, and is read again', { offsets: rangesOf([batchFacts(report)]) })
    },
    close() {
      clearInterval(timer)
      look()
      say()
    },
  }
}

function rangesOf(batches: readonly BatchFacts[]): Record<string, [number, number]> {
  const ranges: Record<string, [number, number]> = {}
  for (const { offsets } of batches) {
    for (const [place, [first, last]] of Object.entries(offsets)) {
      const known = (ranges[place] ??= [Number(first), Number(last)])
      known[0] = Math.min(known[0], Number(first))
      known[1] = Math.max(known[1], Number(last))
    }
  }
  return ranges
}
