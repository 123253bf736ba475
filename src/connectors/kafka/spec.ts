// How Kafka is read and written: what an address and the flags of a run resolve to.
import { kafkaAddressOf, noTopic, outputTopic, parseKafkaAddress } from './address.ts'
import type { Environment, KafkaAddress } from './address.ts'
import { messageFeatures, type OutputSchema } from './output-message.ts'
import { type OutputForm, outputForm } from './output-form.ts'
import { UsageError } from '../../errors.ts'
import type { PartitionOffset } from './client/partition.ts'
import { readSchemaFiles } from './value-schema.ts'

/** Kafka as an input. */
export interface KafkaSourceSpec extends Pick<KafkaAddress, 'connection' | 'registry'> {
  readonly kind: 'kafka'
  /** as it may be shown */
  readonly address: string
  /** names, `^` patterns, daily names */
  readonly topics: readonly string[]
  readonly reading: KafkaReading
  /** files of Avro schemas, for values that are bare data of the last one's record; the others define types that it names */
  readonly schemas?: readonly string[]
  /** a bad message ends the source: everything before it is delivered first, and it does not count as read */
  readonly stopsAtBadMessage?: boolean
}

/** The two ways to read. */
export type KafkaReading = KafkaSnapshot | KafkaSubscription

/** All partitions by ourselves, within bounds; no group knows of it. */
export interface KafkaSnapshot extends TimeWindow {
  readonly kind: 'snapshot'
  /** commits for this group, up to what every output has; undefined: commits nothing */
  readonly commitFor?: string | undefined
  /** goes on with what comes after the end (a replay that catches up) */
  readonly isEndless?: boolean
  /** a batch is delivered after this even if it is not full; undefined: only full ones, and the last */
  readonly batchWaitMs?: number | undefined
}

/** Our share of the partitions, as a member of a group. */
export interface KafkaSubscription {
  readonly kind: 'group'
  readonly groupId: string
  readonly batchWaitMs: number
  readonly sessionTimeoutMs: number
  /** how often new topics and partitions are looked for */
  readonly topicsIntervalMs?: number | undefined
  /** ends when everything that was there at the start is delivered */
  readonly isDraining: boolean
}

/** A message, or the record batch that begins with it. */
export type GuardedPlace = PartitionOffset & { readonly isBatch?: boolean }

/** Knows which message is being decoded, also when that ends the process, and which ones have ended others before. */
export interface DecodeGuard {
  /** why it is not read; undefined for almost all */
  refusal(place: GuardedPlace): string | undefined
  /** It is going to be read, by this thread and before anything else. */
  enter(place: GuardedPlace): void
  /** Nothing is being decoded: other things have their turn. */
  leave(): void
  /** Looks for what ended processes have left behind, before partitions are read from here on; answers what to tell people. */
  look(from: readonly PartitionOffset[]): Promise<readonly string[]>
}

/** What a stream can tell about itself at any time. */
export interface StreamStatus {
  /** those that are ours */
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    /** next offset to commit; what is before is safe */
    readonly committed: bigint
    /** messages not yet safe; undefined before the first answer of the broker */
    readonly lag: bigint | undefined
  }[]
  /** messages that a container had after its first, which are not read */
  readonly furtherRecords: number
  /** time spent decoding so far, in milliseconds */
  readonly decodeMs: number
  /** for how long the worst-off partition could not be fetched, in milliseconds */
  readonly unreachableMs: number
  /** things to tell people, oldest first; each call hands them over */
  takeNotices(): string[]
}

/** Kafka as an output. */
export interface KafkaSinkSpec extends Pick<KafkaAddress, 'connection' | 'daily'>, OutputForm {
  readonly kind: 'kafka'
  /** as it may be shown */
  readonly address: string
  /** a name, or with `%s` one for each day */
  readonly topic: string
  readonly outputSchema: OutputSchema
  /** commands have the calibrated product too, as a classifier of its own */
  readonly calibrated?: boolean | undefined
}

/** An output of any kind, as a plan has it. */
type AnyOutput = KafkaSinkSpec | { readonly kind: Exclude<string, 'kafka'> }

const isTopic = (output: AnyOutput): output is KafkaSinkSpec => output.kind === 'kafka'

/** The features that some outputs echo as they were read (`ReadOptions.echo`); undefined where none does. */
export function echoedFeatures(
  outputs: readonly AnyOutput[],
  ofModel: readonly string[],
): readonly string[] | undefined {
  const echoing = outputs.filter(isTopic).filter(({ as = 'messages' }) => as === 'messages')
  const names = new Set(echoing.flatMap(({ outputSchema }) => messageFeatures(outputSchema, ofModel)))
  return names.size > 0 ? [...names] : undefined
}

/** What a topic gets, in words. */
export function contentText({ as = 'messages', framing = 'container', outputSchema }: KafkaSinkSpec): string {
  const what = as === 'messages' ? `${outputSchema} schema` : `commands, ${as}`
  return framing === 'schemaless' ? `${what}, schemaless` : what
}

export function isKafkaAddress(address: string): boolean {
  return /^kafka:/i.test(address)
}

/** A topic as an output. @throws UsageError for an address that names no topic, or several */
export function kafkaSinkSpec(
  address: string | KafkaAddress,
  outputSchema: OutputSchema,
  environment: Environment = process.env,
): KafkaSinkSpec {
  const parsed = typeof address === 'string' ? parseKafkaAddress(address, 'producer', environment) : address
  outputTopic(parsed)
  const { connection, topics, daily } = parsed
  const place = { address: shownWithTopic(parsed), connection, topic: topics[0]!, daily }
  return { kind: 'kafka', ...place, outputSchema, ...outputForm(parsed) }
}

/** A topic named by the environment alone is shown with its name. */
function shownWithTopic({ topics, shown }: KafkaAddress): string {
  return /^kafka:\/\/[^/?]*\/?(?:\?|$)/i.test(shown)
    ? shown.replace(/^(kafka:\/\/[^/?]*)\/?/i, `$1/${topics.join(',')}`)
    : shown
}

/** A bounded snapshot: what is in the topics when the run begins. With `commit`, its end becomes the group's offsets. */
export function kafkaSnapshotSpec(
  address: string,
  { window, commit }: { readonly window: TimeWindow; readonly commit: boolean },
  environment: Environment = process.env,
): KafkaSourceSpec {
  const parsed = parseKafkaAddress(address, 'consumer', environment)
  if (commit && parsed.group === undefined) {
    throw new UsageError('--commit needs a consumer group', { hint: 'Write kafka://host/topic?group=NAME.' })
  }
  return sourceSpec(parsed, { kind: 'snapshot', ...window, ...(commit ? { commitFor: parsed.group } : {}) })
}

/** The topics of an address, read in some way. @throws UsageError if it names none, says what an output would, or files that are no schemas */
export function sourceSpec(parsed: KafkaAddress, reading: KafkaReading): KafkaSourceSpec {
  const { connection, topics, registry, schemas, output } = parsed
  if (topics.length === 0) throw noTopic(parsed.shown)
  const [misplaced] = output.keys()
  if (misplaced !== undefined) throw new UsageError(`${parsed.shown}: ${misplaced} is only for outputs`)
  // now, because a model may take long to load; whether they fit it can only be known after that
  if (schemas.length > 0) readSchemaFiles(schemas)
  return { kind: 'kafka', address: shownWithTopic(parsed), connection, topics, registry, schemas, reading }
}

/** The input of a stream: what was typed, or what the original's environment names. @throws UsageError without either */
export function streamInput(from: string | undefined, environment: Environment): KafkaAddress {
  if (from !== undefined && !isKafkaAddress(from)) {
    const hint = 'Write kafka://host:9092/topic?group=NAME.'
    throw new UsageError(`--from ${from}: a stream is read from Kafka`, { hint })
  }
  if (from !== undefined) return parseKafkaAddress(from, 'consumer', environment)
  const parsed = kafkaAddressOf('consumer', environment)
  if (parsed) return parsed
  throw new UsageError('no input', {
    hint: 'Name it with --from kafka://host:9092/topic?group=NAME, or set CONSUMER_SERVER, CONSUMER_TOPICS and CONSUMER_GROUP_ID.',
  })
}

/** Timestamps of messages in milliseconds since 1970: `since` inclusive, `until` exclusive. */
export interface TimeWindow {
  readonly since?: number | undefined
  readonly until?: number | undefined
}

const dayMs = 24 * 3600 * 1000

/**
 * Reads the three flags: ISO-8601 (UTC unless it says otherwise) or milliseconds since 1970, and a UTC date.
 *
 * @throws UsageError for an invalid time, for an empty window and for `--on` together with the others
 */
export function timeWindow({
  since,
  until,
  on,
}: Readonly<Partial<Record<'since' | 'until' | 'on', string | undefined>>>): TimeWindow {
  if (on !== undefined) {
    if (since !== undefined || until !== undefined)
      throw new UsageError('--on cannot be combined with --since or --until')
    if (!/^\d{4}-\d{2}-\d{2}$/.test(on)) throw new UsageError(`--on ${on}: expected a date, for example 2026-11-22`)
    const start = timeOf('--on', on)
    return { since: start, until: start + dayMs }
  }
  const window = {
    ...(since === undefined ? {} : { since: timeOf('--since', since) }),
    ...(until === undefined ? {} : { until: timeOf('--until', until) }),
  }
  if (window.since !== undefined && window.until !== undefined && window.since >= window.until) {
    throw new UsageError(`--since ${since} is not before --until ${until}`)
  }
  return window
}

const isoForm = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i

function timeOf(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const found = isoForm.exec(text)
  const withZone = text.length > 10 && found?.[1] === undefined ? `${text}Z` : text
  const time = found ? Date.parse(withZone.replace(' ', 'T')) : NaN
  // Date.parse rolls the 31st of June over to July
  const isDay = new Date(`${text.slice(0, 10)}T00:00:00Z`).toJSON()?.startsWith(text.slice(0, 10)) === true
  if (Number.isNaN(time) || !isDay) {
    const hint = 'Write it like 2026-11-22 or 2026-11-22T18:00:00Z, or as milliseconds since 1970.'
    throw new UsageError(`${flag} ${text}: not a valid time`, { hint })
  }
  return time
}
