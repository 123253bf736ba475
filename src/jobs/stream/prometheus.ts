// What Prometheus is told of a stream.
import type { ModelIdentity } from '../../pipeline/batch.ts'
import type { WatchView } from '../../model/watch/alarm.ts'
import type { KafkaStream } from '../../connectors/kafka/kafka-source.ts'
import type { StreamStatus } from '../../connectors/kafka/spec.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { batchFacts, type StreamWatch } from './stream-batches.ts'

/** @see createPrometheus */
export type Prometheus = Awaited<ReturnType<typeof createPrometheus>>

/** beyond these, reasons are counted together */
const mostReasons = 200

/** Counters and clocks of one stream, in a registry of their own. The library is loaded only where somebody listens. */
export async function createPrometheus() {
  const { Registry, Counter, Gauge, Histogram, collectDefaultMetrics } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  let source: KafkaStream | undefined
  let addresses: readonly string[] = []
  let lastMessageAt: number | undefined

  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers })
  /** shows what `values` answers whenever a scraper looks, and nothing else */
  const gauge = (name: string, help: string, labelNames: string[], values: () => Iterable<Sample>) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset()
        if (labelNames.length === 0) this.remove()
        for (const [labels, value] of values()) this.set(labels, value)
      },
    })
  const partitions = (): StreamStatus['partitions'] => source?.status().partitions ?? []

  const messages = counter(
    'lcclf_messages_total',
    'Messages read, by outcome: classified, unclassified (they decode but lack features), bad',
    'outcome',
  )
  for (const outcome of ['classified', 'unclassified', 'bad']) messages.inc({ outcome }, 0)
  const reasons = counter(
    'lcclf_messages_not_classified_total',
    'Messages that were bad or could not be classified, by reason',
    'reason',
  )
  const namedReasons = new Set<string>()
  const objects = counter(
    'lcclf_objects_total',
    'Classified objects offered to an output, by outcome: written, refused, superseded',
    ...['output', 'outcome'],
  )
  const rows = counter('lcclf_rows_written_total', 'Rows or messages written to an output', 'output')
  const batches = counter('lcclf_batches_total', 'Batches written and committed')
  const seconds = new Histogram({
    name: 'lcclf_batch_seconds',
    help: 'Time a stage needed for a batch: decode, classify, write (by output), dead-letter, commit',
    labelNames: ['stage', 'output'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers,
  })
  const place = ['topic', 'partition']
  gauge('lcclf_lag_messages', 'Messages of a partition that are not committed yet', place, () =>
    partitions().flatMap(({ topic, partition, lag }): Sample[] =>
      lag === undefined ? [] : [[{ topic, partition }, Number(lag)]],
    ),
  )
  gauge('lcclf_committed_offset', 'Next offset of a partition to be read after a restart', place, () =>
    partitions().map(({ topic, partition, committed }): Sample => [{ topic, partition }, Number(committed)]),
  )
  gauge('lcclf_seconds_since_last_message', 'Time since the last message arrived; absent before the first', [], () =>
    lastMessageAt === undefined ? [] : [[{}, (performance.now() - lastMessageAt) / 1000]],
  )
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
      for (const output of addresses) {
        rows.inc({ output }, 0)
        // from nothing: who counts what has come since sees the first ones too
        for (const outcome of ['written', 'refused', 'superseded']) objects.inc({ output, outcome }, 0)
      }
    },
    /** which model answers */
    showModel: ({ name, version, classifierVersion, sha256 }: ModelIdentity) =>
      model.set({ name, version, classifier_version: classifierVersion, sha256 }, 1),
    /** from now on what the night watch sees is shown; families, levels and classes are few */
    showWatch(view: () => WatchView): void {
      const begun = new Counter({
        name: 'lcclf_watch_alarms_begun_total',
        help: 'Alarms of the night watch that have begun since the start',
        labelNames: ['kind'],
        registers,
        collect() {
          this.reset()
          for (const kind of alarmKinds) begun.inc({ kind }, view().begun.get(kind) ?? 0)
        },
      })
      for (const [name, help, labelNames, values] of watchGauges(view)) gauge(name, help, labelNames, values)
      const help = 'How far the most probable class of an object is before the second, 0 to 1'
      const named = { name: 'lcclf_winner_margin', help, type: 'histogram', aggregator: 'sum' } as const
      const margins = new Histogram({ ...named, buckets: [...view().margins.upTo], registers })
      // the watch counts them by interval; the library would want to see them one by one
      const getForPromString = () => Promise.resolve({ ...named, values: marginValues(view().margins, named.name) })
      Object.assign(margins, { getForPromString })
    },
  }
}

const alarmKinds = ['missing', 'present', 'values', 'classes'] as const

type GaugeParts = readonly [name: string, help: string, labelNames: string[], values: () => Iterable<Sample>]

function watchGauges(view: () => WatchView): GaugeParts[] {
  return [
    [
      'lcclf_watch_alarms',
      'Open alarms of the night watch, by kind and family; of classes, by level',
      ['kind', 'family'],
      () => view().alarms.flatMap(({ kind, families }) => families.map((family): Sample => [{ kind, family }, 1])),
    ],
    [
      'lcclf_watch_learned_objects',
      'Objects from which the night watch has learned what is usual',
      [],
      () => [[{}, view().learned]],
    ],
    [
      'lcclf_family_null_rate',
      'Share of the latest 10,000 objects without a feature, as a mean over the features of a family',
      ['family'],
      () => [...view().familyNullRates].map(([family, rate]): Sample => [{ family }, rate]),
    ],
    [
      'lcclf_class_share',
      'Share of the latest 10,000 objects by level and predicted class',
      ['level', 'class'],
      () => view().classShares.map(({ level, class: name, share }): Sample => [{ level, class: name }, share]),
    ],
    ['lcclf_quality_warnings', 'Open alarms of the night watch', [], () => [[{}, view().alarms.length]]],
    [
      'lcclf_feature_null_rate',
      'Share of the latest 10,000 objects without a feature, of features that an open alarm names',
      ['feature'],
      () => [...view().missingFeatures].map(([feature, rate]): Sample => [{ feature }, rate]),
    ],
  ]
}

function marginValues({ upTo, objects, sum }: WatchView['margins'], name: string) {
  let count = 0
  const bucket = (le: number | string) => ({ metricName: `${name}_bucket`, labels: { le }, value: count })
  const buckets = upTo.map((le, i) => {
    count += objects[i]!
    return bucket(le)
  })
  const total = (part: string, value: number) => ({ metricName: `${name}_${part}`, labels: {}, value })
  return [...buckets, bucket('+Inf'), total('sum', sum), total('count', count)]
}

type Sample = readonly [labels: Record<string, string | number>, value: number]
