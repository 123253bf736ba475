import { afterAll, describe, expect, it } from 'vitest'
import { openOutlet } from '../../../src/connectors/kafka/client/outlet.ts'
import { clock } from '../../../src/jobs/stream/stream-batches.ts'
import { openOriginalMetrics } from '../../../src/jobs/stream/metrics-topic.ts'
import type { BatchReport } from '../../../src/pipeline/classify-input.ts'
import { openPostgresSink } from '../../../src/connectors/postgres/postgres-sink.ts'
import { createHealth } from '../../../src/jobs/stream/health.ts'
import type { Sink } from '../../../src/pipeline/sink.ts'
import { connectionTo, readTopic } from '../../support/kafka-client.ts'
import { kafkaForTests } from '../../support/kafka.ts'
import { batchOf, context, oidsOf } from '../../support/postgres-batches.ts'
import { createDatabase } from '../../support/postgres-database.ts'
import { startOwnPostgres } from '../../support/postgres-server.ts'
import { until } from '../../support/until.ts'

const kafka = (await kafkaForTests())!
const sinkOf = (address: string, unreachableMs: number): Sink => ({ address, unreachableMs }) as unknown as Sink

describe('an output that is away', () => {
  afterAll(() => kafka?.remove())

  it('makes the stream unready, by its name, when it is away for more than a moment', () => {
    const health = createHealth()
    health.step(undefined)
    health.onBegin!([sinkOf('postgres://host/db', 0), sinkOf('kafka://host/topic', 5000)])
    expect(health.unreadiness()).toBeUndefined()
    health.onBegin!([sinkOf('postgres://host/db', 12_000), sinkOf('kafka://host/topic', 0)])
    expect(health.unreadiness()).toBe('postgres://host/db has been unreachable for 12 s')
  })

  it('knows it of a database that a batch waits for, until it is back', async () => {
    const server = await startOwnPostgres()
    const database = await createDatabase(server.url)
    const { settings: connection } = database
    const sink = await openPostgresSink(
      { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail' },
      context,
    )
    const oids = oidsOf(10)
    await database.addObjects(oids)
    await server.halt('immediate')
    const writing = sink.write(batchOf(oids, 1))
    await until(() => sink.unreachableMs! > 100)
    await server.start()
    expect(await writing).toMatchObject({ objects: 10 })
    expect(sink.unreachableMs).toBe(0)
    await sink.close()
    await database.drop()
    await server.stop()
  })

  it.skipIf(!kafka?.isOwn)('knows it of brokers that messages wait for, until they are back', async () => {
    const topic = await kafka.createTopic('away', 1)
    const outlet = await openOutlet(connectionTo(kafka, 60_000), topic)
    expect(outlet.unreachableMs).toBe(0)
    await kafka.kill()
    const sending = outlet.send([{ topic, key: null, value: Buffer.from('x') }])
    await until(() => outlet.unreachableMs > 100)
    await kafka.start()
    await sending
    expect(outlet.unreachableMs).toBe(0)
    await outlet.close()
  })

  it.skipIf(!kafka?.isOwn)('costs metrics messages, and the log says once how many', async () => {
    const topic = await kafka.createTopic('metrics', 1)
    const said: string[] = []
    const quiet = (): void => undefined
    const log = { debug: quiet, info: quiet, error: quiet, warn: (message: string) => void said.push(message) }
    const connection = connectionTo(kafka, 60_000)
    const metrics = await openOriginalMetrics({ connection, topic: () => topic, isSingle: false }, log)
    kafka.freeze()
    const delivery = { batch: { oids: ['a'], candids: [1n] }, rejected: [], read: 1 }
    for (let i = 0; i < 150; i++) metrics.onCommitted!({ delivery } as unknown as BatchReport, clock())
    expect(said).toEqual([expect.stringContaining('the oldest are dropped')])
    kafka.thaw()
    await until(() => said.length === 2)
    expect(said[1]).toBe('49 metrics messages were dropped')
    await metrics.close()
    expect(said).toHaveLength(2)
    expect(await readTopic(kafka, topic)).toHaveLength(101)
  })
})
