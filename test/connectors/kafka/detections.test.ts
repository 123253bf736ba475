import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSource } from '../../../src/connectors/open-connector.ts'
import { createRowGatherer } from '../../../src/connectors/kafka/rows.ts'
import { openValueSchema } from '../../../src/connectors/kafka/value-schema.ts'
import type { SchemaRegistry } from '../../../src/connectors/kafka/schema-registry.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { container, write } from '../../support/avro-writer.ts'
import { testOptions } from '../../support/kafka-stream.ts'
import { fileSpec } from '../../support/objects.ts'
import { recordOf } from '../../support/read-message.ts'
import { bareSchema, messagesOfToday } from '../../support/messages-of-today.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

interface Detection {
  readonly mjd: number | null
  readonly forced: boolean
}

interface Alert {
  readonly oid: string
  readonly detections: readonly Detection[] | null
  readonly lastmjd: number | null
}

const detection = {
  type: 'record',
  name: 'detection',
  fields: [
    { name: 'fid', type: 'string' },
    { name: 'mjd', type: ['null', 'double'] },
    { name: 'ra', type: 'double' },
    { name: 'forced', type: 'boolean' },
    { name: 'extra', type: { type: 'map', values: ['null', 'int'] } },
  ],
}
const schema = recordOf([
  { name: 'oid', type: 'string' },
  { name: 'candid', type: 'long' },
  { name: 'lastmjd', type: ['null', 'double'] },
  { name: 'detections', type: ['null', { type: 'array', items: detection }] },
  { name: 'features', type: { type: 'map', values: 'double' } },
])

const orNull = (value: number | null) =>
  value === null ? write.long(0) : Buffer.concat([write.long(1), write.double(value)])
const datum = ({ oid, detections, lastmjd }: Alert): Buffer => {
  const extra = write.items([Buffer.concat([write.text('rb'), write.long(1), write.long(7)])])
  const items = (detections ?? []).map(({ mjd, forced }) =>
    Buffer.concat([write.text('g'), orNull(mjd), write.double(10), Buffer.from([Number(forced)]), extra]),
  )
  // by turns in one block, and in blocks that say their size
  const list = Buffer.concat([write.long(1), oid.endsWith('s') ? write.sizedItems(items) : write.items(items)])
  const all = detections === null ? write.long(0) : list
  return Buffer.concat([write.text(oid), write.long(1), orNull(lastmjd), all, write.long(0)])
}
const json = (alert: Alert): Buffer => Buffer.from(JSON.stringify({ ...alert, candid: 1, features: {} }))

const seen = (...all: readonly [number | null, boolean][]) => all.map(([mjd, forced]) => ({ mjd, forced }))
const alerts: readonly (Alert & { readonly newest: number; readonly unforced: number })[] = [
  { oid: 'one', detections: seen([59000.5, false]), lastmjd: null, newest: 59000.5, unforced: 1 },
  {
    oid: 'forced last, s',
    detections: seen([59000, false], [59007, true], [59003, false]),
    lastmjd: null,
    newest: 59007,
    unforced: 2,
  },
  { oid: 'says itself', detections: seen([59000, false]), lastmjd: 59001.25, newest: 59001.25, unforced: 1 },
  { oid: 'no times', detections: seen([null, false], [null, true]), lastmjd: null, newest: NaN, unforced: 1 },
  { oid: 'empty', detections: [], lastmjd: null, newest: NaN, unforced: 0 },
  { oid: 'null', detections: null, lastmjd: null, newest: NaN, unforced: 0 },
  { oid: 'before 0, s', detections: seen([-2, true], [-1, true]), lastmjd: null, newest: -1, unforced: 0 },
]
const framings = {
  containers: (alert: Alert) => container(schema, [datum(alert)]),
  'containers with deflate': (alert: Alert) => container(schema, [datum(alert)], { codec: 'deflate' }),
  'a registry’s messages': (alert: Alert) => Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), datum(alert)]),
  'bare data': datum,
  JSON: json,
} as const
const registry: SchemaRegistry = { schemaOf: () => Promise.resolve({ avro: JSON.stringify(schema) }) }

async function gather(values: readonly Buffer[], more: Partial<ReadOptions>, path?: string) {
  const options = testOptions({ features: [], ...more })
  const own = join(temporaryFolder(), 'message.avsc')
  writeFileSync(own, JSON.stringify(schema))
  const gatherer = createRowGatherer(options, { registry, valueSchema: openValueSchema([path ?? own], options) })
  for (const [i, value] of values.entries()) {
    await gatherer.add({ topic: 't', partition: 0 }, { offset: BigInt(i), key: null, timestamp: 0n, value })
  }
  return gatherer.take()
}

describe.each(Object.entries(framings))('the detections of %s', (_, frame) => {
  const values = alerts.map((alert) => frame(alert))

  it('say when an object was last seen, forced ones too, where the message itself does not', async () => {
    const { batch } = await gather(values, { mjdColumn: 'lastmjd' })
    expect(batch.oids).toEqual(alerts.map(({ oid }) => oid))
    expect([...batch.mjds!]).toEqual(alerts.map(({ newest }) => newest))
    expect((await gather(values, {})).batch.mjds).toBeUndefined()
  })

  it('are as many as they must be, forced ones not counted, or the message is rejected and not bad', async () => {
    for (const minDetections of [0, 1, 2, 3]) {
      const { batch, rejected } = await gather(values, { minDetections })
      expect(batch.oids).toEqual(alerts.filter((one) => one.unforced >= minDetections).map(({ oid }) => oid))
      const few = alerts.filter((one) => one.unforced < minDetections)
      const reason = `has fewer than ${minDetections} detections`
      expect(rejected).toMatchObject(few.map(({ oid }) => ({ oid, reason, isBadMessage: false, candid: 1n })))
    }
  })
})

describe('the detections of other messages', () => {
  it('are those of the pipeline', async () => {
    const features = ['Amplitude_1']
    const { batch } = await gather(
      messagesOfToday('input'),
      { features, mjdColumn: 'lastmjd', minDetections: 1 },
      bareSchema,
    )
    expect([...batch.mjds!]).toEqual(Array.from({ length: 30 }, (_, i) => 59000.5 + i))
    const { rejected } = await gather(messagesOfToday('input'), { features, minDetections: 2 }, bareSchema)
    expect(rejected).toHaveLength(30)
  })

  it('are not what is no number, or no detection', async () => {
    const detections = ['x', 5, null, { mjd: '60000' }, { mjd: true, forced: 'no' }, { mjd: 58999 }, { mjd: [1] }]
    const odd = Buffer.from(JSON.stringify({ oid: 'odd', candid: 1, features: {}, detections, lastmjd: 'today' }))
    const none = Buffer.from(JSON.stringify({ oid: 'none', candid: 1, features: {}, detections: { mjd: 1 } }))
    const far = Buffer.from(
      '{"oid": "far", "candid": 1, "features": {}, "detections": [{"mjd": Infinity}, {"mjd": 1}]}',
    )
    const { batch } = await gather([odd, none, far], { mjdColumn: 'lastmjd' })
    expect([...batch.mjds!]).toEqual([58999, NaN, 1])
    expect((await gather([odd, none], { minDetections: 4 })).batch.oids).toEqual(['odd'])
    expect((await gather([odd, none], { minDetections: 5 })).batch.oids).toEqual([])
  })

  it('count in Avro files as they do in messages', async () => {
    const path = join(temporaryFolder(), 'alerts.avro')
    writeFileSync(path, container(schema, alerts.map(datum)))
    const read = async (more: Partial<ReadOptions>) => {
      const source = await openSource(fileSpec(path, 'avro', 'alerts.avro'), testOptions({ features: [], ...more }))
      for await (const { batch, rejected } of source.deliveries(new AbortController().signal)) {
        return { batch, rejected, schema: source.schema }
      }
      throw new Error('nothing')
    }
    const times = await read({ mjdColumn: 'lastmjd' })
    expect([times.schema.hasMjd, ...times.batch.mjds!]).toEqual([true, ...alerts.map(({ newest }) => newest)])
    const plain = await read({})
    expect([plain.schema.hasMjd, plain.batch.mjds]).toEqual([undefined, undefined])
    const few = await read({ minDetections: 2 })
    expect(few.batch.oids).toEqual(['forced last, s'])
    expect(few.rejected[0]).toMatchObject({ where: 'alerts.avro record 1', reason: 'has fewer than 2 detections' })
  })
})
