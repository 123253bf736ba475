import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { outputFeatures } from '../../../src/connectors/kafka/output-message.ts'
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

  it('cannot fill the memory with what unpacks to gigabytes', () => {
    const schema = recordOf([{ name: 'x', type: 'bytes' }])
    const bomb = container(schema, [Buffer.alloc(100 * 1024 * 1024)], { codec: 'deflate' })
    expect(bomb.length).toBeLessThan(200_000)
    expect(read(bomb, ['a']).reading).toMatchObject({ kind: 'bad' })
  })
})
