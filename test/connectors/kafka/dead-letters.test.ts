import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import {
  deadLetterMessage,
  deadLetterOf,
  deadLetterText,
  readDeadLetter,
  requeued,
  type DeadLetter,
} from '../../../src/connectors/kafka/dead-letters.ts'

const letter: DeadLetter = {
  reason: 'candid is missing',
  topic: 'features',
  partition: 3,
  offset: 12n,
  timestamp: 1_700_000_000_123n,
  key: Buffer.from('ZTF18abc'),
  value: Buffer.from([0, 255, 10]),
}

describe('a dead letter', () => {
  it('is one line of JSON with the message in base64', () => {
    expect(JSON.parse(deadLetterText(letter))).toEqual({
      reason: 'candid is missing',
      topic: 'features',
      partition: 3,
      offset: 12,
      key: 'ZTF18abc',
      timestamp: 1_700_000_000_123,
      value: 'AP8K',
    })
    expect(deadLetterText(letter)).not.toContain('\n')
  })

  it('is read back with every byte', () => {
    const letters = fc.record({
      reason: fc.string(),
      topic: fc.string({ minLength: 1 }),
      partition: fc.nat(),
      offset: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
      timestamp: fc.bigInt({ min: -1n, max: 2n ** 50n }),
      key: fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))),
      value: fc.option(fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))),
    })
    fc.assert(
      fc.property(letters, (each) => {
        expect(readDeadLetter(deadLetterText(each), 'here')).toEqual(each)
      }),
    )
  })

  it('is made of a reject, and goes back to the topic it came from', () => {
    const { reason, ...message } = letter
    expect(deadLetterOf({ oid: 'x', where: 'w', reason, message })).toEqual(letter)
    expect(deadLetterOf({ oid: 'x', where: 'w', reason })).toBeUndefined()
    expect(requeued(letter)).toEqual({ topic: 'features', key: letter.key, value: letter.value })
    expect(deadLetterMessage(letter, 'dead')).toMatchObject({ topic: 'dead', key: letter.key })
  })

  it('leaves out a value that is too long for a message, and says how long it was', () => {
    const long = { ...letter, value: Buffer.alloc(900_000) }
    const { key, value } = deadLetterMessage(long, 'dead')
    expect(key).toBeNull()
    expect(value!.length).toBeLessThan(1000)
    expect(readDeadLetter(value!.toString(), 'here')).toEqual({
      ...long,
      key: null,
      value: null,
      omittedBytes: 900_000,
    })
    expect(deadLetterMessage({ ...letter, value: Buffer.alloc(700_000) }, 'dead').value!.length).toBeGreaterThan(
      900_000,
    )
  })

  it.each([
    '',
    '[]',
    'null',
    '{}',
    '{"reason": "x"}',
    deadLetterText(letter).replace('12', '-1'),
    deadLetterText(letter).replace('"AP8K"', '7'),
  ])('is not %s', (text) => {
    expect(() => readDeadLetter(text, 'dead.ndjson line 7')).toThrow(DataError)
    expect(() => readDeadLetter(text, 'dead.ndjson line 7')).toThrow(/dead.ndjson line 7/)
  })
})
