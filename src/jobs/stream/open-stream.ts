// Everything a stream needs, opened in the order in which it can fail early.
import { randomUUID } from 'node:crypto'
import { openTransactionalOutlet, requireOneCluster } from '../../connectors/kafka/client/outlet.ts'
import { openKafkaSink } from '../../connectors/kafka/kafka-sink.ts'
import { openKafkaSource } from '../../connectors/kafka/kafka-source.ts'
import { openDeadLetterFile, openDeadLetterTopic } from './dead-letter-outlet.ts'
import type { InterruptWatch } from '../../terminal/interrupt.ts'
import { liveModel } from '../models/pull.ts'
import { echoedFeatures } from '../../connectors/kafka/spec.ts'
import { dailyTopic } from '../../connectors/kafka/topics.ts'
import { openSink } from '../../connectors/open-sink.ts'
import { readProfile } from '../../model/bundle/read-bundle.ts'
import { openClassifier } from '../../model/open.ts'
import { cacheFolder } from '../../model/store/model-reference.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { TransferProgress } from '../../terminal/progress.ts'
import { groupOf, type StreamPlan } from './plan.ts'

/** A thing to close. */
export interface Closable {
  close(): Promise<void>
}

/**
 * Opens a stream: the model (which answers its golden rows), the brokers, the outputs. Nothing is joined or written before
 * it runs. `profile` is of the model's usual inputs, if they are watched and the bundle has one.
 *
 * @param options `keep` takes what was opened, to be closed whatever happens; `onStep` is told what is being opened;
 * `transfer` how the download of a model goes, if the store has none
 * @throws ModelError, ServiceError, UsageError
 */
export async function openStream(
  plan: StreamPlan,
  options: {
    readonly keep: <T extends Closable>(opened: T) => T
    readonly onStep: (doing: string) => void
    readonly transfer: TransferProgress
    readonly interrupts: InterruptWatch
  },
) {
  const { keep, onStep, transfer, interrupts } = options
  const { engine, threads, mayPull, batchSize, outputs } = plan
  onStep('verifying the model')
  const model = await liveModel(plan.model, { interrupts, progress: transfer, mayPull })
  const profile = plan.watchQuality ? await readProfile(model) : undefined
  const classifier = keep(await openClassifier(model, { engine, threads, cacheFolder: cacheFolder() }))
  const { features, preprocessing, taxonomy, identity } = classifier
  onStep('reaching the brokers')
  const outlet = plan.delivery === 'exactly-once' ? keep(await openTransaction(plan)) : undefined
  const reading = {
    ...{ features, preprocessing, batchSize, idColumn: 'oid', candidColumn: 'candid' },
    rename: new Map<string, string>(),
    allowance: { remaining: Infinity },
    ...(outputs.some(({ kind }) => kind === 'kafka') ? { echo: echoedFeatures } : {}),
  }
  const source = keep(
    await openKafkaSource(plan.source, reading, {
      commitWithOutputs: outlet?.commit,
      discardOutputs: outlet?.discard,
    }),
  )
  onStep('opening the outputs')
  const { classifierVersion, sha256: modelSha256 } = identity
  const context = { schema: source.schema, taxonomy, classifierVersion, modelSha256 }
  const sinks: Sink[] = []
  for (const output of outputs) {
    sinks.push(
      keep(await (output.kind === 'kafka' ? openKafkaSink(output, context, outlet) : openSink(output, context))),
    )
  }
  const place = plan.deadLetters
  const deadLetters =
    place && keep(place.kind === 'file' ? openDeadLetterFile(place.path) : await openDeadLetterTopic(place, outlet))
  return { source, classifier, profile, sinks, deadLetters }
}

/** Under a name of its own: members that come and go are fenced by the group's generation, not by a name they share. */
async function openTransaction(plan: StreamPlan) {
  const { source, outputs, deadLetters } = plan
  const kafka = outputs.filter((output) => output.kind === 'kafka')
  const letters = deadLetters?.kind === 'kafka' ? [deadLetters] : []
  await requireOneCluster([source, ...kafka, ...letters].map(({ connection }) => connection))
  const now = new Date()
  const topics = [
    ...kafka.map(({ topic, daily }) => dailyTopic(topic, daily)(now)),
    ...letters.map(({ topic }) => topic(now)),
  ]
  const name = `lcclf-${groupOf(plan)}-${randomUUID()}`
  return openTransactionalOutlet(source.connection, name, [...new Set(topics)])
}
