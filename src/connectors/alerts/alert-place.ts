// Where alarms are told: a topic, or a webhook.
import { UsageError } from '../../errors.ts'
import { type Environment, outputTopic, parseKafkaAddress } from '../kafka/address.ts'
import type { DeadLetterTopic } from '../kafka/client/connection-settings.ts'
import { isKafkaAddress } from '../kafka/spec.ts'

/** `address`: as it may be shown, without what may be secret. */
export type AlertPlace =
  | (DeadLetterTopic & { readonly kind: 'kafka' })
  | { readonly kind: 'webhook'; readonly address: string; readonly url: () => URL }

/** @throws UsageError */
export function alertPlace(address: string, environment: Environment): AlertPlace {
  if (isKafkaAddress(address)) return topicPlace(address, environment)
  if (!/^https?:\/\//i.test(address)) {
    throw new UsageError('--alert: expected kafka://host:9092/topic or https://…', {
      hint: 'What was given is not shown: it may hold a secret.',
    })
  }
  let url: URL
  try {
    url = new URL(address)
  } catch {
    // the library's message has the address
    throw new UsageError('--alert: the address of the webhook cannot be read')
  }
  // the path of a webhook is its password
  return { kind: 'webhook', address: `${url.protocol}//${url.host}/…`, url: () => url }
}

function topicPlace(address: string, environment: Environment): AlertPlace {
  // an alarm must not end up among the results because its address names no topic
  const others = { ...environment, PRODUCER_TOPIC: undefined, PRODUCER_TOPIC_FORMAT: undefined }
  const parsed = parseKafkaAddress(address, 'producer', others)
  const [form] = parsed.output.keys()
  if (form !== undefined) throw new UsageError(`--alert ${parsed.shown}: ${form} is only for results`)
  return { kind: 'kafka', address: parsed.shown, connection: parsed.connection, topic: outputTopic(parsed) }
}
