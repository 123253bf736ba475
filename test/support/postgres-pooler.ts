// What PgBouncer does in transaction mode: each transaction gets another server connection, in turn.
import { connect, createServer, type Socket } from 'node:net'

/** See startPooler. */
export interface Pooler {
  readonly port: number
  /** how many transactions each server connection has had */
  readonly transactions: readonly number[]
  close(): Promise<void>
}

interface Backend {
  readonly socket: Socket
  client: Socket | undefined
  handled: number
}

/**
 * Clients log in here without a password; the server must trust `user`. A server connection is given to a client with the
 * first message of a transaction and taken from it when the server says that it is idle, and then the next one in turn
 * serves, whatever the client has left in the session.
 */
export async function startPooler(
  target: { host: string; port: number; user: string; database: string },
  size: number,
): Promise<Pooler> {
  const backends = await Promise.all(Array.from({ length: size }, () => openBackend(target)))
  let turn = 0
  const server = createServer((client) => {
    client.setNoDelay(true)
    const waiting: Buffer[] = []
    let isIn = false
    let backend: Backend | undefined

    function assign(): void {
      backend = undefined
      for (let i = 0; i < size && !backend; i++) {
        const candidate = backends[turn++ % size]!
        if (!candidate.client) backend = candidate
      }
      if (!backend) return void setTimeout(assign, 2)
      backend.client = client
      backend.handled++
      for (const message of waiting.splice(0)) backend.socket.write(message)
    }

    const read = frames((type, message) => {
      if (!isIn) {
        isIn = true
        client.write(Buffer.concat([frame('R', Buffer.alloc(4)), frame('Z', Buffer.from('I'))]))
        return
      }
      if (type === 'X') return void client.end()
      if (backend?.client === client) backend.socket.write(message)
      else {
        waiting.push(message)
        if (waiting.length === 1) assign()
      }
    }, true)
    client.on('data', (chunk) => {
      // a request for TLS, to which the answer is no
      if (!isIn && chunk.length === 8 && chunk.readInt32BE(4) === 80_877_103) return void client.write('N')
      read(chunk)
    })
    client.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    get transactions() {
      return backends.map(({ handled }) => handled)
    },
    async close() {
      for (const { socket, client } of backends) {
        socket.destroy()
        client?.destroy()
      }
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function openBackend(target: { host: string; port: number; user: string; database: string }): Promise<Backend> {
  const socket = connect(target.port, target.host).setNoDelay(true)
  const backend: Backend = { socket, client: undefined, handled: 0 }
  const parameters = Buffer.from(`user\0${target.user}\0database\0${target.database}\0\0`)
  const startup = Buffer.alloc(8)
  startup.writeInt32BE(8 + parameters.length, 0)
  startup.writeInt32BE(196_608, 4)
  socket.write(Buffer.concat([startup, parameters]))
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    let isReady = false
    const read = frames((type, message) => {
      if (isReady) backend.client?.write(message)
      if (type !== 'Z') return
      isReady = true
      resolve()
      // idle: not in a transaction
      if (message[5] === 0x49) backend.client = undefined
    })
    socket.on('data', read)
  })
  return backend
}

function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Cuts a stream of bytes into messages; the first one of a client has no type. */
function frames(handle: (type: string, message: Buffer) => void, startsBare = false): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let isBare = startsBare
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = isBare ? 0 : 1
      if (rest.length < head + 4) return
      const length = head + rest.readInt32BE(head)
      if (rest.length < length) return
      const message = rest.subarray(0, length)
      rest = rest.subarray(length)
      handle(isBare ? '' : String.fromCharCode(message[0]!), message)
      isBare = false
    }
  }
}
