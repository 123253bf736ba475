// One connection: statements, COPY in both directions, and an end in any case.
import { connect, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Client } from 'pg'
import type { ConnectionSettings } from '../settings.ts'

/** Values of a statement; a Buffer is in Postgres' own binary form. */
export type StatementValue = string | number | bigint | boolean | null | Buffer | readonly string[]

/** A column of a query. */
export interface QueryColumn {
  readonly name: string
  readonly type: number
}

/** A connection to a server. Statements come one at a time. Nothing of a session outlives a transaction (PgBouncer). */
export interface Connection {
  readonly settings: ConnectionSettings
  /** its state is not known: it must not be used again */
  readonly isBroken: boolean
  /**
   * The rows of a statement, each as a list of its values: integers beyond 32 bits are text. Without values it may be several
   * statements: then the rows are those of the last.
   */
  rows(sql: string, values?: readonly StatementValue[]): Promise<readonly (readonly unknown[])[]>
  /** How many rows a statement touched. Without values it may be several statements. */
  run(sql: string, values?: readonly StatementValue[]): Promise<number>
  /** Runs `COPY … FROM STDIN`. */
  copyIn(sql: string, chunks: Iterable<Buffer>): Promise<void>
  /** Runs `COPY … TO STDOUT`. Leaving before the end breaks the connection. */
  copyOut(sql: string): AsyncGenerator<Buffer, void, undefined>
  /** The columns of a query, which must be one statement: names, and types as OIDs of pg_type. */
  describe(sql: string): Promise<readonly QueryColumn[]>
  /** Ends it at once, whatever the server is doing. */
  destroy(): void
  close(): Promise<void>
}

/** @param socket what the client talks through: ending it ends everything */
export function createConnection(client: Client, socket: Socket, settings: ConnectionSettings): Connection {
  let isBroken = false
  let isBusy = false
  for (const event of ['error', 'end'] as const) {
    client.on(event, () => {
      isBroken = true
    })
  }

  function destroy(): void {
    // the server would notice only when it has something to say
    if (isBusy && !isBroken) cancelStatement(client, settings)
    isBroken = true
    socket.destroy()
  }

  /** a server that is gone without a word must not be waited for for ever: it would have ended the statement itself */
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

  async function copyIn(sql: string, chunks: Iterable<Buffer>): Promise<void> {
    const { from } = await import('pg-copy-streams')
    await within(() => feed(client.query(from(sql)), chunks[Symbol.iterator]()))
  }

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
    get isBroken() {
      return isBroken
    },
    rows: (sql, values = []) =>
      within(async () => {
        const query = { text: sql, values: [...values], rowMode: 'array' } as const
        // pg's types do not know that several statements have several results
        const results = [await client.query<unknown[]>(query)].flat()
        return results.at(-1)!.rows
      }),
    run: (sql, values) =>
      within(async () => (await (values ? client.query(sql, [...values]) : client.query(sql))).rowCount ?? 0),
    copyIn,
    copyOut,
    destroy,
    describe: (sql) => within(() => describe(client, sql)),
    async close() {
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

/** stream.pipeline would wait for a close that does not come after the server's error */
function feed(stream: Writable, chunks: Iterator<Buffer>): Promise<void> {
  return new Promise((resolve, reject) => {
    let hasFailed = false
    stream.on('finish', resolve)
    stream.on('error', (error) => {
      hasFailed = true
      reject(error)
    })
    function more(): void {
      try {
        while (!hasFailed) {
          const item = chunks.next()
          if (item.done === true) {
            stream.end()
            return
          }
          if (!stream.write(item.value)) {
            stream.once('drain', more)
            return
          }
        }
      } catch (error) {
        // of our own rows: the server must not take what came before for the whole
        reject(error as Error)
        stream.destroy(error as Error)
      }
    }
    more()
  })
}

/** In the extended protocol, because there the server takes one statement only: a `;` cannot end the subquery and begin more. */
async function describe(client: Client, sql: string): Promise<readonly QueryColumn[]> {
  const query = { text: `SELECT * FROM (\n${sql}\n) AS described LIMIT 0`, queryMode: 'extended' }
  const { fields } = await client.query(query)
  return fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
}

/** Asks for the end of what the server does for this client; whether it listens does not matter. Needs no TLS and no password. */
function cancelStatement(client: Client, { host, port }: ConnectionSettings): void {
  const { processID, secretKey } = client as Client & { processID: number | null; secretKey: number | null }
  if (processID === null || secretKey === null) return
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80_877_102, 4)
  request.writeInt32BE(processID, 8)
  request.writeInt32BE(secretKey, 12)
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host)
  socket.on('error', () => undefined)
  socket.setTimeout(2000, () => socket.destroy())
  socket.end(request)
}
