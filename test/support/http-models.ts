// A real HTTP server that serves bytes, and can cut, lie, stall, redirect and forget.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Answers a request itself (true), or leaves it to the server. */
export type Fault = (request: IncomingMessage, response: ServerResponse, file: ServedFile | undefined) => boolean

/** One file of the server. */
export interface ServedFile {
  readonly bytes: Buffer
  readonly etag: string
}

/** See startHttpModels. */
export interface HttpModels {
  /** with a slash at its end */
  readonly url: string
  readonly port: number
  /** what was asked, in order: `path range` */
  readonly requests: string[]
  /** bytes of bodies that were sent in full */
  readonly sent: number
  put(path: string, bytes: Uint8Array | string): void
  putFolder(path: string, folder: string): void
  /** null for a server that is well */
  fault: Fault | null
  close(): Promise<void>
}

/** Starts a server on loopback that knows ranges, If-Range and ETags. */
export async function startHttpModels(): Promise<HttpModels> {
  const files = new Map<string, ServedFile>()
  const requests: string[] = []
  let sent = 0
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://x').pathname)
    requests.push(`${path} ${request.headers.range ?? ''}`.trim())
    const file = files.get(path)
    if (models.fault?.(request, response, file)) return
    if (!file) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<html>not found</html>')
      return
    }
    serveFile(request, response, file)
    sent += file.bytes.length
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const models: HttpModels = {
    url: `http://127.0.0.1:${port}/`,
    port,
    requests,
    get sent() {
      return sent
    },
    put(path, bytes) {
      const buffer = Buffer.from(bytes)
      const etag = `"${createHash('sha1').update(buffer).digest('hex')}"`
      files.set(path, { bytes: buffer, etag })
    },
    putFolder(path, folder) {
      for (const name of readdirSync(folder)) models.put(`${path}${name}`, readFileSync(join(folder, name)))
    },
    fault: null,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return models
}

/** The answer of an honest server. */
export function serveFile(request: IncomingMessage, response: ServerResponse, { bytes, etag }: ServedFile): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? NaN)
  const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
  if (Number.isNaN(from) || !isSame) {
    response.writeHead(200, { 'content-length': bytes.length, etag }).end(bytes)
    return
  }
  if (from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  const part = bytes.subarray(from)
  const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  response.writeHead(206, { 'content-length': part.length, 'content-range': range, etag }).end(part)
}

/** Sends the first `count` bytes of what was asked and cuts the connection. */
export function cutAfter(count: number): Fault {
  return (request, response, file) => {
    if (!file) return false
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const isPart = from > 0 && request.headers['if-range'] === file.etag
    const rest = file.bytes.subarray(isPart ? from : 0)
    const head = { 'content-length': rest.length, etag: file.etag }
    const range = { 'content-range': `bytes ${from}-${file.bytes.length - 1}/${file.bytes.length}` }
    response.writeHead(isPart ? 206 : 200, isPart ? { ...head, ...range } : head)
    if (rest.length <= count) response.end(rest)
    // time for a busy machine to read it: what has not been read is lost with the connection
    else response.write(rest.subarray(0, count), () => setTimeout(() => response.destroy(), 100))
    return true
  }
}
