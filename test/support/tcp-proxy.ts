// A way to a server that can be cut, held or watched. Bytes pass as they are.
import { connect, createServer, type Socket } from 'node:net'

/** What happens to bytes that the client sends; after `last` the server has them, and its answer is lost. */
export type Verdict = 'pass' | 'hold' | 'cut' | 'last'

/** See startProxy. */
export interface Proxy {
  readonly port: number
  /** connections that were made so far */
  readonly connections: number
  /** ends all connections as a broken network does: both sides see a reset or an end */
  cutAll(): void
  close(): Promise<void>
}

/**
 * @param judge sees what the client sends before the server does, which waits for its verdict; `hold` keeps it, and all that
 *   follows, from the server
 */
export async function startProxy(
  target: { host: string; port: number },
  judge: (chunk: Buffer, connection: number) => Verdict | Promise<Verdict> = () => 'pass',
): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((client) => {
    const connection = ++connections
    const upstream = connect(target.port, target.host)
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    sockets.add(client)
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    let isHeld = false
    let isMuted = false
    upstream.on('data', (chunk) => {
      if (!isMuted) client.write(chunk)
    })
    let turn = Promise.resolve()
    async function handle(chunk: Buffer): Promise<void> {
      const verdict = isHeld ? 'hold' : await judge(chunk, connection)
      if (verdict === 'cut') return end()
      if (verdict === 'hold') isHeld = true
      else upstream.write(chunk)
      if (verdict !== 'last') return
      isMuted = true
      setTimeout(end, 200)
    }
    client.on('data', (chunk) => {
      turn = turn.then(() => handle(chunk))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    get connections() {
      return connections
    },
    cutAll() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
