// Where dead letters go: a topic, or a file that grows.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { ServiceError, systemCode, UsageError } from '../../errors.ts'
import type { KafkaConnection } from '../../connectors/kafka/client/connection.ts'
import {
  type DeadLetter,
  deadLetterMessage,
  deadLetterText,
  shortDeadLetterMessage,
} from '../../connectors/kafka/dead-letters.ts'
import type { OutgoingMessage } from '../../connectors/kafka/client/delivery.ts'
import { type MessageOutlet, openOutlet } from '../../connectors/kafka/client/outlet.ts'
import type { TopicName } from '../../connectors/kafka/topics.ts'

/** Takes dead letters. */
export interface DeadLetterOutlet {
  readonly address: string
  /** Resolves when they are safe. One call at a time. */
  write(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}

/**
 * A file with a letter a line; what is in it already stays.
 *
 * @throws UsageError for a file that cannot be written
 */
export function openDeadLetterFile(path: string): DeadLetterOutlet {
  let file: number | undefined
  try {
    file = openSync(path, 'a')
  } catch (cause) {
    throw new UsageError(`${path}: dead letters cannot be written there (${systemCode(cause) ?? 'unknown reason'})`, {
      cause,
    })
  }
  return {
    address: path,
    write(letters) {
      try {
        writeFully(file!, Buffer.from(letters.map((letter) => `${deadLetterText(letter)}\n`).join('')))
        fsyncSync(file!)
        return Promise.resolve()
      } catch (cause) {
        const why = systemCode(cause) ?? 'unknown reason'
        const hint = 'Is there space left on the disk?'
        return Promise.reject(new ServiceError(`${path}: dead letters cannot be written (${why})`, { cause, hint }))
      }
    },
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
      return Promise.resolve()
    },
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length;) start += writeSync(file, bytes, start, bytes.length - start)
}

/** A topic for dead letters. */
export interface DeadLetterTopic {
  /** as it may be shown */
  readonly address: string
  readonly connection: KafkaConnection
  readonly topic: TopicName
}

/**
 * A topic, made where it does not exist and may be made.
 *
 * @param outlet of a transaction that the letters are to be part of
 * @throws ServiceError
 */
export async function openDeadLetterTopic(
  { address, connection, topic }: DeadLetterTopic,
  outlet?: MessageOutlet,
): Promise<DeadLetterOutlet> {
  const own = outlet ? undefined : await openOutlet(connection, topic(new Date()))
  return {
    address,
    async write(letters) {
      const name = topic(new Date())
      const to = (outlet ?? own)!
      const messages = letters.map((letter) => deadLetterMessage(letter, name))
      const tooLarge = new Set<OutgoingMessage>()
      await to.send(messages, (message) => tooLarge.add(message))
      const again = letters.filter((_, i) => tooLarge.has(messages[i]!))
      if (again.length > 0) await to.send(again.map((letter) => shortDeadLetterMessage(letter, name)))
    },
    close: async () => own?.close(),
  }
}
