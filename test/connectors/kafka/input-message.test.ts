import { describe, expect, it } from 'vitest'
import { outputFeatures } from '../../../src/connectors/kafka/output-message.ts'
import { container, write } from '../../support/avro-writer.ts'
import { read, readerOf, recordOf } from '../../support/read-message.ts'
import { plainAlert, seedRun } from '../../support/seed-run.ts'

const recorded = seedRun('input')

const unasked = { mjd: NaN, detections: 0, isBare: false }
const good = { kind: 'alert', hasFeatures: true, absent: [], unreadable: -1, further: 0, ...unasked } as const

describe('the messages of the original', () => {
  it('are read with every bit, in the order of the features asked for', () => {
    const features = outputFeatures.map(({ name }) => name).reverse()
    const reader = readerOf(features)
    expect(recorded).toHaveLength(40)
    for (const message of recorded) {
      const expected = plainAlert(message)
      const { reading, values } = read(message, features, reader)
      expect(reading).toEqual({ ...good, oid: expected.oid, candid: expected.candid })
      expect(values).toEqual(features.map((name) => expected.features[name] ?? NaN))
    }
  })

  it('are read at any place of a larger buffer', () => {
    const features = ['gal_b', 'W1-W2']
    const larger = Buffer.concat([Buffer.alloc(13), recorded[3]!, Buffer.alloc(5)])
    const alone = read(recorded[3]!, features)
    expect(read(larger.subarray(13, -5), features)).toEqual(alone)
  })

  it('say which features they lack', () => {
    const { reading, values } = read(recorded[0]!, ['PPE', 'gal_b', 'ppe', 'gal_l'])
    expect(reading).toMatchObject({ kind: 'alert', absent: [0, 2] })
    expect(values[0]).toBeNaN()
    expect(values[1]).toBe(plainAlert(recorded[0]!).features['gal_b'])
  })

  it('need not have features that are only echoed', () => {
    expect(read(recorded[0]!, ['gal_b', 'PPE'], readerOf(['gal_b', 'PPE'], 1)).reading).toMatchObject({ absent: [] })
  })
})

const oid = { name: 'oid', type: 'string' }
const candid = { name: 'candid', type: 'long' }
const numberOrNull = ['float', 'null']

describe('an Avro message', () => {
  const flat = {
    type: 'record',
    name: 'f',
    fields: [
      { name: 'a', type: numberOrNull },
      { name: 'b', type: ['double', 'null'] },
    ],
  }
  const schema = recordOf([oid, candid, { name: 'features', type: flat }])
  const features = Buffer.concat([write.long(0), write.float(1.5), write.long(0), write.double(0.1)])
  const record = Buffer.concat([write.text('ZTF1'), write.long(12345678901234567n), features])
  const expected = { reading: { ...good, oid: 'ZTF1', candid: 12345678901234567n }, values: [1.5, 0.1] }

  it.each([undefined, 'null', 'deflate', 'snappy'])('may be packed with the codec %s', (codec) => {
    const message = container(schema, [record], codec === undefined ? {} : { codec })
    expect(read(message, ['a', 'b'])).toEqual(expected)
  })

  it('may have its fields in any order', () => {
    const reordered = recordOf([{ name: 'features', type: flat }, candid, oid])
    const message = container(reordered, [
      Buffer.concat([features, write.long(12345678901234567n), write.text('ZTF1')]),
    ])
    expect(read(message, ['a', 'b'])).toEqual(expected)
  })

  it('may carry attributes and metadata that Avro does not know', () => {
    const marked = { ...schema, __fastavro_parsed__: true, __named_schemas: {}, doc: 'Features' }
    expect(read(container(marked, [record], { metadata: { 'my.own': 'x' } }), ['a', 'b'])).toEqual(expected)
  })

  it('may have a header in blocks that say their size', () => {
    const header = [
      ['avro.schema', JSON.stringify(schema)],
      ['avro.codec', 'null'],
      ['other', ''],
    ] as const
    const sync = Buffer.alloc(16, 1)
    const entries = header.map(([key, value]) => Buffer.concat([write.text(key), write.text(value)]))
    const block = Buffer.concat([write.long(1), write.long(record.length), record, sync])
    const message = Buffer.concat([Buffer.from('Obj\x01', 'latin1'), write.sizedItems(entries), sync, block])
    expect(read(message, ['a', 'b'])).toEqual(expected)
  })

  it.each([
    ['a long', 'long', write.long(-5n), -5n],
    ['text', 'string', write.text('123'), '123'],
    [
      'a list of texts',
      { type: 'array', items: 'string' },
      write.items([write.text('7'), write.text('9')]),
      ['7', '9'],
    ],
    ['an empty list', { type: 'array', items: 'string' }, write.items([]), []],
    [
      'a list of longs in blocks',
      { type: 'array', items: 'long' },
      write.sizedItems([1n, 2n ** 62n, 3n].map((n) => write.long(n))),
      [1n, 2n ** 62n, 3n],
    ],
    ['either', ['long', 'string'], Buffer.concat([write.long(1), write.text('8')]), '8'],
    ['a null', ['null', 'long'], write.long(0), null],
    ['with a logical type', { type: 'long', logicalType: 'x' }, write.long(2n ** 63n - 1n), 2n ** 63n - 1n],
  ])('may have a candid that is %s', (_, type, bytes, value) => {
    const message = container(recordOf([oid, { name: 'candid', type }, { name: 'features', type: flat }]), [
      Buffer.concat([write.text('x'), bytes, features]),
    ])
    expect(read(message, ['a', 'b'])).toEqual({ reading: { ...good, oid: 'x', candid: value }, values: [1.5, 0.1] })
  })

  it('has no candid where it is of another type', () => {
    const message = container(recordOf([oid, { name: 'candid', type: 'double' }, { name: 'features', type: flat }]), [
      Buffer.concat([write.text('x'), write.double(1e18), features]),
    ])
    expect(read(message, ['a']).reading).toMatchObject({ candid: {} })
  })

  it('may have features as a map of anything, in any order, in any blocks', () => {
    const type = ['null', { type: 'map', values: ['boolean', 'float', 'null', 'int', 'string'] }]
    const entry = (name: string, branch: number, value: Buffer): Buffer =>
      Buffer.concat([write.text(name), write.long(branch), value])
    const entries = [
      entry('b', 1, write.float(2.5)),
      entry('unknown', 4, write.text('x')),
      entry('c', 3, write.long(-3)),
      entry('d', 2, Buffer.alloc(0)),
      entry('a', 0, Buffer.from([1])),
    ]
    for (const items of [write.items(entries), write.sizedItems(entries)]) {
      const message = container(recordOf([oid, candid, { name: 'features', type }]), [
        Buffer.concat([write.text('x'), write.long(1), write.long(1), items]),
      ])
      const { reading, values } = read(message, ['a', 'b', 'c', 'd', 'e'])
      expect(reading).toEqual({ ...good, oid: 'x', candid: 1n, absent: [4] })
      expect(values).toEqual([1, 2.5, -3, NaN, NaN])
    }
  })

  it('says which feature is no number, the first of the model', () => {
    const type = { type: 'map', values: ['string', 'float'] }
    const text = (name: string): Buffer => Buffer.concat([write.text(name), write.long(0), write.text('1.5')])
    const message = container(recordOf([oid, candid, { name: 'features', type }]), [
      Buffer.concat([write.text('x'), write.long(1), write.items(['echo', 'b', 'a'].map(text))]),
    ])
    const names = ['z', 'a', 'b', 'echo']
    expect(read(message, names, readerOf(names, 3)).reading).toMatchObject({ unreadable: 1, absent: [0] })
    expect(read(message, ['echo'], readerOf(['echo'], 0)).reading).toMatchObject({ unreadable: -1 })
  })

  it('may have null in place of features', () => {
    const message = container(recordOf([oid, candid, { name: 'features', type: [flat, 'null'] }]), [
      Buffer.concat([write.text('x'), write.long(1), write.long(1)]),
    ])
    expect(read(message, ['a']).reading).toMatchObject({ kind: 'alert', hasFeatures: false, absent: [0] })
  })

  it('may have much beside, records that refer to each other included', () => {
    const detection = {
      type: 'record',
      name: 'detections_record',
      namespace: 'alerce',
      fields: [
        { name: 'candid', type: 'string' },
        { name: 'features', type: ['null', 'int'] },
        { name: 'before', type: ['null', 'detections_record'] },
        { name: 'extra_fields', type: { type: 'map', values: ['null', 'int', 'float', 'string', 'bytes', 'boolean'] } },
        { name: 'kind', type: { type: 'enum', name: 'kind', symbols: ['A', 'B'] } },
        { name: 'hash', type: { type: 'fixed', name: 'hash', size: 3 } },
      ],
    }
    const fields = [
      { name: 'detections', type: { type: 'array', items: detection } },
      oid,
      { name: 'last', type: ['null', 'alerce.detections_record'] },
      candid,
      { name: 'features', type: flat },
    ]
    const tail = (): Buffer[] => [
      write.items([Buffer.concat([write.text('k'), write.long(4), write.text('bytes')])]),
      write.long(1),
      Buffer.from('abc'),
    ]
    const inner = Buffer.concat([write.text('1'), write.long(0), write.long(0), ...tail()])
    const outer = Buffer.concat([write.text('2'), write.long(1), write.long(5), write.long(1), inner, ...tail()])
    for (const detections of [write.items([outer, inner]), write.sizedItems([outer, inner, inner])]) {
      const message = container(recordOf(fields), [
        Buffer.concat([detections, write.text('ZTF1'), write.long(1), outer, write.long(12345678901234567n), features]),
      ])
      expect(read(message, ['a', 'b'])).toEqual(expected)
    }
  })

  it('may be a container of several records: the first counts, the others are counted', () => {
    const other = Buffer.concat([write.text('other'), write.long(1), features])
    const message = container(schema, [record, other, other, other], { perBlock: 2 })
    expect(read(message, ['a', 'b'])).toEqual({ ...expected, reading: { ...expected.reading, further: 3 } })
  })

  it('is read by its own schema, however many there are', () => {
    const reader = readerOf(['a', 'b'])
    const messages = Array.from({ length: 100 }, (_, i) => container({ ...schema, doc: `version ${i}` }, [record]))
    for (const message of [...messages, ...messages.reverse()])
      expect(read(message, ['a', 'b'], reader)).toEqual(expected)
  })

  it('keeps nothing of the message before', () => {
    const reader = readerOf(['a', 'b'])
    read(container(schema, [record]), ['a', 'b'], reader)
    const empty = container(recordOf([{ name: 'x', type: 'int' }]), [write.long(1)])
    expect(read(empty, ['a', 'b'], reader)).toEqual({
      reading: { ...good, oid: undefined, candid: undefined, hasFeatures: false, absent: [0, 1] },
      values: [NaN, NaN],
    })
  })

  const whole = container(schema, [record])
  it.each([
    ['empty', Buffer.alloc(0), 'the value is empty'],
    ['absent', null, 'the value is empty'],
    ['text', Buffer.from('hello'), 'the value is neither an Avro container nor JSON'],
    ['cut after the magic', whole.subarray(0, 4), 'the Avro data is broken'],
    ['cut in the header', whole.subarray(0, 60), 'the Avro data is broken'],
    ['cut in the record', whole.subarray(0, -30), 'the Avro data is broken'],
    ['cut in the last byte', whole.subarray(0, -1), 'the Avro data is broken'],
    ['with bytes after it', Buffer.concat([whole, Buffer.from([0])]), 'the Avro data is broken'],
    ['without a record', container(schema, []), 'the Avro data is broken'],
    [
      'without a schema',
      container('', [record], { metadata: { 'avro.schema': '' } }),
      'the Avro schema cannot be used',
    ],
    ['with a schema that is no JSON', container('{', [record]), 'the Avro schema cannot be used'],
    ['with a schema that is no record', container('"long"', [write.long(1)]), 'the Avro schema cannot be used'],
    [
      'with an unknown type',
      container(recordOf([{ name: 'oid', type: 'Oid' }]), [record]),
      'the Avro schema cannot be used',
    ],
    ['packed by an unknown codec', container(schema, [record], { codec: 'bzip2' }), 'the Avro data is broken'],
    [
      'said to be deflated',
      container(schema, [record], { metadata: { 'avro.codec': 'deflate' } }),
      'the Avro data is broken',
    ],
    [
      'said to be snappy',
      container(schema, [record], { metadata: { 'avro.codec': 'snappy' } }),
      'the Avro data is broken',
    ],
    [
      'longer than its schema',
      container(schema, [Buffer.concat([record, Buffer.from([1])])]),
      'the Avro data is broken',
    ],
  ])('is bad when it is %s', (_, value, reason) => {
    expect(read(value, ['a', 'b']).reading).toMatchObject({ kind: 'bad', reason })
  })
})

describe('a JSON message', () => {
  const json = (text: string, features: readonly string[] = ['a', 'b']) => read(Buffer.from(text), features)

  it('keeps ids of 64 bits', () => {
    const { reading, values } = json('{"oid": "x", "candid": 1234567890123456789, "features": {"a": 0.1, "b": null}}')
    expect(reading).toEqual({ ...good, oid: 'x', candid: 1234567890123456789n })
    expect(values).toEqual([0.1, NaN])
  })

  it('may have its features beside the ids', () => {
    expect(json('{"oid": "x", "candid": "12", "a": 1, "b": 2e-3}')).toEqual({
      reading: { ...good, oid: 'x', candid: '12' },
      values: [1, 0.002],
    })
  })

  it('may begin with white space or a byte order mark, and hold what Python writes', () => {
    for (const start of ['\ufeff', ' \r\n\t']) {
      expect(json(`${start}{"oid":"x","candid":[1,12345678901234567890],"features":{"a":NaN,"b":-Infinity}}`)).toEqual({
        reading: { ...good, oid: 'x', candid: [1, 12345678901234567890n] },
        values: [NaN, -Infinity],
      })
    }
  })

  it('says what it lacks and what is no number', () => {
    expect(json('{"oid": "x", "features": {"a": "1"}}').reading).toEqual({
      ...good,
      oid: 'x',
      candid: undefined,
      absent: [1],
      unreadable: 0,
    })
    expect(json('{"features": null}').reading).toMatchObject({ hasFeatures: false, absent: [0, 1] })
  })

  it('is bad when it is no object', () => {
    expect(json('{"oid": ').reading).toEqual({ kind: 'bad', reason: 'the value is not a JSON object' })
    expect(json('[1]').reading).toMatchObject({ kind: 'bad' })
  })
})

describe('a message framed for a schema registry', () => {
  const schema = recordOf([oid, candid, { name: 'features', type: { type: 'map', values: 'double' } }])
  const record = Buffer.concat([
    write.text('x'),
    write.long(4),
    write.items([Buffer.concat([write.text('a'), write.double(0.1)])]),
  ])
  const framed = (id: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(5)
    head.writeInt32BE(id, 1)
    return Buffer.concat([head, bytes])
  }

  it('is read once its schema is known', () => {
    const reader = readerOf(['a'])
    expect(read(framed(77, record), ['a'], reader).reading).toEqual({ kind: 'unknown schema', id: 77 })
    reader.addSchema(77, { avro: JSON.stringify(schema) })
    expect(read(framed(77, record), ['a'], reader)).toEqual({
      reading: { ...good, oid: 'x', candid: 4n },
      values: [0.1],
    })
    expect(read(framed(77, Buffer.concat([record, record])), ['a'], reader).reading).toMatchObject({ kind: 'bad' })
    expect(read(framed(78, record), ['a'], reader).reading).toEqual({ kind: 'unknown schema', id: 78 })
  })

  it('may hold JSON', () => {
    const reader = readerOf(['a'])
    reader.addSchema(1, { json: true })
    const value = framed(1, Buffer.from('{"oid":"x","candid":4,"features":{"a":0.1}}'))
    expect(read(value, ['a'], reader)).toEqual({ reading: { ...good, oid: 'x', candid: 4 }, values: [0.1] })
  })

  it('does not fill the memory with ids that come from broken bytes', () => {
    const reader = readerOf(['a'])
    for (let id = 1; id <= 1001; id++) reader.addSchema(id, { reason: 'not found' })
    expect(read(framed(1, record), ['a'], reader).reading).toEqual({ kind: 'unknown schema', id: 1 })
    expect(read(framed(1001, record), ['a'], reader).reading).toMatchObject({ kind: 'bad' })
  })

  it('is bad when the registry does not know its schema, or it is cut', () => {
    const reader = readerOf(['a'])
    reader.addSchema(1, { reason: 'not found' })
    expect(read(framed(1, record), ['a'], reader).reading).toMatchObject({ kind: 'bad', detail: 'not found' })
    expect(read(Buffer.from([0, 0, 0]), ['a'], reader).reading).toMatchObject({ kind: 'bad' })
  })
})
