// What is known of how to reach a cluster: plain values, without the library, whose types not every TypeScript understands.

/** Settings of a connection. They may be printed: the password is behind a function. */
export interface KafkaConnection {
  /** `host:port` */
  readonly brokers: readonly string[]
  readonly sasl?: SaslSettings | undefined
  readonly tls?: TlsSettings | undefined
  /** how long a broker may be away before a run gives up, in milliseconds */
  readonly patienceMs: number
}

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

export interface SaslSettings {
  readonly mechanism: (typeof saslMechanisms)[number]
  readonly username: string
  readonly password: () => string
}

/** Encryption; without a CA the system's own are trusted. */
export interface TlsSettings {
  /** path of a PEM file, or the PEM text */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** The topic to write to now. */
export type TopicName = (now: Date) => string

/** A topic for dead letters. */
export interface DeadLetterTopic {
  /** as it may be shown */
  readonly address: string
  readonly connection: KafkaConnection
  readonly topic: TopicName
}
