// The way to a server: which TLS, which password, and in the end a connection.
import { Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { messageOf, systemCode, UsageError } from '../../../errors.ts'
import { type Connection, createConnection } from './connection.ts'
import { isConnectionLost } from './failure.ts'
import { type ConnectionSettings, serverName } from '../settings.ts'

/** @throws what pg throws: see postgresFailure */
export async function connect(settings: ConnectionSettings): Promise<Connection> {
  const attempts = tlsAttempts(settings)
  for (const [i, ssl] of attempts.entries()) {
    try {
      return await connectOnce(settings, ssl)
    } catch (error) {
      // the other way helps where TLS is the matter, not with a wrong password or without a server
      if (i === attempts.length - 1 || systemCode(error) === '28P01' || isConnectionLost(error)) throw error
    }
  }
  throw new TypeError('unreachable: there is always one attempt')
}

async function connectOnce(settings: ConnectionSettings, ssl: Tls): Promise<Connection> {
  const { default: pg } = await import('pg')
  const socket = new Socket()
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database,
    password: () => passwordFor(settings),
    ssl,
    application_name: settings.applicationName,
    ...(settings.options === undefined ? {} : { options: settings.options }),
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    connectionTimeoutMillis: settings.connectTimeout,
    stream: () => socket,
  })
  const connection = createConnection(client, socket, settings)
  try {
    await client.connect()
  } catch (error) {
    socket.destroy()
    throw error
  }
  return connection
}

function passwordFor(settings: ConnectionSettings): string {
  const password = settings.password()
  if (password !== undefined) return password
  throw new UsageError(`${serverName(settings)}: the server asks for a password and there is none`, {
    hint: 'set DB_PASSWORD or PGPASSWORD, or write it into ~/.pgpass (chmod 600)',
  })
}

// TLS as libpq's sslmode asks for it.

/** What pg takes for `ssl`. */
type Tls = false | ConnectionOptions

/**
 * What libpq tries for each mode, in order.
 *
 * @throws UsageError for a file that cannot be read
 */
function tlsAttempts({ host, ssl }: ConnectionSettings): readonly Tls[] {
  if (host.startsWith('/')) return [false]
  const files = {
    ...(ssl.certificate === undefined ? {} : { cert: readPem(ssl.certificate, 'sslcert') }),
    ...(ssl.key === undefined ? {} : { key: readPem(ssl.key, 'sslkey') }),
  }
  const unchecked = { ...files, rejectUnauthorized: false }
  const anyName = { checkServerIdentity: () => undefined }
  switch (ssl.mode) {
    case 'disable':
      return [false]
    case 'allow':
      return [false, unchecked]
    case 'prefer':
      return [unchecked, false]
    case 'require':
      return [
        ssl.rootCertificate === undefined ? unchecked : { ...files, ...authority(ssl.rootCertificate), ...anyName },
      ]
    case 'verify-ca':
      return [{ ...files, ...authority(ssl.rootCertificate), ...anyName }]
    case 'verify-full':
      return [{ ...files, ...authority(ssl.rootCertificate) }]
  }
}

function authority(path: string | undefined): ConnectionOptions {
  if (path === 'system') return { rejectUnauthorized: true }
  if (path !== undefined) return { rejectUnauthorized: true, ca: readPem(path, 'sslrootcert') }
  try {
    return { rejectUnauthorized: true, ca: readFileSync(join(homedir(), '.postgresql', 'root.crt')) }
  } catch {
    // libpq's place for it is empty: then the authorities that Node knows
    return { rejectUnauthorized: true }
  }
}

function readPem(path: string, parameter: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new UsageError(`${parameter}: ${path} cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
}
