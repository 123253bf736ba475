// The way to a server: which TLS, which password, and in the end a connection.
import { Socket } from 'node:net'
import { systemCode, UsageError } from '../../../errors.ts'
import { createConnection, type Connection } from './connection.ts'
import { isConnectionLost } from './failure.ts'
import { serverName, type ConnectionSettings } from '../settings.ts'
import { tlsAttempts, type Tls } from './tls.ts'

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
