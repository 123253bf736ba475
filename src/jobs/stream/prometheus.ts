// What Prometheus is told of a stream.
import type { ModelIdentity } from '../../pipeline/batch.ts'
import type { QualityWatch } from '../../model/profile/watch-inputs.ts'
import type { KafkaStream } from '../../connectors/kafka/live.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { batchFacts, type StreamWatch } from './stream-batches.ts'

/** @see createPrometheus */
export type Prometheus = Awaited<ReturnType<typeof createPrometheus>>

/** beyond these, reasons are counted together */
const mostReasons = 200
const bucketSeconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

/** Counters and clocks of one stream, in a registry of their own. The library is loaded only where somebody listens. */
export async function createPrometheus() {
  const { Registry, Counter, Gauge, Histogram, collectDefaultMetrics } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  let source: KafkaStream | undefined
  let addresses: readonly string[] = []
  let lastMessageAt: number | undefined

  const messages = new Counter({
    name: 'lcclf_messages_total',
    help: 'Messages read, by what became of them: classified, unclassified (they decode but lack features), bad',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['classified', 'unclassified', 'bad']) messages.inc({ outcome }, 0)
  const reasons = new Counter({
    name: 'lcclf_messages_not_classified_total',
    help: 'Messages that were bad or could not be classified, by reason',
    labelNames: ['reason'],
    registers,
  })
  const namedReasons = new Set<string>()
  const objects = new Counter({
    name: 'lcclf_objects_total',
    help: 'Classified objects offered to an output, by what became of them',
    labelNames: ['output', 'outcome'],
    registers,
  })
  const rows = new Counter({
    name: 'lcclf_rows_written_total',
    help: 'Rows or messages written to an output',
    labelNames: ['output'],
    registers,
  })
  const batches = new Counter({ name: 'lcclf_batches_total', help: 'Batches written and committed', registers })
  const seconds = new Histogram({
    name: 'lcclf_batch_seconds',
    help: 'Time a stage needed for a batch: decode, classify, write (by output), dead-letter, commit',
    labelNames: ['stage', 'output'],
    buckets: bucketSeconds,
    registers,
  })
  new Gauge({
    name: 'lcclf_lag_messages',
    help: 'Messages of a partition that are not committed yet',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      this.reset()
      for (const { topic, partition, lag } of source?.status().partitions ?? []) {
        if (lag !== undefined) this.set({ topic, partition }, Number(lag))
      }
    },
  })
  new Gauge({
    name: 'lcclf_committed_offset',
    help: 'Next offset of a partition to be read after a restart',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      this.reset()
      for (const { topic, partition, committed } of source?.status().partitions ?? []) {
        this.set({ topic, partition }, Number(committed))
      }
    },
  })
  new Gauge({
    name: 'lcclf_seconds_since_last_message',
    help: 'Time since the last message arrived; absent before the first',
    registers,
    collect() {
      if (lastMessageAt === undefined) this.remove()
      else this.set((performance.now() - lastMessageAt) / 1000)
    },
  })
  const model = new Gauge({
    name: 'lcclf_model_info',
    help: 'The model that answers',
    labelNames: ['name', 'version', 'classifier_version', 'sha256'],
    registers,
  })

  const watch: StreamWatch = {
    onReceived() {
      lastMessageAt = performance.now()
    },
    onStage: (stage, time, output = '') => seconds.observe({ stage, output }, time),
    onWritten(report) {
      const { classified, unclassified, bad } = batchFacts(report)
      messages.inc({ outcome: 'classified' }, classified)
      messages.inc({ outcome: 'unclassified' }, unclassified)
      messages.inc({ outcome: 'bad' }, bad)
      for (const { reason } of report.delivery.rejected) {
        // what a scraper keeps for ever must not grow with what somebody sends
        if (namedReasons.size < mostReasons) namedReasons.add(reason)
        reasons.inc({ reason: namedReasons.has(reason) ? reason : 'other reasons' })
      }
      report.outcomes.forEach((outcome, i) => {
        const output = addresses[i] ?? ''
        rows.inc({ output }, outcome.rows)
        objects.inc({ output, outcome: 'written' }, outcome.objects)
        objects.inc({ output, outcome: 'refused' }, outcome.refused.length)
        objects.inc({ output, outcome: 'superseded' }, outcome.superseded)
      })
    },
    onCommitted: () => batches.inc(),
  }
  return {
    ...watch,
    contentType: registry.contentType,
    /** the page for a scraper */
    page: () => registry.metrics(),
    /** from now on the partitions of this source and the counts of these outputs are shown */
    watch(opened: KafkaStream, sinks: readonly Pick<Sink, 'address'>[]): void {
      source = opened
      addresses = sinks.map(({ address }) => address)
      for (const output of addresses) rows.inc({ output }, 0)
    },
    /** which model answers */
    showModel: ({ name, version, classifierVersion, sha256 }: ModelIdentity) =>
      model.set({ name, version, classifier_version: classifierVersion, sha256 }, 1),
    /** from now on what this watch sees is shown: few labels, and only what is not as usual */
    showQuality(quality: Pick<QualityWatch, 'warnings' | 'nullRates' | 'classShares'>): void {
      new Gauge({
        name: 'lcclf_quality_warnings',
        help: 'Features and classes that are not as usual among the newest objects',
        registers,
        collect() {
          this.set(quality.warnings.length)
        },
      })
      new Gauge({
        name: 'lcclf_feature_null_rate',
        help: 'Share of the newest objects that lack a feature, of features for which it is not as usual',
        labelNames: ['feature'],
        registers,
        collect() {
          this.reset()
          for (const [feature, rate] of quality.nullRates) this.set({ feature }, rate)
        },
      })
      new Gauge({
        name: 'lcclf_class_share',
        help: 'Share of the newest objects by predicted class',
        labelNames: ['class'],
        registers,
        collect() {
          this.reset()
          for (const [name, share] of quality.classShares ?? []) this.set({ class: name }, share)
        },
      })
    },
  }
}
