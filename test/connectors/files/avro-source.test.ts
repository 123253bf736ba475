import { readFile, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { container, type ContainerOptions, write } from '../../support/avro-writer.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { bitsOf, fileSpec, fixture, readOnce, readOptions, type Rows } from '../../support/objects.ts'

interface Message {
  readonly oid: string
  readonly candid: string
  readonly features: Readonly<Record<string, string | null>>
}

const messages = JSON.parse(readFileSync(fixture('messages/expected.json'), 'utf8')) as Message[]

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

async function open(bytes: Uint8Array, changes: Partial<ReadOptions> = {}): Promise<Source> {
  const path = join(folder, 'x.avro')
  await writeFile(path, bytes)
  return openSource(fileSpec(path, 'avro', 'x.avro'), readOptions({ features: ['a', 'b/c'], ...changes }))
}

async function read(bytes: Uint8Array, changes: Partial<ReadOptions> = {}): Promise<Rows> {
  return readOnce(await open(bytes, changes))
}

const number = ['double', 'null']
const featureRecord = {
  type: 'record',
  name: 'features_record',
  fields: [
    { name: 'b/c', type: number },
    { name: 'a', type: ['null', 'float', 'int', 'boolean', 'string'] },
  ],
}

function schemaOf(candid: unknown, features: unknown, oid: unknown = 'string'): unknown {
  const fields = [
    { name: 'oid', type: oid },
    { name: 'detections', type: { type: 'array', items: { type: 'map', values: ['null', 'string'] } } },
    { name: 'candid', type: candid },
    { name: 'features', type: features },
  ]
  return { type: 'record', name: 'alert', namespace: 'alerce', __fastavro_parsed__: true, fields }
}

function record(oid: string, candid: Buffer, a: Buffer): Buffer {
  const detections = write.items([write.items([Buffer.concat([write.text('mag'), write.long(1), write.text('x')])])])
  const b = Buffer.concat([write.long(0), write.double(0.1)])
  return Buffer.concat([write.text(oid), detections, candid, b, a])
}

const float = (value: number): Buffer => Buffer.concat([write.long(1), write.float(value)])

function alerts(count: number, options: ContainerOptions = {}): Buffer {
  const records = Array.from({ length: count }, (_, i) => record(`o${i}`, write.long(2n ** 53n + BigInt(i)), float(i)))
  return container(schemaOf({ type: 'long' }, featureRecord), records, options)
}

describe('an Avro file', () => {
  it.each([0, 1, 2])('reads a message of the pipeline as fastavro does (%i)', async (i) => {
    const { oid, candid, features } = messages[i]!
    const names = Object.keys(features)
    const path = fixture(`messages/${['0000', '0007', '0012'][i]}.avro`)
    const rows = await readOnce(await openSource(fileSpec(path, 'avro'), readOptions({ features: names })))
    expect(rows).toMatchObject({ oids: [oid], candids: [BigInt(candid)], rejected: [] })
    const values = names.map((name) => {
      const hex = features[name]
      return hex ? Buffer.from(hex, 'hex').readDoubleBE(0) : NaN
    })
    expect(rows.bits).toEqual([bitsOf(values)])
  })

  it.each([{}, { codec: 'null' }, { codec: 'deflate' }, { codec: 'snappy' }, { perBlock: 3 }])(
    'reads all records of all blocks (%j)',
    async (options) => {
      const rows = await read(alerts(20, options))
      expect(rows.oids).toEqual(Array.from({ length: 20 }, (_, i) => `o${i}`))
      expect(rows.candids.at(-1)).toBe(2n ** 53n + 19n)
      expect(rows.bits).toEqual(Array.from({ length: 20 }, (_, i) => bitsOf([i, 0.1])))
    },
  )

  it('takes numbers of any branch, and rejects text', async () => {
    const cells = [
      write.long(0),
      float(1.5),
      Buffer.concat([write.long(2), write.long(-7)]),
      Buffer.concat([write.long(3), Buffer.from([1])]),
      Buffer.concat([write.long(4), write.text('1.5')]),
    ]
    const records = cells.map((cell, i) => record(`o${i}`, write.long(i), cell))
    const rows = await read(container(schemaOf('long', featureRecord), records))
    expect(rows.bits).toEqual([NaN, 1.5, -7, 1].map((a) => bitsOf([a, 0.1])))
    expect(rows.rejected).toEqual([{ oid: 'o4', where: 'x.avro record 5', reason: 'a is not a number' }])
  })

  it.each([
    ['string', write.text('9007199254740993'), 2n ** 53n + 1n],
    [
      { type: 'array', items: 'string' },
      write.items([write.text('5'), write.text('9007199254740993')]),
      2n ** 53n + 1n,
    ],
    [{ type: 'array', items: ['long', 'string'] }, write.items([]), null],
    [['null', 'long'], write.long(0), null],
    ['int', write.long(5), 5n],
  ] as const)('reads a candid of type %j', async (type, bytes, candid) => {
    const rows = await read(container(schemaOf(type, featureRecord), [record('o', bytes, float(1))]))
    expect(rows.candids).toEqual([candid])
  })

  it('reads integer ids as integers', async () => {
    const schema = schemaOf('long', { type: 'map', values: 'double' }, ['null', 'long'])
    const bytes = Buffer.concat([write.long(1), write.long(-(2n ** 63n)), write.long(0), write.long(1), write.long(0)])
    const source = await open(container(schema, [bytes]), { features: [] })
    expect(source.schema.oidType).toBe('int64')
    expect((await readOnce(source)).oids).toEqual([String(-(2n ** 63n))])
  })

  it('rejects a record whose map lacks a feature, or has no features at all', async () => {
    const schema = schemaOf('long', ['null', { type: 'map', values: ['double'] }])
    const entry = (name: string): Buffer => Buffer.concat([write.text(name), write.long(0), write.double(1)])
    const start = (oid: string): Buffer => Buffer.concat([write.text(oid), write.long(0), write.long(1)])
    const map = (...names: string[]): Buffer => Buffer.concat([write.long(1), write.sizedItems(names.map(entry))])
    const rows = await read(
      container(schema, [
        Buffer.concat([start('o1'), map('a', 'x', 'b/c')]),
        Buffer.concat([start('o2'), map('a')]),
        Buffer.concat([start('o3'), write.long(0)]),
      ]),
    )
    expect(rows.oids).toEqual(['o1'])
    expect(rows.rejected).toEqual([
      { oid: 'o2', where: 'x.avro record 2', reason: 'b/c is absent' },
      { oid: 'o3', where: 'x.avro record 3', reason: 'a is absent', value: 'and 1 more' },
    ])
  })

  it('refuses, before the first record, a schema that cannot serve', async () => {
    const one = [record('o', write.long(1), float(1))]
    await expect(open(alerts(1), { features: ['A', 'b/c', 'unlike'] })).rejects.toThrow(
      'x.avro lacks 2 columns the model needs: A (nearest: a), unlike',
    )
    await expect(open(container(schemaOf('double', featureRecord), one))).rejects.toThrow(
      'x.avro: field candid holds double: the ids are already broken',
    )
    await expect(open(container(schemaOf('long', featureRecord, 'bytes'), one))).rejects.toThrow(
      'field oid holds bytes',
    )
    await expect(open(container('"string"', one))).rejects.toThrow('x.avro: its schema cannot be read')
    await expect(open(container('{', one))).rejects.toThrow('x.avro: its schema cannot be read')
    await expect(open(alerts(1, { codec: 'xz' }))).rejects.toThrow('the codec xz is not null, deflate or snappy')
  })

  it('refuses what is no container', async () => {
    await expect(open(Buffer.alloc(0))).rejects.toThrow('x.avro is not an Avro object container')
    await expect(open(Buffer.from('oid,a\n'))).rejects.toThrow('x.avro is not an Avro object container')
    await expect(open(Buffer.from('Obj\x01'))).rejects.toBeInstanceOf(DataError)
  })

  it('delivers the records before the damage, then names the place', async () => {
    const whole = alerts(20, { perBlock: 5 })
    const cases: [Buffer, string, number][] = [
      [whole.subarray(0, whole.length - 5), 'x.avro after record 15: the file is cut off or damaged', 15],
      [whole.subarray(0, whole.length - 100), 'x.avro after record 15: the file is cut off or damaged', 15],
    ]
    const marker = Buffer.from(whole)
    marker[whole.length - 1]! ^= 1
    cases.push([marker, 'x.avro after record 15: a block does not end with the sync marker', 15])
    const union = Buffer.from(whole)
    union[whole.lastIndexOf('o18') + 3]! = 0x7e
    cases.push([union, 'x.avro record 19 cannot be read: ', 18])
    for (const [bytes, message, count] of cases) {
      const source = await open(bytes)
      let seen = 0
      await expect(async () => {
        for await (const { read: rows } of source.deliveries(new AbortController().signal)) seen += rows
      }).rejects.toThrow(message)
      expect(seen).toBe(count)
      await source.close()
    }
  })

  it('is refused wherever it is cut off, unless that is between two blocks', async () => {
    const whole = await readFile(fixture('record-deflate.avro'))
    let shorter = 0
    for (let length = 0; length < whole.length; length += 11) {
      try {
        const rows = await read(whole.subarray(0, length), { features: ['select'] })
        expect(rows.read).toBeLessThan(20)
        shorter++
      } catch (error) {
        expect(error).toBeInstanceOf(DataError)
      }
    }
    // the format keeps no count: nothing tells a file that ends after a block from one that was cut there
    expect(shorter).toBeLessThan(20)
  })
})
