// Streams that are killed while brokers are killed: what was lost, and what is there twice.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openOutlet } from '../../src/kafka/outlet.ts'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../model/fixture-folders.ts'
import { committedIn, connectionTo, readTopic, type ReadMessage } from '../support/kafka-client.ts'
import { kafkaForTests, pause } from '../support/kafka.ts'
import { workFolder } from '../support/lcclf.ts'
import { plainAlert, plainOutput, seedRun } from '../support/seed-run.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'

/** A database that takes part: it is killed too, and has the newest candid of every oid at the end. */
export interface TorturedDatabase {
  readonly name: string
  /** `--to postgres://…` */
  readonly args: readonly string[]
  restart(): Promise<void>
  /** candid by oid, as the tables with history have it */
  newest(): Promise<ReadonlyMap<string, bigint>>
}

const databases: readonly (TorturedDatabase | undefined)[] = [undefined]

const kafka = (await kafkaForTests())!
const model = join(workFolder(), 'bundle')
const recorded = seedRun('input').map(plainAlert)

/** seeded, so that a run can be repeated */
const seed = Number(process.env['LCCLF_TORTURE_SEED'] ?? Math.floor(Math.random() * 1e9))
const objects = 400
const firstCandid = 1_000_000_000_000_000_000n
const oneOfEach = [0.1, 0.7, 0.8, 0.9]
const alertsAtOnce = 30
const alertsEveryMs = 20
const rounds = Number(process.env['LCCLF_TORTURE_ROUNDS'] ?? 10)

function randomNumbers(start: number): () => number {
  let state = start >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

let running: StreamProcess[] = []
const at = (topic: string): string => `kafka://${kafka.server}/${topic}`

function start(args: readonly string[]): StreamProcess {
  const common = ['--model', model, '--threads', '1', '--batch-size', '40', '--batch-timeout', '0.2']
  const process = startStream([...common, ...args])
  running.push(process)
  return process
}

function alertMessage(topic: string, number: number): { topic: string; key: Buffer; value: Buffer } {
  const oid = `ZTF${number % objects}`
  const features = JSON.stringify(recorded[number % recorded.length]!.features)
  const value = `{"oid":"${oid}","candid":${firstCandid + BigInt(number)},"features":${features}}`
  return { topic, key: Buffer.from(oid), value: Buffer.from(value) }
}

async function send(topic: string, from: number, count: number): Promise<void> {
  const outlet = await openOutlet(connectionTo(kafka, 60_000), topic)
  try {
    await outlet.send(Array.from({ length: count }, (_, i) => alertMessage(topic, from + i)))
  } finally {
    await outlet.close()
  }
}

/** Alerts without end, so that whatever is killed is in the middle of something. */
function sendOn(topic: string): { stop(): Promise<number> } {
  const stopping = new AbortController()
  let sent = 0
  const sending = (async () => {
    const outlet = await openOutlet(connectionTo(kafka, 60_000), topic)
    try {
      for (; !stopping.signal.aborted; sent += alertsAtOnce) {
        await outlet.send(Array.from({ length: alertsAtOnce }, (_, i) => alertMessage(topic, sent + i)))
        await pause(alertsEveryMs)
      }
    } finally {
      await outlet.close()
    }
  })()
  sending.catch(() => undefined)
  return {
    async stop() {
      stopping.abort()
      await sending
      return sent
    },
  }
}

async function until(what: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await what().catch(() => false))) {
    if (Date.now() > deadline) {
      const logs = running.map(({ log }) => log.slice(-5))
      throw new Error(`in vain: ${what}: ${JSON.stringify(logs)}`)
    }
    await pause(300)
  }
}

const total = (offsets: readonly bigint[]): number => offsets.reduce((sum, offset) => sum + Number(offset), 0)
const alertOf = ({ value }: ReadMessage): string => {
  const { oid, candid } = JSON.parse(value!.toString().replace(/"candid":(\d+)/, '"candid":"$1"')) as {
    oid: string
    candid: string
  }
  return `${oid} ${candid}`
}
const outputOf = ({ value }: ReadMessage): string => {
  const { oid, candid } = plainOutput(value!)
  return `${oid} ${candid}`
}

async function isDone(group: string, topic: string): Promise<boolean> {
  return total(await committedIn(kafka, group, topic)) >= (await readTopic(kafka, topic)).length
}

async function endAll(): Promise<(number | null)[]> {
  for (const { child } of running) child.kill('SIGTERM')
  const codes = await Promise.all(running.map(({ ended }) => ended))
  running = []
  return codes
}

describe.skipIf(!kafka)('a stream under torture', () => {
  beforeAll(async () => {
    const source = unpackFixture('sklearn-0.22.2')
    await importModel({ source, name: 'hierarchical_random_forest', version: '1.0.0', out: model })
  })
  afterEach(async () => {
    for (const { child } of running) child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    running = []
  })
  afterAll(() => kafka.remove())

  it.each(
    databases.flatMap((database) => ['at-least-once', 'exactly-once'].map((delivery) => ({ database, delivery }))),
  )('loses nothing, $delivery, whatever is killed when', async ({ database, delivery }) => {
    const random = randomNumbers(seed)
    const name = `${delivery}-${database?.name ?? 'kafka'}`
    const input = await kafka.createTopic(`in-${name}`, 4)
    const output = await kafka.createTopic(`out-${name}`, 2)
    const args = [
      ...['--from', `${at(input)}?group=${name}&session_timeout=6`, '--to', at(output), '--delivery', delivery],
      ...(database?.args ?? []),
    ]
    const counts = { kills: 0, ends: 0, brokerKills: 0, databaseRestarts: 0, freezes: 0 }
    for (let i = 0; i < 3; i++) start(args)
    const sending = sendOn(input)
    for (let round = 0; round < rounds; round++) {
      await pause(1000 + random() * 3000)
      // each kind at least once, then as it comes
      const choice = oneOfEach[round] ?? random()
      if (choice < 0.6) {
        const [victim] = running.splice(Math.floor(random() * running.length), 1)
        victim!.child.kill('SIGKILL')
        counts.kills++
        await pause(random() * 500)
        start(args)
      } else if (choice < 0.75) {
        const [victim] = running.splice(Math.floor(random() * running.length), 1)
        victim!.child.kill('SIGTERM')
        expect([143, null]).toContain(await victim!.ended)
        counts.ends++
        start(args)
      } else if (choice < 0.85) {
        // longer than the group waits for it: its partitions are another's when it wakes up
        const { child } = running[Math.floor(random() * running.length)]!
        child.kill('SIGSTOP')
        counts.freezes++
        await pause(8000)
        child.kill('SIGCONT')
      } else if (kafka.isOwn) {
        await kafka.kill()
        await pause(random() * 1000)
        await kafka.start()
        counts.brokerKills++
      }
      if (database && random() < 0.3) {
        await database.restart()
        counts.databaseRestarts++
      }
    }
    const sent = await sending.stop()
    await until(() => isDone(name, input), 180_000)
    expect(await endAll()).toEqual([143, 143, 143])
    const inputs = (await readTopic(kafka, input)).map(alertOf).sort()
    const outputs = (await readTopic(kafka, output)).map(outputOf).sort()
    const distinct = new Set(outputs)
    const missing = inputs.filter((alert) => !distinct.has(alert))
    const again = outputs.length - inputs.length
    console.log(
      `torture ${name} seed ${seed}:`,
      JSON.stringify({ ...counts, inputs: inputs.length, missing: missing.length, again }),
    )
    expect(missing).toEqual([])
    if (delivery === 'exactly-once') expect(outputs).toEqual(inputs)
    if (!database) return
    const newest = await database.newest()
    for (let number = sent - objects; number < sent; number++) {
      expect(newest.get(`ZTF${number % objects}`)).toBe(firstCandid + BigInt(number))
    }
  })

  it.each(['at-least-once', 'exactly-once'])(
    'goes on when its output topic is deleted and remade, %s',
    async (delivery) => {
      const name = `remade-${delivery}`
      const input = await kafka.createTopic(`in-${name}`, 2)
      const output = await kafka.createTopic(`out-${name}`, 2)
      start(['--from', `${at(input)}?group=${name}`, '--to', at(output), '--delivery', delivery])
      await send(input, 0, 500)
      await until(() => isDone(name, input), 60_000)
      await kafka.deleteTopic(output)
      await send(input, 500, 300)
      await pause(2000)
      await kafka.createTopic(output, 3)
      await until(() => isDone(name, input), 60_000)
      await send(input, 800, 500)
      await until(() => isDone(name, input), 60_000)
      expect(await endAll()).toEqual([143])
      const outputs = (await readTopic(kafka, output)).map(outputOf)
      const inputs = (await readTopic(kafka, input)).map(alertOf)
      const afterwards = inputs.filter((alert) => BigInt(alert.split(' ')[1]!) >= firstCandid + 500n)
      expect(afterwards.filter((alert) => !outputs.includes(alert))).toEqual([])
      if (delivery === 'exactly-once') expect(new Set(outputs).size).toBe(outputs.length)
    },
  )
})
