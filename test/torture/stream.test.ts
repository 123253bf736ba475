// Streams that are killed while brokers are killed: what was lost, and what is there twice.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { surveyOid, ztfName } from '../../src/connectors/survey-ids.ts'
import { openOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { committedIn, connectionTo, type ReadMessage, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { pause } from '../support/until.ts'
import { plainAlert, plainOutput, type PlainOutput, seedRun } from '../support/seed-run.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { remakeTopic, untilGone } from './remade-topic.ts'
import { alertIds, startTorturedServer, type TorturedDatabase, type TorturedServer } from './tortured-database.ts'
import { untilCommitted } from './until-committed.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const recorded = seedRun('input').map(plainAlert)

/** seeded, so that a run can be repeated */
const seed = Number(process.env['LCCLF_TORTURE_SEED'] ?? Math.floor(Math.random() * 1e9))
const objects = 400
const oneOfEach = [0.1, 0.7, 0.8, 0.9]
const alertsAtOnce = 30
const alertsEveryMs = 100
/** the streams always have some to do, and what is left at the end does not grow with a slow machine's rounds */
const mostUncommitted = 3000
const rounds = Number(process.env['LCCLF_TORTURE_ROUNDS'] ?? 10)
/** of each 33 classes of five classifiers */
const rowsOfObject = 33
/** names of the survey's, which have a number in its tables of today */
const oids = Array.from({ length: objects }, (_, i) => ztfName(surveyOid('ZTF21aaaaaaa')! + BigInt(i * 1_000_003))!)

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
  const oid = oids[number % objects]!
  // other features each time, so that it can be told which alert of an object its rows are of
  const turn = number + Math.floor(number / objects)
  const features = JSON.stringify(recorded[turn % recorded.length]!.features)
  const { candid, mjd } = alertIds(number)
  const value = `{"oid":"${oid}","candid":${candid},"mjd":${mjd},"features":${features}}`
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

/** How many messages of a topic a group is done with; 0 where the broker cannot be asked, for it may be away. */
async function doneWith(group: string, topic: string): Promise<number> {
  const committed = await committedIn(kafka, group, topic).catch((): bigint[] => [])
  return committed.reduce((sum, offset) => sum + Math.max(Number(offset), 0), 0)
}

/** Alerts without end, so that whatever is killed is in the middle of something, but no more than the group can follow. */
function sendOn(topic: string, group: string): { stop(): Promise<number> } {
  const stopping = new AbortController()
  let sent = 0
  let done = 0
  const sending = (async () => {
    const outlet = await openOutlet(connectionTo(kafka, 60_000), topic)
    try {
      for (; !stopping.signal.aborted; sent += alertsAtOnce) {
        await outlet.send(Array.from({ length: alertsAtOnce }, (_, i) => alertMessage(topic, sent + i)))
        await pause(alertsEveryMs)
        while (sent - done >= mostUncommitted && !stopping.signal.aborted) {
          done = Math.max(done, await doneWith(group, topic))
          if (sent - done >= mostUncommitted) await pause(500)
        }
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

const untilDone = (group: string, topic: string): Promise<void> =>
  untilCommitted(kafka, { group, topic, streams: () => running })

async function endAll(): Promise<void> {
  const all = running
  running = []
  await Promise.all(all.map(hasBegun))
  for (const { child } of all) child.kill('SIGTERM')
  for (const stream of all) await expectEnd(stream, false)
}

const hasBegun = ({ said }: StreamProcess): Promise<void> => said(/ reads /, 120_000)

/** Its log says why, where it ended in another way than by the signal. */
async function expectEnd({ ended, log }: StreamProcess, mayLeaveItsBatch: boolean): Promise<void> {
  const code = await ended
  const hasLeftItsBatch = log.some(({ message }) =>
    /^the batch in hand could not be finished within/.test(`${message}`),
  )
  if (code === 143 || (mayLeaveItsBatch && code === 5 && hasLeftItsBatch)) return
  throw new Error(`a stream ended with ${code}: ${JSON.stringify(log.slice(-12), null, 1)}`)
}

const take = (random: () => number): StreamProcess => running.splice(Math.floor(random() * running.length), 1)[0]!

/** Kills, ends, freezes, and what happens to the broker and to the database, for some rounds. Answers how often each was. */
async function torture(
  args: readonly string[],
  random: () => number,
  database: TorturedDatabase | undefined,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1)
  for (let round = 0; round < rounds; round++) {
    await pause(1000 + random() * 3000)
    // each kind at least once, then as it comes; beside a database that is killed too
    const choice = oneOfEach[round] ?? random()
    const isDatabaseKilled = database !== undefined && (round % 4 === 0 || random() < 0.4)
    // a stream that is still opening waits for its database, or its broker, only so long
    if (isDatabaseKilled) await Promise.all(running.map(hasBegun))
    const databaseKill = isDatabaseKilled ? database.kill(random).then((how) => count(`database ${how}`)) : undefined
    if (choice < 0.6) {
      take(random).child.kill('SIGKILL')
      count('kills')
      await pause(random() * 500)
      // a stream begins only where it finds a database
      await databaseKill
      start(args)
    } else if (choice < 0.75) {
      const victim = take(random)
      await hasBegun(victim)
      victim.child.kill('SIGTERM')
      // what it has in hand may wait for its database, or for a broker that has just been killed or a member that has just
      // been frozen; beyond ten seconds nothing does, and the batch is read again
      await expectEnd(victim, true)
      count('ends')
      await databaseKill
      start(args)
    } else if (choice < 0.85) {
      // longer than the group waits for it: its partitions are another's when it wakes up
      const { child } = running[Math.floor(random() * running.length)]!
      child.kill('SIGSTOP')
      count('freezes')
      await pause(8000)
      child.kill('SIGCONT')
    } else if (kafka.isOwn) {
      await Promise.all(running.map(hasBegun))
      await kafka.kill()
      await pause(random() * 1000)
      await kafka.start()
      count('broker kills')
    }
    await databaseKill
  }
  return counts
}

/** Every oid with the rows of its newest alert, all of them, and with the values that its output message has. */
async function checkTables(database: TorturedDatabase, outputs: readonly PlainOutput[], sent: number): Promise<void> {
  const stored = await database.stored()
  expect(stored.size).toBe(objects)
  const valuesOf = new Map(outputs.map((output) => [`${output.oid} ${output.candid}`, output.lc_classification]))
  for (let number = sent - objects; number < sent; number++) {
    const oid = oids[number % objects]!
    const { candid, rows, probabilities } = stored.get(oid)!
    expect({ oid, candid, rows }).toEqual({ oid, candid: alertIds(number).candid, rows: rowsOfObject })
    const floats = Object.fromEntries(Object.entries(probabilities).map(([name, value]) => [name, Math.fround(value)]))
    expect(floats).toEqual(valuesOf.get(`${oid} ${candid}`)!.probabilities)
  }
}

describe.skipIf(!kafka)('a stream under torture', () => {
  let server: TorturedServer
  beforeAll(async () => {
    const source = unpackFixture('sklearn-0.22.2')
    await importModel({ source, name: 'hierarchical_random_forest', version: '1.0.0', out: model })
    server = await startTorturedServer()
  })
  afterEach(async () => {
    for (const { child } of running) child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    running = []
  })
  afterAll(async () => {
    await server.stop()
    await kafka.remove()
  })

  async function databaseOf(place: 'kafka' | 'postgres' | 'multisurvey'): Promise<TorturedDatabase | undefined> {
    if (place === 'kafka') return undefined
    return place === 'postgres' ? server.createDatabase(oids) : server.createSurveyDatabase(model)
  }

  it.each(
    (['kafka', 'postgres', 'multisurvey'] as const).flatMap((place) =>
      ['at-least-once', 'exactly-once'].map((delivery) => ({ place, delivery })),
    ),
  )('loses nothing, $delivery, into $place, whatever is killed when', async ({ place, delivery }) => {
    const random = randomNumbers(seed)
    const name = `${delivery}-${place}`
    const input = await kafka.createTopic(`in-${name}`, 4)
    const output = await kafka.createTopic(`out-${name}`, 2)
    const database = await databaseOf(place)
    const args = [
      ...['--from', `${at(input)}?group=${name}&session_timeout=6`, '--to', at(output), '--delivery', delivery],
      ...(database?.args ?? []),
    ]
    for (let i = 0; i < 3; i++) start(args)
    const sending = sendOn(input, name)
    const counts = await torture(args, random, database)
    const sent = await sending.stop()
    await untilDone(name, input)
    await endAll()
    const inputs = (await readTopic(kafka, input)).map(alertOf).sort()
    const results = (await readTopic(kafka, output)).map(({ value }) => plainOutput(value!))
    const outputs = results.map(({ oid, candid }) => `${oid} ${candid}`).sort()
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
    await checkTables(database, results, sent)
    await database.drop()
  })

  it.each(['at-least-once', 'exactly-once'])(
    'goes on when its output topic is deleted and remade, %s',
    async (delivery) => {
      const name = `remade-${delivery}`
      const input = await kafka.createTopic(`in-${name}`, 2)
      const output = await kafka.createTopic(`out-${name}`, 2)
      await hasBegun(start(['--from', `${at(input)}?group=${name}`, '--to', at(output), '--delivery', delivery]))
      await send(input, 0, 500)
      await untilDone(name, input)
      await kafka.deleteTopic(output)
      await untilGone(kafka, output)
      await send(input, 500, 300)
      await pause(2000)
      await remakeTopic(kafka, output, 3)
      await untilDone(name, input)
      await send(input, 800, 500)
      await untilDone(name, input)
      await endAll()
      const outputs = (await readTopic(kafka, output)).map(outputOf)
      const inputs = (await readTopic(kafka, input)).map(alertOf)
      const afterwards = inputs.filter((alert) => BigInt(alert.split(' ')[1]!) >= alertIds(500).candid)
      expect(afterwards.filter((alert) => !outputs.includes(alert))).toEqual([])
      if (delivery === 'exactly-once') expect(new Set(outputs).size).toBe(outputs.length)
    },
  )
})
