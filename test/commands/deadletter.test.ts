import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { deadLetterMessage, deadLetterText, type DeadLetter } from '../../src/connectors/kafka/dead-letters.ts'
import { produce, readTopic } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const kafka = (await kafkaForTests())!
const at = (topic: string): string => `kafka://${kafka.server}/${topic}`

function letter(offset: number, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    reason: offset % 2 === 0 ? 'features are absent' : 'is no alert',
    topic: 'features',
    partition: 0,
    offset: BigInt(offset),
    timestamp: 1_700_000_000_000n,
    key: Buffer.from(`key ${offset}`),
    value: Buffer.from([offset, 0, 255]),
    ...more,
  }
}

const letters = Array.from({ length: 7 }, (_, i) => letter(i))

async function topicOf(name: string, more: readonly { value: string }[] = []): Promise<string> {
  await kafka.createTopic(name, 3)
  await produce(kafka, name, [
    ...letters.map((each) => ({ key: each.key!.toString(), value: deadLetterMessage(each, name).value })),
    ...more,
  ])
  return at(name)
}

async function sentTo(topic: string): Promise<(readonly [string | undefined, string | undefined])[]> {
  const messages = await readTopic(kafka, topic)
  return messages.map(({ key, value }) => [key?.toString(), value?.toString('hex')] as const).sort()
}

const asSent = (some: readonly DeadLetter[]) =>
  some.map(({ key, value }) => [Buffer.from(key!).toString(), Buffer.from(value!).toString('hex')]).sort()

describe.skipIf(!kafka)('lcclf deadletter', () => {
  afterAll(() => kafka.remove())

  it('shows the letters of a topic and of a file whole', async () => {
    const file = join(temporaryFolder(), 'dead.ndjson')
    writeFileSync(file, letters.map((each) => `${deadLetterText(each)}\n`).join(''))
    for (const address of [await topicOf('shown'), file]) {
      const { code, stdout, stderr } = await hostedLcclf(['deadletter', 'show', address])
      expect(code, stderr).toBe(0)
      expect(stdout.trim().split('\n').sort()).toEqual(letters.map(deadLetterText).sort())
      expect(stderr).toContain('4 × features are absent')
    }
    const { stdout } = await hostedLcclf(['deadletter', 'show', file, '--json', '--reason', 'no alert', '--limit', '2'])
    expect(JSON.parse(stdout)).toMatchObject({ letters: 2, reasons: { 'is no alert': 2 }, exitCode: 0 })
  })

  it('shows the others when one is no letter, and says so', async () => {
    const address = await topicOf('spoilt', [{ value: 'hello' }])
    const { code, stdout, stderr } = await hostedLcclf(['deadletter', 'show', address])
    expect(code).toBe(3)
    expect(stdout.trim().split('\n')).toHaveLength(7)
    expect(stderr).toContain('spoilt partition')
  })

  it('sends them back to the topic they came from, once', async () => {
    await kafka.createTopic('features', 2)
    const address = await topicOf('requeued')
    expect((await hostedLcclf(['deadletter', 'requeue', address, '--dry-run'])).stderr).toContain(
      '7 dead letters would be',
    )
    expect(await sentTo('features')).toEqual([])
    expect((await hostedLcclf(['deadletter', 'requeue', address])).code).toBe(0)
    expect(await sentTo('features')).toEqual(asSent(letters))
    expect((await hostedLcclf(['deadletter', 'requeue', address])).stderr).toContain('0 dead letters')
    expect(await sentTo('features')).toHaveLength(7)
    expect((await hostedLcclf(['deadletter', 'requeue', address, '--again', '--limit', '2'])).code).toBe(0)
    expect(await sentTo('features')).toHaveLength(9)
  })

  it('sends those of a file elsewhere, but for the ones that are not whole', async () => {
    const file = join(temporaryFolder(), 'dead.ndjson')
    const long = letter(9, { value: null, omittedBytes: 2_000_000 })
    writeFileSync(file, [...letters, long].map((each) => `${deadLetterText(each)}\n`).join(''))
    const { code, stderr } = await hostedLcclf(['deadletter', 'requeue', file, '--to', at('elsewhere')])
    expect(code).toBe(3)
    expect(stderr).toContain('1 were too long')
    expect(await sentTo('elsewhere')).toEqual(asSent(letters))
  })

  it('says what is missing', async () => {
    expect((await hostedLcclf(['deadletter', 'show', '/nonexistent.ndjson'])).code).toBe(3)
    expect((await hostedLcclf(['deadletter', 'show', at('nowhere')])).code).toBe(3)
    expect((await hostedLcclf(['deadletter', 'requeue', '/nonexistent.ndjson'])).code).toBe(2)
  })
})
