import { describe, expect, it } from 'vitest'
import { answerFrame, type Request, requestsOf } from '../../../src/jobs/worker/frames.ts'

function frame(header: unknown, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([length, text, body])
}

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(bytes: Buffer, { size = 1000, limit }: { size?: number; limit?: number } = {}) {
  const found: Request[] = []
  for await (const request of requestsOf(chunksOf(bytes, size), limit)) found.push(request)
  return found
}

describe('requests of a program', () => {
  const body = Buffer.from('a table')
  const two = Buffer.concat([frame({ id: 1, op: 'hello' }), frame({ id: 'b', op: 'classify', bytes: 7 }, body)])

  it.each([1, 3, 1000])('are the same however the bytes come (%i at a time)', async (size) => {
    const found = await read(two, { size })
    expect(found.map(({ id, header }) => ({ id, header }))).toEqual([
      { id: 1, header: { op: 'hello' } },
      { id: 'b', header: { op: 'classify' } },
    ])
    expect(found.map((request) => request.body.toString())).toEqual(['', 'a table'])
  })

  it('pass over a body that is too large, and go on behind it', async () => {
    const bytes = Buffer.concat([frame({ id: 1, bytes: 5000 }, Buffer.alloc(5000, 1)), two])
    const found = await read(bytes, { size: 777, limit: 4999 })
    expect(found.map(({ id, body, omittedBytes }) => [id, body.length, omittedBytes])).toEqual([
      [1, 0, 5000],
      [1, 0, undefined],
      ['b', 7, undefined],
    ])
  })

  it.each([
    ['text', Buffer.from('oid,candid\nZTF1,2\n'), 'a header of 744778095 bytes, of which 1048576 are allowed'],
    ['no JSON', frame('{"id":'), 'a header that is no JSON'],
    ['no object', frame([1]), 'a header that is no object'],
    ['no id', frame({ op: 'hello' }), 'a header without an id'],
    ['a length that is none', frame({ id: 1, bytes: -1 }), 'a header whose bytes are no count'],
    ['half a length', Buffer.from([1, 0]), 'it ends in the middle of a request'],
    ['half a header', frame({ id: 1 }).subarray(0, 8), 'it ends in the middle of a request'],
    ['half a body', frame({ id: 1, bytes: 9 }, body), 'it ends in the middle of a request'],
    ['half a body to pass over', frame({ id: 1, bytes: 2 ** 40 }, body), 'it ends in the middle of a request'],
  ])('end in a sentence for %s', async (_, bytes, sentence) => {
    await expect(read(bytes)).rejects.toThrow(`stdin: ${sentence}`)
  })
})

it('an answer says how long its body is', () => {
  const bytes = Buffer.concat(answerFrame({ id: 1, ok: true }, [Buffer.from('ab'), Buffer.from('c')]))
  expect(bytes).toEqual(frame('{"id":1,"ok":true,"bytes":3}', Buffer.from('abc')))
})
