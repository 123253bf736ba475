import { describe, expect, it } from 'vitest'
import { attacks, type Chooser } from '../../support/attack.ts'
import { hostileContainer, hostileRecord, hostileSchema } from '../../support/hostile-avro.ts'
import { readerOf } from '../../support/read-message.ts'
import { readCandid, readOid, whyNoCandid } from '../../../src/pipeline/row-ids.ts'

const features = ['a', 'b', 'c']

describe('messages of whoever has read the code', { tags: ['long'] }, () => {
  const reader = readerOf(features)
  const into = new Float64Array(features.length)

  it('are read right where nothing in them lies, whatever else they hold', async () => {
    const manner = { lies: 0 }
    await attacks(1500, (choose) => {
      const schema = hostileSchema(choose, manner)
      const { bytes, alert } = hostileRecord(choose, schema, manner)
      const message = hostileContainer(choose, schema, [bytes], manner)
      return () => {
        const reading = reader.read(message, into, 0)
        expect(reading).toMatchObject({
          kind: 'alert',
          oid: alert.oid,
          candid: alert.candid,
          hasFeatures: alert.features !== undefined,
        })
        if (reading.kind !== 'alert' || !alert.features) return
        const expected = features.map((name) => alert.features![name] ?? NaN)
        expect([...into]).toEqual(expected)
        expect(reading.absent).toEqual(features.flatMap((name, slot) => (name in alert.features! ? [] : [slot])))
      }
    })
  })

  it('are an alert or bad, in time and within memory, whatever they claim', async () => {
    await attacks(1500, (choose) => {
      const manner = { lies: choose.of([0.02, 0.1, 0.3]) }
      const schema = hostileSchema(choose, manner)
      const records = Array.from({ length: 1 + choose.whole(2) }, () => hostileRecord(choose, schema, manner).bytes)
      const message = hostileContainer(choose, schema, records, manner)
      return () => {
        const reading = reader.read(message, into, 0)
        expect(['alert', 'bad']).toContain(reading.kind)
        if (reading.kind !== 'alert') return
        // whoever takes it decides about its ids
        readOid(reading.oid, 'string')
        if (readCandid(reading.candid) === undefined) whyNoCandid(reading.candid)
      }
    })
  })

  it('are an alert or bad, in time and within memory, when a registry has their schema', async () => {
    let id = 0
    await attacks(1000, (choose) => {
      const manner = { lies: choose.of([0.02, 0.1, 0.3]) }
      const schema = hostileSchema(choose, manner)
      const frame = Buffer.alloc(5)
      frame.writeInt32BE(++id, 1)
      const value = Buffer.concat([frame, hostileRecord(choose, schema, manner).bytes])
      return () => {
        reader.addSchema(id, { avro: JSON.stringify(schema) })
        expect(['alert', 'bad']).toContain(reader.read(value, into, 0).kind)
      }
    })
  })

  it('are refused or read, in time, whatever their schema is', async () => {
    await attacks(200, (choose) => {
      const schema = damagedSchema(choose, hostileSchema(choose, { lies: 0.2 }))
      const message = hostileContainer(choose, schema, [Buffer.alloc(50)], { lies: 0 })
      return () => expect(['alert', 'bad']).toContain(reader.read(message, into, 0).kind)
    })
  })
})

/** A schema in which one word is something long, deep or without end. */
function damagedSchema(choose: Chooser, schema: unknown): unknown {
  const deep = (inner: unknown, depth: number): unknown => (depth === 0 ? inner : [deep(inner, depth - 1)])
  const itself = { type: 'record', name: 'N0', fields: ['x', 'y'].map((name) => ({ name, type: 'N0' })) }
  const other = choose.of([
    ...[{}, -1, null, [], 'x'.repeat(100_000), deep('int', 150), itself],
    Array.from({ length: 20_000 }, () => 'null'),
    { type: { type: { type: 'int' } } },
    { type: 'fixed', name: 'N1', size: -1 },
    { type: 'record', name: 'N2' },
    { type: 'record', name: 'N2', fields: Array.from({ length: 20_000 }, (_, i) => ({ name: `w${i}`, type: 'null' })) },
  ])
  let left = choose.whole(30)
  return JSON.parse(JSON.stringify(schema), (_, value: unknown) =>
    typeof value === 'string' && left-- === 0 ? other : value,
  )
}
