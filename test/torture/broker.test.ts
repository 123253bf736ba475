import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseKafkaAddress } from '../../src/connectors/kafka/address.ts'
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import type { KafkaConnection } from '../../src/connectors/kafka/client/connection-settings.ts'
import { openOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import type { KafkaSourceSpec } from '../../src/connectors/kafka/spec.ts'
import { openKafkaSource } from '../../src/connectors/kafka/kafka-source.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { pause } from '../support/until.ts'
import { committedIn, connectionTo, produce, readTopic } from '../support/kafka-client.ts'
import { alertText, memorySink, runStream, testOptions } from '../support/kafka-stream.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!

function specOf(topic: string, connection: KafkaConnection, reading?: KafkaSourceSpec['reading']): KafkaSourceSpec {
  const live = {
    kind: 'group',
    groupId: `of-${topic}`,
    batchWaitMs: 100,
    // no test waits for a session to end; a machine that stands still for a moment must not end one
    sessionTimeoutMs: 30_000,
    isDraining: false,
  } as const
  return { kind: 'kafka', address: topic, connection, topics: [topic], registry: undefined, reading: reading ?? live }
}

const alerts = (count: number, prefix: string): { key: string; value: string }[] =>
  Array.from({ length: count }, (_, i) => ({ key: `${prefix}${i}`, value: alertText(`${prefix}${i}`, 1) }))

async function timed<T>(work: Promise<T>): Promise<number> {
  const started = performance.now()
  await work.catch(() => undefined)
  return (performance.now() - started) / 1000
}

/** A port on which something listens and never answers. */
async function silentServer(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

describe('a broker that is not there', () => {
  it('is named with the reason, soon', async () => {
    const connection = { brokers: ['127.0.0.1:1'], patienceMs: 1000 }
    const opening = openKafkaSource(specOf('t', connection), testOptions())
    await expect(opening).rejects.toMatchObject({
      exitCode: 5,
      message: 'reaching the brokers: connection refused (Kafka at 127.0.0.1:1)',
      hint: expect.stringContaining('Is the broker running') as string,
    })
    await expect(openKafkaSource(specOf('t', connection, { kind: 'snapshot' }), testOptions())).rejects.toMatchObject({
      exitCode: 5,
    })
    await expect(openOutlet(connection, 't')).rejects.toMatchObject({ exitCode: 5 })
    await expect(openOutlet({ brokers: ['nowhere.invalid:9092'], patienceMs: 500 }, 't')).rejects.toThrow(
      'the host name is unknown',
    )
  })

  it('does not hang us when it takes connections and says nothing', async () => {
    const { port, close } = await silentServer()
    const connection = { brokers: [`127.0.0.1:${port}`], patienceMs: 1000 }
    const opening = openOutlet(connection, 't')
    expect(await timed(opening)).toBeLessThan(30)
    await expect(opening).rejects.toThrow(/no answer within 2 s from 127.0.0.1/)
    close()
  })
})

describe.skipIf(!kafka)('a broker that goes away', () => {
  afterAll(() => kafka.remove())

  it('is passed over when it is frozen and others are well, and is not asked first again', async () => {
    const { port, close } = await silentServer()
    const topic = await kafka.createTopic('beside-frozen', 1)
    const cluster = await connectCluster({ brokers: [`127.0.0.1:${port}`, kafka.server], patienceMs: 4000 }, 'test')
    await cluster.persist('reaching the brokers', () => cluster.topics([], { fresh: true }))
    // once each: a request to the silent one would not be answered
    expect((await cluster.topics([topic], { fresh: true })).has(topic)).toBe(true)
    expect(await cluster.id()).not.toBe('')
    await cluster.close()
    close()
  })

  it.runIf(kafka?.isOwn)(
    'is waited for: a stream goes on when it is back, and nothing is lost or done twice',
    async () => {
      const input = await kafka.createTopic('restarted', 2)
      const output = await kafka.createTopic('restarted-out', 2)
      await produce(kafka, input, alerts(200, 'a'))
      const source = await openKafkaSource(specOf(input, connectionTo(kafka, 60_000)), testOptions({ batchSize: 20 }))
      const outlet = await openOutlet(connectionTo(kafka, 60_000), output)
      const echo = {
        ...memorySink(),
        async write({ oids }: { oids: readonly string[] }) {
          await outlet.send(oids.map((oid) => ({ topic: output, key: Buffer.from(oid), value: Buffer.from(oid) })))
          await pause(30)
          return { objects: oids.length, rows: oids.length, refused: [], superseded: 0 }
        },
      }
      const stop = new AbortController()
      const running = runStream(source, [echo], { signal: stop.signal })
      await pause(1500)
      await kafka.kill()
      await pause(500)
      await kafka.start()
      await produce(kafka, input, alerts(100, 'b'))
      await kafka.stop()
      await pause(500)
      await kafka.start()
      await produce(kafka, input, alerts(100, 'c'))
      const done = async (): Promise<bigint> =>
        (await committedIn(kafka, `of-${input}`, input)).reduce((sum, offset) => sum + offset, 0n)
      while ((await done()) < 400n) await pause(200)
      stop.abort()
      await running
      await source.close()
      await outlet.close()
      const written = (await readTopic(kafka, output)).map(({ value }) => value!.toString())
      expect(new Set(written).size).toBe(400)
      expect(written).toHaveLength(400)
    },
    120_000,
  )

  it.runIf(kafka?.isOwn)(
    'ends a stream when it stays away, with the reason',
    async () => {
      const input = await kafka.createTopic('away', 1)
      await produce(kafka, input, alerts(10, 'a'))
      const source = await openKafkaSource(specOf(input, connectionTo(kafka, 3000)), testOptions())
      const running = runStream(source, [memorySink()])
      // on a slow machine it ends before we look
      running.catch(() => undefined)
      await pause(1500)
      // in order a broker takes its time, and may last longer than the patience
      await kafka.kill()
      const started = performance.now()
      await expect(running).rejects.toMatchObject({
        exitCode: 5,
        message: expect.stringContaining('connection refused') as string,
      })
      await source.close()
      expect(performance.now() - started).toBeLessThan(40_000)
      await kafka.start()
    },
    120_000,
  )

  it.runIf(kafka?.isOwn)(
    'can be left within seconds when it does not answer any more',
    async () => {
      const input = await kafka.createTopic('frozen', 1)
      const source = await openKafkaSource(specOf(input, connectionTo(kafka, 60_000)), testOptions())
      const stop = new AbortController()
      const running = runStream(source, [memorySink()], { signal: stop.signal })
      await pause(1500)
      kafka.freeze()
      stop.abort()
      expect(await timed(running.then(() => source.close()))).toBeLessThan(30)
      kafka.thaw()
    },
    120_000,
  )
})

const keystore = temporaryFolder()

function makeKeystore(): Record<string, string> {
  const store = join(keystore, 'broker.p12')
  const key = ['-alias', 'broker', '-keystore', store, '-storetype', 'PKCS12', '-storepass', 'changeit']
  const names = ['-dname', 'CN=localhost', '-ext', 'SAN=DNS:localhost,IP:127.0.0.1']
  execFileSync(
    'keytool',
    ['-genkeypair', '-keyalg', 'RSA', '-keysize', '2048', '-validity', '3650', ...key, ...names],
    { stdio: 'ignore' },
  )
  execFileSync('keytool', ['-exportcert', '-rfc', '-file', join(keystore, 'ca.pem'), ...key], { stdio: 'ignore' })
  return { 'ssl.keystore.location': store, 'ssl.keystore.password': 'changeit', 'ssl.keystore.type': 'PKCS12' }
}

describe.skipIf(!kafka?.isOwn)('a broker that wants to know who we are', async () => {
  const login =
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin" user_alice="p@ss:w/rd%";'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const guarded = (await kafkaForTests({
    listener: {
      name: 'GUARDED',
      settings: {
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.guarded.plain.sasl.jaas.config': login,
        'listener.name.guarded.scram-sha-256.sasl.jaas.config': scram,
        'listener.name.guarded.scram-sha-512.sasl.jaas.config': scram,
        ...makeKeystore(),
      },
    },
    scram: ['SCRAM-SHA-256=[name=bob,password=geheim]', 'SCRAM-SHA-512=[name=bob,password=geheim]'],
  }))!
  afterAll(() => guarded.remove())
  const ca = join(keystore, 'ca.pem')

  it.each([
    ['PLAIN', 'alice', 'p@ss:w/rd%'],
    ['SCRAM-SHA-256', 'bob', 'geheim'],
    ['SCRAM-SHA-512', 'bob', 'geheim'],
  ])('lets us in with %s over TLS', async (mechanism, username, password) => {
    const environment = {
      CONSUMER_KAFKA_USERNAME: username,
      CONSUMER_KAFKA_PASSWORD: password,
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SSL_CA: ca,
    }
    const { connection } = parseKafkaAddress(`kafka://${guarded.server}/t`, 'consumer', environment)
    const topic = `in-${mechanism}`.toLowerCase()
    const outlet = await openOutlet(connection, topic)
    await outlet.send([{ topic, key: null, value: Buffer.from(alertText('x', 1)) }])
    await outlet.close()
    const source = await openKafkaSource(specOf(topic, connection, { kind: 'snapshot' }), testOptions())
    const sink = memorySink()
    await runStream(source, [sink])
    await source.close()
    expect(sink.batches[0]!.oids).toEqual(['x'])
  })

  const refusal = async (
    environment: Record<string, string>,
  ): Promise<{ message: string; hint: string; exitCode: number }> => {
    const { connection } = parseKafkaAddress(`kafka://${guarded.server}/t?patience=60`, 'producer', environment)
    const started = performance.now()
    const thrown = await openOutlet(connection, 't').then(
      () => undefined,
      (error: unknown) => error,
    )
    // what cannot mend itself is not tried again and again
    expect(performance.now() - started).toBeLessThan(30_000)
    return thrown as { message: string; hint: string; exitCode: number }
  }

  it('says that the password is wrong, and does not show it', async () => {
    const wrong = await refusal({
      PRODUCER_KAFKA_USERNAME: 'bob',
      PRODUCER_KAFKA_PASSWORD: 'secret-and-wrong',
      KAFKA_SSL_CA: ca,
    })
    expect(wrong).toMatchObject({ exitCode: 5, hint: 'Check the user name, the password and the SASL mechanism.' })
    expect(wrong.message).toContain('SASL_AUTHENTICATION_FAILED')
    expect(JSON.stringify(wrong) + wrong.message).not.toContain('secret-and-wrong')
  })

  it('says that its certificate is not known', async () => {
    const unknown = await refusal({
      PRODUCER_KAFKA_USERNAME: 'bob',
      PRODUCER_KAFKA_PASSWORD: 'geheim',
      PRODUCER_SECURITY_PROTOCOL: 'SASL_SSL',
    })
    expect(unknown.hint).toContain('KAFKA_SSL_CA')
    expect(unknown.message).toMatch(/self.signed/)
  })

  it('takes the certificate itself in place of its path', async () => {
    const pem = readFileSync(ca, 'utf8')
    const { connection } = parseKafkaAddress(`kafka://bob@${guarded.server}/pem`, 'producer', {
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_PASSWORD: 'geheim',
      KAFKA_SSL_CA: pem,
    })
    await (await openOutlet(connection, 'pem')).close()
  })
})
