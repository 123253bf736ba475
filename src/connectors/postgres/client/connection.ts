// One connection to a server: TLS, password, statements, COPY in both directions, and an end in any case.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { Client } from 'pg'
import { systemCode, UsageError, whyUnreadable } from '../../../errors.ts'
import { type ConnectionSettings, serverName } from '../settings.ts'
import { isConnectionLost } from './failure.ts'

/** Values of a statement; a Buffer is in Postgres' own binary form. */
export type StatementValue = string | number | bigint | boolean | null | Buffer | readonly string[]

/** A column of a query; its type is an OID of pg_type. */
export interface QueryColumn {
  readonly name: string
  readonly type: number
}

/** A connection to a server. Statements come one at a time. Nothing of a session outlives a transaction (PgBouncer). */
export type Connection = ReturnType<typeof createConnection>

/** @throws what pg throws: `postgresFailure` tells the user what it means */
export async function connect(settings: ConnectionSettings): Promise<Connection> {
  const attempts = tlsAttempts(settings)
  for (;;) {
    try {
      return await connectOnce(settings, attempts.shift()!)
    } catch (error) {
      // the other way helps if TLS is the problem, not with a wrong password or without a server
      if (attempts.length === 0 || systemCode(error) === '28P01' || isConnectionLost(error)) throw error
    }
  }
}

async function connectOnce(settings: ConnectionSettings, ssl: false | ConnectionOptions): Promise<Connection> {
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
    hint: 'Set DB_PASSWORD or PGPASSWORD, or write it to ~/.pgpass (chmod 600).',
  })
}

/**
 * The values of pg's `ssl` that libpq would try for each sslmode, in order.
 *
 * @throws UsageError for a file that cannot be read
 */
function tlsAttempts({ host, ssl: { mode, ...paths } }: ConnectionSettings): (false | ConnectionOptions)[] {
  if (host.startsWith('/') || mode === 'disable') return [false]
  const unchecked = {
    ...(paths.certificate === undefined ? {} : { cert: readPem(paths.certificate, 'sslcert') }),
    ...(paths.key === undefined ? {} : { key: readPem(paths.key, 'sslkey') }),
    rejectUnauthorized: false,
  }
  if (mode === 'allow') return [false, unchecked]
  if (mode === 'prefer') return [unchecked, false]
  if (mode === 'require' && paths.rootCertificate === undefined) return [unchecked]
  const checked = { ...unchecked, rejectUnauthorized: true, ...authority(paths.rootCertificate) }
  return [mode === 'verify-full' ? checked : { ...checked, checkServerIdentity: () => undefined }]
}

function authority(path: string | undefined): ConnectionOptions {
  if (path === 'system') return {}
  if (path !== undefined) return { ca: readPem(path, 'sslrootcert') }
  try {
    return { ca: readFileSync(join(homedir(), '.postgresql', 'root.crt')) }
  } catch {
    // nothing in libpq's place for it: then the authorities that Node knows
    return {}
  }
}

function readPem(path: string, parameter: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new UsageError(`${parameter}: cannot read ${path} (${whyUnreadable(cause)})`, { cause })
  }
}

/** @param socket what the client talks through: ending it ends everything */
function createConnection(client: Client, socket: Socket, settings: ConnectionSettings) {
  let isBroken = false
  let isBusy = false
  for (const event of ['error', 'end'] as const) client.on(event, () => (isBroken = true))

  /** Ends it at once, whatever the server is doing. */
  function destroy(): void {
    // the server would notice only when it has something to send
    if (isBusy && !isBroken) cancelStatement(client, settings)
    isBroken = true
    socket.destroy()
  }

  /** A server that vanished silently must not be waited for indefinitely: it would have ended the statement itself. */
  function endIfSilent(): NodeJS.Timeout | undefined {
    const most = settings.statementTimeout
    return most === undefined || most === 0 ? undefined : setTimeout(destroy, most + settings.connectTimeout)
  }

  async function within<T>(work: () => Promise<T>): Promise<T> {
    if (isBroken) throw new Error('Connection terminated')
    isBusy = true
    const timer = endIfSilent()
    try {
      return await work()
    } finally {
      isBusy = false
      clearTimeout(timer)
    }
  }

  /** Runs `COPY … TO STDOUT`. Leaving before the end breaks the connection. */
  async function* copyOut(sql: string): AsyncGenerator<Buffer, void, undefined> {
    const { to } = await import('pg-copy-streams')
    if (isBroken) throw new Error('Connection terminated')
    isBusy = true
    const stream = client.query(to(sql, { highWaterMark: 1 << 20 }))
    let isDone = false
    let timer = endIfSilent()
    try {
      for await (const chunk of stream) {
        clearTimeout(timer)
        yield chunk as Buffer
        timer = endIfSilent()
      }
      isDone = true
    } catch (error) {
      // an answer of the server leaves the connection usable; anything else does not
      isDone = error instanceof Error && 'severity' in error
      throw error
    } finally {
      clearTimeout(timer)
      if (!isDone) destroy()
      isBusy = false
    }
  }

  return {
    settings,
    /** its state is unknown: it must not be used again */
    get isBroken() {
      return isBroken
    },
    /**
     * The rows of a statement, each as a list of its values: integers beyond 32 bits are text. Without values it may be
     * several statements: then the rows are those of the last. The caller knows what types its SQL gives.
     */
    rows: <Row extends readonly unknown[] = readonly unknown[]>(
      sql: string,
      values: readonly StatementValue[] = [],
    ): Promise<readonly Row[]> =>
      within(async () => {
        const query = { text: sql, values: [...values], rowMode: 'array' } as const
        // pg's types do not know that several statements have several results
        const results = [await client.query<unknown[]>(query)].flat()
        return results.at(-1)!.rows as unknown as readonly Row[]
      }),
    /** Runs a statement; without values it may be several. */
    run: (sql: string, values?: readonly StatementValue[]): Promise<void> =>
      within(async () => void (await (values ? client.query(sql, [...values]) : client.query(sql)))),
    /** Runs `COPY … FROM STDIN`. */
    async copyIn(sql: string, chunks: Iterable<Buffer>): Promise<void> {
      const { from } = await import('pg-copy-streams')
      await within(() => feed(client.query(from(sql)), chunks))
    },
    copyOut,
    /**
     * The columns of a query, which must be one statement. The extended protocol takes one only: a `;` cannot end the
     * subquery and begin another statement.
     */
    describe: (sql: string): Promise<readonly QueryColumn[]> =>
      within(async () => {
        const query = { text: `SELECT * FROM (\n${sql}\n) AS described LIMIT 0`, queryMode: 'extended' }
        const { fields } = await client.query(query)
        return fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
      }),
    destroy,
    async close(): Promise<void> {
      if (isBroken) {
        socket.destroy()
        return
      }
      const timer = setTimeout(destroy, 2000)
      await client.end().catch(() => undefined)
      clearTimeout(timer)
      destroy()
    },
  }
}

/** stream.pipeline would wait for a close that does not come after the server's error. */
async function feed(stream: Writable, chunks: Iterable<Buffer>): Promise<void> {
  let hasFailed = false
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('finish', resolve)
    stream.on('error', (error) => {
      hasFailed = true
      reject(error)
    })
  })
  // while it is fed, `drain` fails likewise
  ended.catch(() => undefined)
  try {
    for (const chunk of chunks) if (!stream.write(chunk)) await once(stream, 'drain')
    stream.end()
  } catch (error) {
    // our own rows failed: the server must not take what came before for the whole
    if (!hasFailed) stream.destroy(error as Error)
    throw error
  }
  return ended
}

/** Asks the server to stop this client's statement; whether it listens does not matter. Needs no TLS and no password. */
function cancelStatement(client: Client, { host, port }: ConnectionSettings): void {
  const { processID, secretKey } = client as Client & { processID: number | null; secretKey: number | null }
  if (processID === null || secretKey === null) return
  const request = Buffer.alloc(16)
  ;[16, 80_877_102, processID, secretKey].forEach((value, i) => request.writeInt32BE(value, i * 4))
  const socket = new Socket()
  socket.on('error', () => undefined)
  socket.setTimeout(2000, () => socket.destroy())
  socket.connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  socket.end(request)
}
