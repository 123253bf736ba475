import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { committedIn, produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'
import { slowAlert } from '../support/slow-alert.ts'
import { startStream, type StreamProcess } from '../support/stream-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const model = join(temporaryFolder(), 'bundle')
const recorded = seedRun('input').map((value) => ({ key: plainAlert(value).oid, value }))

let running: StreamProcess[] = []

describe.skipIf(!kafka)('a message that ends the process', () => {
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

  /** Twenty alerts, one that takes a third of a second to decode, and twenty more. */
  async function poisoned(topic: string): Promise<string> {
    const input = await kafka.createTopic(topic, 1)
    const slow = { key: 'slow', value: slowAlert('slow', 1) }
    await produce(kafka, input, [...recorded.slice(0, 20), slow, ...recorded.slice(20)])
    return input
  }

  function start(input: string, home: string, args: readonly string[], env = {}): StreamProcess {
    const from = `kafka://${kafka.server}/${input}?group=${input}&session_timeout=6`
    const to = ['--to', `kafka://${kafka.server}/${input}-out`]
    const common = ['--model', model, '--threads', '1', '--until-caught-up', '--batch-timeout', '0.2']
    const stream = startStream(['--from', from, ...to, ...common, ...args], { LCCLF_HOME: home, ...env })
    running.push(stream)
    return stream
  }

  const oids = async (topic: string) => (await readTopic(kafka, topic)).map(({ key }) => key!.toString()).sort()
  const all = recorded.map(({ key }) => key).sort()
  const place = 'partition 0 offset 20'

  it.each(['at-least-once', 'exactly-once'])(
    'is named, ends it twice, and is a dead letter after the third start, %s',
    { tags: ['long'] },
    async (delivery) => {
      const input = await poisoned(`poison-${delivery}`)
      const home = temporaryFolder()
      const args = ['--delivery', delivery, '--dead-letter', `kafka://${kafka.server}/${input}-dead`]
      for (const limits of [
        { LCCLF_DECODE_SECONDS: '0.08' },
        { LCCLF_DECODE_MEGABYTES: '40', LCCLF_DECODE_SECONDS: '0.5' },
      ]) {
        const { child, ended, log } = start(input, home, args, limits)
        await ended
        expect(child.signalCode, JSON.stringify(log)).toBe('SIGKILL')
        expect(log.at(-1)).toMatchObject({
          level: 'error',
          message: expect.stringContaining(`decoding ${input} ${place} takes too much`),
        })
      }
      const third = start(input, home, args, { LCCLF_DECODE_SECONDS: '0.08' })
      expect(await third.ended, JSON.stringify(third.log)).toBe(0)
      const said = third.log.map(({ message }) => message)
      expect(said).toContain(`2 processes ended while they were decoding ${input} ${place}: it is not decoded again`)
      expect(await oids(`${input}-out`)).toEqual(all)
      const letters = (await readTopic(kafka, `${input}-dead`)).map(
        ({ value }) => JSON.parse(value!.toString()) as object,
      )
      expect(letters).toMatchObject([
        { offset: 20, key: 'slow', reason: 'the process ended twice while it was being decoded' },
      ])
      expect(await committedIn(kafka, input, input)).toEqual([41n])
      const [group] = readdirSync(join(home, 'streams'))
      // the two marks are removed when the partition is read again from behind the message
      expect(readdirSync(join(home, 'streams', group!))).toHaveLength(2)
      const fourth = start(input, home, args)
      expect(await fourth.ended).toBe(0)
      expect(readdirSync(join(home, 'streams', group!))).toEqual([])
    },
  )

  it(
    'ends the stream in order where bad messages stop it, and costs a line where they are skipped',
    { tags: ['long'] },
    async () => {
      const input = await poisoned('poison-policies')
      const home = temporaryFolder()
      for (let i = 0; i < 2; i++) {
        const { ended } = start(input, home, [], { LCCLF_DECODE_SECONDS: '0.08' })
        expect(await ended).toBeNull()
      }
      const stopped = start(input, home, [])
      expect(await stopped.ended).toBe(3)
      expect(stopped.log.at(-1)).toMatchObject({
        message: `${input} ${place}: the process ended twice while it was being decoded`,
        hint: expect.stringContaining('--on-bad-message skip') as string,
      })
      expect(await committedIn(kafka, input, input)).toEqual([20n])
      const skipped = start(input, home, ['--on-bad-message', 'skip'])
      expect(await skipped.ended, JSON.stringify(skipped.log)).toBe(0)
      expect(skipped.log.map(({ message }) => message)).toContain(
        `${input} ${place} was not classified: the process ended twice while it was being decoded`,
      )
      expect(await oids(`${input}-out`)).toEqual(all)
    },
  )

  it(
    'costs no other message when it is a batch that unpacks to more than there can be',
    { tags: ['long'] },
    async () => {
      const input = await kafka.createTopic('bomb', 1)
      await produce(kafka, input, recorded.slice(0, 20))
      await produce(kafka, input, [{ key: 'bomb', value: Buffer.alloc(70_000_000) }], { compression: 'gzip' })
      await produce(kafka, input, recorded.slice(20))
      const home = temporaryFolder()
      const stopped = start(input, home, [])
      expect(await stopped.ended, JSON.stringify(stopped.log)).toBe(3)
      expect(stopped.log.at(-1)!['message']).toBe(
        `${input} partition 0 offset 20: its record batch cannot be read (offsets 20 to 20: ` +
          'it unpacks to more than 67108864 bytes)',
      )
      expect(await committedIn(kafka, input, input)).toEqual([20n])
      const dead = ['--delivery', 'exactly-once', '--dead-letter', `kafka://${kafka.server}/${input}-dead`]
      const { ended, log } = start(input, home, dead)
      expect(await ended, JSON.stringify(log)).toBe(0)
      expect(await oids(`${input}-out`)).toEqual(all)
      const [letter, ...others] = (await readTopic(kafka, `${input}-dead`)).map(
        ({ value }) => JSON.parse(value!.toString()) as object,
      )
      // its message is where it was: nothing of it can be sent again
      expect(letter).toMatchObject({
        offset: 20,
        value: null,
        omittedBytes: 0,
        reason: 'its record batch cannot be read',
      })
      expect(others).toEqual([])
    },
  )

  it('is classified where nothing is remembered and it may take its time', { tags: ['long'] }, async () => {
    const input = await poisoned('poison-patient')
    const closed = join(temporaryFolder(), 'not', 'there')
    mkdirSync(join(closed, '..'))
    const { ended, log } = start(input, closed, ['--dead-letter', `kafka://${kafka.server}/${input}-dead`])
    expect(await ended, JSON.stringify(log)).toBe(0)
    expect(log.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^a message that ends the process is not known again .*: there is no folder/),
    )
    expect(await oids(`${input}-out`)).toEqual(all)
    const letters = (await readTopic(kafka, `${input}-dead`)).map(
      ({ value }) => JSON.parse(value!.toString()) as object,
    )
    // it lacks the features: decoded, and not classified
    expect(letters).toMatchObject([{ key: 'slow', reason: expect.stringContaining('absent') as string }])
  })
})
