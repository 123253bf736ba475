// Everything a stream needs, opened in the order in which it can fail early, and closed in the opposite one.
import { randomUUID } from 'node:crypto'
import type { Classifier } from '../../pipeline/classifier.ts'
import { openClassifier } from '../../model/open.ts'
import {
  openTransactionalOutlet,
  requireOneCluster,
  type TransactionalOutlet,
} from '../../connectors/kafka/client/outlet.ts'
import type { InputProfile } from '../../model/bundle/input-profile.ts'
import { readProfile } from '../../model/bundle/read-bundle.ts'
import { dailyTopic } from '../../connectors/kafka/topics.ts'
import { echoedFeatures } from '../../connectors/kafka/spec.ts'
import { openKafkaSink } from '../../connectors/kafka/kafka-sink.ts'
import { openSink } from '../../connectors/open-sink.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import type { KafkaStream } from '../../connectors/kafka/live.ts'
import { openKafkaSource } from '../../connectors/kafka/kafka-source.ts'
import { type DeadLetterOutlet, openDeadLetterFile, openDeadLetterTopic } from './dead-letter-outlet.ts'
import type { InterruptWatch } from '../../terminal/interrupt.ts'
import { liveModel } from '../models/pull.ts'
import { cacheFolder } from '../../model/store/model-reference.ts'
import type { StreamOutput, StreamPlan } from './plan.ts'
import type { TransferProgress } from '../../terminal/progress.ts'

/** A thing to close. */
export interface Closable {
  close(): Promise<void>
}

/** What a stream is made of. */
export interface OpenedStream {
  readonly source: KafkaStream
  readonly classifier: Classifier
  /** of the model's usual inputs, where they are watched and the bundle has one */
  readonly profile: InputProfile | undefined
  readonly sinks: readonly Sink[]
  readonly deadLetters: DeadLetterOutlet | undefined
}

/** See openStream. */
interface OpenStreamOptions {
  /** takes what was opened, to be closed whatever happens */
  readonly keep: <T extends Closable>(opened: T) => T
  /** told what is being opened */
  readonly onStep: (doing: string) => void
  /** told how the download of a model goes, where the store has none */
  readonly transfer: TransferProgress
  readonly interrupts: InterruptWatch
}

/**
 * Opens a stream: the model (which answers its golden rows), the brokers, the outputs. Nothing is joined or written before
 * it runs.
 *
 * @throws ModelError, ServiceError, UsageError
 */
export async function openStream(plan: StreamPlan, options: OpenStreamOptions): Promise<OpenedStream> {
  const { keep, onStep, transfer, interrupts } = options
  onStep('verifying the model')
  const { engine, threads } = plan
  const mayPull = process.env['LCCLF_PULL'] !== 'never'
  const model = await liveModel(plan.model, { interrupts, progress: transfer, mayPull })
  const profile = plan.watchesQuality === true ? await readProfile(model) : undefined
  const classifier = keep(await openClassifier(model, { engine, threads, cacheFolder: cacheFolder() }))
  onStep('reaching the brokers')
  const outlet = plan.delivery === 'exactly-once' ? keep(await openTransaction(plan)) : undefined
  const source = keep(await openInput(plan, classifier, outlet))
  onStep('opening the outputs')
  const { taxonomy, identity } = classifier
  const { classifierVersion, sha256: modelSha256 } = identity
  const context = { schema: source.schema, taxonomy, classifierVersion, modelSha256 }
  const sinks: Sink[] = []
  for (const output of plan.outputs) {
    sinks.push(keep(await openOutput(output, { context, outlet })))
  }
  const deadLetters = plan.deadLetters && keep(await openDeadLetters(plan.deadLetters, outlet))
  return { source, classifier, profile, sinks, deadLetters }
}

/** Nobody else's name: members that come and go are fenced by the group's generation, not by a name they share. */
async function openTransaction({ source, outputs, deadLetters, groupId }: StreamPlan): Promise<TransactionalOutlet> {
  const kafka = outputs.filter((output) => output.kind === 'kafka')
  const others = [...kafka, ...(deadLetters?.kind === 'kafka' ? [deadLetters] : [])]
  await requireOneCluster([source.connection, ...others.map(({ connection }) => connection)])
  const now = new Date()
  const topics = kafka.map(({ topic, daily }) => dailyTopic(topic, daily)(now))
  if (deadLetters?.kind === 'kafka') topics.push(deadLetters.topic(now))
  return openTransactionalOutlet(source.connection, `lcclf-${groupId}-${randomUUID()}`, [...new Set(topics)])
}

function openInput(
  { source, outputs, batchSize }: StreamPlan,
  { features, preprocessing }: Classifier,
  outlet: TransactionalOutlet | undefined,
): Promise<KafkaStream> {
  const options = {
    features,
    preprocessing,
    batchSize,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: new Map<string, string>(),
    allowance: { remaining: Infinity },
    ...(outputs.some(({ kind }) => kind === 'kafka') ? { echo: echoedFeatures } : {}),
  }
  return openKafkaSource(source, options, {
    commitWithOutputs: outlet && ((offsets, committer) => outlet.commit(offsets, committer)),
    discardOutputs: outlet && (() => outlet.discard()),
  })
}

function openOutput(
  output: StreamOutput,
  { context, outlet }: { context: SinkContext; outlet: TransactionalOutlet | undefined },
): Promise<Sink> {
  return output.kind === 'kafka' ? openKafkaSink(output, context, outlet) : openSink(output, context)
}

function openDeadLetters(
  place: NonNullable<StreamPlan['deadLetters']>,
  outlet: TransactionalOutlet | undefined,
): Promise<DeadLetterOutlet> {
  return place.kind === 'file' ? Promise.resolve(openDeadLetterFile(place.path)) : openDeadLetterTopic(place, outlet)
}
