// Kafka addresses as inputs and outputs of a run.
import { UsageError } from '../../errors.ts'
import { kafkaAddressOf, outputTopic, parseKafkaAddress, type Environment, type KafkaAddress } from './address.ts'
import type { KafkaSinkSpec } from './kafka-spec.ts'
import type { KafkaReading, KafkaSourceSpec } from './spec.ts'
import type { TimeWindow } from './time-window.ts'

/** Whether an address is one of Kafka. */
export function isKafkaAddress(address: string): boolean {
  return /^kafka:/i.test(address)
}

/** The output schemas there are. */
export type OutputSchemaName = KafkaSinkSpec['outputSchema']

/** A topic as an output. @throws UsageError for an address that names no topic, or several */
export function kafkaSinkSpec(
  address: string | KafkaAddress,
  outputSchema: OutputSchemaName,
  environment: Environment = process.env,
): KafkaSinkSpec {
  const parsed = typeof address === 'string' ? parseKafkaAddress(address, 'producer', environment) : address
  outputTopic(parsed)
  const { shown, connection, topics, daily } = parsed
  return { kind: 'kafka', address: shownWithTopic(parsed, shown), connection, topic: topics[0]!, daily, outputSchema }
}

/** A topic named by the environment alone is shown with its name. */
function shownWithTopic({ topics }: KafkaAddress, shown: string): string {
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
    throw new UsageError('--commit needs a consumer group', { hint: 'kafka://host/topic?group=NAME' })
  }
  return sourceSpec(parsed, { kind: 'snapshot', ...window, ...(commit ? { commitFor: parsed.group } : {}) })
}

/** The topics of an address, read in some way. @throws UsageError if it names none */
export function sourceSpec(parsed: KafkaAddress, reading: KafkaReading): KafkaSourceSpec {
  const { shown, connection, topics, registry } = parsed
  if (topics.length === 0) throw new UsageError(`${shown}: names no topic`, { hint: 'kafka://host:9092/topic' })
  return { kind: 'kafka', address: shownWithTopic(parsed, shown), connection, topics, registry, reading }
}

/** The input of a stream: what was typed, or what the original's environment means. @throws UsageError if neither is there */
export function streamInput(from: string | undefined, environment: Environment): KafkaAddress {
  if (from !== undefined && !isKafkaAddress(from)) {
    throw new UsageError(`--from ${from}: a stream is read from Kafka`, { hint: 'kafka://host:9092/topic?group=NAME' })
  }
  const parsed =
    from === undefined ? kafkaAddressOf('consumer', environment) : parseKafkaAddress(from, 'consumer', environment)
  if (!parsed) {
    throw new UsageError('no input', {
      hint: 'Name it with --from kafka://host:9092/topic?group=NAME, or set CONSUMER_SERVER, CONSUMER_TOPICS and CONSUMER_GROUP_ID.',
    })
  }
  return parsed
}
