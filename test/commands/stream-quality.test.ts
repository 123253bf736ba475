// What a stream, and a check before it, say of features that are not as they should be.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { produce } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { pause } from '../support/until.ts'
import { lcclf } from '../support/lcclf.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const recorded = seedRun('input').map(plainAlert)
const broken = 'Amplitude_1'

/** Alerts as JSON, with features changed. */
function alerts(count: number, change: Readonly<Record<string, number | null | undefined>>): { value: string }[] {
  return Array.from({ length: count }, (_, i) => {
    const features = { ...recorded[i % recorded.length]!.features, ...change }
    return { value: JSON.stringify({ oid: `ZTF${i}`, candid: i + 1, features }) }
  })
}

let running: StreamProcess | undefined

describe.skipIf(!kafka)('the quality of a stream', () => {
  beforeAll(async () => {
    const source = unpackFixture('sklearn-0.22.2')
    await importModel({ source, name: 'hierarchical_random_forest', version: '1.0.0', out: model })
  })
  afterEach(async () => {
    running?.child.kill('SIGKILL')
    await running?.ended
  })
  afterAll(() => kafka.remove())

  it('is warned of once when no object has a feature, in the log and to Prometheus, until it is back', async () => {
    const input = await kafka.createTopic('watched', 1)
    await produce(kafka, input, alerts(1_300, { [broken]: null }))
    running = startStream([
      ...['--model', model, '--threads', '1', '--from', `kafka://${kafka.server}/${input}?group=watched`],
      ...['--to', `kafka://${kafka.server}/watched-out`, '--batch-size', '100', '--batch-timeout', '0.2'],
      ...['--no-watch', '--watch-quality', '--metrics-port', '0'],
    ])
    const { log } = running
    await running.said(/Amplitude_1 \(light-curve statistics\) is missing in 100 % since .*; usual not known yet/)
    const port = Number(log.find((line) => line['port'] !== undefined)!['port'])
    const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(await metrics()).toMatch(/lcclf_feature_null_rate\{feature="Amplitude_1"\} 1\n/)
    expect(await metrics()).toMatch(/lcclf_quality_warnings 1\n/)
    await produce(kafka, input, alerts(500, {}))
    await running.said(/Amplitude_1 is back to normal/)
    expect(await metrics()).toMatch(/lcclf_quality_warnings 0\n/)
    expect(log.filter(({ alarm, level }) => alarm !== undefined && level === 'warn')).toHaveLength(1)
  })

  it('can be checked before, in a snapshot of its topic', async () => {
    const input = await kafka.createTopic('checked', 2)
    await produce(kafka, input, alerts(40, {}))
    const check = (...more: string[]): ReturnType<typeof lcclf> =>
      lcclf(['check', `kafka://${kafka.server}/${input}`, '--model', model, '--json', ...more])
    const good = await check()
    expect([good.code, good.stderr]).toEqual([0, 'model: hierarchical_random_forest 1.0.0 (--model)\n'])
    expect(JSON.parse(good.stdout)).toMatchObject({ inputs: [{ read: 40, rejected: 0 }] })
    await produce(kafka, input, alerts(40, { [broken]: undefined }))
    await pause(100)
    const halved = JSON.parse((await check()).stdout) as { inputs: unknown[]; findings: { message: string }[] }
    expect(halved.inputs).toMatchObject([{ read: 80, rejected: 40 }])
    expect(JSON.stringify(halved.findings)).toContain(broken)
  })
})
