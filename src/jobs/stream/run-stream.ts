// A stream: opened, run until its end or a signal, and closed in ten seconds whatever hangs.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTransactionalOutlet, requireOneCluster } from '../../connectors/kafka/client/outlet.ts'
import { openKafkaSink } from '../../connectors/kafka/kafka-sink.ts'
import { openKafkaSource } from '../../connectors/kafka/kafka-source.ts'
import { echoedFeatures } from '../../connectors/kafka/spec.ts'
import { dailyTopic } from '../../connectors/kafka/topics.ts'
import { openSink } from '../../connectors/open-connector.ts'
import type { OpenSink } from '../../connectors/spec.ts'
import { BalanceError, ServiceError } from '../../errors.ts'
import { readProfile } from '../../model/bundle/read-bundle.ts'
import { readBundleCalibration } from '../../model/calibration/bundle-calibration.ts'
import { withCalibration } from '../../model/calibration/calibrate-batch.ts'
import { openClassifier } from '../../model/open.ts'
import type { Ledger } from '../../pipeline/ledger.ts'
import { openDecodeGuard } from './decode-guard.ts'
import { createHealth, openMetricsServer } from './health.ts'
import { openOriginalMetrics } from './metrics-topic.ts'
import { createPrometheus } from './prometheus.ts'
import { openJournal } from './journal.ts'
import { differences, modelOfStep } from './step-model.ts'
import { type Log, type LogFields, logTo, type Severity } from '../../terminal/log.ts'
import { streamBatches, type StreamWatch } from './stream-batches.ts'
import { planConfigured } from './configured-plan.ts'
import { groupOf, type StreamPlan } from './plan.ts'
import { interruptsOf, type InterruptWatch } from '../../terminal/interrupt.ts'
import type { StreamFlags } from '../../terminal/flags.ts'
import { logTransfer } from '../../terminal/progress.ts'
import { cacheFolder, modelLine } from '../../model/store/model-reference.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { readOptions } from '../../pipeline/source.ts'
import { liveModel } from '../models/pull.ts'
import { openWatch, type WatchVoice } from '../watch/open-watch.ts'
import type { WatchPlan } from '../watch/plan.ts'
import type { Alarm } from '../../model/watch/alarm.ts'
import { openDeadLetterFile, openDeadLetterTopic } from '../../connectors/kafka/dead-letters.ts'

/** after the first signal: the batch in hand has this long, and closing the rest of ten seconds */
const finishWithinMs = 7500
const closeWithinMs = 2000

/** What a program asks of a stream: what the flags of `lcclf stream` say, and outputs of its own. */
export type StreamOptions = Partial<Omit<StreamFlags, 'to' | 'dryRun'>> & {
  /** addresses as for `--to`, sinks, or functions that open a sink once the model is known */
  readonly to?: readonly (string | Sink | OpenSink)[]
  /** ends the stream: the batch in hand is finished and acknowledged first */
  readonly signal?: AbortSignal
  /** told what the command would log, one sentence and its details at a time */
  readonly onMessage?: (severity: Severity, message: string, details: LogFields) => void
}

/**
 * Classifies messages from Kafka as they arrive, as `lcclf stream` does, until the topics are read up (`untilCaughtUp`) or
 * the signal comes. A batch is acknowledged once every output has it. What is left out of the options is taken from the
 * environment of the survey's steps (`CONSUMER_…`, `PRODUCER_…`, `DB_…`), or from `config`, their file of settings. Nothing
 * is printed.
 *
 * @example
 * const stopping = new AbortController()
 * await runStream({ from: 'kafka://broker:9092/features?group=mine', to: [mySink], signal: stopping.signal })
 *
 * @throws UsageError for options that exclude each other, ModelError, DataError for a message that cannot be read (see
 *   `onBadMessage`), ServiceError, BalanceError; InterruptedError after the signal, when everything in hand is done
 */
export async function runStream({ signal, onMessage, to, ...options }: StreamOptions): Promise<void> {
  const flags = { ...streamDefaults, ...options, to: to ?? [] }
  const plan = await planConfigured(flags, process.env)
  await followPlan(plan, { log: logTo(onMessage ?? (() => undefined)), interrupts: interruptsOf(signal) })
}

const streamDefaults = {
  threads: 0,
  delivery: 'at-least-once',
  commit: true,
  untilCaughtUp: false,
  missingObject: 'wait',
  json: false,
} as const

/**
 * Runs a stream until its source ends or the signal comes. What it has to say goes to the log, and nowhere else.
 *
 * @param options `ownsProcess`: a message that takes too much to decode may end the process
 * @throws LcclfError; InterruptedError after a signal
 */
export async function followPlan(
  plan: StreamPlan,
  options: { readonly log: Log; readonly interrupts: InterruptWatch; readonly ownsProcess?: boolean },
): Promise<void> {
  const { log, interrupts, ownsProcess = false } = options
  const { signal } = interrupts
  const opened: Closable[] = []
  const keep = <T extends Closable>(one: T): T => {
    opened.push(one)
    return one
  }
  const health = createHealth()
  let isLastCommitted = true
  const committing: StreamWatch = {
    onCommitted: () => void (isLastCommitted = true),
    onNotCommitted: () => void (isLastCommitted = false),
  }
  const watches: StreamWatch[] = [health, committing]
  let hasBegun = false
  async function run(): Promise<void> {
    const prometheus = plan.metricsPort === undefined ? undefined : await createPrometheus()
    if (prometheus) {
      watches.push(prometheus)
      const { port } = keep(await openMetricsServer(plan.metricsPort!, prometheus, health))
      log.info(`metrics are at port ${port}`, { port })
    }
    for (const note of plan.notes) log.warn(note)
    const parts = await openStream(plan, { keep, onStep: (doing) => health.step(doing), log, interrupts, ownsProcess })
    if (plan.metrics) watches.push(keep(await openOriginalMetrics(plan.metrics, log)))
    const journal = openJournal(log, parts.source)
    watches.push(journal)
    health.watch(parts.source)
    health.step(undefined)
    prometheus?.watch(parts.source, parts.sinks)
    prometheus?.showModel(parts.classifier.identity)
    for (const note of parts.sinks.flatMap((sink) => sink.notes ?? [])) log.warn(note)
    sayBeginning(plan, parts.classifier.identity.classifierVersion, log)
    if (signal.aborted) return
    hasBegun = true
    const night = plan.watch && keep(await openStreamWatch(plan.watch, parts, log))
    if (night) prometheus?.showWatch(night.view)
    const { classifier } = night ?? parts
    const running = streamBatches({ ...parts, classifier, onBadMessage: plan.onBadMessage, watches, signal })
    const ledger = await running.finally(() => journal.close())
    night?.finish()
    await night?.close()
    sayEnd(ledger, log)
  }
  try {
    await unlessHeldUp(signal, run, () => hasBegun)
  } finally {
    health.step('ending')
    // the group first: the others get its partitions at once
    await Promise.race([closeInTurn(opened), sleep(closeWithinMs, undefined, { ref: false })])
  }
  interrupts.check(
    isLastCommitted
      ? 'the batch in hand was finished and acknowledged'
      : 'the batch in hand could not be committed, and is read again after the next start',
  )
}

/**
 * A stream that was told to end has some seconds for its batch; whatever is not committed then is read again. One that has
 * not begun has no batch: what it is opening is not waited for.
 */
async function unlessHeldUp(signal: AbortSignal, run: () => Promise<void>, hasBegun: () => boolean): Promise<void> {
  const ended = new AbortController()
  const late = once(signal, 'abort', { signal: ended.signal }).then(async () => {
    if (!hasBegun()) return
    await sleep(finishWithinMs, undefined, { signal: ended.signal })
    throw new ServiceError(`the batch in hand could not be finished within ${finishWithinMs / 1000} s of the signal`, {
      hint: 'Nothing of it is committed; it is read again after the next start.',
    })
  })
  try {
    await Promise.race([run(), late])
  } finally {
    ended.abort()
  }
}

function openStreamWatch(plan: WatchPlan, parts: Awaited<ReturnType<typeof openStream>>, log: Log) {
  const fields = ({ id, kind, families, first, last, objects }: Alarm): LogFields => ({
    alarm: { id, kind, families, first, last, objects },
  })
  const voice: WatchVoice = {
    begun: (message, alarm) => log.warn(message, fields(alarm)),
    told: (message, alarm) => log.info(message, alarm && fields(alarm)),
    warn: (message) => log.warn(message),
  }
  const { classifier, profile, calibration } = parts
  return openWatch(classifier, { plan, profile, calibration, voice })
}

/** The source is closed before what it was opened after, and the page of the metrics last. */
async function closeInTurn(opened: readonly Closable[]): Promise<void> {
  const isSource = (one: Closable): boolean => 'deliveries' in one
  const others = [...opened].reverse().filter((one) => !isSource(one))
  for (const group of [opened.filter(isSource), others]) await Promise.allSettled(group.map((one) => one.close()))
}

function sayBeginning(plan: StreamPlan, classifierVersion: string, log: Log): void {
  const { topics } = plan.source
  log.info(`${classifierVersion} reads ${topics.join(', ')}`, {
    topics,
    group: groupOf(plan) ?? null,
    outputs: plan.outputs.map(({ address }) => address),
    delivery: plan.delivery,
  })
}

function sayEnd({ totals, inputs, outputs, isBalanced }: Ledger, log: Log): void {
  const { read, classified, rejected, refused } = totals
  log.info(`${read} messages read, ${classified} classified`, {
    ...{ read, classified, rejected, refused },
    reasons: inputs[0]?.reasons,
    outputs: outputs.map(({ address, ...counts }) => ({ address, ...counts })),
  })
  if (!isBalanced) throw new BalanceError('the counts do not add up: messages were lost or counted twice')
}

/** A thing to close. */
interface Closable {
  close(): Promise<void>
}

/**
 * Opens a stream: the model (which answers its golden rows), the brokers, the outputs. Nothing is joined or written before
 * it runs. `profile` is of the model's usual inputs, if they are watched and the bundle has one.
 *
 * @param options `keep` takes what was opened, to be closed whatever happens; `onStep` is told what is being opened,
 * the log how the download of a model goes, if the store has none
 * @throws ModelError, ServiceError, UsageError
 */
async function openStream(
  plan: StreamPlan,
  options: {
    readonly keep: <T extends Closable>(opened: T) => T
    readonly onStep: (doing: string) => void
    readonly log: Log
    readonly interrupts: InterruptWatch
    readonly ownsProcess: boolean
  },
) {
  const { keep, onStep, log, interrupts, ownsProcess } = options
  const { engine, threads, mayPull, batchSize, outputs, minDetections, mjdColumn } = plan
  onStep('verifying the model')
  const progress = logTransfer((line) => log.info(line))
  const how = { interrupts, progress, mayPull }
  const chosen = (await modelOfStep(plan.stepModel, how)) ?? (await liveModel(plan.model, how))
  const { directory } = chosen
  const profile = plan.watch ? await readProfile(directory) : undefined
  const calibration = plan.watch ? await readBundleCalibration(directory) : undefined
  const { novelty } = plan.extras
  const opened = keep(await openClassifier(directory, { engine, threads, novelty, cacheFolder: cacheFolder() }))
  const classifier = withCalibration(opened, plan.extras)
  const { features, preprocessing, taxonomy, identity } = classifier
  log.info(modelLine(identity, chosen))
  for (const note of differences(plan.stepModel, { ...identity, taxonomy })) log.warn(note)
  onStep('reaching the brokers')
  const outlet = plan.delivery === 'exactly-once' ? keep(await openTransaction(plan)) : undefined
  const echo = echoedFeatures(outputs, features)
  const reading = readOptions({ features, preprocessing, batchSize, echo, minDetections, mjdColumn })
  const guard = ownsProcess ? keep(openDecodeGuard(plan.decoding, (note) => log.warn(note))) : undefined
  const source = keep(await openKafkaSource(plan.source, reading, outlet, guard))
  onStep('opening the outputs')
  const { classifierVersion, version: modelVersion, sha256: modelSha256 } = identity
  const context = { schema: source.schema, taxonomy, classifierVersion, modelVersion, features, modelSha256 }
  const sinks: Sink[] = []
  for (const output of outputs) {
    sinks.push(
      keep(await (output.kind === 'kafka' ? openKafkaSink(output, context, outlet) : openSink(output, context))),
    )
  }
  const place = plan.deadLetters
  const deadLetters =
    place && keep(await (place.kind === 'file' ? openDeadLetterFile(place.path) : openDeadLetterTopic(place, outlet)))
  return { source, classifier, profile, calibration, sinks, deadLetters }
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
