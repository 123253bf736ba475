import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { originalRows } from '../support/postgres-batches.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { plainAlert, plainOutput, seedRun } from '../support/seed-run.ts'
import { startStream } from '../support/stream-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { pause, until } from '../support/until.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const expected = seedRun('output').map(plainOutput)
const alerts = seedRun('input').map((value) => ({ key: plainAlert(value).oid, value }))
const oids = [...new Set(alerts.map(({ key }) => key))]
const byOid = <T extends { readonly oid: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => (a.oid < b.oid ? -1 : 1))

let database: TestDatabase

const storedRows = () =>
  database.query(
    `SELECT oid, classifier_name, classifier_version, class_name, probability, ranking
       FROM probability ORDER BY oid COLLATE "C", classifier_name COLLATE "C", class_name COLLATE "C"`,
  )

describe.skipIf(!kafka)('lcclf stream into Postgres and a topic', () => {
  beforeAll(async () => {
    const source = unpackFixture('sklearn-0.22.2')
    await importModel({ source, name: 'hierarchical_random_forest', version: '1.0.0', out: model })
    database = await createDatabase(await sharedPostgres(), { withHistory: true })
  })
  afterAll(async () => {
    await database.drop()
    await kafka.remove()
  })

  it("with the original's variables alone gives its 1,320 rows and its 40 messages", async () => {
    await database.addObjects(oids)
    const topic = await kafka.createTopic('features', 2)
    await produce(kafka, topic, alerts)
    const { hostname, port, username, password } = new URL(database.url)
    const { ended, log } = startStream(['--model', model, '--threads', '1', '--until-caught-up'], {
      ...{ CONSUMER_SERVER: kafka.server, CONSUMER_TOPICS: topic, CONSUMER_GROUP_ID: 'late', CONSUME_MESSAGES: '9' },
      ...{ CONSUME_TIMEOUT: '1', PRODUCER_SERVER: kafka.server, PRODUCER_TOPIC: 'classes', STEP_VERSION: '1.0.9' },
      ...{ DB_ENGINE: 'postgresql', DB_HOST: hostname, DB_PORT: port, DB_USER: username, DB_PASSWORD: password },
      DB_NAME: database.name,
    })
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(await storedRows()).toStrictEqual(originalRows)
    expect(byOid((await readTopic(kafka, 'classes')).map(({ value }) => plainOutput(value!)))).toEqual(byOid(expected))
    expect(await database.query('SELECT step_id, name, version FROM step')).toEqual([
      ['lc_classification', 'late classification', '1.0.9'],
    ])
    expect(await database.query('SELECT count(*) FROM lcclf_history')).toEqual([['40']])
    expect(JSON.stringify(log)).not.toContain(password)
  })

  it('does not let older alerts that are sent again replace newer ones', async () => {
    const topic = await kafka.createTopic('replayed', 1)
    const older = alerts.map(({ key, value }) => {
      const { features } = plainAlert(value)
      return { key, value: JSON.stringify({ oid: key, candid: 7, features: { ...features, rb: 0.1 } }) }
    })
    await produce(kafka, topic, older)
    const { ended, log } = startStream([
      ...['--model', model, '--threads', '1', '--until-caught-up', '--batch-timeout', '1'],
      ...['--from', `kafka://${kafka.server}/${topic}?group=replay`, '--to', database.url],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(log.at(-1)).toMatchObject({ read: 40, outputs: [{ objects: 0, superseded: 40 }] })
    expect(await storedRows()).toStrictEqual(originalRows)
  })

  it('keeps messages whose object is unknown, and writes the others', async () => {
    const topic = await kafka.createTopic('strangers', 1)
    const features = plainAlert(alerts[0]!.value).features
    await produce(kafka, topic, [
      { key: 'nobody', value: JSON.stringify({ oid: 'nobody', candid: 8, features }) },
      { key: 'nobody', value: JSON.stringify({ oid: 'nobody', candid: 9, features }) },
      { key: oids[0]!, value: alerts[0]!.value },
    ])
    const { ended, log } = startStream([
      ...['--model', model, '--threads', '1', '--until-caught-up', '--batch-timeout', '1'],
      ...['--from', `kafka://${kafka.server}/${topic}?group=strangers`, '--to', database.url],
      ...['--missing-object', 'reject', '--dead-letter', `kafka://${kafka.server}/strangers-dead`],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    const letters = await readTopic(kafka, 'strangers-dead')
    // each once, though the newer one would have replaced the older
    expect(letters.map(({ value }) => JSON.parse(value!.toString()) as unknown)).toMatchObject([
      { reason: 'no row in table object', topic, partition: 0, offset: 0 },
      { reason: 'no row in table object', topic, partition: 0, offset: 1 },
    ])
    expect(log.filter(({ message }) => /INSERT INTO object .*'nobody'/.test(String(message)))).toHaveLength(1)
  })

  it('ends at once on a second signal, with a batch in hand', async () => {
    const topic = await kafka.createTopic('twice', 1)
    await produce(kafka, topic, alerts)
    const url = new URL(database.url)
    let held = 0
    // the database never sees a statement of the batch, so the first signal alone would wait for it
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port) }, (chunk) =>
      oids.some((oid) => chunk.includes(oid)) && ++held > 0 ? 'hold' : 'pass',
    )
    url.port = String(proxy.port)
    const { child, ended, log } = startStream([
      ...['--model', model, '--threads', '1'],
      ...['--from', `kafka://${kafka.server}/${topic}?group=twice`, '--to', url.href, '--batch-timeout', '0.2'],
    ])
    try {
      await until(() => held > 0 || child.exitCode !== null)
      child.kill('SIGTERM')
      // two signals that wait at the same time come in the order of their numbers
      await pause(1000)
      child.kill('SIGINT')
      // the first signal's own end would be 143, or 5 where the batch takes too long, and would say so
      expect(await ended, JSON.stringify(log)).toBe(130)
      expect(JSON.stringify(log)).not.toMatch(/interrupted by|could not be finished/)
    } finally {
      child.kill('SIGKILL')
      await proxy.close()
    }
  })
})
