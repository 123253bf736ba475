import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { committedIn, produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { avscType, plainAlert, plainOutput, seedRun, takeApart } from '../support/seed-run.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const recorded = seedRun('input')
const expected = seedRun('output').map(plainOutput)
const alerts = recorded.map((value) => ({ key: plainAlert(value).oid, value }))

let work: string

const at = (topic: string, query = ''): string => `kafka://${kafka.server}/${topic}${query}`
const classify = (...args: string[]) => lcclf(['classify', ...args, '--model', model, '--threads', '1'])
const receiptIn = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
const oidsIn = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',')[0])
const byOid = <T extends { readonly oid: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => (a.oid < b.oid ? -1 : 1))

describe.skipIf(!kafka)('lcclf classify kafka://…', () => {
  beforeAll(async () => {
    const source = unpackFixture('sklearn-0.22.2')
    await importModel({ source, name: 'hierarchical_random_forest', version: '1.0.0', out: model })
  })
  beforeEach(() => {
    work = temporaryFolder()
  })
  afterAll(() => kafka.remove())

  it('takes what is in all partitions, names the offsets in the receipt, and commits nothing', async () => {
    const topic = await kafka.createTopic('snapshot', 4)
    await produce(kafka, topic, alerts)
    const [file, receipt] = [join(work, 'out.csv'), join(work, 'receipt.json')]
    const { code, stderr } = await classify(at(topic, '?group=watcher'), '--to', file, '--receipt', receipt)
    expect(code, stderr).toBe(0)
    expect(oidsIn(file).sort()).toEqual(expected.map(({ oid }) => oid).sort())
    const { inputs, balanced } = receiptIn(receipt) as {
      inputs: { offsets: Record<string, string[]> }[]
      balanced: boolean
    }
    expect(Object.keys(inputs[0]!.offsets)).toHaveLength(4)
    expect(balanced).toBe(true)
    expect(await committedIn(kafka, 'watcher', topic)).toEqual([-1n, -1n, -1n, -1n])
  })

  it('--commit moves the group to the end of what every output has', async () => {
    const topic = await kafka.createTopic('committed', 2)
    await produce(kafka, topic, alerts)
    const { code, stderr } = await classify(at(topic, '?group=mover'), '--commit', '--to', join(work, 'out.parquet'))
    expect(code, stderr).toBe(0)
    expect((await committedIn(kafka, 'mover', topic)).reduce((sum, offset) => sum + Number(offset), 0)).toBe(40)
  })

  it('a window of time takes the messages from its beginning up to before its end', async () => {
    const topic = await kafka.createTopic('window', 1, { 'retention.ms': '-1' })
    const times = ['2026-11-21T23:59:59.999Z', '2026-11-22T00:00:00Z', '2026-11-22T23:59:59Z', '2026-11-23T00:00:00Z']
    const messages = times.map((time, i) => ({ ...alerts[i]!, timestamp: BigInt(Date.parse(time)) }))
    await produce(kafka, topic, messages)
    const file = join(work, 'out.csv')
    expect((await classify(at(topic), '--on', '2026-11-22', '--to', file)).code).toBe(0)
    expect(oidsIn(file)).toEqual([alerts[1]!.key, alerts[2]!.key])
  })

  it('gives messages to a topic as the original does, of messages and of files', async () => {
    const topic = await kafka.createTopic('again', 2)
    await produce(kafka, topic, alerts)
    const { code, stderr } = await classify(at(topic), '--to', at('again-out'))
    expect(code, stderr).toBe(0)
    expect(byOid((await readTopic(kafka, 'again-out')).map(({ value }) => plainOutput(value!)))).toEqual(
      byOid(expected),
    )
    const parquet = join(samples, 'ztf-300.parquet')
    const ofFile = await classify(parquet, '--to', at('file-out'), '--output-schema', 'legal')
    expect(ofFile.stderr).toContain('300 objects')
    const written = await readTopic(kafka, 'file-out')
    expect(written).toHaveLength(300)
    // of a file the model's features are echoed
    const { metadata, record } = takeApart(written[0]!.value!)
    const type = avscType(JSON.parse(new Map(metadata).get('avro.schema')!))
    const { features } = type.fromBuffer(record) as { features: Record<string, number | null> }
    expect(Object.values(features).filter((value) => value !== null).length).toBeGreaterThan(100)
  })

  it('refuses commands for a model that the tables do not know, and says how to name it', async () => {
    const topic = await kafka.createTopic('unknown', 1)
    await produce(kafka, topic, [alerts[0]!])
    const { code, stderr } = await classify(at(topic), '--to', at('w_object', '?as=scribe-multisurvey'))
    expect([code, stderr]).toEqual([4, expect.stringContaining('classifier lc_classifier has no id')])
    expect(stderr).toContain('&classifier_ids=lc_classifier:1,lc_classifier_top:2,')
    const unknown = await classify(at(topic), '--to', at('w_object', '?as=scribe-tables'))
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('as=scribe-tables is not messages, ')])
  })

  it('rejects a message that cannot be read, with its place, and classifies the others', async () => {
    const topic = await kafka.createTopic('bad', 1)
    await produce(kafka, topic, [alerts[0]!, { key: 'x', value: 'no alert' }, alerts[1]!])
    const [file, rejects] = [join(work, 'out.csv'), join(work, 'rejects.ndjson')]
    const { code } = await classify(at(topic), '--to', file, '--rejects', rejects)
    expect(code).toBe(0)
    expect(oidsIn(file)).toEqual([alerts[0]!.key, alerts[1]!.key])
    expect(JSON.parse(readFileSync(rejects, 'utf8'))).toMatchObject({
      oid: null,
      where: expect.stringContaining(topic) as unknown,
      reason: expect.stringMatching(/./) as unknown,
    })
  })

  it('says what is wrong with a topic that is not there, and with a broker that is not', async () => {
    const absent = await classify(at('nowhere'), '--to', join(work, 'a.csv'))
    expect(absent.code).toBe(3)
    expect(absent.stderr).toContain('nowhere')
    const nobody = await classify('kafka://127.0.0.1:1/topic?patience=1', '--to', join(work, 'b.csv'))
    expect(nobody.code).toBe(5)
    expect(nobody.stderr).toContain('127.0.0.1:1')
  })

  it('flags of Kafka without Kafka are usage errors', async () => {
    const parquet = join(samples, 'ztf-300.parquet')
    for (const flags of [['--commit'], ['--since', '2026-11-22'], ['--output-schema', 'legal']]) {
      expect((await classify(parquet, ...flags)).code).toBe(2)
    }
  })
})
