import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AlertMessage, createMessageReader } from '../../../src/connectors/kafka/input-message.ts'
import { createRowGatherer } from '../../../src/connectors/kafka/rows.ts'
import { openValueSchema, readSchemaFiles } from '../../../src/connectors/kafka/value-schema.ts'
import { parseAvroRecord } from '../../../src/formats/avro/schema.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { attacks } from '../../support/attack.ts'
import { container, write } from '../../support/avro-writer.ts'
import { readFixture } from '../../support/fixture-folders.ts'
import { hostileRecord, hostileSchema } from '../../support/hostile-avro.ts'
import { recordOf } from '../../support/read-message.ts'
import { bareSchema, messagesOfToday } from '../../support/messages-of-today.ts'
import { testOptions } from '../../support/kafka-stream.ts'

const messages = messagesOfToday('input')
const record = readSchemaFiles([bareSchema])
const [header, ...rows] = readFixture('today/bhrf-2.1.0/input.csv.gz').toString().trimEnd().split('\n')
const features = header!.trim().split(',').slice(1)
const expected = rows.slice(5, 35).map((row) => row.trim().split(','))
const namesOf = (names: readonly string[], asked = {}) => ({
  ...{ oid: 'oid', candid: 'candid', slotOf: new Map(names.map((name, slot) => [name, slot])) },
  ...{ slotCount: names.length, required: names.length, ...asked },
})
const into = new Float64Array(features.length)
const reader = createMessageReader(namesOf(features), { record, names: namesOf(features) })

interface Fields {
  readonly fields: { name: string; type: unknown }[]
}

/** In one piece, as a container has it. */
function wholeSchema(): Fields {
  const whole = JSON.parse(readFileSync(bareSchema, 'utf8')) as Fields
  const named: unknown = JSON.parse(readFileSync(bareSchema.replace('output', 'features_record_ztf'), 'utf8'))
  whole.fields.at(-1)!.type = ['null', named]
  return whole
}

const kindOf = (value: Uint8Array): string => reader.read(value, into, 0).kind

describe('bare Avro data', () => {
  it('of the pipeline hold the features of their rows as float32, and the newest candid', () => {
    const read = messages.map((message) => {
      const { oid, candid, isBare, absent } = reader.read(message, into, 0) as AlertMessage
      return { oid, candid, isBare, absent, bits: [...new Uint32Array(Float32Array.from(into).buffer)] }
    })
    expect(read).toEqual(
      expected.map(([oid, ...cells], i) => ({
        ...{ oid, isBare: true, absent: [] },
        candid: [`${10n ** 18n + BigInt(i)}`, `${10n ** 18n - 1n - BigInt(i)}`],
        bits: [...new Uint32Array(Float32Array.from(cells, (cell) => (cell === '' ? NaN : Number(cell))).buffer)],
      })),
    )
  })

  it('are bad when they are cut off at any byte, or go on for one', () => {
    const message = messages[3]!
    for (let length = 0; length < message.length; length++) expect(kindOf(message.subarray(0, length))).toBe('bad')
    for (let byte = 0; byte < 256; byte++) expect(kindOf(Buffer.concat([message, Buffer.from([byte])]))).toBe('bad')
    expect(reader.read(message.subarray(0, 500), into, 0)).toEqual({
      kind: 'bad',
      reason: 'the value does not fit the schema',
      detail: 'it ends too early',
    })
  })

  it('are bad by a schema that lacks any one of their fields', () => {
    const whole = wholeSchema()
    const detections = whole.fields[2]!.type as { items: Fields }
    const [, filled] = whole.fields.at(-1)!.type as [string, Fields]
    for (const list of [detections.items.fields, filled.fields]) {
      for (const [place, lacking] of [...list].entries()) {
        list.splice(place, 1)
        const lesser = { record: parseAvroRecord(JSON.stringify(whole)), names: namesOf(features) }
        list.splice(place, 0, lacking)
        const other = createMessageReader(namesOf(features), lesser)
        expect([lacking.name, ...messages.filter((one) => other.read(one, into, 0).kind !== 'bad')]).toEqual([
          lacking.name,
        ])
      }
    }
  })

  it('are an alert or bad, never an exception, when bytes of them are changed', () => {
    const mutation = fc.record({
      message: fc.nat(29),
      changes: fc.array(fc.tuple(fc.nat(1200), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      length: fc.option(fc.nat(1200)),
    })
    const numRuns = 3000 * Number(process.env['LCCLF_ATTACKS'] ?? 1)
    fc.assert(
      fc.property(mutation, ({ message, changes, length }) => {
        const value = Buffer.from(messages[message]!)
        for (const [at, byte] of changes) value[at % value.length] = byte
        expect(['alert', 'bad', 'unknown schema']).toContain(kindOf(value.subarray(0, length ?? value.length)))
      }),
      { numRuns },
    )
  })

  it('are an alert or bad, in time and within memory, whatever they claim, by whatever schema', async () => {
    await attacks(500, (choose) => {
      const schema = hostileSchema(choose, { lies: 0 })
      const { bytes } = hostileRecord(choose, schema, { lies: choose.of([0, 0.05, 0.3]) })
      return () => {
        const names = namesOf(['a', 'b', 'c'], { mjd: 'lastmjd', detections: 'detections' })
        const bare = { record: parseAvroRecord(JSON.stringify(schema)), names }
        const { kind } = createMessageReader(names, bare).read(bytes, into, 0)
        expect(['alert', 'bad', 'unknown schema']).toContain(kind)
      }
    })
  })

  it('lie beside containers and JSON, which are recognised first', () => {
    const whole = wholeSchema()
    const packed = container(whole, [messages[0]!])
    expect(reader.read(packed, into, 0)).toMatchObject({ kind: 'alert', oid: expected[0]![0], isBare: false })
    const json = Buffer.from(JSON.stringify({ oid: 'x', candid: 1, features: {} }))
    expect(reader.read(json, into, 0)).toMatchObject({ kind: 'alert', oid: 'x', isBare: false })
    expect(reader.read(packed.subarray(0, -1), into, 0)).toMatchObject({ reason: 'the Avro data is broken' })
    expect(reader.read(Buffer.from('{"oid":'), into, 0)).toMatchObject({ reason: 'the value is not a JSON object' })
  })

  it('win over framing that does not hold, where the first field is no text', () => {
    const id = { name: 'id', type: 'int' }
    const rest = [
      { name: 'oid', type: 'string' },
      { name: 'candid', type: 'long' },
      { name: 'features', type: { type: 'map', values: 'double' } },
    ]
    const names = namesOf(['a'])
    const bare = { record: parseAvroRecord(JSON.stringify(recordOf([id, ...rest]))), names }
    const withInt = createMessageReader(names, bare)
    // -62 is a brace, 0 a registry's frame
    for (const first of [-62, 0, -40, 5]) {
      const value = Buffer.concat([write.long(first), write.text('ZTF18a'), write.long(7), write.long(0)])
      expect(withInt.read(value, into, 0)).toMatchObject({ kind: 'alert', oid: 'ZTF18a', isBare: true })
    }
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), messages[0]!])
    expect(withInt.read(framed, into, 0)).toMatchObject({ kind: 'unknown schema', id: 9 })
    reader.addSchema(9, { avro: JSON.stringify(recordOf([...rest])) })
    const registered = Buffer.concat([framed.subarray(0, 5), write.text('z'), write.long(7), write.long(0)])
    expect(reader.read(registered, into, 0)).toMatchObject({ kind: 'alert', oid: 'z', isBare: false })
  })

  const flag = { name: 'flag', type: 'boolean' }
  const colour = { name: 'colour', type: { type: 'enum', name: 'C', symbols: ['g', 'r'] } }
  const oid = { name: 'oid', type: 'string' }
  it.each([
    ['an empty oid', oid, write.text(''), write.text('a')],
    ['an oid that is no UTF-8', oid, Buffer.from([4, 0x61, 0xff]), write.text('é')],
    ['an oid of control characters', oid, write.text('a\u0000'), write.text('a b')],
    ['a boolean of 2', flag, Buffer.from([2]), Buffer.from([1])],
    ['a symbol that the schema has not', colour, write.long(2), write.long(1)],
    ['an int of 33 bits', { name: 'n', type: 'int' }, write.long(2 ** 31), write.long(2 ** 31 - 1)],
    ['a branch of a union that is not there', { name: 'n', type: ['null', 'int'] }, write.long(2), write.long(0)],
    ['a negative length', { name: 't', type: 'bytes' }, write.long(-1), write.long(0)],
    [
      'a boolean of 2 in a block that says its size',
      { name: 'list', type: { type: 'array', items: 'boolean' } },
      Buffer.concat([write.long(-1), write.long(1), Buffer.from([2, 0])]),
      Buffer.concat([write.long(-1), write.long(1), Buffer.from([1, 0])]),
    ],
    [
      'a feature of a boolean 2',
      { name: 'features', type: { type: 'map', values: 'boolean' } },
      Buffer.concat([write.items([Buffer.concat([write.text('a'), Buffer.from([2])])])]),
      Buffer.concat([write.items([Buffer.concat([write.text('a'), Buffer.from([1])])])]),
    ],
  ])('with %s are of another schema', (_, field, wrong, right) => {
    const fields = field === oid ? [field] : [oid, field]
    const bare = { record: parseAvroRecord(JSON.stringify(recordOf(fields))), names: namesOf(['a']) }
    const strict = createMessageReader(bare.names, bare)
    const value = (bytes: Buffer) => (field === oid ? bytes : Buffer.concat([write.text('ZTF'), bytes]))
    expect(strict.read(value(right), into, 0).kind).toBe('alert')
    expect(strict.read(value(wrong), into, 0)).toMatchObject({ reason: 'the value does not fit the schema' })
  })
})

describe('rows of bare Avro data', () => {
  const schema = JSON.stringify(
    recordOf([
      { name: 'oid', type: 'string' },
      { name: 'candid', type: 'long' },
      { name: 'features', type: { type: 'map', values: 'double' } },
    ]),
  )
  function gather(oids: readonly string[], more: Partial<ReadOptions> = {}) {
    const options = testOptions({ features: [], batchSize: 5000, ...more })
    const notices: string[] = []
    const valueSchema = { record: parseAvroRecord(schema), options }
    const gatherer = createRowGatherer(options, { valueSchema, onNotice: (notice) => notices.push(notice) })
    oids.forEach((one, i) => {
      const value = Buffer.concat([write.text(one), write.long(i), write.long(0)])
      void gatherer.add({ topic: 't', partition: 3 }, { offset: BigInt(i), key: null, timestamp: 0n, value })
    })
    return { rows: gatherer.take(), notices }
  }
  const ztf = (count: number) =>
    Array.from({ length: count }, (_, i) => `ZTF21${`${i}`.padStart(7, 'a').replace(/\d/g, 'b')}`)

  it('name the first oid that is unlike the first thousand, once', () => {
    const { rows, notices } = gather([...ztf(1000), 'ZTF19aaabbbb', 'K\nq', 'ATLAS12'])
    expect(rows.batch.rowCount + rows.rejected.length).toBe(1003)
    // what has control characters is no oid of bare data at all
    expect(rows.rejected).toMatchObject([{ reason: 'the value does not fit the schema', isBadMessage: true }])
    expect(notices).toEqual([expect.stringContaining('t partition 3 offset 1002: the oid ATLAS12 looks unlike')])
  })

  it('say nothing of oids that come in many lengths, or of those among the first thousand', () => {
    expect(gather([...ztf(999), 'x', 'ZTF19aaabbbb', 'y']).notices).toEqual([])
    const numbers = Array.from({ length: 1500 }, (_, i) => `${3n ** BigInt(i % 200)}`)
    expect(gather(numbers).notices).toEqual([])
    expect(gather([...numbers, 'NGC 7']).notices).toHaveLength(1)
  })

  it('are of a schema that is opened for the features of a model, or not at all', () => {
    const options = testOptions({ features })
    expect(openValueSchema([bareSchema], options)?.record.fields).toHaveLength(6)
    expect(openValueSchema([], options)).toBeUndefined()
  })
})
