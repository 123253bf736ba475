// How Kafka is read: what an address and the flags of a run come to.
import type { RegistrySettings } from './address.ts'
import type { KafkaConnection } from './client/connection.ts'

/** Kafka as an input. */
export interface KafkaSourceSpec {
  readonly kind: 'kafka'
  /** as it may be shown */
  readonly address: string
  readonly connection: KafkaConnection
  /** names, `^` patterns, daily names */
  readonly topics: readonly string[]
  readonly registry: RegistrySettings | undefined
  readonly reading: KafkaReading
  /** a bad message ends the source: everything before it is delivered first, and it is not counted as read */
  readonly stopsAtBadMessage?: boolean
}

/** The two ways to read. */
export type KafkaReading = KafkaSnapshot | KafkaSubscription

/** All partitions by ourselves, within bounds; no group knows of it. */
export interface KafkaSnapshot {
  readonly kind: 'snapshot'
  /** messages with these timestamps (ms since 1970): `since` inclusive, `until` exclusive */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** commits for this group, at the end of what every output has; undefined: commits nothing */
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

/** What a stream can tell about itself at any time. */
export interface StreamStatus {
  readonly partitions: readonly PartitionStatus[]
  /** messages that a container had after its first, which nobody reads */
  readonly furtherRecords: number
  /** time spent decoding so far, in milliseconds */
  readonly decodeMs: number
  /** for how long the partition that is worst off cannot be fetched, in milliseconds */
  readonly unreachableMs: number
  /** things to tell people, oldest first; each call hands them over */
  takeNotices(): string[]
}

/** One partition that is ours. */
export interface PartitionStatus {
  readonly topic: string
  readonly partition: number
  /** next offset to commit; what is before is safe */
  readonly committed: bigint
  /** messages not yet safe; undefined before the first answer of the broker */
  readonly lag: bigint | undefined
}
