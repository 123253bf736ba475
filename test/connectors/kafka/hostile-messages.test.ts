import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { outputFeatures } from '../../../src/connectors/kafka/output-message.ts'
import { readCandid } from '../../../src/pipeline/row-ids.ts'
import { container, write } from '../../support/avro-writer.ts'
import { read, readerOf, recordOf } from '../../support/read-message.ts'
import { seedRun, takeApart } from '../../support/seed-run.ts'

const recorded = seedRun('input')
const oid = { name: 'oid', type: 'string' }

describe('hostile messages', () => {
  const features = outputFeatures.map(({ name }) => name)

  it('are an alert or bad, never an exception, when bytes of real ones are changed', () => {
    const reader = readerOf(features)
    const into = new Float64Array(features.length)
    const mutation = fc.record({
      message: fc.nat(39),
      changes: fc.array(fc.tuple(fc.nat(12_000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      length: fc.option(fc.nat(12_000)),
    })
    fc.assert(
      fc.property(mutation, ({ message, changes, length }) => {
        const value = Buffer.from(recorded[message]!)
        for (const [at, byte] of changes) value[at % value.length] = byte
        const { kind } = reader.read(length === null ? value : value.subarray(0, length), into, 0)
        expect(['alert', 'bad', 'unknown schema']).toContain(kind)
      }),
      { numRuns: 3000 },
    )
  })

  it('are an alert or bad, never an exception, when the record is any bytes', () => {
    const schema = takeApart(recorded[0]!).metadata[1]![1]
    const reader = readerOf(features)
    const into = new Float64Array(features.length)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const { kind } = reader.read(container(schema, [Buffer.from(bytes)]), into, 0)
        expect(['alert', 'bad']).toContain(kind)
      }),
      { numRuns: 2000 },
    )
  })

  const number = (bytes: number[]): Buffer => Buffer.from(bytes)
  const endless = number([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
  const huge = write.long(2n ** 60n)
  it.each([
    ['a list of 2^60 nulls', { type: 'array', items: 'null' }, Buffer.concat([huge, write.long(0)])],
    ['a list of 2^60 longs', { type: 'array', items: 'long' }, huge],
    [
      'a list of 2^60 empty records',
      { type: 'array', items: { type: 'record', name: 'e', fields: [] } },
      Buffer.concat([huge, write.long(0)]),
    ],
    ['a map of 2^60 nulls', { type: 'map', values: 'null' }, huge],
    ['a text of 2^60 bytes', 'string', huge],
    ['bytes of a negative length', 'bytes', write.long(-5)],
    ['an integer without an end', 'long', Buffer.concat([endless, endless])],
    ['a branch that does not exist', ['null', 'int'], write.long(9)],
    ['a negative branch', ['null', 'int'], write.long(-1)],
  ])('cannot hang it with %s', (_, type, bytes) => {
    const other = container(recordOf([{ name: 'x', type }, oid]), [Buffer.concat([bytes, write.text('x')])])
    const started = performance.now()
    read(other, ['a'])
    // as ids and as features too
    for (const name of ['oid', 'candid', 'features']) {
      read(container(recordOf([{ name, type }]), [bytes]), ['a'])
    }
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('cannot hang it with a schema that doubles at every level', () => {
    const double = (inner: string, field: unknown): unknown[] =>
      Array.from({ length: 60 }, (_, i) => ({
        name: `level${i}`,
        type: {
          type: 'record',
          name: `R${i}`,
          fields: ['a', 'b'].map((name) => ({ name, type: i === 0 ? (name === 'a' ? field : inner) : `R${i - 1}` })),
        },
      }))
    const started = performance.now()
    const empty = { type: 'record', name: 'E', fields: [] }
    read(container(recordOf(double('E', empty)), [Buffer.alloc(8)]), ['a'])
    read(container(recordOf(double('int', 'int')), [Buffer.alloc(8)]), ['a'])
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('cannot bring it down with a record that contains itself, or a schema nested without end', () => {
    const self = recordOf([{ name: 'me', type: 'features_document' }, oid])
    expect(read(container(self, [Buffer.alloc(10)]), ['a']).reading).toMatchObject({ kind: 'bad' })
    const list = recordOf([{ name: 'me', type: ['null', 'features_document'] }])
    expect(read(container(list, [Buffer.alloc(900_000, 2)]), ['a']).reading).toMatchObject({ kind: 'bad' })
    const deep = `${'{"type":"array","items":'.repeat(200_000)}"int"${'}'.repeat(200_000)}`
    expect(read(container(deep, [Buffer.alloc(1)]), ['a']).reading).toMatchObject({ kind: 'bad' })
  })

  /** the items of a list in blocks that each claim as many as there are bytes left */
  const claims = (blocks: number): Buffer =>
    Buffer.concat([...Array.from({ length: blocks }, () => write.long(20_000)), write.long(0)])
  const oneText = (field: unknown, bytes: Buffer) =>
    container(recordOf([oid, field, { name: 'features', type: { type: 'map', values: 'double' } }]), [
      Buffer.concat([write.text('a'), bytes, write.long(0)]),
    ])

  it.each([
    ['nulls', 'null', null],
    ['empty records', { type: 'record', name: 'e', fields: [] }, 'no id'],
    ['fixed values of no size', { type: 'fixed', name: 'f', size: 0 }, 'no id'],
    [
      'records of nulls',
      {
        type: 'record',
        name: 'n',
        fields: [
          { name: 'x', type: 'null' },
          { name: 'y', type: 'null' },
        ],
      },
      'no id',
    ],
  ])('reads one of the %s that a candid has without end: they are alike and cost no bytes', (_, items, what) => {
    const message = oneText({ name: 'candid', type: { type: 'array', items } }, claims(20_000))
    const before = process.memoryUsage.rss()
    const started = performance.now()
    const { reading } = read(message, ['a'])
    expect(performance.now() - started).toBeLessThan(5000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(300e6)
    expect(reading).toMatchObject({ kind: 'alert', candid: [what === null ? null : {}] })
  })

  it('refuses a candid of more ids than an object can have, and keeps none of them', () => {
    const long = { name: 'candid', type: { type: 'array', items: 'long' } }
    const list = (count: number) => Buffer.concat([write.long(count), Buffer.alloc(count, 2), write.long(0)])
    expect(read(oneText(long, list(100_000)), ['a']).reading).toMatchObject({ kind: 'alert' })
    expect(read(oneText(long, list(100_001)), ['a']).reading).toMatchObject({
      kind: 'bad',
      detail: 'a list of more than 100000 ids',
    })
    const blocks = Buffer.concat([write.long(60_000), Buffer.alloc(60_000, 2), list(60_000)])
    expect(read(oneText(long, blocks), ['a']).reading).toMatchObject({ kind: 'bad' })
  })

  it('takes a list of lists for no id', () => {
    const nested = { name: 'candid', type: { type: 'array', items: { type: 'array', items: 'long' } } }
    const bytes = Buffer.concat([write.long(1), write.items([write.long(5)]), write.long(0)])
    expect(read(oneText(nested, bytes), ['a']).reading).toMatchObject({ kind: 'alert', candid: [{}] })
  })

  it('takes no step for fields without bytes, however many a schema has', () => {
    const empties = Array.from({ length: 20_000 }, (_, i) => ({ name: `n${i}`, type: 'null' }))
    const wide = { type: 'record', name: 'wide', fields: [...empties, { name: 'x', type: 'int' }] }
    const skipped = { name: 'others', type: { type: 'array', items: wide } }
    const bytes = Buffer.concat([write.long(400_000), Buffer.alloc(400_000), write.long(0)])
    const message = oneText(skipped, bytes)
    const started = performance.now()
    expect(read(message, ['a']).reading).toMatchObject({ kind: 'alert', oid: 'a' })
    // eight thousand million steps otherwise
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('takes one step for a value that is wrapped in records of one field', () => {
    const wrappers = Array.from({ length: 3000 }, (_, i) => ({
      name: `w${i}`,
      type: { type: 'record', name: `R${i}`, fields: [{ name: 'x', type: i === 0 ? 'int' : `R${i - 1}` }] },
    }))
    const schema = recordOf([...wrappers, { name: 'list', type: { type: 'array', items: 'R2999' } }, oid])
    const list = Buffer.concat([write.long(500_000), Buffer.alloc(500_000), write.long(0)])
    const message = container(schema, [Buffer.concat([Buffer.alloc(3000), list, write.text('a')])])
    const started = performance.now()
    expect(read(message, ['a']).reading).toMatchObject({ kind: 'alert', oid: 'a' })
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('refuses a record that has a field twice: one of them would be lost', () => {
    const twice = recordOf([oid, oid])
    expect(read(container(twice, [Buffer.alloc(2)]), ['a']).reading).toMatchObject({
      kind: 'bad',
      detail: 'the field oid is there twice',
    })
  })

  it('refuses blocks that claim more records than they can hold', () => {
    const schema = recordOf([oid])
    const good = container(schema, [write.text('a'), write.text('b')], { perBlock: 1 })
    const count = good.lastIndexOf(Buffer.concat([write.long(1), write.long(2), write.text('b')]))
    const claim = Buffer.concat([good.subarray(0, count), write.long(2n ** 50n), good.subarray(count + 1)])
    expect(read(good, []).reading).toMatchObject({ kind: 'alert', further: 1 })
    expect(read(claim, []).reading).toMatchObject({
      kind: 'bad',
      detail: 'a block has more records than bytes',
    })
  })

  it('reads no number of millions of digits', () => {
    const started = performance.now()
    const text = { name: 'candid', type: 'string' }
    const { reading } = read(oneText(text, write.text('9'.repeat(20_000_000))), ['a'])
    expect(readCandid((reading as { candid: unknown }).candid)).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('cannot fill the memory with what unpacks to gigabytes', () => {
    const schema = recordOf([{ name: 'x', type: 'bytes' }])
    const bomb = container(schema, [Buffer.alloc(100 * 1024 * 1024)], { codec: 'deflate' })
    expect(bomb.length).toBeLessThan(200_000)
    expect(read(bomb, ['a']).reading).toMatchObject({ kind: 'bad' })
  })
})
