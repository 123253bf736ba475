import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createSchemaRegistry } from '../../../src/connectors/kafka/schema-registry.ts'

let servers: Server[] = []

interface Answer {
  readonly status: number
  readonly body: string
}

/** A registry that answers as it is told, one answer after the other; the last for ever. */
async function registry(answers: readonly Answer[]): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { status, body } = answers[Math.min(asked.length, answers.length - 1)]!
    asked.push(`${request.url} ${request.headers.authorization ?? ''}`.trim())
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

afterEach(() => {
  for (const server of servers) server.close()
  servers = []
})

const schema = { status: 200, body: JSON.stringify({ schema: '"long"' }) }

describe('the schema registry', () => {
  it('is asked once for an id, with its account', async () => {
    const { url, asked } = await registry([schema])
    const client = createSchemaRegistry({ url, username: 'u', password: () => 'p:w' })
    expect(await Promise.all([client.schemaOf(7), client.schemaOf(7)])).toEqual([
      { avro: '"long"' },
      { avro: '"long"' },
    ])
    await client.schemaOf(7)
    expect(asked).toEqual([`/schemas/ids/7 Basic ${Buffer.from('u:p:w').toString('base64')}`])
  })

  it('is asked again while it is unwell', async () => {
    const { url, asked } = await registry([{ status: 503, body: '' }, { status: 500, body: 'x' }, schema])
    expect(await createSchemaRegistry({ url }).schemaOf(1)).toEqual({ avro: '"long"' })
    expect(asked).toHaveLength(3)
  })

  it('tells what a message cannot be read by', async () => {
    const answers = [
      '{"error_code": 40403}',
      '{"schemaType": "PROTOBUF", "schema": "x"}',
      '{"schema": "x", "references": [{}]}',
      '{"schemaType": "JSON"}',
      'no json',
    ]
    const said: unknown[] = []
    for (const [i, body] of answers.entries()) {
      const { url } = await registry([{ status: i === 0 ? 404 : 200, body }])
      said.push(await createSchemaRegistry({ url }).schemaOf(1))
    }
    expect(said).toEqual([
      { reason: 'the registry does not know its id' },
      { reason: 'its schema is PROTOBUF, not Avro or JSON' },
      { reason: 'its schema refers to others' },
      { json: true },
      { reason: 'the registry does not answer with JSON' },
    ])
  })

  it('keeps every schema, and of the ids it does not know the latest', async () => {
    const { url, asked } = await registry([schema, { status: 404, body: '{"error_code": 40403}' }])
    const client = createSchemaRegistry({ url })
    const ask = (first: number, count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => client.schemaOf(first + i)))
    await client.schemaOf(7)
    for (let first = 1000; first < 2000; first += 50) await ask(first, 50)
    await ask(2000, 1)
    expect(asked).toHaveLength(1002)
    await client.schemaOf(7)
    await client.schemaOf(2000)
    expect(asked).toHaveLength(1002)
    await ask(1000, 50)
    // which of fifty was answered first is not known: one was forgotten
    expect(asked).toHaveLength(1003)
  })

  it('is believed in nothing: an answer without end ends the run, one without a schema a message', async () => {
    const endless = await registry([{ status: 200, body: JSON.stringify({ schema: 'x'.repeat(5_000_000) }) }])
    await expect(createSchemaRegistry({ url: endless.url }).schemaOf(1)).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringMatching(/gives no schema 1: its answer has more than 4194304 bytes$/) as string,
    })
    expect(endless.asked).toHaveLength(1)
    for (const body of ['null', '5', '[]', '{"schema": 5}']) {
      const { url } = await registry([{ status: 200, body }])
      expect(await createSchemaRegistry({ url }).schemaOf(1)).toEqual({
        reason: 'the registry answers without a schema',
      })
    }
  })

  it('is asked again for the first of more schemas than are kept', async () => {
    const { url, asked } = await registry([schema])
    const client = createSchemaRegistry({ url })
    for (let id = 0; id < 1001; id++) await client.schemaOf(id)
    await client.schemaOf(1000)
    expect(asked).toHaveLength(1001)
    await client.schemaOf(0)
    expect(asked).toHaveLength(1002)
  })

  it.each([
    [401, 1],
    [404, 1],
  ])('ends the run when it refuses us (%s)', async (status, times) => {
    const { url, asked } = await registry([{ status, body: '{}' }])
    await expect(
      createSchemaRegistry({ url, username: 'u', password: () => 'secret' }).schemaOf(1),
    ).rejects.toMatchObject({ exitCode: 5, message: `the schema registry at ${url} gives no schema 1: HTTP ${status}` })
    expect(asked).toHaveLength(times)
  })

  it('ends the run when it is not there', { tags: ['long'] }, async () => {
    await expect(createSchemaRegistry({ url: 'http://127.0.0.1:1' }).schemaOf(1)).rejects.toMatchObject({ exitCode: 5 })
  })
})
