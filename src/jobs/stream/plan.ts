// Flags and the environment of the survey's steps → what a stream will do. Reads no file but the schemas that it names.
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { EngineName } from '../../model/open.ts'
import { redacted } from '../../formats/shown-text.ts'
import { UsageError } from '../../errors.ts'
import {
  type Environment,
  filled,
  type KafkaAddress,
  kafkaAddressOf,
  outputTopic,
  parseKafkaAddress,
} from '../../connectors/kafka/address.ts'
import { isPostgresAddress, postgresSinkSpec } from '../../connectors/postgres/address.ts'
import { mayTakeMjd, type OpenSink, type SinkSpec } from '../../connectors/spec.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { usualMjdColumn } from '../../pipeline/source.ts'
import {
  contentText,
  isKafkaAddress,
  type KafkaReading,
  kafkaSinkSpec,
  type KafkaSourceSpec,
  sourceSpec,
  streamInput,
  timeWindow,
} from '../../connectors/kafka/spec.ts'
import type { StreamFlags } from '../../terminal/flags.ts'
import type { DeadLetterTopic, KafkaConnection, TopicName } from '../../connectors/kafka/client/connection-settings.ts'
import type { DecodeLimits } from './decode-guard.ts'
import { type ExtraColumns, filePathOf } from '../../connectors/address.ts'
import { isUnnamed, namedForm } from '../../connectors/result-form.ts'
import { planWatch, type WatchPlan } from '../watch/plan.ts'
import { stepOutputs } from './step-outputs.ts'
import {
  consumerEnvironment,
  minDetections,
  prometheusPort,
  type StepModel,
  stepModel,
  unusedSettings,
} from './step-settings.ts'

/** Where results of a stream go. */
type StreamOutput = Extract<SinkSpec, { kind: 'kafka' | 'postgres' | 'stdout' | 'custom' }>

/** Where dead letters go. */
type DeadLetterPlace = { readonly kind: 'file'; readonly path: string } | (DeadLetterTopic & { kind: 'kafka' })

/** Where metrics messages go. */
export interface MetricsTopic {
  readonly connection: KafkaConnection
  readonly topic: TopicName
  /** the step takes messages one by one: scalars instead of lists, as its first version wrote them */
  readonly isSingle: boolean
}

/** What happens to messages that cannot be read, or lack oid or candid. */
export type BadMessagePolicy = 'dead-letter' | 'skip' | 'stop'

/** What a stream will do: everything that flags and environment decide, resolved. */
export interface StreamPlan {
  readonly source: KafkaSourceSpec
  readonly batchSize: number
  /** undefined: the one of `stepModel.path`, else the newest of the store */
  readonly model: string | undefined
  /** what the steps' settings say of the model */
  readonly stepModel: StepModel
  /** undefined: any number will do */
  readonly minDetections: number | undefined
  /** undefined: no output wants it */
  readonly mjdColumn: string | undefined
  /** whether an empty store may be filled by a download */
  readonly mayPull: boolean
  readonly engine: EngineName | undefined
  readonly threads: number
  /** in the order in which a batch is written to them: the database first, as readers of the topic may look there */
  readonly outputs: readonly StreamOutput[]
  /** on stdout, and for sinks of a program's own */
  readonly extras: ExtraColumns
  readonly delivery: StreamFlags['delivery']
  readonly deadLetters: DeadLetterPlace | undefined
  readonly onBadMessage: BadMessagePolicy
  readonly metrics: MetricsTopic | undefined
  readonly metricsPort: number | undefined
  /** undefined: nobody wants it */
  readonly watch: WatchPlan | undefined
  readonly decoding: DecodeLimits
  readonly isVerbose: boolean
  /** the file of settings, if there is one */
  readonly settingsFrom?: string | undefined
  /** settings that have no effect, one sentence each */
  readonly notes: readonly string[]
}

/** The group of a stream; undefined for a replay, which is not a member of any. */
export function groupOf({ source: { reading } }: Pick<StreamPlan, 'source'>): string | undefined {
  return reading.kind === 'group' ? reading.groupId : undefined
}

/** The flags, where `to` may hold sinks of a program's own. */
export type StreamAsked = Omit<
  StreamFlags,
  'to' | 'dryRun' | 'config' | 'calibrated' | 'novelty' | 'watch' | 'watchQuality'
> & {
  readonly watch?: boolean | undefined
  readonly watchQuality?: boolean | undefined
  readonly calibrated?: boolean | undefined
  readonly novelty?: boolean | undefined
  readonly to?: readonly (string | Sink | OpenSink)[] | undefined
}

/** Decides what a stream does. @throws UsageError */
export function planStream(flags: StreamAsked, environment: Environment): StreamPlan {
  const consumer = consumerEnvironment(environment, flags.from !== undefined)
  const input = streamInput(flags.from, consumer.environment)
  const reading = readingOf(flags, input, environment)
  const deadLetters = flags.deadLetter === undefined ? undefined : deadLetterPlace(flags.deadLetter, environment)
  const onBadMessage = flags.onBadMessage ?? (deadLetters ? 'dead-letter' : 'stop')
  if (onBadMessage === 'dead-letter' && !deadLetters) {
    throw new UsageError('--on-bad-message dead-letter needs --dead-letter kafka://host/topic or FILE.ndjson')
  }
  const { outputs, unnamed } = namedOutputs(outputsOf(flags, environment), flags)
  const { model, engine, threads, delivery, calibrated, sets, novelty } = flags
  const { metricsPort = prometheusPort(environment) } = flags
  const batchSize = flags.batchSize ?? batchSizeOf(environment)
  if (delivery === 'exactly-once') refuseInexact(reading, outputs, deadLetters)
  return {
    source: { ...sourceSpec(input, reading), stopsAtBadMessage: onBadMessage === 'stop' },
    ...{ batchSize, model, engine, threads, outputs, delivery, deadLetters, onBadMessage, metricsPort },
    extras: { calibrated, sets, novelty },
    watch: planWatch(flags, environment, { isReplay: reading.kind !== 'group' }),
    stepModel: stepModel(environment, Boolean(model)),
    minDetections: minDetections(environment),
    mjdColumn: outputs.some(mayTakeMjd) ? (flags.mjdColumn ?? usualMjdColumn) : undefined,
    mayPull: environment['LCCLF_PULL'] !== 'never',
    metrics: metricsOf(batchSize, environment),
    decoding: decodingOf(input, reading, environment),
    isVerbose: filled(environment['LOGGING_DEBUG']) !== undefined,
    notes: [...consumer.notes, ...unusedSettings(environment), ...unnamed],
  }
}

function batchSizeOf(environment: Environment): number {
  const size = numberOf('CONSUME_MESSAGES', 1000, environment)
  if (Number.isInteger(size) && size <= 100_000) return size
  throw new UsageError(`CONSUME_MESSAGES=${size}: expected a whole number from 1 to 100000`)
}

function readingOf(flags: StreamAsked, input: KafkaAddress, environment: Environment): KafkaReading {
  const window = timeWindow(flags)
  const batchWaitMs = (flags.batchTimeout ?? numberOf('CONSUME_TIMEOUT', 10, environment)) * 1000
  if (!flags.commit) return { kind: 'snapshot', ...window, batchWaitMs, isEndless: !flags.untilCaughtUp }
  if (Object.keys(window).length > 0) {
    throw new UsageError('--since, --until and --on replay old messages, and need --no-commit', {
      hint: 'A replay reads all partitions by itself and leaves the live group as it is.',
    })
  }
  if (input.group === undefined) {
    throw new UsageError('a stream needs a consumer group', {
      hint: 'Add ?group=NAME to the address, or set CONSUMER_GROUP_ID.',
    })
  }
  const { group: groupId, sessionTimeoutMs } = input
  return { kind: 'group', groupId, batchWaitMs, sessionTimeoutMs, isDraining: flags.untilCaughtUp }
}

/** Any `--to` replaces all outputs of the environment. */
function outputsOf(flags: StreamAsked, environment: Environment): StreamOutput[] {
  const outputs = [...new Set(flags.to)].map((output) => outputOf(output, flags, environment))
  if (outputs.length === 0) outputs.push(...stepOutputs(flags, environment))
  if (outputs.length === 0) {
    throw new UsageError('no output', {
      hint: 'Name one with --to kafka://host:9092/topic or postgres://…, or set PRODUCER_SERVER and PRODUCER_TOPIC, SCRIBE_SERVER and SCRIBE_TOPIC, or DB_HOST.',
    })
  }
  const order = ['postgres', 'kafka', 'stdout', 'custom']
  return outputs.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

/**
 * What is asked beside the survey's numbers, given to those outputs that name their classifiers. Beside them a topic of messages
 * stays as it is, and a note says so; alone it is refused.
 */
function namedOutputs(
  outputs: readonly StreamOutput[],
  { calibrated, sets, novelty }: Pick<StreamAsked, 'calibrated' | 'sets' | 'novelty'>,
) {
  const unnamed = calibrated && !outputs.every(isUnnamed) ? outputs.filter(isUnnamed) : []
  const formed = outputs.map((output) => {
    if (output.kind !== 'kafka' && output.kind !== 'postgres') return output
    return namedForm(output, { sets, novelty, calibrated: unnamed.includes(output) ? false : calibrated })
  })
  const notes = unnamed.map(
    ({ address }) => `--calibrated: the messages of ${address} name no classifier, and hold the survey's numbers only`,
  )
  return { outputs: formed, unnamed: notes }
}

function outputOf(
  output: string | Sink | OpenSink,
  { outputSchema = 'original', missingObject, calibrated, sets, novelty }: StreamAsked,
  environment: Environment,
): StreamOutput {
  const address = typeof output === 'string' ? output : typeof output === 'function' ? 'own sink' : output.address
  if (typeof output === 'function') return { kind: 'custom', address, open: output }
  if (typeof output === 'object') return { kind: 'custom', address, open: () => Promise.resolve(output) }
  if (isKafkaAddress(address)) return kafkaSinkSpec(address, outputSchema, environment)
  if (isPostgresAddress(address)) return postgresSinkSpec(address, missingObject, environment)
  if (address === '-')
    return { kind: 'stdout', address: '-', format: 'ndjson', layout: 'nested', extras: { calibrated, sets, novelty } }
  filePathOf(address, 'output')
  throw new UsageError(`--to ${address}: a stream has no end, and a file is whole only then`, {
    hint: 'Use kafka://…, postgres://…, or - for NDJSON on stdout. lcclf classify kafka://… writes files.',
  })
}

function deadLetterPlace(address: string, environment: Environment): DeadLetterPlace {
  if (!isKafkaAddress(address)) return { kind: 'file', path: filePathOf(address, 'output') }
  const others = { ...environment, PRODUCER_TOPIC: undefined, PRODUCER_TOPIC_FORMAT: undefined }
  // a dead letter must not end up among the results because its address names no topic
  const parsed = parseKafkaAddress(address, 'producer', others)
  const [form] = parsed.output.keys()
  if (form !== undefined) throw new UsageError(`--dead-letter ${parsed.shown}: ${form} is only for results`)
  return { kind: 'kafka', address: parsed.shown, connection: parsed.connection, topic: outputTopic(parsed) }
}

function metricsOf(batchSize: number, environment: Environment): MetricsTopic | undefined {
  const parsed = kafkaAddressOf('metrics', environment)
  if (!parsed) return undefined
  if (parsed.topics.length === 0) throw new UsageError('METRICS_HOST is set, but METRICS_TOPIC is not')
  return { connection: parsed.connection, topic: outputTopic(parsed), isSingle: batchSize === 1 }
}

/** Marks are kept in `$LCCLF_HOME/streams`, else in the XDG state folder, one folder for each group of each cluster. */
function decodingOf({ connection }: KafkaAddress, reading: KafkaReading, environment: Environment): DecodeLimits {
  const home = filled(environment['LCCLF_HOME'])
  const state = filled(environment['XDG_STATE_HOME'])
  const group = reading.kind === 'group' ? reading.groupId : 'replay'
  const place = createHash('sha256')
    .update(`${[...connection.brokers].sort().join()} ${group}`)
    .digest('hex')
  return {
    milliseconds: numberOf('LCCLF_DECODE_SECONDS', 30, environment) * 1000,
    bytes: numberOf('LCCLF_DECODE_MEGABYTES', 1000, environment) * 1e6,
    root: home ?? state ?? homedir(),
    folder: join(home ?? join(state ?? join(homedir(), '.local', 'state'), 'lcclf'), 'streams', place.slice(0, 16)),
  }
}

function numberOf(name: string, usual: number, environment: Environment): number {
  const text = filled(environment[name])
  const value = text === undefined ? usual : Number(text)
  if (value > 0 && value < 1e6) return value
  throw new UsageError(`${name}=${text}: expected a number above 0`)
}

function refuseInexact(
  reading: KafkaReading,
  outputs: readonly StreamOutput[],
  deadLetters: DeadLetterPlace | undefined,
): void {
  const why =
    reading.kind !== 'group'
      ? 'commits offsets, and --no-commit does not'
      : outputs.some(({ kind }) => kind === 'stdout')
        ? 'cannot take back what is on stdout'
        : outputs.some(({ kind }) => kind === 'custom')
          ? 'cannot take back what a sink of your own has'
          : deadLetters?.kind === 'file'
            ? 'cannot take back what is in a file of dead letters: use a topic'
            : undefined
  if (why !== undefined) throw new UsageError(`--delivery exactly-once ${why}`)
}

/** `--dry-run`: the plan as lines for a terminal, without a secret. */
export function describeStream(plan: StreamPlan): string {
  const { source, outputs, delivery, batchSize, onBadMessage, deadLetters, metrics, metricsPort, notes } = plan
  const bad = deadLetters && `, to ${deadLetters.kind === 'file' ? deadLetters.path : deadLetters.address}`
  const security = securityText(source.connection)
  const rows: [string, string | undefined][] = [
    ['settings', plan.settingsFrom],
    ['input', `${source.address}${security && ` (${security.slice(2)})`}`],
    ['reading', readingText(source.reading)],
    ['group', groupOf(plan)],
    ...(source.schemas ?? []).map((file): [string, string] => ['schema', file]),
    ['at least', plan.minDetections === undefined ? undefined : `${plan.minDetections} detections that are not forced`],
    ...outputs.map((output): [string, string] => ['output', outputText(output)]),
    ['delivery', delivery],
    ['batches', `${batchSize} messages, or what there is after ${source.reading.batchWaitMs! / 1000} s`],
    ['bad', `${onBadMessage}${bad ?? ''}`],
    ['model', modelText(plan)],
    ['metrics', metrics ? `${metrics.connection.brokers.join(',')} ${metrics.topic(new Date())}` : 'none'],
    ['watch', watchText(plan.watch)],
    ['page', metricsPort === undefined ? undefined : `port ${metricsPort}: /metrics /healthz /readyz`],
    ...notes.map((note): [string, string] => ['note', note]),
  ]
  const lines = rows.filter(([, text]) => text !== undefined).map(([name, text]) => `${name.padEnd(9)}${text}\n`)
  return `${lines.join('')}Nothing was read or written.\n`
}

function watchText(watch: WatchPlan | undefined): string | undefined {
  if (!watch) return undefined
  const { memory, isReplay, alerts } = watch
  const where = memory === 'none' ? 'no memory' : memory === 'default' ? 'a file beside the model store' : memory.file
  const whom = alerts.map(({ address }) => `, tells ${address}`).join('')
  return `${where}${isReplay && memory !== 'none' ? ', to which a replay adds nothing' : ''}${whom}`
}

function modelText({ model, stepModel: { path, name, version } }: StreamPlan): string {
  if (model) return model
  if (path === undefined) return 'the newest of the store'
  const named = name === undefined || version === undefined ? '' : ` (${name}@${version}, if it must be imported first)`
  return `${redacted(path)}${named}`
}

function readingText(reading: KafkaReading): string {
  if (reading.kind === 'group') return reading.isDraining ? 'until it has caught up' : 'for ever'
  const bound = (time: number | undefined, word: string): string =>
    time === undefined ? '' : ` ${word} ${new Date(time).toISOString()}`
  const end = reading.until === undefined && reading.isEndless === true ? ' and on' : ''
  return `a replay${bound(reading.since, 'since')}${bound(reading.until, 'until')}${end}, nothing is committed`
}

/** `, TLS, SCRAM-SHA-512 as lcclf`; empty for plain text. */
function securityText({ sasl, tls }: KafkaConnection): string {
  return `${tls ? ', TLS' : ''}${sasl ? `, ${sasl.mechanism} as ${sasl.username}` : ''}`
}

function outputText(output: StreamOutput): string {
  if (output.kind === 'stdout') return 'stdout, NDJSON'
  if (output.kind !== 'kafka') return output.address
  const { dateFormat, changeHour } = output.daily
  const daily = output.topic.includes('%s') ? `, a topic a day, ${dateFormat} from ${changeHour}:00 UTC` : ''
  return `${output.address} (${contentText(output)}${daily}${securityText(output.connection)})`
}
