// How to reach a cluster: brokers, credentials, certificates.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { systemCode, UsageError } from '../../../errors.ts'
import type { KafkaLibrary } from './protocol.ts'

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

// Which broker is asked first where any may be: one that is frozen takes connections, and must not be asked again and again.

/** Where a broker listens. */
export interface BrokerPlace {
  readonly host: string
  readonly port: number
}

/** Where a connection goes, as the library says it. */
interface Connected {
  readonly host: string | undefined
  readonly port: number | undefined
}

/** See createBrokerOrder. */
interface BrokerOrder {
  /** all brokers, each once, in the order in which they are to be asked */
  all(): BrokerPlace[]
  /** asks this one first from now on */
  prefer(broker: Connected): void
  /** asks the next one first, unless somebody has moved on from this one already */
  moveOn(broker: Connected): void
}

/** @param known all brokers; those that become known must come behind the others */
export function createBrokerOrder(known: () => Iterable<BrokerPlace>): BrokerOrder {
  let first = 0

  function distinct(): readonly BrokerPlace[] {
    return [...new Map([...known()].map((broker) => [`${broker.host}:${broker.port}`, broker])).values()]
  }

  function placeOf({ host, port }: Connected): number {
    return distinct().findIndex((broker) => broker.host === host && broker.port === port)
  }

  return {
    all() {
      const brokers = distinct()
      return [...brokers.slice(first), ...brokers.slice(0, first)]
    },
    prefer(broker) {
      first = Math.max(0, placeOf(broker))
    },
    moveOn(broker) {
      if (placeOf(broker) === first) first = (first + 1) % distinct().length
    },
  }
}

// Settings of a connection as the client library takes them.

const connectTimeoutMs = 5_000

/** @throws UsageError for a certificate file that cannot be read */
export function connectionOptions({
  brokers,
  sasl,
  tls,
}: KafkaConnection): ConstructorParameters<KafkaLibrary['ConnectionPool']>[1] {
  return {
    connectTimeout: connectTimeoutMs,
    // ours is shorter: after its own time-out the library mistakes a late answer for another one
    requestTimeout: 600_000,
    // an address that is no name must not be sent as one
    ...(tls ? { tls: tlsOptions(tls), tlsServerName: !brokers.some((broker) => isIP(hostOf(broker)) > 0) } : {}),
    ...(sasl ? { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } } : {}),
  }
}

function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(':'))
}

function tlsOptions({ ca, cert, key }: TlsSettings): { ca?: string; cert?: string; key?: string } {
  const pem = (name: string, value: string | undefined): object =>
    value === undefined ? {} : { [name]: pemText(value) }
  return { ...pem('ca', ca), ...pem('cert', cert), ...pem('key', key) }
}

function pemText(pathOrText: string): string {
  if (pathOrText.includes('-----BEGIN')) return pathOrText
  try {
    return readFileSync(pathOrText, 'utf8')
  } catch (cause) {
    throw new UsageError(
      `${pathOrText}: the certificate file cannot be read (${systemCode(cause) ?? 'unknown reason'})`,
      { cause },
    )
  }
}
