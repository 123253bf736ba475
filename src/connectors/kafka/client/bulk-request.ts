// Large requests over a connection of the library, their bytes sent as they lie: it would copy them all together first.
import type { Connection, NetworkError, Reader, Writer } from '@platformatic/kafka'

/** What is needed of the client library. */
interface Library {
  readonly NetworkError: typeof NetworkError
  readonly Reader: typeof Reader
  readonly Writer: typeof Writer
}

/** A request that is written already. */
interface BulkRequest<Answer> {
  /** its number and version */
  readonly api: { readonly key: number; readonly version: number }
  readonly clientId: string
  /** the request behind its header; nobody may write there before the answer has come */
  readonly body: readonly Uint8Array[]
  /** throws for an answer with errors in it */
  readonly parse: (correlationId: number, key: number, version: number, reader: Reader) => Answer
}

/** Answers that are waited for on one connection, by their correlation ids. */
interface Line {
  readonly waiting: Map<number, (answer: Buffer | Error) => void>
  last: number
}

/** the library counts its own requests from 1 on, and would need years to get here */
const firstId = 2 ** 30
const lines = new WeakMap<Connection['socket'], Line>()
const sizeLength = 4
const idLength = 4

/** Sends a request and waits for its answer. The library may use the connection at the same time. */
export function sendBulk<Answer>(
  library: Library,
  connection: Connection,
  { api: { key, version }, clientId, body, parse }: BulkRequest<Answer>,
): Promise<Answer> {
  const { socket } = connection
  const line = lineOf(library, connection)
  return new Promise((resolve, reject) => {
    if (socket.destroyed || !socket.writable) return reject(new library.NetworkError('Connection closed'))
    const id = ++line.last
    line.waiting.set(id, (answer) => {
      if (answer instanceof Error) return reject(answer)
      try {
        // behind the correlation id stand tagged fields, of which there are none
        resolve(parse(id, key, version, library.Reader.from(answer.subarray(idLength + 1))))
      } catch (thrown) {
        reject(thrown)
      }
    })
    const header = library.Writer.create()
    header.appendInt16(key).appendInt16(version).appendInt32(id).appendString(clientId, false).appendTaggedFields()
    const size = Buffer.alloc(sizeLength)
    size.writeInt32BE(body.reduce((sum, { length }) => sum + length, header.length))
    socket.cork()
    for (const part of [size, header.buffer, ...body]) socket.write(part)
    socket.uncork()
  })
}

function lineOf(library: Library, { socket }: Connection): Line {
  const known = lines.get(socket)
  if (known) return known
  const line: Line = { waiting: new Map(), last: firstId }
  lines.set(socket, line)
  const theirs = socket.listeners('data') as ((bytes: Buffer) => void)[]
  socket.removeAllListeners('data')
  const take = (id: number, answer: Buffer, whole: Buffer): void => {
    const ours = line.waiting.get(id)
    if (!ours) return theirs.forEach((listener) => listener.call(socket, whole))
    line.waiting.delete(id)
    ours(answer)
  }
  const giveUp = (size: number): unknown =>
    socket.destroy(new library.NetworkError(`an answer of ${size} bytes: this is no Kafka broker`))
  socket.on('data', answersIn(take, giveUp))
  socket.once('close', () => {
    for (const take of line.waiting.values()) take(new library.NetworkError('Connection closed'))
    line.waiting.clear()
  })
  return line
}

/** Puts answers together; `whole` is one with its size before it, as it came. Those of such a connection are small. */
function answersIn(
  take: (id: number, answer: Buffer, whole: Buffer) => void,
  giveUp: (size: number) => unknown,
): (bytes: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0)
  return (bytes) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    while (pending.length >= sizeLength + idLength) {
      const size = pending.readInt32BE(0)
      const end = sizeLength + size
      if (size < idLength) return void giveUp(size)
      if (pending.length < end) return
      const whole = pending.subarray(0, end)
      pending = pending.subarray(end)
      take(whole.readInt32BE(sizeLength), whole.subarray(sizeLength), whole)
    }
  }
}
