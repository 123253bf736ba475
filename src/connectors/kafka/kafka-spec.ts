// How Kafka is written: what an address and the flags of a run come to.
import { outputFeatures, type OutputSchema } from './output-message-schema.ts'
import type { DailySettings } from './address.ts'
import type { KafkaConnection } from './client/connection.ts'

/** Kafka as an output. */
export interface KafkaSinkSpec {
  readonly kind: 'kafka'
  /** as it may be shown */
  readonly address: string
  readonly connection: KafkaConnection
  /** a name, or one with `%s` for each day */
  readonly topic: string
  readonly daily: DailySettings
  readonly outputSchema: OutputSchema
}

/** What output messages echo: the names to ask a source for (`ReadOptions.echo`). */
export const echoedFeatures: readonly string[] = outputFeatures.map(({ name }) => name)
