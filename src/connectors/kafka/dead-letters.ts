// Messages that were not classified, kept with their reason: their form, and the topic or file that they go to.
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { OriginalMessage, Reject } from '../../pipeline/batch.ts'
import { DataError, ServiceError, systemCode, UsageError } from '../../errors.ts'
import type { OutgoingMessage } from './client/delivery.ts'
import type { DeadLetterTopic } from './client/connection-settings.ts'
import { type MessageOutlet, openOutlet } from './client/outlet.ts'
import { makeFolder } from '../../whole-file.ts'

/** A message and why it is here. */
export interface DeadLetter extends OriginalMessage {
  readonly reason: string
}

/** a letter beyond this is refused by brokers that are set up as they come; base64 makes a value a third longer */
const longestLetter = 1_000_000

/** The dead letter of a reject; undefined for one that came in no message. */
export function deadLetterOf({ reason, message }: Reject): DeadLetter | undefined {
  return message && { reason, ...message }
}

/**
 * A letter as one line of JSON. The value is base64; the key is text, or, if that is not UTF-8, `keyBase64` is there.
 * Numbers are exact: offsets and milliseconds stay below 2^53.
 */
export function deadLetterText(letter: DeadLetter): string {
  const { reason, topic, partition, offset, key, timestamp, value, omittedBytes } = letter
  const text = key === null ? null : Buffer.from(key).toString('utf8')
  const isText = text === null || Buffer.from(text, 'utf8').equals(key!)
  return JSON.stringify({
    ...{ reason, topic, partition },
    offset: Number(offset),
    key: isText ? text : null,
    timestamp: Number(timestamp),
    value: value === null ? null : Buffer.from(value).toString('base64'),
    ...(isText ? {} : { keyBase64: Buffer.from(key!).toString('base64') }),
    ...(omittedBytes === undefined ? {} : { omittedBytes }),
  })
}

/** @throws DataError for a text that is not a dead letter */
export function readDeadLetter(text: string, where: string): DeadLetter {
  let fields: Readonly<Record<string, unknown>> | null
  try {
    fields = JSON.parse(text) as typeof fields
  } catch (cause) {
    throw new DataError(`${where} is not a dead letter: it is not JSON`, { cause })
  }
  const { reason, topic, partition, offset, key, keyBase64, timestamp, value, omittedBytes } = fields ?? {}
  const isNamed = typeof reason === 'string' && typeof topic === 'string' && isCount(partition) && isCount(offset)
  const hasMessage = Number.isSafeInteger(timestamp) && isTextOrNull(key) && isTextOrNull(value)
  if (!isNamed || !hasMessage) throw new DataError(`${where} is not a dead letter`)
  return {
    ...{ reason, topic, partition },
    offset: BigInt(offset),
    timestamp: BigInt(timestamp as number),
    key: typeof keyBase64 === 'string' ? Buffer.from(keyBase64, 'base64') : key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value, 'base64'),
    ...(isCount(omittedBytes) ? { omittedBytes } : {}),
  }
}

/** The message as it was, to the topic it came from. */
export function requeued({ topic, key, value }: DeadLetter): OutgoingMessage {
  return { topic, key, value }
}

/**
 * A letter as a message of a topic of dead letters: under the key of the message it is about. A value too long for that is
 * left out: a letter that no broker takes would end the stream, again and again.
 */
export function deadLetterMessage(letter: DeadLetter, topic: string): OutgoingMessage {
  const { key, value } = letter
  const length = (value?.length ?? 0) * (4 / 3) + (key?.length ?? 0) * 3
  if (length > longestLetter) return shortDeadLetterMessage(letter, topic)
  return { topic, key, value: Buffer.from(deadLetterText(letter)) }
}

/** The letter without its message, for topics that allow less; the message is where the letter says. */
function shortDeadLetterMessage(letter: DeadLetter, topic: string): OutgoingMessage {
  const short = { ...letter, key: null, value: null, omittedBytes: letter.value?.length ?? 0 }
  return { topic, key: null, value: Buffer.from(deadLetterText(short)) }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

export interface DeadLetterOutlet {
  readonly address: string
  /** Resolves when they are safe. One call at a time. */
  write(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}

/**
 * A file with one letter per line; what is in it already stays.
 *
 * @throws UsageError for a file that cannot be written
 */
export async function openDeadLetterFile(path: string): Promise<DeadLetterOutlet> {
  const whyNot = (cause: unknown): string => `cannot be written (${systemCode(cause) ?? 'unknown reason'})`
  let file: number | undefined
  await makeFolder(dirname(path), path)
  try {
    file = openSync(path, 'a')
  } catch (cause) {
    throw new UsageError(`${path}: dead letters ${whyNot(cause)}`, { cause })
  }
  return {
    address: path,
    async write(letters) {
      try {
        // a file that was opened to append grows by all of it
        writeFileSync(file!, letters.map((letter) => `${deadLetterText(letter)}\n`).join(''))
        fsyncSync(file!)
      } catch (cause) {
        const hint = 'Free some space on its disk.'
        throw new ServiceError(`${path}: dead letters ${whyNot(cause)}`, { cause, hint })
      }
    },
    async close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}

/**
 * A topic, created where it does not exist and may be created.
 *
 * @param outlet of the transaction that the letters belong to
 * @throws ServiceError
 */
export async function openDeadLetterTopic(
  { address, connection, topic }: DeadLetterTopic,
  outlet?: MessageOutlet,
): Promise<DeadLetterOutlet> {
  const to = outlet ?? (await openOutlet(connection, topic(new Date())))
  return {
    address,
    async write(letters) {
      const name = topic(new Date())
      const messages = letters.map((letter) => deadLetterMessage(letter, name))
      const tooLarge = new Set<OutgoingMessage>()
      await to.send(messages, (message) => tooLarge.add(message))
      const again = letters.filter((_, i) => tooLarge.has(messages[i]!))
      if (again.length > 0) await to.send(again.map((letter) => shortDeadLetterMessage(letter, name)))
    },
    async close() {
      if (to !== outlet) await to.close()
    },
  }
}
