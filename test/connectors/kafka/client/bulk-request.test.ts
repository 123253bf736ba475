import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Connection, Reader } from '@platformatic/kafka'
import { afterEach, describe, expect, it } from 'vitest'
import { sendBulk } from '../../../../src/connectors/kafka/client/bulk-request.ts'
import { loadKafka } from '../../../../src/connectors/kafka/client/protocol.ts'
import { until } from '../../../support/until.ts'

const library = await loadKafka()
const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
let theirEnd: Socket

/** A socket on which the library listens too; `taken` is what it heard. */
async function open(): Promise<{ connection: Connection; taken: Buffer[] }> {
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const socket = connect(port, '127.0.0.1')
  const taken: Buffer[] = []
  socket.on('data', (bytes: Buffer) => taken.push(bytes))
  socket.on('error', () => undefined)
  ;[theirEnd] = await accepted
  return { connection: { socket } as unknown as Connection, taken }
}

function ask(connection: Connection, body: readonly Buffer[]): Promise<string> {
  const parse = (id: number, key: number, version: number, reader: Reader): string =>
    `${id} ${key} ${version} ${reader.buffer.toString()}`
  return sendBulk(library, connection, { api: { key: 0, version: 9 }, clientId: 'test', body, parse })
}

/** An answer with its size, its correlation id and no tagged fields. */
function answer(id: number, text: string): Buffer {
  const head = Buffer.alloc(9)
  head.writeInt32BE(5 + text.length)
  head.writeInt32BE(id, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

afterEach(() => theirEnd.destroy())

describe('a large request', () => {
  it('is sent whole, and gets its own answer, in whatever pieces and order answers come', async () => {
    const { connection, taken } = await open()
    const heard: Buffer[] = []
    theirEnd.on('data', (bytes: Buffer) => heard.push(bytes))
    const [first, second] = [ask(connection, [Buffer.alloc(200_000, 1), Buffer.from('end')]), ask(connection, [])]
    const id = 2 ** 30 + 1
    const library7 = answer(7, 'for the library')
    for (const byte of Buffer.concat([answer(id + 1, 'two'), library7, answer(id, 'one')])) {
      theirEnd.write(Buffer.of(byte))
    }
    expect(await second).toBe(`${id + 1} 0 9 two`)
    expect(await first).toBe(`${id} 0 9 one`)
    expect(Buffer.concat(taken)).toEqual(library7)
    const both = 19 + 200_003 + 19
    await until(() => heard.reduce((sum, { length }) => sum + length, 0) === both, 20_000)
    const sent = Buffer.concat(heard)
    expect(sent.readInt32BE(0)).toBe(15 + 200_003)
    expect(sent.subarray(4, 19)).toEqual(Buffer.from([0, 0, 0, 9, 0x40, 0, 0, 1, 0, 4, ...Buffer.from('test'), 0]))
    expect(sent.subarray(19 + 200_000, 19 + 200_003).toString()).toBe('end')
  })

  it('fails when the connection ends, and at once when it has ended', async () => {
    const { connection } = await open()
    const waiting = ask(connection, [Buffer.alloc(10)])
    theirEnd.destroy()
    await expect(waiting).rejects.toThrow('Connection closed')
    await expect(ask(connection, [])).rejects.toThrow('Connection closed')
  })

  it('fails where what answers is no broker: a size that cannot be ends the connection', async () => {
    const { connection } = await open()
    const waiting = ask(connection, [])
    theirEnd.write(Buffer.from([0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0]))
    await expect(waiting).rejects.toThrow('Connection closed')
  })
})
