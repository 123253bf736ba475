// How to reach a cluster: brokers, credentials, certificates.

/** Settings of a connection. They may be printed: the password is behind a function. */
export interface KafkaConnection {
  /** `host:port` */
  readonly brokers: readonly string[]
  readonly sasl?: SaslSettings | undefined
  readonly tls?: TlsSettings | undefined
  /** how long a broker may be away before a run gives up, in milliseconds */
  readonly patienceMs: number
}

/** The mechanisms that are supported. */
export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** One of them. */
export type SaslMechanism = (typeof saslMechanisms)[number]

/** A user name and its password. */
export interface SaslSettings {
  readonly mechanism: SaslMechanism
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

/** The brokers as messages show them. */
export function shownBrokers({ brokers }: KafkaConnection): string {
  return brokers.join(',')
}
