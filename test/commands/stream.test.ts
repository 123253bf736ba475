import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/model/bundle/read-bundle.ts'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { committedIn, produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { lcclf } from '../support/lcclf.ts'
import { outputOfToday, payloadOf, textOfToday } from '../support/messages-of-today.ts'
import { plainAlert, plainOutput, seedRun, takeApart } from '../support/seed-run.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const recorded = seedRun('input')
const expected = seedRun('output').map(plainOutput)

let running: StreamProcess[] = []

function start(args: readonly string[], env: Record<string, string> = {}): StreamProcess {
  const process = startStream(['--model', model, '--threads', '1', ...args], env)
  running.push(process)
  return process
}

const at = (topic: string, group?: string): string =>
  `kafka://${kafka.server}/${topic}${group === undefined ? '' : `?group=${group}`}`

const alerts = (values: readonly Buffer[] = recorded) => values.map((value) => ({ key: plainAlert(value).oid, value }))

const byOid = <T extends { readonly oid: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => (a.oid < b.oid ? -1 : 1))
const sum = (values: readonly bigint[]): number => values.reduce((total, value) => total + Number(value), 0)
/** as a message has it */
const asFloat = (value: number | null | undefined) =>
  value === null || value === undefined || !Number.isFinite(value) ? null : Math.fround(value)
const outputsIn = async (topic: string) =>
  byOid((await readTopic(kafka, topic)).map(({ value }) => plainOutput(value!)))

describe.skipIf(!kafka)('lcclf stream', () => {
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

  it.each(['at-least-once', 'exactly-once'])('gives the answers of the original, %s', async (delivery) => {
    const input = await kafka.createTopic(`features-${delivery}`, 4)
    await produce(kafka, input, alerts())
    const output = `classes-${delivery}`
    const { ended, log } = start([
      ...['--from', at(input, 'seed'), '--to', at(output), '--delivery', delivery],
      ...['--batch-size', '7', '--batch-timeout', '0.2', '--until-caught-up'],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(await outputsIn(output)).toEqual(byOid(expected))
    const messages = await readTopic(kafka, output)
    expect(messages.every(({ key, value }) => key!.toString() === plainOutput(value!).oid)).toBe(true)
    expect(sum(await committedIn(kafka, 'seed', input))).toBe(40)
    expect(log.at(-1)).toMatchObject({ read: 40, classified: 40, rejected: 0 })
  })

  it('gives the messages of 2025 and commands to the scribe, in one transaction', async () => {
    const input = await kafka.createTopic('features-2025', 4)
    await produce(kafka, input, alerts())
    const { ended, log } = start([
      ...['--from', at(input, '2025'), '--output-schema', 'alerce-2025', '--delivery', 'exactly-once'],
      ...['--to', `${at('classes-2025')}?framing=schemaless`, '--to', `${at('w_object')}?as=scribe-top-bottom`],
      ...['--batch-size', '15', '--batch-timeout', '0.2', '--until-caught-up'],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(log.at(-1)).toMatchObject({ read: 40, classified: 40, rejected: 0 })
    const text = textOfToday('lc_classification_step-output_ztf.avsc')
    const messages = byOid((await readTopic(kafka, 'classes-2025')).map(({ value }) => outputOfToday(value!, text)))
    const { manifest } = await readManifest(model)
    byOid(recorded.map(plainAlert)).forEach((alert, i) => {
      const { features, ...rest } = messages[i]!
      expect(Object.keys(features)).toEqual(manifest.features)
      const read = Object.entries(features).map(([name]) => [name, asFloat(alert.features[name])])
      expect(features).toEqual(Object.fromEntries(read))
      const { oid, lc_classification } = byOid(expected)[i]!
      expect(rest).toEqual({ oid, lc_classification })
    })
    const commands = (await readTopic(kafka, 'w_object')).map(
      ({ value }) => JSON.parse(payloadOf(takeApart(value!).record)) as { criteria: { _id: string }; data: object },
    )
    expect(commands).toHaveLength(200)
    for (const { oid, lc_classification } of expected) {
      const own = commands.filter(({ criteria }) => criteria._id === oid).map(({ data }) => data)
      const { top, children } = lc_classification.hierarchical
      const levels = [lc_classification.probabilities, ...Object.values(children), top]
      const names = ['', '_stochastic', '_periodic', '_transient', '_top'].map((suffix) => `lc_classifier${suffix}`)
      // messages have float32, commands float64
      const rounded = own.map((data) => Object.entries(data).map(([key, value]) => [key, asFloat(value as number)]))
      expect(rounded.map((pairs) => Object.fromEntries(pairs.slice(2)) as unknown)).toEqual(levels)
      expect(own).toEqual(
        names.map(
          (classifier_name) => expect.objectContaining({ classifier_name, classifier_version: '1.0.0' }) as unknown,
        ),
      )
    }
  })

  it('is configured by the environment of the original', async () => {
    const input = await kafka.createTopic('env-features', 2)
    await produce(kafka, input, alerts())
    const { ended, log } = start(['--until-caught-up'], {
      ...{ CONSUMER_SERVER: kafka.server, CONSUMER_TOPICS: ` ${input} , later `, CONSUMER_GROUP_ID: 'env' },
      ...{ CONSUME_MESSAGES: '1', CONSUME_TIMEOUT: '1', METRICS_HOST: kafka.server, METRICS_TOPIC: 'env-metrics' },
      ...{ PRODUCER_SERVER: kafka.server, PRODUCER_TOPIC_FORMAT: 'env_%s', PRODUCER_CHANGE_HOUR: '24' },
      PRODUCER_DATE_FORMAT: '%Y',
    })
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(await outputsIn(`env_${new Date().getUTCFullYear()}`)).toEqual(byOid(expected))
    const metrics = (await readTopic(kafka, 'env-metrics')).map(
      ({ value }) => JSON.parse(value!.toString()) as { oid: string; candid: string; n_messages: number },
    )
    expect(metrics.map(({ oid }) => oid).sort()).toEqual(expected.map(({ oid }) => oid).sort())
    expect(metrics[0]).toMatchObject({
      n_messages: 1,
      source: 'LateClassifier',
      candid: expect.stringMatching(/^\d+$/),
    })
  })

  it('is configured by the survey’s file, and imports the model that it names at the first start', async () => {
    const input = await kafka.createTopic('yaml-features', 2)
    await produce(kafka, input, alerts())
    const place = temporaryFolder()
    const config = join(place, 'config.yaml')
    const settings = [
      ...['CONSUMER_CONFIG:', '  CLASS: apf.consumers.KafkaConsumer', `  TOPICS: ["${input}"]`],
      ...['  PARAMS: {bootstrap.servers: "${SERVER}", group.id: yaml, sasl.username: me}', '  consume.messages: 9'],
      ...[
        '  consume.timeout: 1',
        'PRODUCER_CONFIG:',
        '  PARAMS: {bootstrap.servers: "${SERVER}"}',
        '  TOPIC_STRATEGY:',
      ],
      ...['    CLASS: apf.core.topic_management.DailyTopicStrategy', '    PARAMS:', '      topic_format: yaml_%s'],
      ...['      date_format: "%Y"', '      change_hour: 24', 'MODEL_VERSION: 1.0.0', 'MODEL_CONFIG:'],
      ...['  CLASS: lc_classifier.classifier.models.HierarchicalRandomForest', '  NAME: lc_classifier'],
      ...['  PARAMS: {model_path: "${PICKLES}"}', 'MIN_DETECTIONS: 0', 'FANCY: true'],
    ]
    writeFileSync(config, settings.join('\n'))
    const env = { SERVER: kafka.server, PICKLES: unpackFixture('sklearn-0.22.2'), LCCLF_HOME: join(place, 'home') }
    const run = async () => {
      const stream = startStream(['--config', config, '--output-schema', 'original', '--until-caught-up'], env)
      running.push(stream)
      expect(await stream.ended, JSON.stringify(stream.log)).toBe(0)
      return stream.log.map(({ message }) => message)
    }
    const first = await run()
    expect(first).toContain('importing MODEL_PATH as lc_classifier@1.0.0, once')
    expect(first).toContain('FANCY is not known, and not used')
    expect(first.at(-1)).toBe('40 messages read, 40 classified')
    expect(await outputsIn(`yaml_${new Date().getUTCFullYear()}`)).toEqual(byOid(expected))
    expect(sum(await committedIn(kafka, 'yaml', input))).toBe(40)
    const again = await run()
    expect(again).toContain('model: lc_classifier 1.0.0 (MODEL_PATH)')
    expect(again.some((message) => String(message).startsWith('importing'))).toBe(false)
  })

  it('keeps every message that it did not classify, and every one that it could', async () => {
    const input = await kafka.createTopic('mixed', 1)
    const bad = [
      { key: 'x', value: 'no alert' },
      { key: 'y', value: '{"oid": "a", "features": {}}' },
      { key: 'z', value: '{"oid": "b", "candid": 5, "features": {"rb": 1}}' },
      { key: 'n', value: null },
    ]
    const mixed = alerts().flatMap((alert, i) => (i % 10 === 0 ? [bad[i / 10]!, alert] : [alert]))
    await produce(kafka, input, mixed)
    const { ended, log } = start([
      ...['--from', at(input, 'mixed'), '--to', at('mixed-out'), '--dead-letter', at('mixed-dead')],
      ...['--delivery', 'exactly-once', '--until-caught-up', '--batch-timeout', '0.2'],
    ])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(await outputsIn('mixed-out')).toEqual(byOid(expected))
    const letters = (await readTopic(kafka, 'mixed-dead')).map(
      ({ value }) => JSON.parse(value!.toString()) as { key: string; value: string | null; offset: number },
    )
    const found = letters.map(({ key, value }) => [key, value && Buffer.from(value, 'base64').toString()])
    expect(found.sort()).toEqual(bad.map(({ key, value }) => [key, value]).sort())
    for (const { offset, key } of letters) expect(mixed[offset]!.key).toBe(key)
    expect(sum(await committedIn(kafka, 'mixed', input))).toBe(44)
  })

  it('stops before a bad message, with everything before it done, and goes on behind it when told to', async () => {
    const input = await kafka.createTopic('stopping', 1)
    await produce(kafka, input, [
      ...alerts(recorded.slice(0, 25)),
      { value: 'no alert' },
      ...alerts(recorded.slice(25)),
    ])
    const args = ['--from', at(input, 'stopping'), '--to', at('stopping-out'), '--batch-timeout', '0.2']
    const { ended, log } = start(args)
    expect(await ended).toBe(3)
    expect(log.at(-1)).toMatchObject({
      level: 'error',
      message: expect.stringContaining(`${input} partition 0 offset 25`),
    })
    expect(await outputsIn('stopping-out')).toHaveLength(25)
    expect(await committedIn(kafka, 'stopping', input)).toEqual([25n])
    expect(await start([...args, '--on-bad-message', 'skip', '--until-caught-up']).ended).toBe(0)
    expect(await outputsIn('stopping-out')).toEqual(byOid(expected))
    expect(await committedIn(kafka, 'stopping', input)).toEqual([41n])
  })

  it('ends at once on SIGTERM while it is still looking for its brokers', async () => {
    const from = 'kafka://127.0.0.1:1/nowhere?group=g&patience=60'
    const stream = start(['--from', from, '--to', at('nothing'), '--metrics-port', '0'])
    // the last that it says before it looks for them
    await stream.said(/metrics are at port/)
    const started = performance.now()
    stream.child.kill('SIGTERM')
    expect(await stream.ended, JSON.stringify(stream.log)).toBe(143)
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  it('ends on SIGTERM with the batch in hand committed, and gives its partitions back', async () => {
    const input = await kafka.createTopic('ending', 2)
    const from = `${at(input, 'ending')}&session_timeout=60`
    const args = ['--from', from, '--to', at('ending-out'), '--batch-timeout', '0.2']
    const first = start(args)
    await first.said(/assigned \d+ partitions/)
    await produce(kafka, input, alerts())
    await until(async () => sum(await committedIn(kafka, 'ending', input)) === 40)
    const asked = Date.now()
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(143)
    expect(Date.now() - asked).toBeLessThan(30_000)
    expect(first.log.at(-1)).toMatchObject({ level: 'info', message: expect.stringContaining('SIGTERM') })
    const begun = Date.now()
    const next = start(args)
    await next.said(/assigned 2 partitions/)
    // sooner than a member that says nothing is given up, which takes a minute
    expect(Date.now() - begun).toBeLessThan(45_000)
  })

  it('shows Prometheus what it does, and when it is ready', async () => {
    const input = await kafka.createTopic('shown', 1)
    await produce(kafka, input, [...alerts(), { value: 'bad' }])
    const dead = join(temporaryFolder(), 'dead.ndjson')
    const stream = start([
      ...['--from', at(input, 'shown'), '--to', at('shown-out'), '--metrics-port', '0', '--batch-timeout', '0.2'],
      ...['--dead-letter', dead],
    ])
    await stream.said(/metrics are at port/)
    const port = Number(stream.log.find((line) => line['port'] !== undefined)!['port'])
    const page = async (path: string): Promise<{ status: number; text: string }> => {
      const response = await fetch(`http://127.0.0.1:${port}/${path}`)
      return { status: response.status, text: await response.text() }
    }
    expect((await page('healthz')).status).toBe(200)
    await until(async () => (await page('readyz')).status === 200)
    await until(async () => sum(await committedIn(kafka, 'shown', input)) === 41)
    const { text } = await page('metrics')
    expect(text).toContain('lcclf_messages_total{outcome="classified"} 40')
    expect(text).toContain('lcclf_messages_total{outcome="bad"} 1')
    expect(text).toContain(`lcclf_lag_messages{topic="shown",partition="0"} 0`)
    expect(text).toMatch(/lcclf_rows_written_total\{output="kafka:[^"]*shown-out"\} 40/)
    expect(text).toContain('classifier_version="hierarchical_random_forest_1.0.0"')
    for (const stage of ['decode', 'classify', 'write', 'dead-letter', 'commit'])
      expect(text).toContain(`stage="${stage}"`)
    expect((await page('else')).status).toBe(404)
    expect(readFileSync(dead, 'utf8').trim().split('\n')).toHaveLength(1)
  })

  it('replays without touching the live group, as NDJSON on stdout', async () => {
    const input = await kafka.createTopic('replayed', 2)
    await produce(kafka, input, alerts())
    const { ended, stdout } = start([
      ...['--from', at(input, 'live'), '--to', '-', '--no-commit', '--since', '0', '--until-caught-up'],
    ])
    expect(await ended).toBe(0)
    const oids = stdout()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { oid: string }).oid)
    expect(oids.sort()).toEqual(expected.map(({ oid }) => oid).sort())
    expect(await committedIn(kafka, 'live', input)).toEqual([-1n, -1n])
  })

  it.skipIf(!kafka?.isOwn)(
    'ends within ten seconds of SIGTERM when the broker says nothing or is gone, with a batch in hand',
    async () => {
      const input = await kafka.createTopic('gone', 1)
      // one by one they are far from done when the first is
      await produce(kafka, input, Array<ReturnType<typeof alerts>>(50).fill(alerts()).flat())
      const losses = [
        { group: 'silent', lose: () => kafka.freeze(), comeBack: () => kafka.thaw() },
        { group: 'gone', lose: () => kafka.kill(), comeBack: () => kafka.start() },
      ]
      for (const { group, lose, comeBack } of losses) {
        // a stream that has just run dry has no batch in hand, and ends as it should: then another one
        for (let attempt = 1, code = 143; code === 143; attempt++) {
          const { said, child, ended, log } = start([
            ...['--from', at(input, `${group}-${attempt}`), '--to', at('gone-out'), '--batch-size', '1'],
          ])
          await said(/messages classified/)
          await lose()
          const asked = Date.now()
          child.kill('SIGTERM')
          code = (await ended)!
          const took = Date.now() - asked
          await comeBack()
          if (code === 143 && attempt < 4) continue
          expect(code, JSON.stringify(log)).toBe(5)
          // ten seconds and a busy machine; whoever waits for the broker waits for a minute
          expect(took).toBeLessThan(30_000)
          expect(JSON.stringify(log)).toContain('the batch in hand could not be finished within')
        }
      }
    },
    120_000,
  )

  it('exits 5 when no broker answers, and says which', async () => {
    const { ended, log } = start(['--from', 'kafka://127.0.0.1:1/a?group=g&patience=1', '--to', at('none')])
    expect(await ended).toBe(5)
    expect(log.at(-1)).toMatchObject({ code: 'service', message: expect.stringContaining('127.0.0.1:1') })
  })

  it('exits 4 without a model, and never takes the sample', async () => {
    const { code, stderr } = await lcclf(['stream', '--from', at('a', 'g'), '--to', at('b')])
    expect(code).toBe(4)
    expect(stderr).toContain('no --model')
  })

  it('says what it would do, without secrets', async () => {
    const { code, stdout } = await lcclf(
      ['stream', '--from', 'kafka://me:secret-1@host/a?group=g', '--to', 'postgres://u:secret-2@db/x', '--dry-run'],
      { env: { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' } },
    )
    expect(code).toBe(0)
    expect(stdout).not.toContain('secret-')
    expect(stdout).toContain('postgres://u@db:5432/x')
    expect(stdout).toContain('SCRAM-SHA-512 as me')
  })
})
