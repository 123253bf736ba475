// Settings of a connection as the client library takes them.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { systemCode, UsageError } from '../../../errors.ts'
import type { KafkaConnection, TlsSettings } from './connection.ts'
import type { KafkaLibrary } from './protocol.ts'

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
