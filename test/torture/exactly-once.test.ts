import { type ChildProcess, spawn } from 'node:child_process'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { openTransactionalOutlet, requireOneCluster } from '../../src/connectors/kafka/client/outlet.ts'
import { openKafkaSink } from '../../src/connectors/kafka/kafka-sink.ts'
import { type KafkaStream, openKafkaSource } from '../../src/connectors/kafka/kafka-source.ts'
import type { Sink } from '../../src/pipeline/sink.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { committedIn, connectionTo, produce, readTopic } from '../support/kafka-client.ts'
import { alertText, memorySink, runStream, testOptions, testTaxonomy } from '../support/kafka-stream.ts'
import { plainOutput } from '../support/seed-run.ts'
import { pause, until } from '../support/until.ts'

const kafka = (await kafkaForTests())!

const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `o${from + i}`)

async function alerts(topic: string, oids: readonly string[]): Promise<void> {
  await produce(
    kafka,
    topic,
    oids.map((oid) => ({ key: oid, value: alertText(oid, 1) })),
  )
}

/** oids of the messages that a reader of committed messages sees */
async function outputs(topic: string): Promise<string[]> {
  return (await readTopic(kafka, topic)).map(({ value }) => plainOutput(value!).oid)
}

interface Opened {
  readonly source: KafkaStream
  readonly sink: Sink
  close(): Promise<void>
}

async function open(input: string, output: string): Promise<Opened> {
  const connection = connectionTo(kafka)
  const outlet = await openTransactionalOutlet(connection, `tx-${input}-${Math.random()}`, [output], {
    timeoutMs: 4000,
  })
  const source = await openKafkaSource(
    {
      kind: 'kafka',
      address: input,
      connection,
      topics: [input],
      registry: undefined,
      reading: {
        kind: 'group',
        groupId: `group-of-${input}`,
        batchWaitMs: 100,
        sessionTimeoutMs: 6000,
        isDraining: false,
      },
    },
    testOptions({ batchSize: 50 }),
    outlet,
  )
  const sink = await openKafkaSink(
    {
      kind: 'kafka',
      address: output,
      connection,
      topic: output,
      daily: { dateFormat: '%Y%m%d', changeHour: 22 },
      outputSchema: 'original',
    },
    { schema: { oidType: 'string', hasCandid: true }, taxonomy: testTaxonomy, classifierVersion: 'test_1' },
    outlet,
  )
  return {
    source,
    sink,
    async close() {
      await source.close()
      await sink.close()
      await outlet.close()
    },
  }
}

const worker = new URL('../support/kafka-worker.ts', import.meta.url).pathname
interface Worker {
  readonly child: ChildProcess
  /** when it has opened everything, and so can be told to end; false where it ended before */
  readonly begun: Promise<boolean>
  readonly ended: Promise<number | null>
}

let workers: Worker[] = []

function startWorker(input: string, output: string, delivery: string): Worker {
  const args = ['--import', 'tsx', worker, kafka.server, input, output, `group-of-${input}`, delivery]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const said = new Promise<boolean>((resolve) => child.stdout.once('data', () => resolve(true)))
  workers.push({ child, begun: Promise.race([said, ended.then(() => false)]), ended })
  return workers.at(-1)!
}

describe.skipIf(!kafka)('exactly once', () => {
  afterEach(async () => {
    for (const { child } of workers) child.kill('SIGKILL')
    await Promise.all(workers.map(({ ended }) => ended))
    workers = []
  })
  afterAll(() => kafka.remove())

  it('shows outputs together with the offsets of their inputs', async () => {
    const input = await kafka.createTopic('in', 2)
    const output = await kafka.createTopic('out', 2)
    await alerts(input, names(300))
    await produce(kafka, input, [{ key: 'bad', value: 'no alert' }])
    const { source, sink, close } = await open(input, output)
    const stop = new AbortController()
    let read = 0
    await runStream(source, [sink], {
      signal: stop.signal,
      onBatch({ delivery }) {
        read += delivery.read
        if (read === 301) setTimeout(() => stop.abort(), 500)
      },
    })
    await close()
    expect((await outputs(output)).sort()).toEqual(names(300).sort())
    const committed = await committedIn(kafka, `group-of-${input}`, input)
    expect(committed.reduce((sum, offset) => sum + offset, 0n)).toBe(301n)
  })

  it('shows nothing of a batch that another output did not take', async () => {
    const input = await kafka.createTopic('in-failing', 1)
    const output = await kafka.createTopic('out-failing', 1)
    await alerts(input, names(100))
    const { source, sink, close } = await open(input, output)
    let writes = 0
    const failing: Sink = {
      ...memorySink(),
      write: () =>
        ++writes === 2
          ? Promise.reject(new Error('database away'))
          : Promise.resolve({ objects: 50, rows: 50, refused: [], superseded: 0 }),
    }
    await expect(runStream(source, [sink, failing])).rejects.toThrow('database away')
    await close()
    expect(await outputs(output)).toEqual(names(50))
    expect(await committedIn(kafka, `group-of-${input}`, input)).toEqual([50n])
  })

  it('takes back what it has not committed when the membership is lost, and does it again', async () => {
    const input = await kafka.createTopic('in-lost', 2)
    const output = await kafka.createTopic('out-lost', 2)
    await alerts(input, names(400))
    const { source, sink, close } = await open(input, output)
    const stop = new AbortController()
    let batches = 0
    const running = runStream(source, [sink], {
      signal: stop.signal,
      async onBatch() {
        // written, not yet committed
        if (++batches === 3) await kafka.removeMembers(`group-of-${input}`)
      },
    })
    await until(
      async () =>
        (await committedIn(kafka, `group-of-${input}`, input)).reduce((sum, offset) => sum + offset, 0n) === 400n,
    )
    stop.abort()
    await running
    await close()
    expect((await outputs(output)).sort()).toEqual(names(400).sort())
    expect(batches).toBeGreaterThan(8)
  })

  it('ends a predecessor of the same name', async () => {
    const output = await kafka.createTopic('out-fenced', 1)
    const first = await openTransactionalOutlet(connectionTo(kafka), 'the-one', [output])
    const second = await openTransactionalOutlet(connectionTo(kafka), 'the-one', [output])
    const nobody = { groupId: 'none', generation: -1, memberId: '' }
    const send = async (outlet: typeof first, value: string): Promise<boolean> => {
      await outlet.send([{ topic: output, key: null, value: Buffer.from(value) }])
      return outlet.commit([], nobody)
    }
    expect(await send(first, 'a')).toBe(true)
    expect(await send(second, 'b')).toBe(true)
    // begins anew in a session of its own, and so ends the other
    expect(await send(first, 'c')).toBe(true)
    expect(await send(second, 'd')).toBe(true)
    await Promise.all([first.close(), second.close()])
    expect((await readTopic(kafka, output)).map(({ value }) => value!.toString())).toEqual(['a', 'b', 'c', 'd'])
  })

  it('refuses clusters that are two', async () => {
    await expect(requireOneCluster([connectionTo(kafka), connectionTo(kafka)])).resolves.toBeUndefined()
  })

  it('has every output once after processes were killed and the broker was killed', async () => {
    const input = await kafka.createTopic('in-torture', 4)
    const output = await kafka.createTopic('out-torture', 2)
    let produced = 0
    const more = async (count: number): Promise<void> => {
      await alerts(input, names(count, produced))
      produced += count
    }
    await more(400)
    const running = [startWorker(input, output, 'exactly-once'), startWorker(input, output, 'exactly-once')]
    await until(async () => (await outputs(output)).length > 50)
    for (let kill = 0; kill < 3; kill++) {
      running.shift()!.child.kill('SIGKILL')
      running.push(startWorker(input, output, 'exactly-once'))
      await more(400)
      await pause(1500)
    }
    // one that is still opening waits for its broker only so long, and does not yet know what SIGTERM is
    expect(await Promise.all(running.map(({ begun }) => begun))).toEqual([true, true])
    if (kafka.isOwn) {
      await kafka.kill()
      await kafka.start()
    }
    await more(400)
    await until(async () => new Set(await outputs(output)).size === produced, 90_000)
    for (const { child } of running) child.kill('SIGTERM')
    expect(await Promise.all(running.map(({ ended }) => ended))).toEqual([0, 0])
    const all = await outputs(output)
    expect(all).toHaveLength(produced)
    expect(new Set(all).size).toBe(produced)
  }, 180_000)
})
