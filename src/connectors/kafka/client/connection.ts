// How to reach a cluster: brokers, credentials, certificates, and which broker is asked first.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { systemCode, UsageError } from '../../../errors.ts'
import type { Connection } from '@platformatic/kafka'
import type { KafkaConnection, TlsSettings } from './connection-settings.ts'
import type { KafkaLibrary } from './protocol.ts'

const connectTimeoutMs = 5_000

/**
 * The settings as the client library takes them.
 *
 * @throws UsageError for a certificate file that cannot be read
 */
export function connectionOptions({
  brokers,
  sasl,
  tls,
}: KafkaConnection): ConstructorParameters<KafkaLibrary['ConnectionPool']>[1] {
  return {
    connectTimeout: connectTimeoutMs,
    // ours is shorter: after its own time-out the library mistakes a late answer for another one
    requestTimeout: 600_000,
    // an IP address must not be sent as a server name
    ...(tls
      ? {
          tls: tlsOptions(tls),
          tlsServerName: !brokers.some((broker) => isIP(broker.slice(0, broker.lastIndexOf(':'))) > 0),
        }
      : {}),
    ...(sasl ? { sasl } : {}),
  }
}

function tlsOptions(tls: TlsSettings): TlsSettings {
  const given = Object.entries(tls).filter((each): each is [string, string] => each[1] !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [name, pemText(value)]))
}

function pemText(pathOrText: string): string {
  if (pathOrText.includes('-----BEGIN')) return pathOrText
  try {
    return readFileSync(pathOrText, 'utf8')
  } catch (cause) {
    const why = systemCode(cause) ?? 'unknown reason'
    throw new UsageError(`${pathOrText}: cannot read the certificate file (${why})`, { cause })
  }
}

export interface BrokerPlace {
  readonly host: string
  readonly port: number
}

/**
 * The order in which brokers are asked where any of them will do: a frozen one accepts connections, and must not be asked
 * again and again.
 *
 * @param known all brokers; newly known ones must come after the others
 */
export function createBrokerOrder(known: () => Iterable<BrokerPlace>) {
  let first = 0

  const distinct = (): readonly BrokerPlace[] => [
    ...new Map([...known()].map((broker) => [`${broker.host}:${broker.port}`, broker])).values(),
  ]

  function placeOf({ host, port }: Pick<Connection, 'host' | 'port'>): number {
    return distinct().findIndex((broker) => broker.host === host && broker.port === port)
  }

  return {
    /** all brokers, each once, in the order in which to ask them */
    all(): BrokerPlace[] {
      const brokers = distinct()
      return [...brokers.slice(first), ...brokers.slice(0, first)]
    },
    /** asks this one first from now on */
    prefer(broker: Pick<Connection, 'host' | 'port'>): void {
      first = Math.max(0, placeOf(broker))
    },
    /** asks the next one first, unless somebody has already moved on from this one */
    moveOn(broker: Pick<Connection, 'host' | 'port'>): void {
      if (placeOf(broker) === first) first = (first + 1) % distinct().length
    },
  }
}
